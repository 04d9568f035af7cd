/* One S3 request, seen through to its end: signed, sent, judged, tried again where that helps, by a deadline.
 *
 * Threads: any, at the same time. */
#pragma once

#include "s3-config.h"
#include "s3-error.h"
#include "s3-http.h"

#include <pgofs/buf.h>

struct s3_client;

int s3_client_new(const char *source, const char *const *options, struct s3_client **ret, struct pgofs_error *err);
void s3_client_free(struct s3_client *c);
PGOFS_DEFINE_FREEP(struct s3_client, s3_client_free)

const struct s3_config *s3_client_config(const struct s3_client *c);

/* When an operation that begins now must have ended. */
int64_t s3_client_deadline_ns(const struct s3_client *c);

enum s3_operation {
	S3_LIST,
	S3_GET,
	S3_PUT,
	S3_COPY,
	S3_DELETE,
	S3_DELETE_MANY,
	S3_N_OPERATIONS,
};

struct s3_request {
	enum s3_operation operation;
	const char *key;   /* in the bucket; NULL for the bucket itself */
	const char *about; /* for the log, where `key` is NULL: a prefix, the first of many keys */
	struct s3_param params[6];
	size_t n_params;
	struct s3_header headers[4];
	size_t n_headers;
	const void *body; /* NULL for none */
	size_t body_len;
	size_t max_bytes; /* of the answer's body */
};

struct s3_answer {
	struct s3_http_response http;
	struct s3_refusal refusal; /* of the last answer, when it was one */
	bool sent_before;          /* the request went out more than once: an earlier one may have been obeyed */
};

/* 0 for an answer that is a success and whole; else an errno by s3_errno, and then a->refusal says what a caller may act on (all of it
 * 0 and "" where no answer came). The answer must be zeroed before; finish it with s3_answer_done on every path. */
int s3_client_ask(struct s3_client *c, const struct s3_request *q, int64_t deadline_ns, struct s3_answer *a,
		  struct pgofs_error *err);
void s3_answer_done(struct s3_answer *a);

/* After try number `n_tries` of what failed in a way that passes: pauses and says true, or false where there shall be no other, by
 * `attempts`, by the deadline or because too much is tried again already. */
bool s3_client_try_again(struct s3_client *c, unsigned n_tries, int64_t deadline_ns);

/* For an answer that came as a success and turned out to be none: one line in the log, as a failure of s3_client_ask is. -EIO,
 * with `why`. */
int s3_client_refuse(struct s3_client *c, const struct s3_request *q, const struct s3_answer *a, const char *why,
		     struct pgofs_error *err);

/* "s3_requests_list_total 12" and so on: what went out on a connection, again and again where it did. */
int s3_client_stats(struct s3_client *c, struct pgofs_buf *append_to);
