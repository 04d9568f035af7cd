/* What an S3 server says when it refuses, and what that means to a caller. */
#pragma once

#include "s3-http.h"

#include <stdbool.h>

/* The server's own words, cut to what fits. */
struct s3_refusal {
	long status;
	char code[64]; /* "NoSuchKey"; "" where the answer was no S3 error */
	char message[256];
	char region[64]; /* where the bucket really is, when that was the matter; "" or [a-z0-9-]+ */
	char request_id[S3_HEADER_SIZE];
};

/* Reads what an answer that is no success says. Never fails: what cannot be read stays "". */
void s3_refusal_read(const struct s3_http_response *p, struct s3_refusal *ret);

/* A 200 whose body says <Error> all the same: CopyObject and DeleteObjects begin to answer before they know. */
bool s3_refusal_hidden(const struct s3_http_response *p);

/* Whether the same request may go better a moment later. */
bool s3_refusal_retry(const struct s3_refusal *f);
bool s3_code_retry(const char *code);

/* The credentials were too old, or are not known: new ones may be. */
bool s3_refusal_of_credentials(const struct s3_refusal *f);

/* -errno for a code of one key or of a whole request; `status` 0 where there is none. */
int s3_errno(const char *code, long status);

/* s3_errno of it, with words: "the server answered 403 AccessDenied: Access Denied (request 17C3…)". */
int s3_refusal_error(const struct s3_refusal *f, struct pgofs_error *err);
