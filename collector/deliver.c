/* A failure is either about the profile or about the place. A place that is away, full or slow comes back: its profiles wait, in
 * order. A profile that the place will never take (a mount refuses with EINVAL what Go could not use) must not hold up those behind
 * it: it is given up, with a line that says so. So is one that cannot be read from the spool, but its file is left there.
 *
 * A name is not ours alone. A target has one place in a round on every machine, so two programs of one name, in two clusters, are
 * profiled by their two collectors in the same millisecond. Whoever comes second moves on to the next that is free; killed before
 * the spool knows, it will find its own bytes there.
 *
 * A mount that is not there is a directory that is: writing into it would hide the profiles underneath. So once `into` has been
 * seen in a mount of pgofs, it must be in one. */
#include "deliver.h"

#include "join.h"
#include "place.h"

#include <pgofs/log.h>
#include <pgofs/name.h>
#include <pgofs/units.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define N_NAMES 1000 /* tried for one profile: those of a second */

struct deliver {
	struct deliver_config config;
	pthread_t thread;
	bool mount_seen;
};

/* Does this lie in a mount of pgofs? The root of a container, or a home directory, may be a FUSE mount, too. */
static bool on_pgofs(int fd)
{
	_cleanup_(pgofs_freep) char *line = NULL;
	size_t size = 0;
	int id = -1, here;
	_cleanup_(pgofs_fclosep) FILE *info = fopen(PGOFS_FMT("/proc/self/fdinfo/%d", fd), "re");
	while (info && getline(&line, &size, info) > 0 && sscanf(line, "mnt_id: %d", &id) != 1)
		;
	_cleanup_(pgofs_fclosep) FILE *mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts && getline(&line, &size, mounts) > 0)
		if (sscanf(line, "%d", &here) == 1 && here == id)
			return strstr(line, " - fuse.pgofs ") != NULL;
	return false;
}

/* Opens `into`, or the directory it lies in, for a look at what is mounted there before anything is made. */
static int open_near(const char *into)
{
	char parent[PATH_MAX];
	int fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	snprintf(parent, sizeof parent, "%s", into);
	char *slash = strrchr(parent, '/');
	if (slash)
		slash[slash == parent] = '\0';
	return open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int check_mount(struct deliver *d, int fd, struct pgofs_error *err)
{
	bool mounted = on_pgofs(fd);
	d->mount_seen |= mounted;
	if (!mounted && (d->config.require_mount || d->mount_seen))
		return pgofs_error_set(err, -ENOTCONN, "%s: no pgofs is mounted there", d->config.into);
	return 0;
}

static int check_near(struct deliver *d, struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int near = open_near(d->config.into);
	return near < 0 ? pgofs_error_errno(err, -errno, "%s", d->config.into) : check_mount(d, near, err);
}

int deliver_check(const char *into, bool require_mount, struct pgofs_error *err)
{
	struct deliver d = { .config = { .into = into, .require_mount = require_mount } };
	return check_near(&d, err);
}

/* Opens `into`, which is made where only it is missing. */
static int open_into(struct deliver *d, struct pgofs_error *err)
{
	const char *into = d->config.into;
	int r = check_near(d, err);
	if (r < 0)
		return r;
	if (mkdir(into, 0777) < 0 && errno != EEXIST)
		return pgofs_error_errno(err, -errno, "make %s", into);
	_cleanup_(pgofs_closep) int fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? pgofs_error_errno(err, -errno, "%s", into)
		   : check_mount(d, fd, err); /* it may have gone meanwhile */
	return r < 0 ? r : STEAL_FD(fd);
}

/* Is this about the profile, so that trying again is in vain? */
static bool is_final(int code)
{
	return code == -EINVAL || code == -EFBIG || code == -EEXIST || code == -ENAMETOOLONG;
}

/* Writes under the entry's name, or the next that no other profile has; it goes to `ret_path`. */
static int write_apart(int root, const struct spool_entry *e, const struct pgofs_bytes *bytes,
		       char ret_path[static PLACE_PATH_SIZE], struct pgofs_error *err)
{
	char source[PGOFS_NAME_MAX + 1];
	size_t len;
	const char *its = pgofs_source_of(strrchr(e->path, '/') + 1, &len);
	snprintf(source, sizeof source, "%.*s", (int)len, its);
	snprintf(ret_path, PLACE_PATH_SIZE, "%s", e->path);
	int r = place_write(root, ret_path, bytes->data, bytes->len, err);
	for (int64_t i = 1; r == -EEXIST && i < N_NAMES; i++) {
		place_path(ret_path, e->app, e->taken_ns + i * PGOFS_NS_PER_MS, source);
		r = place_write(root, ret_path, bytes->data, bytes->len, err);
	}
	return r;
}

/* The name it got goes to `ret_path`. */
static int write_entry(struct deliver *d, const struct spool_entry *e, const struct pgofs_bytes *bytes,
		       char ret_path[static PLACE_PATH_SIZE], struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int root = open_into(d, err);
	if (root < 0)
		return root;
	int r = write_apart(root, e, bytes, ret_path, err);
	if (r == -EINVAL)
		pgofs_error_set(err, r,
				"write %s: refused: it takes only profiles that Go can use, under APP/YYYY/MM/DD/",
				e->path);
	return r;
}

static void give_up(struct deliver *d, const struct spool_entry *e, const struct pgofs_error *err)
{
	pgofs_log(PGOFS_LOG_ERROR, "profile given up", "path", e->path, "bytes", PGOFS_FMT("%" PRIu64, e->size_bytes),
		  "why", err->text);
	metrics_refused(d->config.metrics, e->app);
}

static void deliver_entry(struct deliver *d, const struct spool_entry *e)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *body = NULL;
	struct pgofs_error err = { "" };
	char path[PLACE_PATH_SIZE];
	const char *bytes = PGOFS_FMT("%" PRIu64, e->size_bytes);
	int r = spool_read(d->config.spool, e, &body, &err);
	if (r < 0 && r != -ENOMEM && r != -EMFILE && r != -ENFILE) {
		give_up(d, e, &err);
		spool_leave(d->config.spool, e);
		return;
	}
	if (r == 0)
		r = write_entry(d, e, body, path, &err);
	if (r == 0) {
		pgofs_log(PGOFS_LOG_INFO, "profile stored", "path", path, "bytes", bytes);
		metrics_delivered(d->config.metrics, e->app);
		spool_done(d->config.spool, e);
	} else if (is_final(r)) {
		give_up(d, e, &err);
		spool_done(d->config.spool, e);
	} else {
		pgofs_log(PGOFS_LOG_WARNING, "profile waits", "path", e->path, "bytes", bytes, "why", err.text);
		metrics_postponed(d->config.metrics, e->app);
		spool_postpone(d->config.spool, e);
	}
}

static void *run(void *context)
{
	struct deliver *d = context;
	const struct spool_entry *e;
	while ((e = spool_take(d->config.spool))) {
		deliver_entry(d, e);
		d->config.changed(d->config.context);
	}
	return NULL;
}

int deliver_start(const struct deliver_config *config, struct deliver **ret, struct pgofs_error *err)
{
	struct deliver *d = calloc(1, sizeof *d);
	if (!d)
		return pgofs_error_errno(err, -ENOMEM, "delivery");
	d->config = *config;
	int r = -pthread_create(&d->thread, NULL, run, d);
	if (r < 0) {
		free(d);
		return pgofs_error_errno(err, r, "delivery: thread");
	}
	*ret = d;
	return 0;
}

int deliver_finish(struct deliver *d, int64_t until_ns)
{
	if (!d)
		return 0;
	if (join_until(d->thread, until_ns))
		return -ETIMEDOUT;
	free(d);
	return 0;
}
