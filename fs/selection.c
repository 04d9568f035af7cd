/* From a window to its inputs, with as few questions to the storage as will do.
 *
 * A short window touches days that can be named without looking: they are listed directly, and one that is not there lists as
 * empty. A long one is walked from the top (years, months, days), so that `last-9999w` costs what is stored and not what the
 * calendar has. Either way the directories of one level are asked for side by side.
 *
 * A window that nothing has changed in is looked up again and again, and a fleet's day is 100,000 inputs to choose and to hash. So
 * selections made lately are kept, with the listings they came from; while a catalog gives the same listings, they hold.
 *
 * The order is that of the inputs' paths as `LC_ALL=C ls` and a shell's glob have it, over all apps too: days are sorted
 * by "PATH/", because '-' and '.' sort before '/', so "a-b/2026" comes before "a/2026". */
#include "selection.h"

#include "parallel.h"
#include "path.h"

#include <pgofs/units.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to so many days are named rather than looked for. */
#define NAMED_DAYS_MAX 3

/* So many selections are kept. */
#define LATELY_MAX 16

/* ---- paths of directories ---- */

void pgofs_dirs_done(struct pgofs_dirs *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->paths[i]);
	free(d->paths);
	*d = (struct pgofs_dirs){ 0 };
}

static int add_dir(struct pgofs_dirs *d, const char *parent, const char *name)
{
	char path[PGOFS_PATH_SIZE];
	int r = pgofs_path_join(path, parent, name);
	if (r < 0)
		return r;
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 8;
		char **paths = reallocarray(d->paths, cap, sizeof *paths);
		if (!paths)
			return -ENOMEM;
		d->paths = paths;
		d->cap = cap;
	}
	d->paths[d->n] = strdup(path);
	if (!d->paths[d->n])
		return -ENOMEM;
	d->n++;
	return 0;
}

/* By "PATH/". */
static int compare_dirs(const void *a, const void *b)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;
	while (*left && *left == *right) {
		left++;
		right++;
	}
	int l = *left ? (unsigned char)*left : '/', r = *right ? (unsigned char)*right : '/';
	return l != r ? l - r : (*left != 0) - (*right != 0);
}

/* ---- many listings at once ---- */

struct fetching {
	const struct pgofs_walk *walk;
	char *const *paths;
	struct pgofs_listing **listings;
	size_t *missing; /* those that are not known here */
};

static int list_one(void *context, size_t i, struct pgofs_error *err)
{
	struct fetching *f = context;
	size_t at = f->missing[i];
	return pgofs_catalog_list(f->walk->catalog, f->paths[at], &f->listings[at], err);
}

struct listings {
	struct pgofs_listing **items;
	size_t n;
};

static void listings_done(struct listings *l)
{
	for (size_t i = 0; i < l->n; i++)
		pgofs_listing_unref(l->items[i]);
	free(l->items);
}

static int list_all(const struct pgofs_walk *walk, const struct pgofs_dirs *dirs, struct listings *ret,
		    struct pgofs_error *err)
{
	_cleanup_(listings_done) struct listings l = { calloc(dirs->n + 1, sizeof *l.items), dirs->n };
	_cleanup_(pgofs_freep) size_t *missing = calloc(dirs->n + 1, sizeof *missing);
	size_t n_missing = 0;
	if (!l.items || !missing) {
		l.n = 0;
		return pgofs_error_errno(err, -ENOMEM, "list");
	}
	for (size_t i = 0; i < dirs->n; i++) {
		l.items[i] = pgofs_catalog_peek(walk->catalog, dirs->paths[i]);
		if (!l.items[i])
			missing[n_missing++] = i;
	}
	struct fetching f = { walk, dirs->paths, l.items, missing };
	int r = pgofs_parallel(n_missing, walk->n_parallel, walk->patience, list_one, &f, err);
	if (r < 0)
		return r;
	*ret = l;
	l = (struct listings){ 0 };
	return 0;
}

/* ---- which days ---- */

/* The last day a year or month holds. */
static int64_t last_day_of(const struct pgofs_path *p)
{
	int64_t days = p->days;
	if (p->place == PGOFS_PLACE_YEAR)
		pgofs_days_from_date(p->year, 12, 31, &days);
	else if (p->place == PGOFS_PLACE_MONTH)
		for (int day = 28; pgofs_days_from_date(p->year, p->month, day, &days) == 0; day++)
			;
	return days;
}

static bool touches(const char *path, const struct pgofs_window *w)
{
	struct pgofs_path p;
	if (pgofs_path_parse(path, &p) < 0)
		return false;
	return p.days * PGOFS_NS_PER_DAY < w->to_ns && (last_day_of(&p) + 1) * PGOFS_NS_PER_DAY > w->from_ns;
}

static int add_children(struct pgofs_dirs *to, const char *dir, const struct pgofs_listing *listing,
			const struct pgofs_window *w)
{
	char path[PGOFS_PATH_SIZE];
	int r = 0;
	for (size_t i = 0; i < listing->n && r == 0; i++) {
		const char *name = listing->items[i].name;
		if (pgofs_path_join(path, dir, name) == 0 && (!w || touches(path, w)))
			r = add_dir(to, dir, name);
	}
	return r;
}

/* From the directories of one level to those of the next. */
static int descend(const struct pgofs_walk *walk, struct pgofs_dirs *level, const struct pgofs_window *w,
		   struct pgofs_error *err)
{
	_cleanup_(listings_done) struct listings l = { 0 };
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs next = { 0 };
	int r = list_all(walk, level, &l, err);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		r = add_children(&next, level->paths[i], l.items[i], w);
		if (r < 0)
			pgofs_error_errno(err, r, "list %s", level->paths[i]);
	}
	if (r < 0)
		return r;
	struct pgofs_dirs old = *level;
	*level = next;
	next = old;
	return 0;
}

static int name_days(struct pgofs_dirs *level, int64_t first, int64_t last)
{
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs apps = *level;
	*level = (struct pgofs_dirs){ 0 };
	for (size_t i = 0; i < apps.n; i++) {
		for (int64_t day = first; day <= last; day++) {
			char text[PGOFS_DAY_SIZE];
			int r = add_dir(level, apps.paths[i], pgofs_day_format(text, day));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int pgofs_days_of(const struct pgofs_walk *walk, struct pgofs_dirs *ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs level = { 0 };
	const struct pgofs_window *window = walk->window;
	int r = add_dir(&level, "", walk->app ? walk->app : "");
	if (r == 0 && !walk->app)
		r = descend(walk, &level, NULL, err);

	int64_t first = window->from_ns / PGOFS_NS_PER_DAY, last = (window->to_ns - 1) / PGOFS_NS_PER_DAY;
	if (r == 0 && last - first < NAMED_DAYS_MAX) {
		r = name_days(&level, first, last);
	} else {
		for (int depth = 0; depth < 3 && r == 0; depth++)
			r = descend(walk, &level, window, err);
	}
	if (r < 0)
		return r;
	if (level.n)
		qsort(level.paths, level.n, sizeof level.paths[0], compare_dirs);
	*ret = level;
	level = (struct pgofs_dirs){ 0 };
	return 0;
}

/* ---- which profiles ---- */

struct pgofs_days {
	struct pgofs_dirs dirs;
	struct listings listings;
};

static void days_free(struct pgofs_days *d)
{
	if (!d)
		return;
	pgofs_dirs_done(&d->dirs);
	listings_done(&d->listings);
	free(d);
}
PGOFS_DEFINE_FREEP(struct pgofs_days, days_free)

static int list_days(const struct pgofs_walk *walk, struct pgofs_days **ret, struct pgofs_error *err)
{
	_cleanup_(days_freep) struct pgofs_days *days = calloc(1, sizeof *days);
	if (!days)
		return pgofs_error_errno(err, -ENOMEM, "select profiles");
	int r = pgofs_days_of(walk, &days->dirs, err);
	if (r == 0)
		r = list_all(walk, &days->dirs, &days->listings, err);
	if (r == 0)
		*ret = STEAL(days);
	return r;
}

struct pgofs_selection *pgofs_selection_ref(struct pgofs_selection *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void pgofs_selection_unref(struct pgofs_selection *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	days_free(s->days);
	free(s->inputs);
	free(s);
}

static size_t count_items(const struct listings *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++)
		n += l->items[i]->n;
	return n;
}

static void select_from(struct pgofs_selection *s, const char *dir, const struct pgofs_listing *listing,
			const struct pgofs_window *w)
{
	struct pgofs_path p;
	if (pgofs_path_parse(dir, &p) < 0)
		return;
	for (size_t i = 0; i < listing->n; i++) {
		const struct pgofs_item *item = &listing->items[i];
		int64_t taken_ns = pgofs_taken_ns(p.days, item->name, item->mtime_ns);
		if (taken_ns < w->from_ns) {
			s->before_ns = taken_ns > s->before_ns ? taken_ns : s->before_ns;
			continue;
		}
		if (taken_ns >= w->to_ns) {
			s->after_ns = taken_ns < s->after_ns ? taken_ns : s->after_ns;
			continue;
		}
		s->first_ns = taken_ns < s->first_ns ? taken_ns : s->first_ns;
		s->last_ns = taken_ns > s->last_ns ? taken_ns : s->last_ns;
		s->inputs[s->n++] = (struct pgofs_input){ dir, item, taken_ns };
		if (s->n == 1 || item->mtime_ns > s->newest_mtime_ns)
			s->newest_mtime_ns = item->mtime_ns;
	}
}

char *pgofs_input_path(char buf[static PGOFS_PATH_SIZE], const struct pgofs_input *input)
{
	snprintf(buf, PGOFS_PATH_SIZE, "%s/%s", input->dir, input->item->name);
	return buf;
}

/* FNV-1a, its bits mixed in the end. */
uint64_t pgofs_input_hash(const struct pgofs_input *input)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (const char *at = input->item->name; *at; at++)
		h = (h ^ (uint8_t)*at) * UINT64_C(1099511628211);
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

int pgofs_input_digest(EVP_MD_CTX *digest, const struct pgofs_input *input)
{
	char text[PGOFS_PATH_SIZE + PGOFS_VERSION_SIZE + 32];
	int n = snprintf(text, sizeof text, "%s/%s%c%s%c%llu", input->dir, input->item->name, 0, input->item->version,
			 0, (unsigned long long)input->item->size_bytes);
	return EVP_DigestUpdate(digest, text, (size_t)n + 1) ? 0 : -ENOMEM;
}

static void free_digest(EVP_MD_CTX **h)
{
	EVP_MD_CTX_free(*h);
}

static int take_fingerprint(struct pgofs_selection *s)
{
	_cleanup_(free_digest) EVP_MD_CTX *h = EVP_MD_CTX_new();
	if (!h || !EVP_DigestInit_ex(h, EVP_sha256(), NULL))
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		if (pgofs_input_digest(h, &s->inputs[i]) < 0)
			return -ENOMEM;
	}
	return EVP_DigestFinal_ex(h, s->fingerprint, NULL) ? 0 : -ENOMEM;
}

/* Takes the days over, also on failure. */
static int select_of(struct pgofs_days *days, const struct pgofs_window *window, struct pgofs_selection **ret,
		     struct pgofs_error *err)
{
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s = calloc(1, sizeof *s);
	if (!s) {
		days_free(days);
		return pgofs_error_errno(err, -ENOMEM, "select profiles");
	}
	*s = (struct pgofs_selection){
		.days = days, .before_ns = INT64_MIN, .first_ns = INT64_MAX, .last_ns = INT64_MIN, .after_ns = INT64_MAX
	};
	atomic_init(&s->refs, 1);
	s->inputs = calloc(count_items(&days->listings) + 1, sizeof *s->inputs);
	if (!s->inputs)
		return pgofs_error_errno(err, -ENOMEM, "select profiles");
	for (size_t i = 0; i < days->listings.n; i++)
		select_from(s, days->dirs.paths[i], days->listings.items[i], window);
	int r = take_fingerprint(s);
	if (r < 0)
		return pgofs_error_errno(err, r, "select profiles");
	*ret = STEAL(s);
	return 0;
}

int pgofs_selection_hour(const struct pgofs_selection *s, const char *dir, int64_t hour_ns, struct pgofs_input **ret,
			 size_t *ret_n)
{
	const struct listings *l = &s->days->listings;
	const struct pgofs_window hour = { hour_ns, hour_ns + PGOFS_NS_PER_HOUR };
	struct pgofs_selection all = { .before_ns = 0 };
	for (size_t i = 0; i < l->n && !all.inputs; i++) {
		if (s->days->dirs.paths[i] != dir)
			continue;
		all.inputs = calloc(l->items[i]->n + 1, sizeof *all.inputs);
		if (!all.inputs)
			return -ENOMEM;
		select_from(&all, dir, l->items[i], &hour);
	}
	*ret = all.inputs;
	*ret_n = all.n;
	return 0;
}

/* ---- made lately ---- */

struct pgofs_selections {
	pthread_mutex_t mutex;
	uint64_t max_bytes, bytes;
	struct pgofs_selection *made[LATELY_MAX]; /* the one used last comes first */
	size_t n;
};

struct pgofs_selections *pgofs_selections_new(uint64_t max_bytes)
{
	struct pgofs_selections *m = calloc(1, sizeof *m);
	if (m) {
		pthread_mutex_init(&m->mutex, NULL);
		m->max_bytes = max_bytes;
	}
	return m;
}

void pgofs_selections_free(struct pgofs_selections *m)
{
	if (!m)
		return;
	while (m->n)
		pgofs_selection_unref(m->made[--m->n]);
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

/* A listing that is in several counts in each, so this is no less than the truth. */
static uint64_t bytes_of(const struct pgofs_selection *s)
{
	const struct listings *l = &s->days->listings;
	uint64_t bytes = sizeof *s + (count_items(l) + 1) * sizeof *s->inputs;
	for (size_t i = 0; i < l->n; i++)
		bytes += l->items[i]->memory_bytes + sizeof(char *) + strlen(s->days->dirs.paths[i]);
	return bytes;
}

/* Nobody changes a listing that is held, so the same ones say the same. */
static bool is_of(const struct pgofs_selection *s, const struct pgofs_days *days, const struct pgofs_window *w)
{
	const struct pgofs_days *own = s->days;
	bool same = own->dirs.n == days->dirs.n && w->from_ns > s->before_ns && w->from_ns <= s->first_ns &&
		    w->to_ns > s->last_ns && w->to_ns <= s->after_ns;
	for (size_t i = 0; same && i < days->dirs.n; i++)
		same = own->listings.items[i] == days->listings.items[i] &&
		       !strcmp(own->dirs.paths[i], days->dirs.paths[i]);
	return same;
}

static struct pgofs_selection *find(struct pgofs_selections *m, const struct pgofs_days *days,
				    const struct pgofs_window *w)
{
	PGOFS_LOCKED(&m->mutex);
	size_t at = 0;
	while (at < m->n && !is_of(m->made[at], days, w))
		at++;
	if (at == m->n)
		return NULL;
	struct pgofs_selection *s = m->made[at];
	memmove(m->made + 1, m->made, at * sizeof *m->made);
	m->made[0] = s;
	return pgofs_selection_ref(s);
}

static void keep(struct pgofs_selections *m, struct pgofs_selection *s)
{
	uint64_t bytes = bytes_of(s);
	if (bytes > m->max_bytes)
		return;
	PGOFS_LOCKED(&m->mutex);
	while (m->n == LATELY_MAX || m->bytes + bytes > m->max_bytes) {
		struct pgofs_selection *oldest = m->made[--m->n];
		m->bytes -= bytes_of(oldest);
		pgofs_selection_unref(oldest);
	}
	memmove(m->made + 1, m->made, m->n * sizeof *m->made);
	m->made[0] = pgofs_selection_ref(s);
	m->bytes += bytes;
	m->n++;
}

int pgofs_selections_get(struct pgofs_selections *m, const struct pgofs_walk *walk, struct pgofs_selection **ret,
			 struct pgofs_error *err)
{
	struct pgofs_days *days = NULL;
	int r = list_days(walk, &days, err);
	if (r < 0)
		return r;
	struct pgofs_selection *s = find(m, days, walk->window);
	if (s) {
		days_free(days);
		*ret = s;
		return 0;
	}
	r = select_of(days, walk->window, ret, err);
	if (r == 0)
		keep(m, *ret);
	return r;
}
