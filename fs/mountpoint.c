/* The place to mount on.
 *
 * A pgofs that was killed leaves its mount behind: every access says "Transport endpoint is not connected", and nothing can be mounted there.
 * What is mounted is read from mountinfo, never by touching the path: a daemon that is stopped would stop us too. Whether one of
 * ours is alive is asked by statfs(2), which always goes to the daemon, in a child that can be left behind. */
#include "mountpoint.h"

#include <pgofs/cleanup.h>
#include <pgofs/log.h>
#include <pgofs/units.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#define ALIVE_WAIT_MS 3000
#define STACKED_MAX   64

bool pgofs_mountpoint_is_fd(const char *mountpoint)
{
	return !strncmp(mountpoint, "/dev/fd/", 8);
}

/* The directory above can be resolved also where the mount on it is dead. */
static char *resolve_parent(const char *mountpoint)
{
	_cleanup_(pgofs_freep) char *copy = strdup(mountpoint);
	if (!copy)
		return NULL;
	for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/';)
		copy[--len] = 0;
	char *slash = strrchr(copy, '/'), *name = slash ? slash + 1 : copy, *absolute = NULL;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return NULL;
	if (slash)
		*slash = 0;
	_cleanup_(pgofs_freep) char *dir = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (dir && asprintf(&absolute, "%s/%s", strcmp(dir, "/") ? dir : "", name) < 0)
		return NULL;
	return absolute;
}

int pgofs_mountpoint_resolve(const char *mountpoint, char **ret, struct pgofs_error *err)
{
	char *absolute = pgofs_mountpoint_is_fd(mountpoint) ? strdup(mountpoint) : realpath(mountpoint, NULL);
	if (!absolute && errno != ENOENT && errno != ENOTDIR)
		absolute = resolve_parent(mountpoint);
	if (!absolute)
		return pgofs_error_errno(err, errno ? -errno : -EINVAL, "%s", mountpoint);
	*ret = absolute;
	return 0;
}

struct mounted {
	bool any;
	char type[128];
	char source[PATH_MAX];
};

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;
	for (; *text; text++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

/* 36 35 98:0 ROOT MOUNTPOINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS */
static void take_line(char *line, const char *mountpoint, struct mounted *m)
{
	char *rest = line, *at = NULL;
	for (int k = 0; k < 5; k++)
		at = strsep(&rest, " ");
	if (!rest || !at)
		return;
	unescape(at);
	char *dash = strstr(rest, " - ");
	if (strcmp(at, mountpoint) || !dash)
		return;
	rest = dash + 3;
	const char *type = strsep(&rest, " ");
	char *source = strsep(&rest, " ");
	if (!source)
		return;
	unescape(source);
	m->any = true;
	snprintf(m->type, sizeof m->type, "%s", type);
	snprintf(m->source, sizeof m->source, "%s", source);
}

/* The topmost mount there. */
static int find_mounted(const char *mountpoint, struct mounted *ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_(pgofs_freep) char *line = NULL;
	size_t size = 0;
	*ret = (struct mounted){ 0 };
	if (!f)
		return pgofs_error_errno(err, -errno, "/proc/self/mountinfo");
	while (getline(&line, &size, f) > 0)
		take_line(line, mountpoint, ret);
	return 0;
}

/* The child has nothing open: whom a stopped daemon leaves in it for ever would else keep the reader of our stderr waiting. */
static bool is_dead(const char *mountpoint)
{
	struct statfs st;
	pid_t child = fork();
	if (child == 0) {
		close_range(0, ~0U, 0);
		_exit(statfs(mountpoint, &st) < 0 && (errno == ENOTCONN || errno == ECONNABORTED));
	}
	if (child < 0)
		return false;
	for (int waited_ms = 0; waited_ms < ALIVE_WAIT_MS; waited_ms += 10) {
		int status;
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) && WEXITSTATUS(status) == 1;
		usleep(10 * 1000);
	}
	kill(child, SIGKILL);
	return false;
}

static int run_fusermount(const char *mountpoint)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		execlp("fusermount3", "fusermount3", "-uz", "--", mountpoint, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

int pgofs_mountpoint_recover(const char *mountpoint, struct pgofs_error *err)
{
	struct mounted m;
	for (int k = 0; k < STACKED_MAX; k++) {
		int r = find_mounted(mountpoint, &m, err);
		if (r < 0 || !m.any || strcmp(m.type, "fuse.pgofs"))
			return r;
		if (!is_dead(mountpoint))
			return pgofs_error_set(err, -EBUSY, "%s is mounted there already, by a pgofs that lives",
					       m.source);
		if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
			r = errno == EPERM ? run_fusermount(mountpoint) : -errno;
			if (r < 0)
				return pgofs_error_errno(err, r, "unmount what a dead pgofs left there");
		}
		pgofs_log(PGOFS_LOG_WARNING, "unmounted what a dead pgofs left", "mountpoint", mountpoint, "source",
			  m.source);
	}
	return pgofs_error_set(err, -EBUSY, "too many dead mounts there");
}

static bool is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);
	return !strncmp(path, dir, len) && path[len] == '/';
}

int pgofs_mountpoint_check(const char *mountpoint, const char *source, struct pgofs_error *err)
{
	if (source[0] == '/' && is_inside(mountpoint, source))
		return pgofs_error_set(err, -EINVAL, "it is inside %s, which would contain itself", source);
	DIR *dir = opendir(mountpoint);
	if (!dir)
		return pgofs_error_set(err, -errno, "%s", strerror(errno));
	int n = 0;
	for (const struct dirent *d; (d = readdir(dir));)
		n += strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
	closedir(dir);
	if (n && strcmp(mountpoint, source))
		pgofs_log(PGOFS_LOG_WARNING, "the mount point is not empty: what is in it is hidden while mounted",
			  "mountpoint", mountpoint);
	return 0;
}
