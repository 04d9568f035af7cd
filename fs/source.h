/* From the words SOURCE and -o to a tree: what every command and the mount begin with.
 *
 * For one thread, before others start. */
#pragma once

#include "tree.h"

#include <pgofs/options.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The tree's own options, beside those of its storage. */
struct pgofs_tree_options {
	bool read_only, no_rollups;
	int64_t refresh_ns;
	uint64_t memory_bytes, stored_max_bytes, raw_max_bytes;
	int64_t n_fetch;
};

/* Their rows, in the table of a `type` that has them as `member`: the same for the commands and for the mount. */
/* clang-format off */
#define PGOFS_TREE_OPTION_ROWS(type, member)									\
	{ "ro", 0, PGOFS_OPTION_FLAG, offsetof(type, member.read_only), NULL, NULL, "refuse every change (EROFS)" }, \
	{ "refresh", 0, PGOFS_OPTION_DURATION, offsetof(type, member.refresh_ns), "5s", "TIME",			\
	  "changes made elsewhere show within this time" },							\
	{ "memory", 0, PGOFS_OPTION_SIZE, offsetof(type, member.memory_bytes), NULL, "SIZE",			\
	  "for what is kept between reads (default: 512MiB, or a quarter of the memory there is, if less)" },	\
	{ "fetch", 0, PGOFS_OPTION_COUNT, offsetof(type, member.n_fetch), "16", "N",				\
	  "fetch up to so many profiles at the same time" },							\
	{ "max-profile", 0, PGOFS_OPTION_SIZE, offsetof(type, member.stored_max_bytes), "64MiB", "SIZE",	\
	  "refuse, and skip in merges, a profile larger than this" },						\
	{ "max-inflated", 0, PGOFS_OPTION_SIZE, offsetof(type, member.raw_max_bytes), "1GiB", "SIZE",		\
	  "the same for what it inflates to; also the bound of a merge" },					\
	{ "no-rollups", 0, PGOFS_OPTION_FLAG, offsetof(type, member.no_rollups), NULL, NULL,			\
	  "neither use nor store merges of hours and days that are over" }
/* clang-format on */

/* Once all are set: checks them, and chooses what was left open. -EINVAL. */
int pgofs_tree_options_settle(struct pgofs_tree_options *o, struct pgofs_error *err);
/* What they say of a tree; `config` is otherwise as it was. */
void pgofs_tree_options_apply(const struct pgofs_tree_options *o, struct pgofs_tree_config *config);

/* Opens SOURCE and the tree over it. Each of `options` is "name=value" or several with commas between; what is no row of the tree's is the
 * storage's. `config` says the rest (progress); its fields that have a row are set from the options, and it is read-only where either says so.
 * The storage is not talked to yet: pgofs_backend_probe. -EINVAL an option or a SOURCE that is none. */
int pgofs_source_open(const char *source, const struct pgofs_strings *options, const struct pgofs_tree_config *config,
		      struct pgofs_tree **ret, struct pgofs_error *err);

/* Prints the rows of -o: the tree's, a directory's, a bucket's; or without the tree's. */
void pgofs_source_help(FILE *to);
void pgofs_storage_help(FILE *to);
