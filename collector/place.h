/* Writing one profile into a directory tree, whole or not at all: into the spool, a mount, or any directory.
 *
 * Threads: any; two calls for one path at one time do no harm. */
#pragma once

#include <pgofs/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACE_PATH_SIZE 1024 /* APP/YYYY/MM/DD/NAME and its NUL */

/* Makes "APP/YYYY/MM/DD/HHMMSS.fffZ-SOURCE.pprof", or without the first part where `app` is "". Returns `buf`. */
char *place_path(char buf[static PLACE_PATH_SIZE], const char *app, int64_t taken_ns, const char *source);

/* Makes the file `path` under the open directory `root_fd`, and the directories in between. On success it is durable, and nobody ever saw
 * half of it. 0 also when the file is there already with these very bytes. -EEXIST it holds others. */
int place_write(int root_fd, const char *path, const void *data, size_t len, struct pgofs_error *err);

/* Is this what place_write calls a file that it has not finished, such as a kill leaves behind? */
bool place_is_unfinished(const char *name);

/* Removes a file, and the directories that this emptied. 0 also where there is none. */
int place_remove(int root_fd, const char *path);
