/* What `pgofs mount` was asked for: words of a command line or of an fstab line in, one structure out. */
#pragma once

#include "source.h"

#include <pgofs/error.h>
#include <pgofs/log.h>
#include <pgofs/options.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pgofs_mount_options {
	char *source;                 /* absolute, where it is a directory */
	char *mountpoint;             /* absolute, or /dev/fd/N */
	struct pgofs_strings storage; /* "name=value" for pgofs_backend_open */
	bool noexec;

	/* Rows of the table, as written; then the same, understood. */
	struct pgofs_strings words;
	struct pgofs_tree_options tree;
	bool help, foreground, allow_other, allow_root, auto_unmount, stats, verbose, debug;
	char *uid_word, *gid_word, *umask_word, *file_mode_word, *dir_mode_word, *fsname, *log_word;
	int64_t merge_timeout_ns, idle_timeout_ns, ready_timeout_ns;
	uint64_t spool_bytes;
	int64_t n_threads;
	char *ready_fd_word;

	uid_t uid;
	gid_t gid;
	mode_t file_mode, dir_mode;
	enum pgofs_log_format log_format;
	int ready_fd; /* or -1 */
};

extern const struct pgofs_option pgofs_mount_option_table[];

/* `o` is zeroed. -EINVAL with words is wrong usage. With --help, only `help` counts. Free with _done, also on failure. */
int pgofs_mount_options_parse(struct pgofs_mount_options *o, int argc, char **argv, struct pgofs_error *err);
void pgofs_mount_options_done(struct pgofs_mount_options *o);
