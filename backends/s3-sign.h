/* AWS Signature Version 4: what proves to an S3 server who sent a request and that nobody changed it.
 *
 * The request's address is built here too, because the signature covers the very bytes that are sent: whoever sends must
 * use the path and the query made here unchanged.
 *
 * Pure functions; any thread. Source: AWS, "Authenticating Requests (AWS Signature Version 4)". */
#pragma once

#include <pgofs/buf.h>

#include <stdint.h>

#define S3_HEX_SHA256_SIZE 65 /* 64 digits and a NUL */
#define S3_BASE64_MD5_SIZE 25
#define S3_HEX_MD5_SIZE    33
#define S3_DATE_SIZE       17 /* "20261122T101500Z" */
#define S3_HEADERS_MAX     16
#define S3_PARAMS_MAX      16

struct s3_header {
	const char *name; /* lower case */
	const char *value;
};

struct s3_param {
	const char *name;
	const char *value; /* raw bytes; "" for one without a value */
};

/* Percent-encodes all but the unreserved bytes of RFC 3986 and '/'. */
int s3_encode_path(struct pgofs_buf *to, const char *path);

/* Encodes, sorts and joins: the canonical query, which is also the one to send. At most S3_PARAMS_MAX, else -E2BIG. */
int s3_encode_query(struct pgofs_buf *to, const struct s3_param *params, size_t n);

void s3_format_date(char ret[static S3_DATE_SIZE], int64_t unix_s);

/* -EIO where OpenSSL will not (MD5 on a machine in FIPS mode). */
int s3_sha256(const void *data, size_t len, char ret_hex[static S3_HEX_SHA256_SIZE]);
int s3_md5_hex(const void *data, size_t len, char ret_hex[static S3_HEX_MD5_SIZE]);
int s3_md5_base64(const void *data, size_t len, char ret_base64[static S3_BASE64_MD5_SIZE]);

struct s3_signing {
	const char *method;
	const char *path;                /* from s3_encode_path */
	const char *query;               /* from s3_encode_query */
	const struct s3_header *headers; /* all that are to be covered, host among them, in any order */
	size_t n_headers;
	const char *payload_sha256; /* hex */
	const char *date;           /* from s3_format_date; also the x-amz-date header */
	const char *region;
	const char *service;
	const char *access_key;
	const char *secret_key;
};

/* Appends the Authorization header's value, NUL-terminated. -E2BIG more than S3_HEADERS_MAX headers. */
int s3_sign(const struct s3_signing *s, struct pgofs_buf *ret_authorization);
