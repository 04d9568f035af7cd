/* The place to mount on: is it there, is it free, did a process that died leave it behind? */
#pragma once

#include <pgofs/error.h>

#include <stdbool.h>

/* "/dev/fd/N": whoever started us has mounted already, and passes the open /dev/fuse. */
bool pgofs_mountpoint_is_fd(const char *mountpoint);

/* Makes it absolute, without asking a dead filesystem on it. -ENOENT, -ENOTDIR. Owned by the caller. */
int pgofs_mountpoint_resolve(const char *mountpoint, char **ret, struct pgofs_error *err);

/* Takes away what pgofs processes that died left mounted there. -EBUSY where a live pgofs is. Asks nothing of other filesystems.
 * Call before starting threads: it forks. */
int pgofs_mountpoint_recover(const char *mountpoint, struct pgofs_error *err);

/* Is it a directory one can mount on? -ENOENT, -ENOTDIR, -EINVAL inside `source`. Warns when there is something in it. */
int pgofs_mountpoint_check(const char *mountpoint, const char *source, struct pgofs_error *err);
