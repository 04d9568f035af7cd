/* Where the bucket is and how to talk to it: from options, from the environment, from AWS's shared files, in this order. */
#pragma once

#include <pgofs/error.h>
#include <pgofs/options.h>

#include <stdbool.h>
#include <stdint.h>

struct s3_config {
	/* Options; strings are NULL or not empty. */
	char *endpoint;
	char *region;
	char *addressing;
	char *ca_bundle;
	char *profile; /* as the option or the environment names it, or NULL */
	bool no_sign_request;
	bool check_etag;
	int64_t timeout_ns;
	int64_t connections;
	int64_t attempts;
	char *refused[3]; /* where secrets would go; always NULL */

	/* What follows from them and from the source. */
	bool profile_by_option;
	bool path_style;
	char *bucket;
	char *prefix;    /* "" or "a/b/", to be put before a key */
	char *scheme;    /* "https" */
	char *authority; /* "minio.example:9000"; NULL: AWS's, which depends on the region */
	char *base_path; /* of the endpoint, without a last '/': "" or "/s3" */
};

extern const struct pgofs_option s3_config_options[];

bool s3_config_matches(const char *source);

/* Zeroed before; finish with s3_config_done, also on failure. -EINVAL with words, -ENOENT (a profile, a file). */
int s3_config_init(struct s3_config *c, const char *source, const char *const *options, struct pgofs_error *err);
void s3_config_done(struct s3_config *c);

/* The host a request for the bucket goes to, as the Host header has it, in `region`. */
#define S3_HOST_SIZE 512
void s3_config_host(const struct s3_config *c, const char *region, char ret[static S3_HOST_SIZE]);
