/* What libfuse before 3.16.2 keeps from the kernel, though it says that it tells it: that several names in one directory may be looked up, and the
 * directory be read, at the same time. Otherwise a lookup that waits for a merge makes all others in its directory wait.
 *
 * Goes when 3.16.2 is what is asked for; then FUSE_CAP_PARALLEL_DIROPS alone does it. */
#pragma once

struct fuse_session;

/* Once it is mounted, before its loop. 0, or -errno and nothing is changed. */
int pgofs_let_lookups_be_parallel(struct fuse_session *session);
