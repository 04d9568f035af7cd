/* A storage driven by lines, for tests in another language: drive SOURCE [OPTION…]
 *
 * Each line of input is a command with its words separated by tabs, each line of output one JSON object: "r" what the call
 * returned, "why" its words, "ms" how long it took, and what the command gave. One process is one storage, so what it learnt
 * (region, clock, credentials, connections) lasts from line to line. */
#include <pgofs/backend.h>
#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define WORDS_MAX 4096
#define GET_MAX   ((size_t)64 << 20)

struct command {
	struct pgofs_backend *b;
	char *words[WORDS_MAX];
	size_t n;
	json_t *out;
	struct pgofs_error err;
};

static const char *word(const struct command *c, size_t i)
{
	return i < c->n ? c->words[i] : NULL;
}

static json_t *stored_json(const struct pgofs_stored *s)
{
	return json_pack("{s:I,s:I,s:s}", "size", (json_int_t)s->size_bytes, "mtime",
			 (json_int_t)(s->mtime_ns / PGOFS_NS_PER_S), "version", s->version);
}

static int do_probe(struct command *c)
{
	return pgofs_backend_probe(c->b, &c->err);
}

static int add_entry(void *context, const struct pgofs_entry *e)
{
	json_t *name = json_stringn_nocheck(e->name, strlen(e->name));
	json_array_append_new(context, e->is_dir ? json_sprintf("%s/", e->name) : name);
	if (e->is_dir)
		json_decref(name);
	return 0;
}

static int do_list(struct command *c)
{
	json_t *names = json_array();
	json_object_set_new(c->out, "names", names);
	return pgofs_backend_list(c->b, word(c, 1) ? word(c, 1) : "", 0, add_entry, names, &c->err);
}

static int do_list_all(struct command *c)
{
	json_t *names = json_array();
	json_object_set_new(c->out, "names", names);
	return pgofs_backend_list(c->b, word(c, 1) ? word(c, 1) : "", PGOFS_LIST_RECURSIVE, add_entry, names, &c->err);
}

/* get KEY FILE [MAX [VERSION]] */
static int do_get(struct command *c)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct pgofs_stored stored;
	size_t max = word(c, 3) ? strtoul(word(c, 3), NULL, 10) : GET_MAX;
	int r = pgofs_backend_get(c->b, word(c, 1), word(c, 4), max, &bytes, &stored, &c->err);
	if (r < 0)
		return r;
	json_object_set_new(c->out, "stored", stored_json(&stored));
	_cleanup_(pgofs_fclosep) FILE *f = fopen(word(c, 2), "we");
	return f && fwrite(bytes->data, 1, bytes->len, f) == bytes->len ? 0 : -EBADF;
}

static int put_file(struct command *c, unsigned flags)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(GET_MAX);
	_cleanup_(pgofs_fclosep) FILE *f = fopen(word(c, 2), "re");
	struct pgofs_stored stored;
	if (!f || pgofs_buf_reserve(&b, GET_MAX) < 0)
		return -EBADF;
	b.len = fread(b.data, 1, GET_MAX, f);
	int r = pgofs_backend_put(c->b, word(c, 1), b.data, b.len, flags, &stored, &c->err);
	if (r == 0)
		json_object_set_new(c->out, "stored", stored_json(&stored));
	return r;
}

/* put KEY FILE */
static int do_put(struct command *c)
{
	return put_file(c, 0);
}

static int do_new(struct command *c)
{
	return put_file(c, PGOFS_PUT_NEW);
}

static int do_remove(struct command *c)
{
	return pgofs_backend_remove(c->b, word(c, 1), &c->err);
}

static int do_remove_many(struct command *c)
{
	_cleanup_(pgofs_freep) int *results = calloc(c->n, sizeof *results);
	json_t *list = json_array();
	int r = pgofs_backend_remove_many(c->b, (const char *const *)c->words + 1, c->n - 1, results, &c->err);
	for (size_t i = 0; i + 1 < c->n; i++)
		json_array_append_new(list, json_integer(results[i]));
	json_object_set_new(c->out, "results", list);
	return r;
}

static int do_remove_dir(struct command *c)
{
	return pgofs_backend_remove_dir(c->b, word(c, 1), &c->err);
}

static int do_rename(struct command *c)
{
	struct pgofs_stored stored;
	unsigned flags = word(c, 3) && !strcmp(word(c, 3), "new") ? PGOFS_PUT_NEW : 0;
	int r = pgofs_backend_rename(c->b, word(c, 1), word(c, 2), flags, &stored, &c->err);
	if (r == 0)
		json_object_set_new(c->out, "stored", stored_json(&stored));
	return r;
}

/* Many gets at once, thread after thread begun so many milliseconds later: fetch THREADS[/MS] KEY… */
struct fetch {
	struct command *c;
	size_t first, step;
	int64_t after_ns;
	size_t n_good;
	int wrong;
};

static void *fetch_some(void *context)
{
	struct fetch *f = context;
	struct timespec pause = { f->after_ns / PGOFS_NS_PER_S, f->after_ns % PGOFS_NS_PER_S };
	nanosleep(&pause, NULL);
	for (size_t i = f->first; i < f->c->n; i += f->step) {
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
		int r = pgofs_backend_get(f->c->b, f->c->words[i], NULL, GET_MAX, &bytes, NULL, NULL);
		if (r == 0)
			f->n_good++;
		else
			f->wrong = r;
	}
	return NULL;
}

static int do_fetch(struct command *c)
{
	pthread_t threads[64];
	struct fetch fetches[64];
	char *rest;
	size_t n = strtoul(word(c, 1), &rest, 10), n_good = 0;
	int64_t apart_ns = *rest ? strtol(rest + 1, NULL, 10) * PGOFS_NS_PER_MS : 0;
	int r = 0;
	for (size_t i = 0; i < n; i++) {
		fetches[i] = (struct fetch){ c, 2 + i, n, (int64_t)i * apart_ns, 0, 0 };
		pthread_create(&threads[i], NULL, fetch_some, &fetches[i]);
	}
	for (size_t i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		n_good += fetches[i].n_good;
		r = fetches[i].wrong ? fetches[i].wrong : r;
	}
	json_object_set_new(c->out, "n", json_integer((json_int_t)n_good));
	return r;
}

static int do_stats(struct command *c)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(1 << 16);
	int r = pgofs_backend_stats(c->b, &b);
	json_object_set_new(c->out, "stats", json_stringn((char *)b.data, b.len));
	return r;
}

static const struct {
	const char *name;
	int (*run)(struct command *c);
} verbs[] = {
	{ "probe", do_probe },
	{ "list", do_list },
	{ "list-all", do_list_all },
	{ "get", do_get },
	{ "put", do_put },
	{ "new", do_new },
	{ "remove", do_remove },
	{ "rename", do_rename },
	{ "remove-many", do_remove_many },
	{ "remove-dir", do_remove_dir },
	{ "fetch", do_fetch },
	{ "stats", do_stats },
};

static int run(struct command *c)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, c->words[0]))
			return verbs[i].run(c);
	return -ENOSYS;
}

static void answer(struct command *c, int r, int64_t began_ns)
{
	json_object_set_new(c->out, "r", json_integer(r));
	json_object_set_new(c->out, "why", json_string(c->err.text));
	json_object_set_new(c->out, "ms", json_integer((pgofs_monotonic_ns() - began_ns) / PGOFS_NS_PER_MS));
	json_dumpf(c->out, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	fflush(stdout);
	json_decref(c->out);
	c->out = NULL;
}

int main(int argc, char **argv)
{
	static struct command c;
	_cleanup_(pgofs_freep) char *line = NULL;
	size_t size = 0;
	int64_t began_ns = pgofs_monotonic_ns();
	pgofs_log_setup(&(struct pgofs_log_config){ .program = "drive", .level = PGOFS_LOG_DEBUG });

	c.out = json_object();
	int r = pgofs_backend_open(argv[1], (const char *const *)argv + 2, &c.b, &c.err);
	answer(&c, r, began_ns);
	while (r == 0 && getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		c.n = 0;
		for (char *at = line; at && c.n < WORDS_MAX; c.words[c.n++] = strsep(&at, "\t"))
			;
		c.err.text[0] = '\0';
		c.out = json_object();
		began_ns = pgofs_monotonic_ns();
		answer(&c, run(&c), began_ns);
	}
	pgofs_backend_free(c.b);
	return 0;
}
