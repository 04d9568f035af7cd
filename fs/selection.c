/* From a window to its inputs, with as few questions to the storage as will do.
 *
 * A short window touches days that can be named without looking: they are listed directly, and one that is not there lists as
 * empty. A long one is walked from the top (years, months, days), so that `last-9999w` costs what is stored and not what the
 * calendar has. Either way the directories of one level are asked for side by side.
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
	struct pgofs_catalog *catalog;
	char *const *paths;
	struct pgofs_listing **listings;
	size_t *missing; /* those that are not known here */
};

static int list_one(void *context, size_t i, struct pgofs_error *err)
{
	struct fetching *f = context;
	size_t at = f->missing[i];
	return pgofs_catalog_list(f->catalog, f->paths[at], &f->listings[at], err);
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

static int list_all(struct pgofs_catalog *c, const struct pgofs_dirs *dirs, unsigned n_parallel, struct listings *ret,
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
		l.items[i] = pgofs_catalog_peek(c, dirs->paths[i]);
		if (!l.items[i])
			missing[n_missing++] = i;
	}
	struct fetching f = { c, dirs->paths, l.items, missing };
	int r = pgofs_parallel(n_missing, n_parallel, list_one, &f, err);
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
static int descend(struct pgofs_catalog *c, struct pgofs_dirs *level, const struct pgofs_window *w, unsigned n_parallel,
		   struct pgofs_error *err)
{
	_cleanup_(listings_done) struct listings l = { 0 };
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs next = { 0 };
	int r = list_all(c, level, n_parallel, &l, err);
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

int pgofs_days_of(struct pgofs_catalog *c, const char *app, const struct pgofs_window *window, unsigned n_parallel,
		  struct pgofs_dirs *ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs level = { 0 };
	int r = add_dir(&level, "", app ? app : "");
	if (r == 0 && !app)
		r = descend(c, &level, NULL, n_parallel, err);

	int64_t first = window->from_ns / PGOFS_NS_PER_DAY, last = (window->to_ns - 1) / PGOFS_NS_PER_DAY;
	if (r == 0 && last - first < NAMED_DAYS_MAX) {
		r = name_days(&level, first, last);
	} else {
		for (int depth = 0; depth < 3 && r == 0; depth++)
			r = descend(c, &level, window, n_parallel, err);
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

void pgofs_selection_free(struct pgofs_selection *s)
{
	if (!s)
		return;
	if (s->days) {
		pgofs_dirs_done(&s->days->dirs);
		listings_done(&s->days->listings);
		free(s->days);
	}
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
		if (taken_ns < w->from_ns || taken_ns >= w->to_ns)
			continue;
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

static void free_digest(EVP_MD_CTX **h)
{
	EVP_MD_CTX_free(*h);
}

/* Over "PATH NUL VERSION NUL SIZE NUL" of each input. */
static int take_fingerprint(struct pgofs_selection *s)
{
	_cleanup_(free_digest) EVP_MD_CTX *h = EVP_MD_CTX_new();
	if (!h || !EVP_DigestInit_ex(h, EVP_sha256(), NULL))
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		char path[PGOFS_PATH_SIZE], size[32];
		const struct pgofs_item *item = s->inputs[i].item;
		pgofs_input_path(path, &s->inputs[i]);
		int n = snprintf(size, sizeof size, "%llu", (unsigned long long)item->size_bytes);
		EVP_DigestUpdate(h, path, strlen(path) + 1);
		EVP_DigestUpdate(h, item->version, strlen(item->version) + 1);
		EVP_DigestUpdate(h, size, (size_t)n + 1);
	}
	return EVP_DigestFinal_ex(h, s->fingerprint, NULL) ? 0 : -ENOMEM;
}

int pgofs_selection_new(struct pgofs_catalog *c, const char *app, const struct pgofs_window *window,
			unsigned n_parallel, struct pgofs_selection **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_selection_freep) struct pgofs_selection *s = calloc(1, sizeof *s);
	if (!s || !(s->days = calloc(1, sizeof *s->days)))
		return pgofs_error_errno(err, -ENOMEM, "select profiles");
	int r = pgofs_days_of(c, app, window, n_parallel, &s->days->dirs, err);
	if (r == 0)
		r = list_all(c, &s->days->dirs, n_parallel, &s->days->listings, err);
	if (r < 0)
		return r;

	s->inputs = calloc(count_items(&s->days->listings) + 1, sizeof *s->inputs);
	if (!s->inputs)
		return pgofs_error_errno(err, -ENOMEM, "select profiles");
	for (size_t i = 0; i < s->days->listings.n; i++)
		select_from(s, s->days->dirs.paths[i], s->days->listings.items[i], window);
	r = take_fingerprint(s);
	if (r < 0)
		return pgofs_error_errno(err, r, "select profiles");
	*ret = STEAL(s);
	return 0;
}
