/* What must stay true:
 * - an entry in a lane has its bytes either in its file or in memory, so it can be delivered;
 * - a lane is in order of paths, which within an app is the order of time;
 * - an entry that is held is not dropped, whatever the bounds say: who holds it ends it, or lets it go;
 * - the file of an entry goes only after the entry has left its lane. Killed in between, the next run delivers it once more, and
 *   finds it delivered. */
#include "spool.h"

#include "overlap.h"
#include "place.h"

#include <pgofs/log.h>
#include <pgofs/name.h>
#include <pgofs/units.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RETRY_FIRST_NS PGOFS_NS_PER_S
#define RETRY_LAST_NS  (60 * PGOFS_NS_PER_S)
#define LOCK_NAME      ".lock"

struct entry {
	struct spool_entry seen; /* first: what the taker gets */
	struct entry *next;
	struct lane *lane;
	struct pgofs_bytes *bytes; /* NULL: in its file */
	bool held;                 /* taken, or being written to disk */
	char path[];
};

struct lane {
	struct lane *next;
	struct entry *head;
	struct entry *tail;
	int64_t retry_ns; /* by the monotonic clock; not before */
	int64_t wait_ns;  /* what the next failure adds */
	bool failed;      /* since spool_drain */
	char app[];
};

struct spool {
	struct spool_config config;
	int dir_fd;  /* -1: in memory */
	int lock_fd; /* holds the directory for this process */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lane *lanes;
	struct spool_stats stats; /* but for oldest_ns */
	uint64_t memory_bytes;    /* of those in memory */
	bool draining;
	bool stopped;
};

static void entry_free(struct entry *e)
{
	pgofs_bytes_unref(e->bytes);
	free(e);
}

static struct entry *entry_new(const char *app, const char *path, uint64_t size_bytes)
{
	size_t len = strlen(path) + 1;
	const char *day = path + (*app ? strlen(app) + 1 : 0);
	int64_t days;
	struct entry *e = calloc(1, sizeof *e + len);
	if (!e)
		return NULL;
	memcpy(e->path, path, len);
	e->seen.path = e->path;
	e->seen.size_bytes = size_bytes;
	if (pgofs_day_parse(day, &days) == 0)
		e->seen.taken_ns = pgofs_taken_ns(days, day + 11, 0);
	return e;
}

static uint64_t memory_of(const struct entry *e)
{
	return e->bytes ? e->seen.size_bytes : 0;
}

/* Finds the app's lane, or makes it. Lanes are as many as apps were ever seen, and stay. */
static struct lane *lane_of(struct spool *s, const char *app)
{
	size_t len = strlen(app) + 1;
	for (struct lane *l = s->lanes; l; l = l->next)
		if (!strcmp(l->app, app))
			return l;
	struct lane *l = calloc(1, sizeof *l + len);
	if (!l)
		return NULL;
	memcpy(l->app, app, len);
	l->wait_ns = RETRY_FIRST_NS;
	l->next = s->lanes;
	s->lanes = l;
	return l;
}

/* In its place by path, but never before a head that is being delivered. */
static void link_entry(struct spool *s, struct lane *l, struct entry *e)
{
	struct entry **at = l->head && l->head->held ? &l->head->next : &l->head;
	if (l->tail && strcmp(l->tail->path, e->path) <
			   0) /* nearly always; and a start with 100,000 files must not take squares */
		at = &l->tail->next;
	while (*at && strcmp((*at)->path, e->path) < 0)
		at = &(*at)->next;
	e->next = *at;
	if (!e->next)
		l->tail = e;
	*at = e;
	e->lane = l;
	e->seen.app = l->app;
	s->stats.n++;
	s->stats.n_in_memory += e->bytes != NULL;
	s->stats.bytes += e->seen.size_bytes;
	s->memory_bytes += memory_of(e);
}

static void unlink_entry(struct spool *s, struct entry *e)
{
	struct lane *l = e->lane;
	struct entry **at = &l->head, *before = NULL;
	for (; *at != e; at = &before->next)
		before = *at;
	*at = e->next;
	if (l->tail == e)
		l->tail = before;
	e->next = NULL;
	s->stats.n--;
	s->stats.n_in_memory -= e->bytes != NULL;
	s->stats.bytes -= e->seen.size_bytes;
	s->memory_bytes -= memory_of(e);
}

static bool is_any(const struct entry *e)
{
	return true;
}

static bool is_in_memory(const struct entry *e)
{
	return e->bytes != NULL;
}

/* Its lane was tried since anything of it was delivered, and waits. */
static bool is_stuck(const struct entry *e)
{
	return e->lane->retry_ns != 0;
}

/* The oldest that nobody holds, of those that are such. */
static struct entry *oldest(const struct spool *s, bool (*is_such)(const struct entry *))
{
	struct entry *found = NULL;
	for (const struct lane *l = s->lanes; l; l = l->next) {
		struct entry *e = l->head;
		while (e && (e->held || !is_such(e)))
			e = e->next;
		if (e && (!found || e->seen.taken_ns < found->seen.taken_ns))
			found = e;
	}
	return found;
}

static struct entry **end_of(struct entry **list)
{
	while (*list)
		list = &(*list)->next;
	return list;
}

static struct entry **drop(struct spool *s, struct entry *e, struct entry **victims)
{
	unlink_entry(s, e);
	return &(*victims = e)->next;
}

/* Moves to `victims` what is too old. By the wall clock, which may jump; so nothing that could be delivered. */
static void drop_old(struct spool *s, struct entry **victims)
{
	int64_t oldest_allowed = s->config.max_age_ns ? pgofs_now_ns() - s->config.max_age_ns : INT64_MIN;
	victims = end_of(victims);
	for (struct entry *e; (e = oldest(s, is_stuck)) && e->seen.taken_ns < oldest_allowed; s->stats.n_dropped_old++)
		victims = drop(s, e, victims);
}

/* Likewise what must go to make room for `extra` bytes. */
static void make_room(struct spool *s, uint64_t extra, struct entry **victims)
{
	victims = end_of(victims);
	for (struct entry *e; s->stats.bytes + extra > s->config.max_bytes && (e = oldest(s, is_any));
	     s->stats.n_dropped_full++)
		victims = drop(s, e, victims);
}

/* Likewise among those in memory alone. */
static void make_memory(struct spool *s, uint64_t extra, struct entry **victims)
{
	victims = end_of(victims);
	for (struct entry *e; s->memory_bytes + extra > s->config.max_memory_bytes && (e = oldest(s, is_in_memory));
	     s->stats.n_dropped_full++)
		victims = drop(s, e, victims);
}

static void end_entry(struct spool *s, struct entry *e)
{
	int r = e->bytes ? 0 : place_remove(s->dir_fd, e->path);
	if (r < 0)
		pgofs_log(PGOFS_LOG_WARNING, "profile not removed from the spool, the next start will find it", "path",
			  e->path, "why", strerror(-r));
	entry_free(e);
}

static void end_victims(struct spool *s, struct entry *victims)
{
	while (victims) {
		struct entry *e = victims;
		victims = e->next;
		pgofs_log(PGOFS_LOG_WARNING, "profile dropped before it could be delivered", "path", e->path, "bytes",
			  PGOFS_FMT("%" PRIu64, e->seen.size_bytes));
		end_entry(s, e);
	}
}

static int write_entry(const struct spool *s, const struct entry *e, const struct pgofs_bytes *bytes,
		       struct pgofs_error *err)
{
	return place_write(s->dir_fd, e->path, bytes->data, bytes->len, err);
}

void spool_persist(struct spool *s)
{
	struct entry *e;
	int r = s->dir_fd < 0 ? -EROFS : 0;
	while (r == 0) {
		{
			PGOFS_LOCKED(&s->lock);
			e = s->stats.n_in_memory ? oldest(s, is_in_memory) : NULL;
			if (!e)
				return;
			e->held = true;
		}
		struct pgofs_bytes *bytes = e->bytes;
		r = write_entry(s, e, bytes, NULL);
		PGOFS_LOCKED(&s->lock);
		e->held = false;
		if (r == 0) {
			s->stats.n_in_memory--;
			s->memory_bytes -= memory_of(e);
			e->bytes = NULL;
			pgofs_bytes_unref(bytes);
		}
		pthread_cond_broadcast(&s->changed);
	}
}

/* Makes an entry, and room for it. NULL: no memory. */
static struct entry *prepare(struct spool *s, const char *app, const char *path, uint64_t size_bytes)
{
	struct entry *victims = NULL, *e = entry_new(app, path, size_bytes);
	{
		PGOFS_LOCKED(&s->lock);
		struct lane *l = e ? lane_of(s, app) : NULL;
		if (l) {
			e->lane = l;
			drop_old(s, &victims);
			make_room(s, size_bytes, &victims);
		} else if (e) {
			entry_free(STEAL(e));
		}
	}
	end_victims(s, victims);
	return e;
}

int spool_add(struct spool *s, const char *app, const char *path, struct pgofs_bytes *bytes, struct pgofs_error *err)
{
	if (bytes->len > s->config.max_bytes)
		return pgofs_error_set(err, -EFBIG, "spool %s: larger than the spool", path);
	struct entry *victims = NULL, *e = prepare(s, app, path, bytes->len);
	if (!e)
		return pgofs_error_errno(err, -ENOMEM, "spool %s", path);
	bool on_disk = s->dir_fd >= 0 && write_entry(s, e, bytes, err) == 0;
	if (!on_disk)
		e->bytes = pgofs_bytes_ref(bytes);
	{
		PGOFS_LOCKED(&s->lock);
		make_memory(s, memory_of(e), &victims);
		link_entry(s, e->lane, e);
		pthread_cond_broadcast(&s->changed);
	}
	end_victims(s, victims);
	if (on_disk)
		spool_persist(s);
	return s->dir_fd >= 0 && !on_disk;
}

/* The lane to deliver from now; else NULL, and *ret_wake_ns is when to look again. */
static struct lane *due_lane(struct spool *s, int64_t now_ns, int64_t *ret_wake_ns)
{
	struct lane *found = NULL;
	*ret_wake_ns = INT64_MAX;
	for (struct lane *l = s->lanes; l; l = l->next) {
		if (!l->head || l->head->held || (s->draining && l->failed))
			continue;
		if (!s->draining && l->retry_ns > now_ns) {
			if (l->retry_ns < *ret_wake_ns)
				*ret_wake_ns = l->retry_ns;
			continue;
		}
		if (!found || l->head->seen.taken_ns < found->head->seen.taken_ns)
			found = l;
	}
	return found;
}

static void wait_changed(struct spool *s, int64_t until_ns)
{
	struct timespec at = { until_ns / PGOFS_NS_PER_S, until_ns % PGOFS_NS_PER_S };
	if (until_ns == INT64_MAX)
		pthread_cond_wait(&s->changed, &s->lock);
	else
		pthread_cond_timedwait(&s->changed, &s->lock, &at);
}

const struct spool_entry *spool_take(struct spool *s)
{
	struct entry *victims = NULL;
	const struct spool_entry *taken = NULL;
	pthread_mutex_lock(&s->lock);
	while (!s->stopped && !taken) {
		int64_t wake_ns;
		drop_old(s, &victims);
		struct lane *l = due_lane(s, pgofs_monotonic_ns(), &wake_ns);
		if (l) {
			l->head->held = true;
			taken = &l->head->seen;
		} else if (victims) {
			pthread_mutex_unlock(&s->lock);
			end_victims(s, STEAL(victims));
			pthread_mutex_lock(&s->lock);
		} else {
			wait_changed(s, wake_ns);
		}
	}
	pthread_mutex_unlock(&s->lock);
	end_victims(s, victims);
	return taken;
}

static int read_file(int dir_fd, const char *path, size_t len, struct pgofs_bytes **ret)
{
	_cleanup_(pgofs_closep) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct pgofs_buf buf = PGOFS_BUF(len + 1); /* +1: to see a file that grew */
	if (fd < 0)
		return -errno;
	int r = pgofs_buf_reserve(&buf, len + 1);
	for (ssize_t n = 1; r == 0 && n && buf.len <= len;) {
		n = read(fd, buf.data + buf.len, len + 1 - buf.len);
		if (n < 0)
			r = errno == EINTR ? 0 : -errno;
		else
			buf.len += (size_t)n;
	}
	if (r == 0 && buf.len != len)
		r = -EBADMSG;
	if (r == 0 && !(*ret = pgofs_bytes_consume_buf(&buf)))
		r = -ENOMEM;
	pgofs_buf_done(&buf);
	return r;
}

int spool_read(struct spool *s, const struct spool_entry *seen, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	const struct entry *e = (const struct entry *)seen;
	if (e->bytes) {
		*ret = pgofs_bytes_ref(e->bytes);
		return 0;
	}
	int r = read_file(s->dir_fd, e->path, e->seen.size_bytes, ret);
	return r < 0 ? pgofs_error_errno(err, r, "read %s/%s", s->config.dir, e->path) : 0;
}

static void leave_lane(struct spool *s, struct entry *e)
{
	PGOFS_LOCKED(&s->lock);
	e->lane->retry_ns = 0;
	e->lane->wait_ns = RETRY_FIRST_NS;
	unlink_entry(s, e);
}

void spool_done(struct spool *s, const struct spool_entry *seen)
{
	struct entry *e = (struct entry *)seen;
	leave_lane(s, e);
	end_entry(s, e);
}

void spool_leave(struct spool *s, const struct spool_entry *seen)
{
	struct entry *e = (struct entry *)seen;
	leave_lane(s, e);
	entry_free(e);
}

void spool_postpone(struct spool *s, const struct spool_entry *seen)
{
	struct entry *e = (struct entry *)seen;
	struct lane *l = e->lane;
	PGOFS_LOCKED(&s->lock);
	e->held = false;
	l->failed = s->draining;
	l->retry_ns = pgofs_monotonic_ns() + l->wait_ns;
	l->wait_ns = l->wait_ns * 2 < RETRY_LAST_NS ? l->wait_ns * 2 : RETRY_LAST_NS;
}

void spool_drain(struct spool *s)
{
	PGOFS_LOCKED(&s->lock);
	s->draining = true;
	pthread_cond_broadcast(&s->changed);
}

bool spool_settled(struct spool *s)
{
	PGOFS_LOCKED(&s->lock);
	for (const struct lane *l = s->lanes; l; l = l->next)
		if (l->head && (l->head->held || !l->failed))
			return false;
	return true;
}

void spool_stop(struct spool *s)
{
	PGOFS_LOCKED(&s->lock);
	s->stopped = true;
	pthread_cond_broadcast(&s->changed);
}

void spool_stats(struct spool *s, struct spool_stats *ret)
{
	PGOFS_LOCKED(&s->lock);
	*ret = s->stats;
	for (const struct lane *l = s->lanes; l; l = l->next)
		if (l->head && (!ret->oldest_ns || l->head->seen.taken_ns < ret->oldest_ns))
			ret->oldest_ns = l->head->seen.taken_ns;
}

/* The NAME of "[APP/]YYYY/MM/DD/NAME", whose app goes to `ret_app`. NULL: that is not where our files are. */
static const char *parse_path(const char *path, char ret_app[static PGOFS_APP_MAX + 1])
{
	int64_t days;
	size_t len = 0;
	if (strlen(path) < 11 || pgofs_day_parse(path, &days) < 0) {
		len = strcspn(path, "/");
		if (!pgofs_app_valid(path, len))
			return NULL;
		memcpy(ret_app, path, len);
		path += len + 1;
	}
	ret_app[len] = '\0';
	if (strlen(path) <= 11 || pgofs_day_parse(path, &days) < 0 || path[10] != '/')
		return NULL;
	return path + 11;
}

static int load_file(struct spool *s, const char *path, const struct stat *st, struct pgofs_error *err)
{
	char app[PGOFS_APP_MAX + 1];
	const char *name = parse_path(path, app);
	if (name && place_is_unfinished(name)) { /* killed while it was written */
		place_remove(s->dir_fd, path);
		return 0;
	}
	if (!name || !pgofs_profile_name_valid(name))
		return 0; /* not ours */
	struct lane *l = lane_of(s, app);
	struct entry *e = l ? entry_new(app, path, (uint64_t)st->st_size) : NULL;
	if (!e)
		return pgofs_error_errno(err, -ENOMEM, "spool %s", path);
	link_entry(s, l, e);
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int load(struct spool *s, const char *dir, struct pgofs_error *err)
{
	size_t prefix = strlen(dir) + 1;
	FTS *walk = fts_open((char *[]){ (char *)dir, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	int r = walk ? 0 : pgofs_error_errno(err, -errno, "spool %s", dir);
	for (FTSENT *f; r == 0 && (errno = 0, f = fts_read(walk));) {
		if (f->fts_info == FTS_D && f->fts_level == 1 && !pgofs_app_valid(f->fts_name, f->fts_namelen))
			fts_set(walk, f, FTS_SKIP); /* neither an app nor a year: lost+found */
		else if (f->fts_info == FTS_DNR || f->fts_info == FTS_ERR || f->fts_info == FTS_NS)
			r = pgofs_error_errno(err, -f->fts_errno, "spool %s", f->fts_path);
		else if (f->fts_info == FTS_F && strlen(f->fts_path) > prefix)
			r = load_file(s, f->fts_path + prefix, f->fts_statp, err);
	}
	if (r == 0 && errno)
		r = pgofs_error_errno(err, -errno, "spool %s", dir);
	if (walk)
		fts_close(walk);
	return r;
}

/* Nothing in it, but for what a file system of its own begins with? */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	bool empty = dir != NULL;
	for (const struct dirent *d; empty && (d = readdir(dir));)
		empty = !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") || !strcmp(d->d_name, "lost+found");
	if (dir)
		closedir(dir);
	return empty;
}

/* What is in a spool goes once it is delivered, or too old. So it must be ours, and not what we deliver to. */
static int lock_dir(struct spool *s, struct pgofs_error *err)
{
	const char *dir = s->config.dir;
	if (overlap_between(s->dir_fd, s->config.into))
		return pgofs_error_set(err, -EINVAL, "spool %s: %s is the same directory, or one lies in the other",
				       dir, s->config.into);
	if (faccessat(s->dir_fd, LOCK_NAME, F_OK, 0) < 0 && !is_empty(dir))
		return pgofs_error_set(err, -EINVAL,
				       "spool %s: it has files that no collector put there (there is no " LOCK_NAME ")",
				       dir);
	s->lock_fd = openat(s->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return pgofs_error_errno(err, -errno, "spool %s", dir);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return pgofs_error_set(err, -EBUSY, "spool %s: another collector uses it", dir);
	return 0;
}

static int open_dir(struct spool *s, struct pgofs_error *err)
{
	const char *dir = s->config.dir;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return pgofs_error_errno(err, -errno, "spool %s", dir);
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return pgofs_error_errno(err, -errno, "spool %s", dir);
	int r = lock_dir(s, err);
	return r < 0 ? r : load(s, dir, err);
}

int spool_open(const struct spool_config *config, struct spool **ret, struct pgofs_error *err)
{
	_cleanup_(spool_freep) struct spool *s = calloc(1, sizeof *s);
	pthread_condattr_t monotonic;
	if (!s)
		return pgofs_error_errno(err, -ENOMEM, "spool");
	s->config = *config;
	s->dir_fd = s->lock_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	int r = config->dir ? open_dir(s, err) : 0;
	if (r < 0)
		return r;
	*ret = STEAL(s);
	return 0;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	for (struct lane *l; (l = s->lanes);) {
		s->lanes = l->next;
		for (struct entry *e; (e = l->head);) {
			l->head = e->next;
			entry_free(e);
		}
		free(l);
	}
	pgofs_closep(&s->dir_fd);
	pgofs_closep(&s->lock_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
