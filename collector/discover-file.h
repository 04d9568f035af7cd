/* Targets from files in Prometheus' file_sd format:
 *
 *	[ { "targets": [ "10.0.0.7:6060" ], "labels": { "app": "shop" } } ]
 *
 * Labels understood: app; instance (the name of a target, where a group has one); __address__ (where to connect, then "targets"
 * names it); __scheme__; __profile_path__. Others are for other programs.
 *
 * Threads: the caller serialises. */
#pragma once

#include "config.h"

#include <stdbool.h>

/* Reads one such document. -EINVAL with words: none of it counts. */
struct file_sd_words {
	const char *path;
	const struct job *job;
	int64_t duration_ns;
};
int file_sd_read(const struct file_sd_words *words, struct targets *ret, struct pgofs_error *err);

/* All files that match a pattern. */
struct file_sd;

struct file_sd *file_sd_new(const char *pattern, const struct job *job, int64_t duration_ns); /* NULL: no memory */
void file_sd_free(struct file_sd *f);

/* Looks whether files came, went or changed, and reads those. True: the list is another now. */
bool file_sd_poll(struct file_sd *f);

/* For files that were bad from the start, takes the last good state from `old`, if that has the same pattern. */
void file_sd_inherit(struct file_sd *f, const struct file_sd *old);

bool file_sd_complete(const struct file_sd *f); /* there is a file, and all were good once */

/* Adds the present targets, copied. */
int file_sd_list(const struct file_sd *f, struct targets *ret);
