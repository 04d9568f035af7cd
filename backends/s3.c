/* A bucket as storage: a key is an object's name behind the source's prefix, so that any other S3 tool can read and write
 * there too. No state of our own but connections: what the bucket lists is the truth.
 *
 * What must stay true: an object appears whole or not at all (one PUT, whose signed hash the server checks); one that is there is not
 * replaced where the caller said "new" (If-None-Match), though the answer to our own first try was lost; a get returns what is
 * under the version asked for or fails (If-Match); every call ends by its deadline.
 *
 * The layers below: s3-client (one request to its end), s3-http (one exchange), s3-sign, s3-credentials, s3-list, s3-delete. */
#include "s3-client.h"
#include "s3-delete.h"
#include "s3-list.h"
#include "s3-time.h"
#include "s3-xml.h"

#include <pgofs/backend-impl.h>
#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define OBJECT_TYPE      "application/octet-stream"
#define ANSWER_MAX_BYTES ((size_t)64 << 10) /* of answers that are no object and no listing */

struct s3 {
	struct pgofs_backend base;
	struct s3_client *client;
	atomic_bool told_foreign;       /* the log has said that keys were left alone */
	atomic_bool no_conditional_put; /* the server has answered that it has none, and the log has said so */
};

/* The key in the bucket: the prefix and the caller's. */
struct full_key {
	char text[2 * PGOFS_KEY_MAX];
};

static struct s3 *s3_of(struct pgofs_backend *b)
{
	return (struct s3 *)b;
}

static int full_key(const struct s3 *s, const char *key, struct full_key *ret, struct pgofs_error *err)
{
	int len = snprintf(ret->text, sizeof ret->text, "%s%s", s3_client_config(s->client)->prefix, key);
	if (len > PGOFS_KEY_MAX)
		return pgofs_error_set(err, -ENAMETOOLONG, "with the prefix it is longer than S3's %d bytes",
				       PGOFS_KEY_MAX);
	return 0;
}

static int64_t deadline_ns(const struct s3 *s)
{
	return s3_client_deadline_ns(s->client);
}

static void add_header(struct s3_request *q, const char *name, const char *value)
{
	q->headers[q->n_headers++] = (struct s3_header){ name, value };
}

/* ---- Probe, list ---- */

static int s3_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	return s3_list_probe(s3_of(b)->client, err);
}

static int s3_list_dir(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		       struct pgofs_error *err)
{
	struct s3 *s = s3_of(b);
	size_t n_foreign = 0;
	int r = s3_list(s->client, dir, flags, each, context, &n_foreign, err);
	if (n_foreign && !atomic_exchange(&s->told_foreign, true))
		pgofs_log(PGOFS_LOG_WARNING, "keys that no path can name were left alone", "storage", b->name,
			  "directory", *dir ? dir : NULL, "n", PGOFS_FMT("%zu", n_foreign));
	return r;
}

/* ---- Get ---- */

static void set_version(struct pgofs_stored *stored, const char *etag)
{
	etag += etag[0] == '"';
	snprintf(stored->version, sizeof stored->version, "%.*s", (int)strcspn(etag, "\""), etag);
}

static void describe(const struct s3_http_response *p, uint64_t size_bytes, struct pgofs_stored *ret)
{
	int64_t mtime_s;
	*ret = (struct pgofs_stored){ .size_bytes = size_bytes };
	if (s3_time_parse_http(p->last_modified[0] ? p->last_modified : p->date, &mtime_s) == 0)
		ret->mtime_ns = mtime_s * PGOFS_NS_PER_S;
	set_version(ret, p->etag);
}

/* What no ETag is, no object has. */
static bool version_valid(const char *version)
{
	for (; *version; version++)
		if (*version == '"' || (unsigned char)*version <= 0x20 || *version == 0x7f)
			return false;
	return true;
}

static int get(struct s3 *s, const char *key, const char *version, size_t max_bytes, int64_t until_ns,
	       struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	struct s3_request q = { .operation = S3_GET, .key = key, .max_bytes = max_bytes };
	char if_match[PGOFS_VERSION_SIZE + 2];
	if (version && !version_valid(version))
		return pgofs_error_set(err, -ESTALE, "no object has such a version");
	if (version) {
		snprintf(if_match, sizeof if_match, "\"%s\"", version);
		add_header(&q, "if-match", if_match);
	}
	int r = s3_client_ask(s->client, &q, until_ns, &a, err);
	if (r < 0)
		return r;

	describe(&a.http, a.http.body.len, ret_stored);
	*ret = pgofs_bytes_consume_buf(&a.http.body);
	return *ret ? 0 : -ENOMEM;
}

static int s3_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		  struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct s3 *s = s3_of(b);
	struct full_key full;
	int r = full_key(s, key, &full, err);
	return r < 0 ? r : get(s, full.text, version, max_bytes, deadline_ns(s), ret, ret_stored, err);
}

/* ---- Put ---- */

struct put {
	const char *key; /* full */
	const void *data;
	size_t len;
	int64_t until_ns;
	struct pgofs_stored *ret_stored;
};

static int send_put(struct s3 *s, const struct put *p, bool only_new, struct s3_answer *a, struct pgofs_error *err)
{
	struct s3_request q = { .operation = S3_PUT,
				.key = p->key,
				.max_bytes = ANSWER_MAX_BYTES,
				.body = p->len ? p->data : "",
				.body_len = p->len };
	add_header(&q, "content-type", OBJECT_TYPE);
	if (only_new)
		add_header(&q, "if-none-match", "*");
	int r = s3_client_ask(s->client, &q, p->until_ns, a, err);
	if (r == 0)
		describe(&a->http, p->len, p->ret_stored);
	return r;
}

static int taken(struct pgofs_error *err)
{
	return pgofs_error_set(err, -EEXIST, "something is stored under this name");
}

/* The server says that something is there. Where an earlier try of ours may have got through, it may be just that: the
 * bytes tell. Whoever else stored the very same bytes stored what we were asked to. Where it is gone again by now, ours
 * or not, the name is free and there is one more try. */
static int somebody_was_first(struct s3 *s, const struct put *p, bool sent_before, struct pgofs_error *err)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *there = NULL;
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	struct pgofs_error why = { "" };
	struct pgofs_stored stored;
	if (!sent_before)
		return taken(err);

	int r = get(s, p->key, NULL, p->len, p->until_ns, &there, &stored, &why);
	if (r == -EFBIG)
		return taken(err);
	if (r == -ENOENT) {
		r = send_put(s, p, true, &a, &why);
		return r == -ESTALE ? taken(err) : r < 0 ? pgofs_error_set(err, r, "%s", why.text) : 0;
	}
	if (r < 0)
		return pgofs_error_set(err, r, "whether the bytes were stored is not known: %s", why.text);
	if (there->len != p->len || (p->len && memcmp(there->data, p->data, p->len)))
		return taken(err);
	*p->ret_stored = stored;
	return 0;
}

/* For a server without conditional writes: looked before, as well as can be. */
static int put_if_absent(struct s3 *s, const struct put *p, struct pgofs_error *err)
{
	struct pgofs_stored there;
	int r = s3_list_one(s->client, p->key, p->until_ns, &there, err);
	if (r != -ENOENT)
		return r < 0 ? r : taken(err);
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	return send_put(s, p, false, &a, err);
}

static void note_no_conditional_put(struct s3 *s)
{
	if (!atomic_exchange(&s->no_conditional_put, true))
		pgofs_log(PGOFS_LOG_WARNING,
			  "storage has no conditional writes: of two who store one name at the same "
			  "moment, the last wins",
			  "storage", s->base.name);
}

static int put(struct s3 *s, const struct put *p, unsigned flags, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	struct pgofs_error why = { "" };
	bool only_new = flags & PGOFS_PUT_NEW;
	if (only_new && atomic_load(&s->no_conditional_put))
		return put_if_absent(s, p, err);
	int r = send_put(s, p, only_new, &a, &why);
	if (only_new && (a.refusal.status == 412 || a.refusal.status == 304)) /* MinIO of 2023 and before answers 304 */
		return somebody_was_first(s, p, a.sent_before, err);
	if (only_new && r == -EOPNOTSUPP) {
		note_no_conditional_put(s);
		return put_if_absent(s, p, err);
	}
	return r < 0 ? pgofs_error_set(err, r, "%s", why.text) : 0;
}

static int s3_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		  struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct s3 *s = s3_of(b);
	struct full_key full;
	int r = full_key(s, key, &full, err);
	if (r < 0)
		return r;
	struct put p = { full.text, data, len, deadline_ns(s), ret_stored };
	return put(s, &p, flags, err);
}

/* ---- Remove ---- */

static int s3_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	struct s3 *s = s3_of(b);
	struct full_key full;
	int r = full_key(s, key, &full, err);
	return r < 0 ? r : s3_delete_one(s->client, full.text, deadline_ns(s), err);
}

static int s3_remove_many(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			  struct pgofs_error *err)
{
	return s3_delete_many(s3_of(b)->client, keys, n, ret_results, err);
}

/* Directories are only names here, but other tools leave an object "dir/" to show an empty one. */
static int s3_remove_dir(struct pgofs_backend *b, const char *dir, struct pgofs_error *err)
{
	struct s3 *s = s3_of(b);
	struct full_key marker;
	int64_t until_ns = deadline_ns(s);
	size_t n = 0;
	bool itself = false;
	int r = full_key(s, dir, &marker, err);
	if (r < 0 || strlen(marker.text) == PGOFS_KEY_MAX)
		return r;
	strcat(marker.text, "/");
	r = s3_list_peek(s->client, marker.text, until_ns, &n, &itself, err);
	if (r < 0)
		return r;
	if (n > (itself ? 1 : 0))
		return -ENOTEMPTY;
	return itself ? s3_delete_one(s->client, marker.text, until_ns, err) : 0;
}

/* ---- Rename ---- */

/* Only a put can promise not to replace what is there (servers differ in what they make of a conditional copy), so the bytes
 * make the journey. */
static int copy_new(struct s3 *s, const char *from, const struct put *to, struct pgofs_error *err)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct pgofs_stored was;
	int r = get(s, from, NULL, PGOFS_CARRIED_MAX_BYTES, to->until_ns, &bytes, &was, err);
	if (r < 0)
		return r;
	struct put p = *to;
	p.data = bytes->data;
	p.len = bytes->len;
	return put(s, &p, PGOFS_PUT_NEW, err);
}

static int on_copied(void *context, const char *path, const char *text)
{
	struct pgofs_stored *stored = context;
	int64_t mtime_s;
	if (!strcmp(path, "CopyObjectResult/LastModified") && s3_time_parse_iso(text, &mtime_s) == 0)
		stored->mtime_ns = mtime_s * PGOFS_NS_PER_S;
	else if (!strcmp(path, "CopyObjectResult/ETag"))
		set_version(stored, text);
	return 0;
}

/* The server copies, and only what was looked at: its size is told by no copy. */
static int copy_over(struct s3 *s, const char *from, const struct put *to, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	_cleanup_(pgofs_buf_done) struct pgofs_buf source = PGOFS_BUF(8 << 10);
	char if_match[PGOFS_VERSION_SIZE + 2];
	struct pgofs_error why = { "" };
	struct pgofs_stored stored;
	int r = pgofs_buf_printf(&source, "/%s/", s3_client_config(s->client)->bucket);
	if (r == 0)
		r = s3_encode_path(&source, from);
	if (r == 0)
		r = s3_list_one(s->client, from, to->until_ns, &stored, err);
	if (r < 0)
		return r;

	struct s3_request q = { .operation = S3_COPY, .key = to->key, .max_bytes = ANSWER_MAX_BYTES, .body = "" };
	snprintf(if_match, sizeof if_match, "\"%s\"", stored.version);
	add_header(&q, "x-amz-copy-source", (const char *)source.data);
	add_header(&q, "x-amz-copy-source-if-match", if_match);
	r = s3_client_ask(s->client, &q, to->until_ns, &a, err);
	if (r < 0)
		return r;
	r = s3_xml_walk(a.http.body.data, a.http.body.len, "CopyObjectResult", on_copied, &stored, &why);
	if (r == 0)
		*to->ret_stored = stored;
	return r == -EIO ? s3_client_refuse(s->client, &q, &a, why.text, err) : r;
}

static int s3_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
		     struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct s3 *s = s3_of(b);
	struct full_key full_from, full_to;
	int r = full_key(s, from, &full_from, err);
	if (r == 0)
		r = full_key(s, to, &full_to, err);
	if (r < 0)
		return r;

	struct put p = { .key = full_to.text, .until_ns = deadline_ns(s), .ret_stored = ret_stored };
	r = (flags & PGOFS_PUT_NEW ? copy_new : copy_over)(s, full_from.text, &p, err);
	/* Whatever is there by now: few servers know a conditional deletion. */
	return r < 0 ? r : s3_delete_one(s->client, full_from.text, p.until_ns, err);
}

/* ---- The kind ---- */

static int s3_stats(struct pgofs_backend *b, struct pgofs_buf *append_to)
{
	return s3_client_stats(s3_of(b)->client, append_to);
}

static void s3_destroy(struct pgofs_backend *b)
{
	s3_client_free(s3_of(b)->client);
	free(b);
}

static const struct pgofs_backend_ops s3_ops = {
	.destroy = s3_destroy,
	.probe = s3_probe,
	.list = s3_list_dir,
	.get = s3_get,
	.put = s3_put,
	.remove = s3_remove,
	.remove_many = s3_remove_many,
	.remove_dir = s3_remove_dir,
	.rename = s3_rename,
	.stats = s3_stats,
};

/* A bucket's name is unique in one endpoint; AWS is one, whatever the region. */
static int set_name(struct s3 *s, const char *source)
{
	const struct s3_config *c = s3_client_config(s->client);
	size_t len = strlen(source);
	while (len && source[len - 1] == '/')
		len--;
	s->base.name = strndup(source, len);
	if (!s->base.name ||
	    (c->authority && asprintf(&s->base.place, "%s at %s%s", s->base.name, c->authority, c->base_path) < 0))
		return -ENOMEM;
	return 0;
}

static int s3_open(const char *source, const char *const *options, struct pgofs_backend **ret, struct pgofs_error *err)
{
	_cleanup_(s3_client_freep) struct s3_client *client = NULL;
	int r = s3_client_new(source, options, &client, err);
	if (r < 0)
		return r;
	struct s3 *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->base.ops = &s3_ops;
	s->client = STEAL(client);
	r = set_name(s, source);
	if (r < 0)
		pgofs_backend_free(&s->base);
	else
		*ret = &s->base;
	return r;
}

const struct pgofs_backend_kind pgofs_backend_s3 = {
	.name = "s3",
	.options = s3_config_options,
	.is_far = true,
	.matches = s3_config_matches,
	.open = s3_open,
};
