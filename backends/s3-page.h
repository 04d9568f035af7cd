/* One page of a listing: ListObjectsV2's answer, taken apart.
 *
 * Threads: a page belongs to one thread. */
#pragma once

#include <pgofs/backend.h>
#include <pgofs/buf.h>

/* Texts are offsets into `text`, so that a directory of many thousand entries costs little more than their names. */
struct s3_object {
	uint32_t key;  /* decoded, NUL-terminated */
	uint32_t etag; /* without quotes */
	bool is_prefix;
	uint64_t size_bytes;
	int64_t mtime_s;
};

#define S3_TOKEN_SIZE 2048

struct s3_page {
	struct pgofs_buf objects; /* of struct s3_object, in the server's order; grows from page to page */
	struct pgofs_buf text;
	size_t n_foreign; /* keys with a NUL in them, objects without an ETag, a size or a time */
	bool truncated;
	char next_token[S3_TOKEN_SIZE]; /* "" where there was none */
};

/* How much one listing may hold: some 900,000 entries. */
#define S3_PAGE_TEXT_MAX    ((size_t)128 << 20)
#define S3_PAGE_OBJECTS_MAX ((size_t)64 << 20)

void s3_page_init(struct s3_page *p);
void s3_page_done(struct s3_page *p);

/* Forgets the entries. */
void s3_page_clear(struct s3_page *p);

/* Adds an answer's entries. -EIO with words: no ListBucketResult, not well-formed, past a limit. */
int s3_page_read(struct s3_page *p, const void *xml, size_t len, struct pgofs_error *err);

size_t s3_page_count(const struct s3_page *p);
const struct s3_object *s3_page_at(const struct s3_page *p, size_t i);
const char *s3_page_key(const struct s3_page *p, const struct s3_object *o);

/* What storage knows of an object that is no prefix. */
void s3_page_stored(const struct s3_page *p, const struct s3_object *o, struct pgofs_stored *ret);
