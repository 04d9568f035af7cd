/* DeleteObjects answers 200 and then says of each key how it went. A key that the answer does not mention, or that was
 * refused for a moment only, is asked for again. A key with bytes that not every XML document can hold goes by itself, and
 * so does each where the server has no DeleteObjects, or where we are in FIPS mode.
 *
 * Each request is an operation with the whole deadline, since removing a year takes many of them; the first that is not
 * answered ends it all, so that a server that hangs is waited for once. */
#include "s3-delete.h"

#include "s3-xml.h"

#include <pgofs/log.h>

#include <errno.h>
#include <string.h>

#define BATCH_KEYS       ((size_t)1000)
#define QUESTION_MAX     ((size_t)16 << 20)
#define ANSWER_MAX_BYTES ((size_t)16 << 20)
#define UNSETTLED        1 /* no errno: the key has yet to go */

struct key {
	char *full;
	int *result;
	struct s3_refusal *refusal; /* the last that an answer said of it, or NULL */
};

struct batch {
	struct s3_client *client;
	struct pgofs_error *why;     /* the words for one key that would not go; "" until there is one */
	struct key keys[BATCH_KEYS]; /* sorted */
	size_t n;

	/* While an answer is read. */
	const struct s3_http_response *answer;
	struct key *named;      /* the one it speaks of, */
	struct s3_refusal said; /* and what it says */
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->keys[i].full);
		free(b->keys[i].refusal);
	}
}

int s3_delete_one(struct s3_client *c, const char *full_key, int64_t deadline_ns, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	struct s3_request q = { .operation = S3_DELETE, .key = full_key, .max_bytes = 64 << 10 };
	int r = s3_client_ask(c, &q, deadline_ns, &a, err);
	return r == -ENOENT ? 0 : r;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct key *)a)->full, ((const struct key *)b)->full);
}

static bool fits_xml(const char *key)
{
	for (; *key; key++)
		if (*key < 0x20 || *key > 0x7e)
			return false;
	return true;
}

static int append_escaped(struct pgofs_buf *to, const char *text)
{
	int r = 0;
	for (; *text && r == 0; text++) {
		const char *entity = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;
		r = entity ? pgofs_buf_append(to, entity, strlen(entity)) : pgofs_buf_append(to, text, 1);
	}
	return r;
}

static bool unsettled(const struct key *k)
{
	return *k->result == UNSETTLED;
}

static int build_question(const struct batch *b, struct pgofs_buf *to)
{
	int r = pgofs_buf_printf(to, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < b->n && r == 0; i++) {
		if (!unsettled(&b->keys[i]))
			continue;
		r = pgofs_buf_printf(to, "<Object><Key>");
		if (r == 0)
			r = append_escaped(to, b->keys[i].full);
		if (r == 0)
			r = pgofs_buf_printf(to, "</Key></Object>");
	}
	return r < 0 ? r : pgofs_buf_printf(to, "</Delete>");
}

static int refuse(struct batch *b, struct key *k)
{
	if (!k->refusal && !(k->refusal = malloc(sizeof *k->refusal)))
		return -ENOMEM;
	b->said.status = b->answer->status;
	memcpy(b->said.request_id, b->answer->request_id, sizeof b->said.request_id);
	*k->refusal = b->said;
	*k->result = s3_code_retry(b->said.code) ? UNSETTLED : s3_errno(b->said.code, 0);
	return 0;
}

static int settle(struct batch *b, bool refused)
{
	int r = 0;
	if (b->named && refused)
		r = refuse(b, b->named);
	else if (b->named)
		*b->named->result = 0;
	b->named = NULL;
	b->said = (struct s3_refusal){ 0 };
	return r;
}

static int on_element(void *context, const char *path, const char *text)
{
	struct batch *b = context;
	if (!strcmp(path, "DeleteResult/Deleted/Key") || !strcmp(path, "DeleteResult/Error/Key")) {
		struct key wanted = { .full = (char *)text };
		b->named = bsearch(&wanted, b->keys, b->n, sizeof *b->keys, compare_keys);
	} else if (!strcmp(path, "DeleteResult/Error/Code")) {
		snprintf(b->said.code, sizeof b->said.code, "%s", text);
	} else if (!strcmp(path, "DeleteResult/Error/Message")) {
		snprintf(b->said.message, sizeof b->said.message, "%s", text);
	} else if (!strcmp(path, "DeleteResult/Deleted")) {
		return settle(b, false);
	} else if (!strcmp(path, "DeleteResult/Error")) {
		return settle(b, strcmp(b->said.code, "NoSuchKey") != 0);
	}
	return 0;
}

static const struct key *first_unsettled(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (unsettled(&b->keys[i]))
			return &b->keys[i];
	return NULL;
}

static int ask(struct batch *b, const char *about, int64_t deadline_ns, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	_cleanup_(pgofs_buf_done) struct pgofs_buf question = PGOFS_BUF(QUESTION_MAX);
	char md5[S3_BASE64_MD5_SIZE];
	int r = build_question(b, &question);
	if (r < 0)
		return pgofs_error_errno(err, r, "build the request");
	if (s3_md5_base64(question.data, question.len, md5) < 0)
		return -EOPNOTSUPP; /* servers insist on it */

	struct s3_request q = {
		.operation = S3_DELETE_MANY,
		.about = about,
		.params = { { "delete", "" } },
		.n_params = 1,
		.headers = { { "content-md5", md5 }, { "content-type", "application/xml" } },
		.n_headers = 2,
		.body = question.data,
		.body_len = question.len,
		.max_bytes = ANSWER_MAX_BYTES,
	};
	r = s3_client_ask(b->client, &q, deadline_ns, &a, err);
	if (r < 0)
		return r;
	struct pgofs_error why = { "" };
	b->answer = &a.http;
	r = s3_xml_walk(a.http.body.data, a.http.body.len, "DeleteResult", on_element, b, &why);
	return r == -EIO ? s3_client_refuse(b->client, &q, &a, why.text, err) : r;
}

static void say(struct batch *b, const struct key *k, int r, const char *why)
{
	if (!b->why->text[0])
		pgofs_error_set(b->why, r, "remove %s: %s", k->full + strlen(s3_client_config(b->client)->prefix), why);
}

/* Of the keys that stay by the server's word, or for want of one: a line in the log for all of them, about the first. */
static void report_refused(struct batch *b)
{
	const struct key *first = NULL;
	struct pgofs_error why = { "the answer does not mention it" };
	size_t n = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct key *k = &b->keys[i];
		if (unsettled(k))
			*k->result = -EIO;
		else if (!k->refusal || *k->result == 0)
			continue;
		first = first ? first : k;
		n++;
	}
	if (!first)
		return;
	const struct s3_refusal *f = first->refusal;
	if (f)
		s3_refusal_error(f, &why);
	pgofs_log(PGOFS_LOG_INFO, "storage request failed", "operation", "DeleteObjects", "bucket",
		  s3_client_config(b->client)->bucket, "key", first->full, "n", PGOFS_FMT("%zu", n), "code",
		  f ? f->code : NULL, "request", f && f->request_id[0] ? f->request_id : NULL, "why", why.text);
	say(b, first, *first->result, why.text);
}

/* Asks until each key's outcome is known, or is not to be had. */
static int delete_together(struct batch *b, struct pgofs_error *err)
{
	int64_t deadline_ns = s3_client_deadline_ns(b->client);
	const struct key *first;
	for (unsigned n_tries = 1; (first = first_unsettled(b)); n_tries++) {
		int r = ask(b, first->full, deadline_ns, err);
		if (r < 0)
			return r;
		if (first_unsettled(b) && !s3_client_try_again(b->client, n_tries, deadline_ns))
			break;
	}
	report_refused(b);
	return 0;
}

/* A request for each key that has yet to go, or for those among them that do not fit into a document. */
static int delete_one_by_one(struct batch *b, bool all, struct pgofs_error *err)
{
	for (size_t i = 0; i < b->n; i++) {
		struct key *k = &b->keys[i];
		struct pgofs_error why = { "" };
		if (!unsettled(k) || (!all && fits_xml(k->full)))
			continue;
		int r = s3_delete_one(b->client, k->full, s3_client_deadline_ns(b->client), &why);
		if (r == -ETIMEDOUT)
			return pgofs_error_set(err, r, "%s", why.text);
		if (r < 0)
			say(b, k, r, why.text);
		*k->result = r;
	}
	return 0;
}

static int delete_batch(struct batch *b, struct pgofs_error *err)
{
	qsort(b->keys, b->n, sizeof *b->keys, compare_keys);
	struct pgofs_error why = { "" };
	int r = delete_one_by_one(b, false, &why);
	if (r == 0)
		r = delete_together(b, &why);
	if (r == -EOPNOTSUPP) /* the server has no DeleteObjects, or we have no MD5 for it */
		r = delete_one_by_one(b, true, &why);
	return r < 0 ? pgofs_error_set(err, r, "%s", why.text) : 0;
}

static int add_key(struct batch *b, const char *key, int *result)
{
	char *full;
	if (asprintf(&full, "%s%s", s3_client_config(b->client)->prefix, key) < 0)
		return -ENOMEM;
	*result = UNSETTLED;
	b->keys[b->n++] = (struct key){ .full = full, .result = result };
	return 0;
}

int s3_delete_many(struct s3_client *c, const char *const *keys, size_t n, int *ret_results, struct pgofs_error *err)
{
	struct pgofs_error why = { "" };
	for (size_t at = 0; at < n;) {
		_cleanup_(batch_done) struct batch b = { .client = c, .why = &why };
		for (; at < n && b.n < BATCH_KEYS; at++)
			if (add_key(&b, keys[at], &ret_results[at]) < 0)
				return pgofs_error_errno(err, -ENOMEM, "remove %s", keys[at]);
		int r = delete_batch(&b, err);
		if (r < 0)
			return r;
	}
	if (why.text[0])
		pgofs_error_set(err, 0, "%s", why.text);
	return 0;
}
