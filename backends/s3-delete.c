/* DeleteObjects answers 200 and then says of each key how it went. A key that the answer does not mention, or that was
 * refused for a moment only, is asked for again. A key with bytes that not every XML document can hold goes by itself.
 *
 * Each request is an operation with the whole deadline, since removing a year takes many of them; the first that fails as
 * a whole ends it, so that a server that hangs is waited for once. */
#include "s3-delete.h"

#include "s3-retry.h"
#include "s3-xml.h"

#include <pgofs/units.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#define BATCH_KEYS       ((size_t)1000)
#define QUESTION_MAX     ((size_t)16 << 20)
#define ANSWER_MAX_BYTES ((size_t)16 << 20)
#define UNSETTLED        1 /* no errno: the key has yet to go */
#define CODE_SIZE        64

struct key {
	char *full;
	int *result;
};

struct batch {
	struct s3_client *client;
	struct key keys[BATCH_KEYS]; /* those the request names, sorted */
	size_t n;
	struct key *named;       /* the one the answer speaks of */
	char code[CODE_SIZE];    /* what it says of it */
	char refused[CODE_SIZE]; /* the code of the last key that would not go */
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->keys[i].full);
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

static int build_question(const struct batch *b, struct pgofs_buf *to)
{
	int r = pgofs_buf_printf(to, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < b->n && r == 0; i++) {
		if (*b->keys[i].result != UNSETTLED)
			continue;
		r = pgofs_buf_printf(to, "<Object><Key>");
		if (r == 0)
			r = append_escaped(to, b->keys[i].full);
		if (r == 0)
			r = pgofs_buf_printf(to, "</Key></Object>");
	}
	return r < 0 ? r : pgofs_buf_printf(to, "</Delete>");
}

static void settle(struct batch *b, int result)
{
	if (b->named)
		*b->named->result = result;
	b->named = NULL;
	b->code[0] = '\0';
}

static int on_element(void *context, const char *path, const char *text)
{
	struct batch *b = context;
	if (!strcmp(path, "DeleteResult/Deleted/Key") || !strcmp(path, "DeleteResult/Error/Key")) {
		struct key wanted = { .full = (char *)text };
		b->named = bsearch(&wanted, b->keys, b->n, sizeof *b->keys, compare_keys);
	} else if (!strcmp(path, "DeleteResult/Error/Code")) {
		snprintf(b->code, sizeof b->code, "%s", text);
	} else if (!strcmp(path, "DeleteResult/Deleted")) {
		settle(b, 0);
	} else if (!strcmp(path, "DeleteResult/Error")) {
		if (!strcmp(b->code, "NoSuchKey")) {
			settle(b, 0);
		} else {
			memcpy(b->refused, b->code, sizeof b->refused);
			settle(b, s3_code_retry(b->code) ? UNSETTLED : s3_errno(b->code, 0));
		}
	}
	return 0;
}

static int ask(struct batch *b, int64_t deadline_ns, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	_cleanup_(pgofs_buf_done) struct pgofs_buf question = PGOFS_BUF(QUESTION_MAX);
	char md5[S3_BASE64_MD5_SIZE];
	int r = build_question(b, &question);
	if (r == 0)
		r = s3_md5_base64(question.data, question.len, md5);
	if (r < 0)
		return pgofs_error_errno(err, r, "build the request");

	struct s3_request q = {
		.operation = S3_DELETE_MANY,
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
	r = s3_xml_walk(a.http.body.data, a.http.body.len, "DeleteResult", on_element, b, &why);
	return r == -EIO ? s3_client_refuse(b->client, &q, &a, why.text, err) : r;
}

static bool unsettled(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (*b->keys[i].result == UNSETTLED)
			return true;
	return false;
}

static void fail_unsettled(struct batch *b, int r)
{
	for (size_t i = 0; i < b->n; i++)
		if (*b->keys[i].result == UNSETTLED)
			*b->keys[i].result = r;
}

static void pause_before(unsigned try)
{
	int64_t pause_ns = s3_retry_pause_ns(try - 1);
	struct timespec pause = { pause_ns / PGOFS_NS_PER_S, pause_ns % PGOFS_NS_PER_S };
	nanosleep(&pause, NULL);
}

/* For a server that has no DeleteObjects. */
static void delete_one_by_one(struct batch *b, int64_t deadline_ns)
{
	for (size_t i = 0; i < b->n; i++)
		if (*b->keys[i].result == UNSETTLED)
			*b->keys[i].result = s3_delete_one(b->client, b->keys[i].full, deadline_ns, NULL);
}

/* 0 when the server answered, whatever it said of each key. */
static int delete_batch(struct batch *b, struct pgofs_error *err)
{
	int64_t deadline_ns = s3_client_deadline_ns(b->client);
	int r = 0;
	qsort(b->keys, b->n, sizeof *b->keys, compare_keys);
	for (unsigned try = 1; r == 0 && unsettled(b) && try <= s3_client_config(b->client)->attempts; try++) {
		struct pgofs_error why = { "" };
		if (try > 1)
			pause_before(try);
		r = ask(b, deadline_ns, &why);
		if (r == -EOPNOTSUPP) {
			delete_one_by_one(b, deadline_ns);
			r = 0;
		} else if (r < 0) {
			pgofs_error_set(err, r, "%s", why.text);
		}
	}
	fail_unsettled(b, r < 0 ? r : -EIO);
	return r;
}

static int add_key(struct batch *b, const char *key, int *result)
{
	char *full;
	if (asprintf(&full, "%s%s", s3_client_config(b->client)->prefix, key) < 0)
		return -ENOMEM;
	*result = UNSETTLED;
	if (fits_xml(full)) {
		b->keys[b->n++] = (struct key){ full, result };
		return 0;
	}
	*result = s3_delete_one(b->client, full, s3_client_deadline_ns(b->client), NULL);
	free(full);
	return 0;
}

static void say_first(const char *const *keys, size_t n, const int *results, const char *code, struct pgofs_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (results[i] < 0) {
			pgofs_error_errno(err, results[i], "remove %s: %s", keys[i],
					  *code ? code : "no answer about it");
			return;
		}
}

int s3_delete_many(struct s3_client *c, const char *const *keys, size_t n, int *ret_results, struct pgofs_error *err)
{
	bool said = false;
	for (size_t at = 0, first = 0; at < n; first = at) {
		_cleanup_(batch_done) struct batch b = { .client = c };
		for (; at < n && b.n < BATCH_KEYS; at++)
			if (add_key(&b, keys[at], &ret_results[at]) < 0)
				return pgofs_error_errno(err, -ENOMEM, "remove %s", keys[at]);

		struct pgofs_error why = { "" };
		int r = delete_batch(&b, &why);
		if (r == 0)
			say_first(keys + first, at - first, ret_results + first, b.refused, &why);
		if (why.text[0] && !said)
			pgofs_error_set(err, r, "%s", why.text);
		said = said || why.text[0];
		if (r < 0)
			for (; at < n; at++)
				ret_results[at] = r;
	}
	return 0;
}
