/* The sources of the credentials chain, one file each. */
#pragma once

#include "s3-credentials.h"
#include "s3-profile.h"

struct s3_ask {
	struct s3_http *http;
	const struct s3_profile *profile; /* opened afresh for each round of the chain */
	const char *region;
	int64_t deadline_ns;
};

/* 0 and *ret; -ENOENT this source is not set up here, ask the next; anything else fails the chain, with words. */
typedef int (*s3_source_fn)(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err);

int s3_source_environment(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err);
int s3_source_shared(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err);
int s3_source_web_identity(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err);
int s3_source_container(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err);
int s3_source_instance(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err);

/* s3_http_exchange for a source. What may pass (the network, 429, 5xx) is tried up to three times by the request's deadline. Where
 * nobody has `named` the source, not reaching it is -ENOENT, at once. */
int s3_source_exchange(const struct s3_ask *ask, const struct s3_http_request *request, bool named,
		       struct s3_http_response *response, struct pgofs_error *err);

/* Frees an answer that has secrets in it, and leaves nothing of its body. */
void s3_wipe_response_done(struct s3_http_response *r);

/* The JSON that containers and instances answer with. -EIO with words. */
int s3_credentials_from_json(const char *source, const void *data, size_t len, struct s3_credentials **ret,
			     struct pgofs_error *err);

/* A token's file, which rotates: its first line without blanks around it, wiped by s3_wipe_freep. -EIO with words. */
int s3_read_token(const char *path, char **ret, struct pgofs_error *err);
void s3_wipe_free(char *secret);
PGOFS_DEFINE_FREEP(char, s3_wipe_free)
