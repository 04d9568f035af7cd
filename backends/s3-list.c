/* A listing is a walk of pages, each asked for with the token the last one gave.
 *
 * The server decides how long that goes on, so it is not trusted to end: a token seen before, a page that says there is more
 * but not where, a long run of pages with nothing in them, and more than a listing may hold, are each an error. The
 * deadline bounds the rest.
 *
 * A directory's entries are gathered and sorted, because S3 sorts "a-b" before "a/" and a directory has "a" before "a-b". A recursive
 * listing has no order to keep and is handed on page by page. */
#include "s3-list.h"

#include "s3-page.h"

#include <errno.h>
#include <string.h>

#define PAGE_KEYS       "1000"
#define PAGE_MAX_BYTES  ((size_t)8 << 20)
#define EMPTY_PAGES_MAX 100

struct walk {
	struct s3_client *client;
	const char *prefix; /* the whole of it, in the bucket */
	const char *max_keys;
	bool by_directory;
	bool probing;
	bool looking; /* for one object */
	int64_t deadline_ns;
	struct s3_page page;
	char token[S3_TOKEN_SIZE];
	char seen[S3_TOKEN_SIZE]; /* a token from before, replaced ever more rarely: any cycle runs into it */
	size_t n_pages;
	size_t n_empty;
	size_t n_foreign;
};

static void walk_done(struct walk *w)
{
	s3_page_done(&w->page);
}

static void add_param(struct s3_request *q, const char *name, const char *value)
{
	q->params[q->n_params++] = (struct s3_param){ name, value };
}

static int read_page(struct walk *w, const struct pgofs_buf *body, struct pgofs_error *err)
{
	size_t before = s3_page_count(&w->page);
	int r = s3_page_read(&w->page, body->data, body->len, err);
	if (r < 0)
		return r;
	w->n_foreign += w->page.n_foreign;
	w->n_empty = s3_page_count(&w->page) == before && !w->page.n_foreign ? w->n_empty + 1 : 0;
	w->n_pages++;
	return 0;
}

/* 1: there is another page, and w->token leads to it. */
static int turn(struct walk *w, struct pgofs_error *err)
{
	const char *next = w->page.next_token;
	if (!w->page.truncated)
		return 0;
	if (!*next)
		return pgofs_error_set(err, -EIO, "the server says the listing goes on, but not where");
	if (!strcmp(next, w->token) || !strcmp(next, w->seen))
		return pgofs_error_set(err, -EIO, "the server's listing runs in a circle");
	if (w->n_empty > EMPTY_PAGES_MAX)
		return pgofs_error_set(err, -EIO, "the server sends page after page with nothing in it");
	if ((w->n_pages & (w->n_pages - 1)) == 0)
		memcpy(w->seen, next, sizeof w->seen);
	memcpy(w->token, next, sizeof w->token);
	return 1;
}

/* Who looks for one object acts on its absence, and one that is described by halves is not absent. */
static int check_whole(const struct walk *w, struct pgofs_error *err)
{
	return w->looking && w->n_foreign ? pgofs_error_set(err, -EIO, "the server describes an object by halves") : 0;
}

/* 1: there is another. */
static int next_page(struct walk *w, struct pgofs_error *err)
{
	_cleanup_(s3_answer_done) struct s3_answer a = { 0 };
	struct s3_request q = { .operation = S3_LIST, .about = w->prefix, .max_bytes = PAGE_MAX_BYTES };
	struct pgofs_error why = { "" };
	add_param(&q, "list-type", "2");
	add_param(&q, "encoding-type", "url");
	add_param(&q, "max-keys", w->max_keys);
	add_param(&q, "prefix", w->prefix);
	if (w->by_directory)
		add_param(&q, "delimiter", "/");
	if (w->token[0])
		add_param(&q, "continuation-token", w->token);

	int r = s3_client_ask(w->client, &q, w->deadline_ns, &a, err);
	if (r < 0 && w->probing && !strcmp(a.refusal.code, "NoSuchBucket"))
		return -ENOENT;
	if (r < 0) /* a bucket that is gone is no empty directory, and those two would speak of an object */
		return r == -ENOENT || r == -EFBIG ? -EIO : r;
	r = read_page(w, &a.http.body, &why);
	if (r == 0)
		r = check_whole(w, &why);
	if (r == 0)
		r = turn(w, &why);
	return r == -EIO ? s3_client_refuse(w->client, &q, &a, why.text, err) : r;
}

static void walk_init(struct walk *w, struct s3_client *c, const char *prefix, int64_t deadline_ns)
{
	*w = (struct walk){ .client = c, .prefix = prefix, .max_keys = PAGE_KEYS, .deadline_ns = deadline_ns };
	s3_page_init(&w->page);
}

/* As backend.h has it of names: what a directory tree could not hold is not shown. */
static bool name_valid(const char *name, bool recursive)
{
	while (*name) {
		size_t len = strcspn(name, "/");
		if (len == 0 || (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		name += len;
		if (*name == '/' && (!recursive || !*++name))
			return false;
	}
	return true;
}

/* The name below the listed directory, or NULL. A prefix's last '/' is cut. */
static char *name_of(struct walk *w, const struct s3_object *o, bool recursive)
{
	char *key = (char *)w->page.text.data + o->key;
	size_t len = strlen(key), prefix_len = strlen(w->prefix);
	if (strncmp(key, w->prefix, prefix_len))
		return NULL;
	if (o->is_prefix && len > prefix_len && key[len - 1] == '/')
		key[len - 1] = '\0';
	key += prefix_len;
	return *key && name_valid(key, recursive) ? key : NULL;
}

static int tell(struct walk *w, const struct s3_object *o, const char *name, pgofs_entry_fn each, void *context)
{
	struct pgofs_entry entry = { .name = name, .is_dir = o->is_prefix };
	if (!o->is_prefix)
		s3_page_stored(&w->page, o, &entry.stored);
	return each(context, &entry);
}

/* The directory's own folder object is nobody's key, and nothing odd either. */
static bool is_marker(const struct walk *w, const struct s3_object *o)
{
	const char *key = s3_page_key(&w->page, o);
	size_t len = strlen(key);
	return !o->is_prefix && (!strcmp(key, w->prefix) || (len && key[len - 1] == '/' && o->size_bytes == 0));
}

static int tell_page(struct walk *w, pgofs_entry_fn each, void *context)
{
	for (size_t i = 0; i < s3_page_count(&w->page); i++) {
		const struct s3_object *o = s3_page_at(&w->page, i);
		const char *name = name_of(w, o, true);
		int r = name ? tell(w, o, name, each, context) : 0;
		if (!name && !is_marker(w, o))
			w->n_foreign++;
		if (r)
			return r;
	}
	s3_page_clear(&w->page);
	return 0;
}

static int list_all(struct walk *w, pgofs_entry_fn each, void *context, struct pgofs_error *err)
{
	int more;
	do {
		more = next_page(w, err);
		int r = more < 0 ? more : tell_page(w, each, context);
		if (r)
			return r;
	} while (more);
	return 0;
}

struct named {
	const char *name;
	const struct s3_object *object;
};

static int compare_names(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int by_name = strcmp(x->name, y->name);
	int by_kind = x->object->is_prefix - y->object->is_prefix;
	int by_turn = x->object < y->object ? -1 : x->object > y->object;
	return by_name ? by_name : by_kind ? by_kind : by_turn;
}

static bool same_entry(const struct named *x, const struct named *y)
{
	return !strcmp(x->name, y->name) && x->object->is_prefix == y->object->is_prefix;
}

/* Sorts; an entry that was told twice (a key that changed while pages turned) is told once, as it was last. */
static int tell_sorted(struct walk *w, pgofs_entry_fn each, void *context)
{
	size_t n = s3_page_count(&w->page), n_named = 0;
	_cleanup_(pgofs_freep) struct named *named = calloc(n ? n : 1, sizeof *named);
	if (!named)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct s3_object *o = s3_page_at(&w->page, i);
		const char *name = name_of(w, o, false);
		if (name)
			named[n_named++] = (struct named){ name, o };
		else if (!is_marker(w, o))
			w->n_foreign++;
	}
	qsort(named, n_named, sizeof *named, compare_names);

	for (size_t i = 0; i < n_named; i++) {
		if (i + 1 < n_named && same_entry(&named[i], &named[i + 1]))
			continue;
		int r = tell(w, named[i].object, named[i].name, each, context);
		if (r)
			return r;
	}
	return 0;
}

static int list_directory(struct walk *w, pgofs_entry_fn each, void *context, struct pgofs_error *err)
{
	int r;
	w->by_directory = true;
	do
		r = next_page(w, err);
	while (r > 0);
	return r < 0 ? r : tell_sorted(w, each, context);
}

int s3_list(struct s3_client *c, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
	    size_t *ret_n_foreign, struct pgofs_error *err)
{
	char prefix[2 * PGOFS_KEY_MAX];
	snprintf(prefix, sizeof prefix, "%s%s%s", s3_client_config(c)->prefix, dir, *dir ? "/" : "");

	_cleanup_(walk_done) struct walk w;
	walk_init(&w, c, prefix, s3_client_deadline_ns(c));
	int r = (flags & PGOFS_LIST_RECURSIVE ? list_all : list_directory)(&w, each, context, err);
	*ret_n_foreign = w.n_foreign;
	return r;
}

int s3_list_probe(struct s3_client *c, struct pgofs_error *err)
{
	_cleanup_(walk_done) struct walk w;
	walk_init(&w, c, s3_client_config(c)->prefix, s3_client_deadline_ns(c));
	w.max_keys = "1";
	w.probing = true;
	int r = next_page(&w, err);
	return r < 0 ? r : 0;
}

/* At least `n` entries, or all there are: a server may send a page that is shorter than asked for, even an empty one, and say
 * that there is more. */
static int first_entries(struct walk *w, size_t n, struct pgofs_error *err)
{
	int r;
	w->looking = true;
	do
		r = next_page(w, err);
	while (r > 0 && s3_page_count(&w->page) < n);
	return r < 0 ? r : 0;
}

int s3_list_one(struct s3_client *c, const char *full_key, int64_t deadline_ns, struct pgofs_stored *ret,
		struct pgofs_error *err)
{
	_cleanup_(walk_done) struct walk w;
	walk_init(&w, c, full_key, deadline_ns);
	w.max_keys = "1"; /* keys are sorted, and nothing that begins with this key comes before it */
	int r = first_entries(&w, 1, err);
	if (r < 0)
		return r;
	if (!s3_page_count(&w.page) || strcmp(s3_page_key(&w.page, s3_page_at(&w.page, 0)), full_key))
		return -ENOENT;
	s3_page_stored(&w.page, s3_page_at(&w.page, 0), ret);
	return 0;
}

int s3_list_peek(struct s3_client *c, const char *prefix, int64_t deadline_ns, size_t *ret_n, bool *ret_itself,
		 struct pgofs_error *err)
{
	_cleanup_(walk_done) struct walk w;
	walk_init(&w, c, prefix, deadline_ns);
	w.max_keys = "2";
	int r = first_entries(&w, 2, err);
	if (r < 0)
		return r;
	*ret_n = s3_page_count(&w.page);
	*ret_itself = *ret_n && !strcmp(s3_page_key(&w.page, s3_page_at(&w.page, 0)), prefix);
	return 0;
}
