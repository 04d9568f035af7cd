/* One HTTP exchange: a request out, a whole and bounded answer in, by a deadline. Knows nothing of S3.
 *
 * Threads: any, at the same time; they share a pool of libcurl handles under a lock that is never held across the network.
 * A thread beyond the pool's size waits for a handle, by its deadline. */
#pragma once

#include "s3-sign.h"

#include <pgofs/buf.h>
#include <pgofs/error.h>

#include <stdbool.h>
#include <stdint.h>

struct s3_http;

struct s3_http_config {
	size_t n_connections;
	const char *ca_bundle; /* file or directory, believed alone; NULL is the system's. Borrowed for the life of the pool */
};

int s3_http_new(const struct s3_http_config *config, struct s3_http **ret, struct pgofs_error *err);
void s3_http_free(struct s3_http *h);
PGOFS_DEFINE_FREEP(struct s3_http, s3_http_free)

struct s3_http_request {
	const char *method;
	const char *url;                 /* sent as it stands */
	const struct s3_header *headers; /* host may be among them */
	size_t n_headers;
	const void *body; /* NULL for a request that has none */
	size_t body_len;
	size_t max_bytes;          /* of the body of a successful answer; an error's is cut at 64 KiB */
	int64_t deadline_ns;       /* by pgofs_monotonic_ns; silence ends it after half of the time, but not before 20 s */
	int64_t connect_within_ns; /* 0 is 5 s */
	bool direct;               /* never through a proxy: metadata services are on this machine */
};

#define S3_HEADER_SIZE 128

struct s3_http_response {
	long status;
	unsigned
	    n_sends; /* how often the request went out: libcurl sends again on its own when a kept connection was dead */
	struct pgofs_buf body;
	char etag[S3_HEADER_SIZE]; /* "" where there was none, or a longer one; so for all */
	char last_modified[S3_HEADER_SIZE];
	char date[S3_HEADER_SIZE];
	char request_id[S3_HEADER_SIZE];
	char region[S3_HEADER_SIZE];
	char encryption[S3_HEADER_SIZE];   /* x-amz-server-side-encryption */
	char customer_key[S3_HEADER_SIZE]; /* x-amz-server-side-encryption-customer-algorithm */
	int64_t total_bytes;               /* what Content-Length said; -1 where it did not */
};

void s3_http_response_done(struct s3_http_response *r);

/* 0 when an answer arrived whole, whatever its status. -EFBIG its body was longer than max_bytes; -ETIMEDOUT the deadline
 * passed, or the server fell silent; -EIO the rest. *ret_retry: the same again might go better. The response must be zeroed
 * before; finish it with s3_http_response_done on every path. */
int s3_http_exchange(struct s3_http *h, const struct s3_http_request *request, struct s3_http_response *response,
		     bool *ret_retry, struct pgofs_error *err);
