/* The options of a mount: one table, for --name=value and for -o name=value alike ('_' and '-' mean the same, since FUSE's own are written
 * allow_other). Words of an fstab line that are for others (mount(8), systemd) are passed over; one that nobody knows is an
 * error that names it, and never silently nothing. */
#include "mount-options.h"

#include <pgofs/backend.h>
#include <pgofs/cleanup.h>
#include <pgofs/units.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct pgofs_mount_options, member)

const struct pgofs_option pgofs_mount_option_table[] = {
	{ "help", 'h', PGOFS_OPTION_FLAG, AT(help), NULL, NULL, "show this" },
	{ "foreground", 'f', PGOFS_OPTION_FLAG, AT(foreground), NULL, NULL, "stay in the foreground, log to stderr" },
	{ "options", 'o', PGOFS_OPTION_STRINGS, AT(words), NULL, "OPTION,...",
	  "any of these, and the storage's, without the dashes" },
	PGOFS_TREE_OPTION_ROWS(struct pgofs_mount_options, tree),
	{ "allow-other", 0, PGOFS_OPTION_FLAG, AT(allow_other), NULL, NULL, "let other users in" },
	{ "allow-root", 0, PGOFS_OPTION_FLAG, AT(allow_root), NULL, NULL, "let root in" },
	{ "auto-unmount", 0, PGOFS_OPTION_FLAG, AT(auto_unmount), NULL, NULL,
	  "let fusermount3 unmount when this process dies" },
	{ "uid", 0, PGOFS_OPTION_STRING, AT(uid_word), NULL, "USER", "whose the files are (default: who mounts)" },
	{ "gid", 0, PGOFS_OPTION_STRING, AT(gid_word), NULL, "GROUP", "of which group (default: who mounts)" },
	{ "umask", 0, PGOFS_OPTION_STRING, AT(umask_word), "022", "OCTAL", "permissions left out" },
	{ "file-mode", 0, PGOFS_OPTION_STRING, AT(file_mode_word), NULL, "OCTAL",
	  "of files (default: 666 less umask)" },
	{ "dir-mode", 0, PGOFS_OPTION_STRING, AT(dir_mode_word), NULL, "OCTAL",
	  "of directories (default: 777 less umask)" },
	{ "spool", 0, PGOFS_OPTION_SIZE, AT(spool_bytes), NULL, "SIZE",
	  "for files being written (default: as memory, or as max-profile if that is more)" },
	{ "threads", 0, PGOFS_OPTION_COUNT, AT(n_threads), "64", "N", "requests answered at the same time" },
	{ "merge-timeout", 0, PGOFS_OPTION_DURATION, AT(merge_timeout_ns), "10m", "TIME",
	  "give up on a merged file that takes longer (0: never)" },
	{ "idle-timeout", 0, PGOFS_OPTION_DURATION, AT(idle_timeout_ns), NULL, "TIME",
	  "unmount when unused for this time" },
	{ "stats", 0, PGOFS_OPTION_FLAG, AT(stats), NULL, NULL,
	  "let MOUNTPOINT/.pgofs/stats be read: what was done, in numbers" },
	{ "fsname", 0, PGOFS_OPTION_STRING, AT(fsname), NULL, "NAME", "what mount(8) shows (default: SOURCE)" },
	{ "ready-fd", 0, PGOFS_OPTION_STRING, AT(ready_fd_word), NULL, "FD", "write a line there once mounted" },
	{ "ready-timeout", 0, PGOFS_OPTION_DURATION, AT(ready_timeout_ns), "90s", "TIME",
	  "give up when not mounted by then" },
	{ "log", 0, PGOFS_OPTION_STRING, AT(log_word), "text", "FORMAT", "text, logfmt or json" },
	{ "verbose", 'v', PGOFS_OPTION_FLAG, AT(verbose), NULL, NULL, "the same as debug" },
	{ "debug", 'd', PGOFS_OPTION_FLAG, AT(debug), NULL, NULL, "log what is done" },
	{ NULL },
};

/* Words of fstab and mount(8) that say nothing to us. */
static bool is_for_others(const char *word)
{
	static const char *const words[] = {
		"auto",
		"noauto",
		"user",
		"nouser",
		"users",
		"owner",
		"group",
		"defaults",
		"rw",
		"_netdev",
		"nofail",
		"suid",
		"nosuid",
		"dev",
		"nodev",
		"exec",
		"async",
		"sync",
		"dirsync",
		"atime",
		"noatime",
		"relatime",
		"norelatime",
		"diratime",
		"nodiratime",
		"strictatime",
		"lazytime",
		"nolazytime",
		"silent",
		"loud",
		"default_permissions",
	};
	if (!strncmp(word, "x-", 2) || !strncmp(word, "X-", 2) || !strncmp(word, "comment=", 8))
		return true;
	for (size_t k = 0; k < sizeof words / sizeof *words; k++)
		if (!strcmp(word, words[k]))
			return true;
	return false;
}

static int take_word(void *context, const char *word, struct pgofs_error *err)
{
	struct pgofs_mount_options *o = context;
	size_t len = strcspn(word, "=");
	if (is_for_others(word))
		return 0;
	if (!strcmp(word, "noexec")) {
		o->noexec = true;
		return 0;
	}
	const struct pgofs_option *row = pgofs_options_find(pgofs_mount_option_table, word, len);
	if (row && strcmp(row->name, "options") && strcmp(row->name, "help"))
		return pgofs_option_set(row, o, word[len] ? word + len + 1 : NULL, err);
	if (!pgofs_options_find(pgofs_backend_options(o->source), word, len))
		return pgofs_error_set(err, -EINVAL, "unknown option \"%.*s\"", (int)len, word);
	return pgofs_strings_add(&o->storage, word);
}

static int parse_number(const char *word, int base, unsigned long max, unsigned long *ret)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(word, &end, base);
	if (*word < '0' || *word > '9' || *end || errno || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int parse_uid(struct pgofs_mount_options *o, struct pgofs_error *err)
{
	unsigned long n;
	o->uid = getuid();
	if (!o->uid_word)
		return 0;
	if (parse_number(o->uid_word, 10, UINT_MAX - 1, &n) == 0) {
		o->uid = (uid_t)n;
		return 0;
	}
	const struct passwd *who = getpwnam(o->uid_word);
	if (!who)
		return pgofs_error_set(err, -EINVAL, "uid=%s: no such user", o->uid_word);
	o->uid = who->pw_uid;
	return 0;
}

static int parse_gid(struct pgofs_mount_options *o, struct pgofs_error *err)
{
	unsigned long n;
	o->gid = getgid();
	if (!o->gid_word)
		return 0;
	if (parse_number(o->gid_word, 10, UINT_MAX - 1, &n) == 0) {
		o->gid = (gid_t)n;
		return 0;
	}
	const struct group *group = getgrnam(o->gid_word);
	if (!group)
		return pgofs_error_set(err, -EINVAL, "gid=%s: no such group", o->gid_word);
	o->gid = group->gr_gid;
	return 0;
}

static int parse_mode(const char *name, const char *word, mode_t initial, mode_t *ret, struct pgofs_error *err)
{
	unsigned long n = initial;
	if (word && parse_number(word, 8, 0777, &n) < 0)
		return pgofs_error_set(err, -EINVAL, "option %s: \"%s\" is not a mode such as 644", name, word);
	*ret = (mode_t)n;
	return 0;
}

static int parse_modes(struct pgofs_mount_options *o, struct pgofs_error *err)
{
	mode_t mask = 0;
	int r = parse_mode("umask", o->umask_word, 022, &mask, err);
	if (r == 0)
		r = parse_mode("file-mode", o->file_mode_word, 0666 & ~mask, &o->file_mode, err);
	if (r == 0)
		r = parse_mode("dir-mode", o->dir_mode_word, 0777 & ~mask, &o->dir_mode, err);
	return r;
}

static int parse_ready_fd(struct pgofs_mount_options *o, struct pgofs_error *err)
{
	unsigned long n;
	o->ready_fd = -1;
	if (!o->ready_fd_word)
		return 0;
	/* Nor is it for fusermount3, who would hold it open: */
	if (parse_number(o->ready_fd_word, 10, INT_MAX, &n) < 0 || fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return pgofs_error_set(err, -EINVAL, "ready-fd=%s: no open file descriptor", o->ready_fd_word);
	o->ready_fd = (int)n;
	return 0;
}

static int understand(struct pgofs_mount_options *o, struct pgofs_error *err)
{
	int r = parse_uid(o, err);
	if (r == 0)
		r = parse_gid(o, err);
	if (r == 0)
		r = parse_modes(o, err);
	if (r == 0)
		r = parse_ready_fd(o, err);
	if (r < 0)
		return r;
	if (pgofs_log_format_parse(o->log_word, &o->log_format) < 0)
		return pgofs_error_set(err, -EINVAL, "option log: \"%s\" is not text, logfmt or json", o->log_word);
	if (o->n_threads < 1 || o->n_threads > 1024)
		return pgofs_error_set(err, -EINVAL, "option threads: from 1 to 1024");
	if (o->allow_other && o->allow_root)
		return pgofs_error_set(err, -EINVAL, "options allow_other and allow_root exclude each other");
	r = pgofs_tree_options_settle(&o->tree, err);
	if (r < 0)
		return r;
	uint64_t one = o->tree.stored_max_bytes;
	if (!o->spool_bytes)
		o->spool_bytes = o->tree.memory_bytes > one ? o->tree.memory_bytes : one;
	if (o->spool_bytes < one)
		return pgofs_error_set(err, -EINVAL, "option spool: no less than max-profile");
	return 0;
}

/* The process will leave its directory. A directory that is away yet is left for the storage to speak of. */
static int absolute_source(const char *word, char **ret)
{
	*ret = strstr(word, "://") || !strncmp(word, "memory:", 7) ? NULL : realpath(word, NULL);
	if (!*ret)
		*ret = strdup(word);
	return *ret ? 0 : -ENOMEM;
}

int pgofs_mount_options_parse(struct pgofs_mount_options *o, int argc, char **argv, struct pgofs_error *err)
{
	int r = pgofs_options_init(pgofs_mount_option_table, o, err);
	if (r < 0)
		return r;
	int n = pgofs_options_parse_argv(pgofs_mount_option_table, o, argc, argv, err);
	if (n < 0 || o->help)
		return n < 0 ? n : 0;
	if (n != 2)
		return pgofs_error_set(err, -EINVAL, "wants SOURCE and MOUNTPOINT");
	if (absolute_source(argv[1], &o->source) < 0 || !(o->mountpoint = strdup(argv[2])))
		return pgofs_error_errno(err, -ENOMEM, "options");
	for (size_t k = 0; r == 0 && k < o->words.n; k++)
		r = pgofs_options_each_word(o->words.items[k], take_word, o, err);
	return r == 0 ? understand(o, err) : r;
}

void pgofs_mount_options_done(struct pgofs_mount_options *o)
{
	pgofs_options_done(pgofs_mount_option_table, o);
	pgofs_strings_done(&o->storage);
	free(o->source);
	free(o->mountpoint);
}
