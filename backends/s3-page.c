/* ListBucketResult. Keys come percent-encoded where the server says so (we ask for it, since XML cannot say every byte that a
 * key can hold), and plain where it does not know how.
 *
 * An object counts when it has all that a caller will ask for; one that the server only half describes is left alone. Times
 * are whole seconds: that is all the Last-Modified header of the same object has, and one object shall have one time. */
#include "s3-page.h"

#include "s3-time.h"
#include "s3-xml.h"

#include <pgofs/units.h>

#include <errno.h>
#include <string.h>

#define ROOT "ListBucketResult"

struct reading {
	struct s3_page *page;
	size_t first; /* this answer's objects begin here */
	bool url_encoded;
	struct s3_object now;
	bool has_key, has_etag, has_size, has_time;
};

void s3_page_init(struct s3_page *p)
{
	*p = (struct s3_page){ .objects = PGOFS_BUF(S3_PAGE_OBJECTS_MAX), .text = PGOFS_BUF(S3_PAGE_TEXT_MAX) };
}

void s3_page_done(struct s3_page *p)
{
	pgofs_buf_done(&p->objects);
	pgofs_buf_done(&p->text);
}

void s3_page_clear(struct s3_page *p)
{
	p->objects.len = 0;
	p->text.len = 0;
}

size_t s3_page_count(const struct s3_page *p)
{
	return p->objects.len / sizeof(struct s3_object);
}

const struct s3_object *s3_page_at(const struct s3_page *p, size_t i)
{
	return (const struct s3_object *)p->objects.data + i;
}

const char *s3_page_key(const struct s3_page *p, const struct s3_object *o)
{
	return (const char *)p->text.data + o->key;
}

void s3_page_stored(const struct s3_page *p, const struct s3_object *o, struct pgofs_stored *ret)
{
	*ret = (struct pgofs_stored){ .size_bytes = o->size_bytes, .mtime_ns = o->mtime_s * PGOFS_NS_PER_S };
	snprintf(ret->version, sizeof ret->version, "%s", (const char *)p->text.data + o->etag);
}

static int add_text(struct reading *r, const char *text, size_t len, uint32_t *ret_at)
{
	struct pgofs_buf *to = &r->page->text;
	*ret_at = (uint32_t)to->len;
	int result = pgofs_buf_append(to, text, len);
	return result < 0 ? result : pgofs_buf_append(to, "", 1);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; what is no escape stays as it is. */
static size_t url_decode(char *text, size_t len)
{
	size_t out = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			c = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		}
		text[out++] = c;
	}
	text[out] = '\0';
	return out;
}

static int on_etag(struct reading *r, const char *text)
{
	size_t len = strlen(text);
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	r->has_etag = len > 0 && len < PGOFS_VERSION_SIZE;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= 0x20 || text[i] == '"' || text[i] == 0x7f)
			r->has_etag = false;
	return add_text(r, text, len, &r->now.etag);
}

static int on_size(struct reading *r, const char *text)
{
	char *end;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	r->has_size = *text >= '0' && *text <= '9' && !*end && !errno && n <= INT64_MAX;
	r->now.size_bytes = n;
	return 0;
}

static int on_key(struct reading *r, const char *text)
{
	r->has_key = true;
	return add_text(r, text, strlen(text), &r->now.key);
}

static int finish(struct reading *r, bool complete)
{
	struct s3_object o = r->now;
	r->now = (struct s3_object){ 0 };
	r->has_key = r->has_etag = r->has_size = r->has_time = false;
	if (!complete) {
		r->page->n_foreign++;
		return 0;
	}
	return pgofs_buf_append(&r->page->objects, &o, sizeof o);
}

static int on_element(void *context, const char *path, const char *text)
{
	struct reading *r = context;
	struct s3_page *p = r->page;
	if (!strcmp(path, ROOT "/Contents/Key") || !strcmp(path, ROOT "/CommonPrefixes/Prefix"))
		return on_key(r, text);
	if (!strcmp(path, ROOT "/Contents/ETag"))
		return on_etag(r, text);
	if (!strcmp(path, ROOT "/Contents/Size"))
		return on_size(r, text);
	if (!strcmp(path, ROOT "/Contents/LastModified"))
		r->has_time = s3_time_parse_iso(text, &r->now.mtime_s) == 0;
	else if (!strcmp(path, ROOT "/Contents"))
		return finish(r, r->has_key && r->has_etag && r->has_size && r->has_time);
	else if (!strcmp(path, ROOT "/CommonPrefixes")) {
		r->now.is_prefix = true;
		return finish(r, r->has_key);
	} else if (!strcmp(path, ROOT "/IsTruncated"))
		p->truncated = !strcmp(text, "true");
	else if (!strcmp(path, ROOT "/NextContinuationToken"))
		return snprintf(p->next_token, sizeof p->next_token, "%s", text) < S3_TOKEN_SIZE ? 0 : -EFBIG;
	else if (!strcmp(path, ROOT "/EncodingType"))
		r->url_encoded = !strcmp(text, "url");
	return 0;
}

/* EncodingType may stand anywhere in the document, so this comes last. */
static void decode_keys(struct reading *r)
{
	struct s3_object *objects = (struct s3_object *)r->page->objects.data;
	size_t n = s3_page_count(r->page), kept = r->first;
	for (size_t i = r->first; i < n; i++) {
		char *key = (char *)r->page->text.data + objects[i].key;
		if (url_decode(key, strlen(key)) != strlen(key))
			r->page->n_foreign++; /* a NUL in it */
		else
			objects[kept++] = objects[i];
	}
	r->page->objects.len = kept * sizeof *objects;
}

int s3_page_read(struct s3_page *p, const void *xml, size_t len, struct pgofs_error *err)
{
	struct reading reading = { .page = p, .first = s3_page_count(p) };
	p->truncated = false;
	p->next_token[0] = '\0';
	p->n_foreign = 0;
	int r = s3_xml_walk(xml, len, ROOT, on_element, &reading, err);
	if (r == -EFBIG)
		return pgofs_error_set(err, -EIO, "the listing is longer than we keep: use more, smaller directories");
	if (r == 0 && reading.url_encoded)
		decode_keys(&reading);
	return r;
}
