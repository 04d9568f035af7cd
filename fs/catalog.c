/* The storage's listing is the truth; this is how little of it needs to be asked for.
 *
 * What must stay true:
 *
 *   - A change made here shows in the very next lookup, also when a listing asked for earlier arrives later. So while a
 *     listing is under way, changes made here are written into a journal, and done again to what arrives.
 *   - A change made elsewhere shows within refresh_ns. So a listing's age counts from when it was asked for.
 *   - A change that ended in doubt (a put that timed out) leaves no belief behind.
 *   - Copying 1,000 files into a day lists that day once, not 1,000 times.
 *   - What is kept is bounded in bytes. What a reader holds stays valid after it was forgotten here. */
#include "catalog.h"

#include "flight.h"
#include "path.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define N_BUCKETS 1024

/* A change made here: an entry that is there now, or no longer. */
struct change {
	char *name;
	bool gone, is_dir;
	struct pgofs_stored stored;
};

struct dir {
	struct dir *next_in_bucket;
	struct dir *newer, *older; /* by use */
	struct pgofs_listing *listing;
	int64_t asked_ns;
	size_t counted_bytes; /* of the listing, as they are in the catalog's sum */
	struct pgofs_flight *flight;
	bool flight_is_bare;    /* who leads it asked for names alone */
	struct change *journal; /* made since the flight began */
	size_t n_journal;
	char path[];
};

struct pgofs_catalog {
	struct pgofs_catalog_config config;
	pthread_mutex_t mutex;
	pthread_cond_t landed;
	struct dir *buckets[N_BUCKETS];
	struct dir *newest, *oldest;
	struct pgofs_catalog_stats stats;
	atomic_uint_fast64_t n_noted;
	/* Of which directories it was said that entries are left alone, by hash, and of how many. */
	_Atomic uint32_t told[N_BUCKETS];
};

int pgofs_catalog_new(const struct pgofs_catalog_config *config, struct pgofs_catalog **ret, struct pgofs_error *err)
{
	struct pgofs_catalog *c = calloc(1, sizeof *c);
	if (!c)
		return pgofs_error_errno(err, -ENOMEM, "catalog");
	c->config = *config;
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->landed, NULL);
	*ret = c;
	return 0;
}

static uint32_t hash(const char *path)
{
	uint32_t h = 2166136261U; /* FNV-1a */
	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619U;
	return h;
}

static struct dir **bucket_of(struct pgofs_catalog *c, const char *path)
{
	return &c->buckets[hash(path) % N_BUCKETS];
}

static void unlink_use(struct pgofs_catalog *c, struct dir *d)
{
	*(d->newer ? &d->newer->older : &c->newest) = d->older;
	*(d->older ? &d->older->newer : &c->oldest) = d->newer;
}

static void link_newest(struct pgofs_catalog *c, struct dir *d)
{
	d->newer = NULL;
	d->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = d;
	c->newest = d;
}

static struct dir *find_dir(struct pgofs_catalog *c, const char *path)
{
	struct dir *d = *bucket_of(c, path);
	while (d && strcmp(d->path, path) != 0)
		d = d->next_in_bucket;
	return d;
}

static struct dir *find_or_add_dir(struct pgofs_catalog *c, const char *path)
{
	struct dir *d = find_dir(c, path);
	if (d)
		return d;
	size_t size = strlen(path) + 1;
	d = calloc(1, sizeof *d + size);
	if (!d)
		return NULL;
	memcpy(d->path, path, size);
	struct dir **bucket = bucket_of(c, path);
	d->next_in_bucket = *bucket;
	*bucket = d;
	link_newest(c, d);
	c->stats.n_dirs++;
	c->stats.memory_bytes += sizeof *d + size;
	return d;
}

static void count_bytes(struct pgofs_catalog *c, struct dir *d)
{
	size_t now = d->listing ? d->listing->memory_bytes : 0;
	c->stats.memory_bytes += now - d->counted_bytes;
	d->counted_bytes = now;
}

static void clear_journal(struct dir *d)
{
	for (size_t i = 0; i < d->n_journal; i++)
		free(d->journal[i].name);
	free(d->journal);
	d->journal = NULL;
	d->n_journal = 0;
}

/* Forgets the listing. The directory itself stays while somebody is asking. */
static void drop_dir(struct pgofs_catalog *c, struct dir *d)
{
	pgofs_listing_unref(STEAL(d->listing));
	count_bytes(c, d);
	if (d->flight) {
		d->flight->outdated = true;
		return;
	}
	struct dir **at = bucket_of(c, d->path);
	while (*at != d)
		at = &(*at)->next_in_bucket;
	*at = d->next_in_bucket;
	unlink_use(c, d);
	c->stats.n_dirs--;
	c->stats.memory_bytes -= sizeof *d + strlen(d->path) + 1;
	clear_journal(d);
	free(d);
}

static void keep_within_bound(struct pgofs_catalog *c)
{
	struct dir *d = c->oldest;
	while (d && d != c->newest && c->stats.memory_bytes > c->config.memory_bytes) {
		struct dir *newer = d->newer;
		if (!d->flight)
			drop_dir(c, d);
		d = newer;
	}
}

void pgofs_catalog_free(struct pgofs_catalog *c)
{
	if (!c)
		return;
	while (c->newest)
		drop_dir(c, c->newest);
	pthread_cond_destroy(&c->landed);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

static bool believed(const struct pgofs_catalog *c, const struct dir *d, bool bare)
{
	if (!d->listing || (d->listing->is_bare && !bare))
		return false;
	int64_t age = c->config.now_ns() - d->asked_ns;
	return age >= 0 && age < c->config.refresh_ns;
}

/* ---- asking the storage ---- */

struct collecting {
	struct pgofs_listing *listing;
	struct pgofs_path dir;
	uint64_t max_bytes;
	uint64_t n_foreign;
	char foreign[PGOFS_NAME_MAX + 1]; /* the first of these */
};

static int collect(void *context, const struct pgofs_entry *entry)
{
	struct collecting *to = context;
	if (!pgofs_path_shows(&to->dir, entry->name, entry->is_dir)) {
		if (strcmp(entry->name, ".pgofs") != 0 && to->n_foreign++ == 0)
			snprintf(to->foreign, sizeof to->foreign, "%s", entry->name);
		return 0;
	}
	if (to->listing->memory_bytes > to->max_bytes)
		return -EFBIG;
	to->listing->is_bare |= entry->is_bare;
	return pgofs_listing_set(to->listing, entry->name, entry->is_dir, &entry->stored);
}

/* Once; and again when there are more of them, or less. A directory may be forgotten and listed again as often as something fails. */
static void tell_foreign(struct pgofs_catalog *c, const char *dir, const struct collecting *to)
{
	uint32_t h = hash(dir), what = h + (uint32_t)to->n_foreign;
	if (to->n_foreign && atomic_exchange(&c->told[h % N_BUCKETS], what) != what)
		pgofs_log(PGOFS_LOG_INFO, "entries outside the tree's grammar left alone", "dir", dir, "n",
			  PGOFS_FMT("%" PRIu64, to->n_foreign), "first", to->foreign);
}

static int ask_storage(struct pgofs_catalog *c, const char *dir, bool bare, struct pgofs_listing **ret,
		       struct pgofs_error *err)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *listing = pgofs_listing_new();
	if (!listing)
		return pgofs_error_errno(err, -ENOMEM, "list %s", dir);
	struct collecting to = { .listing = listing, .max_bytes = c->config.memory_bytes };
	int r = pgofs_path_parse(dir, &to.dir);
	if (r < 0 || !pgofs_place_is_dir(to.dir.place))
		return pgofs_error_errno(err, r < 0 ? r : -ENOTDIR, "list %s", dir);

	r = pgofs_backend_list(c->config.backend, dir, bare ? PGOFS_LIST_BARE : 0, collect, &to, err);
	if (r == -EFBIG)
		return pgofs_error_set(
		    err, r, "list %s: more entries than fit in the memory option's share of %" PRIu64 " bytes",
		    *dir ? dir : "the root", c->config.memory_bytes);
	if (r < 0)
		return r;
	tell_foreign(c, dir, &to);
	*ret = STEAL(listing);
	return 0;
}

static int change_listing(struct pgofs_listing *l, const struct change *change)
{
	if (!change->gone)
		return pgofs_listing_set(l, change->name, change->is_dir, &change->stored);
	pgofs_listing_drop(l, change->name);
	return 0;
}

static void unref_listing(void *listing)
{
	pgofs_listing_unref(listing);
}

/* What arrived, with what was changed here meanwhile. */
static int install(struct pgofs_catalog *c, struct dir *d, struct pgofs_listing *listing)
{
	for (size_t i = 0; i < d->n_journal; i++)
		if (change_listing(listing, &d->journal[i]) < 0)
			return -ENOMEM;
	if (d->flight->outdated)
		return 0;
	pgofs_listing_unref(d->listing);
	d->listing = pgofs_listing_ref(listing);
	count_bytes(c, d);
	return 0;
}

/* The mutex is held before and after, and free while the storage works. */
static int ask(struct pgofs_catalog *c, struct dir *d, bool bare, struct pgofs_listing **ret, struct pgofs_error *err)
{
	struct pgofs_flight *f = pgofs_flight_new(unref_listing);
	if (!f)
		return pgofs_error_errno(err, -ENOMEM, "list %s", d->path);
	struct pgofs_listing *listing = NULL;
	struct pgofs_error words = { "" };
	int64_t asked_ns = c->config.now_ns();
	d->flight = f;
	d->flight_is_bare = bare;
	c->stats.n_listed++;

	pthread_mutex_unlock(&c->mutex);
	int64_t began_ns = pgofs_monotonic_ns();
	int r = ask_storage(c, d->path, bare, &listing, &words);
	int64_t took_ns = pgofs_monotonic_ns() - began_ns;
	pthread_mutex_lock(&c->mutex);
	c->stats.asked_ns += (uint64_t)took_ns;

	if (r == 0) {
		d->asked_ns = asked_ns;
		r = install(c, d, listing);
	}
	clear_journal(d);
	d->flight = NULL;
	if (r == 0)
		*ret = pgofs_listing_ref(listing);
	else if (err)
		*err = words;
	pgofs_flight_land(f, r, &words, listing, &c->landed);
	pgofs_flight_unref(f);
	if (!d->listing)
		drop_dir(c, d);
	keep_within_bound(c);
	return r;
}

/* Waits for somebody else's listing. 1: it landed, but was asked for before a change in doubt, or for names alone, so it is not
 * for us. */
static int join(struct pgofs_catalog *c, struct dir *d, bool bare, struct pgofs_listing **ret, struct pgofs_error *err)
{
	struct pgofs_flight *f = pgofs_flight_ref(d->flight);
	bool too_early = f->outdated || (d->flight_is_bare && !bare);
	int r = pgofs_flight_wait(f, &c->mutex, &c->landed, err);
	if (r == 0 && !too_early)
		*ret = pgofs_listing_ref(f->value);
	pgofs_flight_unref(f);
	return too_early ? 1 : r;
}

static int list(struct pgofs_catalog *c, const char *dir, bool bare, struct pgofs_listing **ret,
		struct pgofs_error *err)
{
	PGOFS_LOCKED(&c->mutex);
	int r;
	do {
		struct dir *d = find_or_add_dir(c, dir);
		if (!d)
			return pgofs_error_errno(err, -ENOMEM, "list %s", dir);
		unlink_use(c, d);
		link_newest(c, d);
		if (believed(c, d, bare)) {
			c->stats.n_known++;
			*ret = pgofs_listing_ref(d->listing);
			return 0;
		}
		r = d->flight ? join(c, d, bare, ret, err) : ask(c, d, bare, ret, err);
	} while (r > 0);
	return r;
}

int pgofs_catalog_list(struct pgofs_catalog *c, const char *dir, struct pgofs_listing **ret, struct pgofs_error *err)
{
	return list(c, dir, false, ret, err);
}

int pgofs_catalog_names(struct pgofs_catalog *c, const char *dir, struct pgofs_listing **ret, struct pgofs_error *err)
{
	return list(c, dir, true, ret, err);
}

struct pgofs_listing *pgofs_catalog_peek(struct pgofs_catalog *c, const char *dir)
{
	PGOFS_LOCKED(&c->mutex);
	struct dir *d = find_dir(c, dir);
	if (!d || !believed(c, d, false))
		return NULL;
	unlink_use(c, d);
	link_newest(c, d);
	c->stats.n_known++;
	return pgofs_listing_ref(d->listing);
}

/* ---- changes made here ---- */

static int write_journal(struct dir *d, const struct change *change)
{
	struct change *journal = reallocarray(d->journal, d->n_journal + 1, sizeof *journal);
	if (!journal)
		return -ENOMEM;
	d->journal = journal;
	journal[d->n_journal] = *change;
	journal[d->n_journal].name = strdup(change->name);
	if (!journal[d->n_journal].name)
		return -ENOMEM;
	d->n_journal++;
	return 0;
}

/* Where a change cannot be written down, belief ends instead: the truth is in storage. */
static void patch(struct pgofs_catalog *c, struct dir *d, const struct change *change)
{
	if (d->flight && write_journal(d, change) < 0)
		d->flight->outdated = true;
	if (!d->listing)
		return;
	if (pgofs_listing_own(&d->listing) < 0 || change_listing(d->listing, change) < 0)
		drop_dir(c, d);
	else
		count_bytes(c, d);
}

/* "a/b/c" -> "a/b" in `dir`, and "c". */
static const char *split(char dir[static PGOFS_PATH_SIZE], const char *path)
{
	const char *slash = strrchr(path, '/');
	pgofs_path_parent(dir, path);
	return slash ? slash + 1 : path;
}

/* Every directory above a new profile is there now. */
static void show_dirs_above(struct pgofs_catalog *c, const char *path)
{
	char dir[PGOFS_PATH_SIZE], above[PGOFS_PATH_SIZE];
	for (pgofs_path_parent(dir, path); *dir; strcpy(dir, above)) {
		const char *name = split(above, dir);
		struct dir *d = find_dir(c, above);
		if (d && (d->flight || (d->listing && !pgofs_listing_find(d->listing, name))))
			patch(c, d, &(struct change){ .name = (char *)name, .is_dir = true });
	}
}

/* A directory that is known to be empty is there no longer, and so on up. */
static void hide_if_empty(struct pgofs_catalog *c, const char *path)
{
	char dir[PGOFS_PATH_SIZE], above[PGOFS_PATH_SIZE];
	for (strcpy(dir, path); *dir; strcpy(dir, above)) {
		const char *name = split(above, dir);
		struct dir *d = find_dir(c, dir), *up = find_dir(c, above);
		if (!d || !believed(c, d, true) || d->listing->n || !up)
			return;
		patch(c, up, &(struct change){ .name = (char *)name, .is_dir = true, .gone = true });
	}
}

void pgofs_catalog_note_put(struct pgofs_catalog *c, const char *path, const struct pgofs_stored *stored)
{
	char dir[PGOFS_PATH_SIZE];
	const char *name = split(dir, path);
	PGOFS_LOCKED(&c->mutex);
	struct dir *d = find_dir(c, dir);
	atomic_fetch_add(&c->n_noted, 1);
	if (d)
		patch(c, d, &(struct change){ .name = (char *)name, .stored = *stored });
	show_dirs_above(c, path);
	keep_within_bound(c);
}

void pgofs_catalog_note_remove(struct pgofs_catalog *c, const char *path)
{
	char dir[PGOFS_PATH_SIZE];
	const char *name = split(dir, path);
	PGOFS_LOCKED(&c->mutex);
	struct dir *d = find_dir(c, dir);
	atomic_fetch_add(&c->n_noted, 1);
	if (d)
		patch(c, d, &(struct change){ .name = (char *)name, .gone = true });
	hide_if_empty(c, dir);
}

void pgofs_catalog_note_rmdir(struct pgofs_catalog *c, const char *dir)
{
	char above[PGOFS_PATH_SIZE];
	const char *name = split(above, dir);
	PGOFS_LOCKED(&c->mutex);
	struct dir *d = find_dir(c, dir), *up = find_dir(c, above);
	atomic_fetch_add(&c->n_noted, 1);
	if (up)
		patch(c, up, &(struct change){ .name = (char *)name, .is_dir = true, .gone = true });
	if (d)
		drop_dir(c, d);
	hide_if_empty(c, above);
}

void pgofs_catalog_forget(struct pgofs_catalog *c, const char *dir)
{
	PGOFS_LOCKED(&c->mutex);
	atomic_fetch_add(&c->n_noted, 1);
	if (dir) {
		struct dir *d = find_dir(c, dir);
		if (d)
			drop_dir(c, d);
		return;
	}
	for (struct dir *d = c->newest, *older; d; d = older) {
		older = d->older;
		drop_dir(c, d);
	}
}

uint64_t pgofs_catalog_n_noted(const struct pgofs_catalog *c)
{
	return atomic_load(&c->n_noted);
}

void pgofs_catalog_stats(struct pgofs_catalog *c, struct pgofs_catalog_stats *ret)
{
	PGOFS_LOCKED(&c->mutex);
	*ret = c->stats;
}
