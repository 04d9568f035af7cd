/* Who we are to the server: a key pair, perhaps with a session token that expires, from the standard chain of sources.
 *
 *	environment > shared config and credentials files > web identity > container endpoint > EC2 metadata (IMDSv2)
 *
 * The first source that is set up here counts; if it fails, the chain fails, so that nobody silently becomes somebody else.
 * A profile named by option goes before the environment.
 *
 * Threads: a struct s3_identity is for all; its lock is never held while a source is asked. One thread asks, others go on
 * with what is still good or wait by their deadline. */
#pragma once

#include "s3-http.h"

#include <pgofs/cleanup.h>
#include <pgofs/error.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Never changes; wiped with its last reference. */
struct s3_credentials {
	atomic_uint refs;
	char *access_key;
	char *secret_key;
	char *token;        /* or NULL */
	int64_t expires_s;  /* since 1970; 0: never */
	const char *source; /* a constant: "environment" */
};

/* Copies its arguments. NULL when memory is out. */
struct s3_credentials *s3_credentials_new(const char *source, const char *access_key, const char *secret_key,
					  const char *token, int64_t expires_s);
struct s3_credentials *s3_credentials_ref(struct s3_credentials *c);
void s3_credentials_unref(struct s3_credentials *c);
PGOFS_DEFINE_FREEP(struct s3_credentials, s3_credentials_unref)

struct s3_identity;

struct s3_identity_config {
	struct s3_http *http; /* borrowed for the identity's life, as all here */
	const char *profile;  /* or NULL for "default" */
	bool profile_first;   /* the profile was named by option */
	const char *region;   /* whose STS to ask for a web identity */
};

int s3_identity_new(const struct s3_identity_config *config, struct s3_identity **ret, struct pgofs_error *err);
void s3_identity_free(struct s3_identity *id);
PGOFS_DEFINE_FREEP(struct s3_identity, s3_identity_free)

/* Good credentials, with a reference. `refused` is NULL, or what a server has just called expired or unknown: then the
 * sources are asked again unless that has happened since. -EACCES no source has any; -ETIMEDOUT. */
int s3_identity_get(struct s3_identity *id, const struct s3_credentials *refused, int64_t deadline_ns,
		    struct s3_credentials **ret, struct pgofs_error *err);
