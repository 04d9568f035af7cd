/* From the words SOURCE and -o to a tree: what every command and the mount begin with.
 *
 * For one thread, before others start. */
#pragma once

#include "tree.h"

#include <pgofs/options.h>

#include <stdbool.h>
#include <stdio.h>

/* The tree's own options, beside those of its storage; into a struct pgofs_tree_options. Ends with name NULL. */
extern const struct pgofs_option pgofs_tree_option_rows[];

struct pgofs_tree_options {
	int64_t refresh_ns;
	uint64_t memory_bytes;
	int64_t n_fetch;
	uint64_t stored_max_bytes;
	uint64_t raw_max_bytes;
	bool no_rollups;
};

/* Opens SOURCE and the tree over it. Each of `options` is "name=value" or several with commas between; what is no row of the tree's is the
 * storage's. `config` says the rest (read_only, progress); its fields that have a row are set from the options. The storage is not talked to
 * yet: pgofs_backend_probe. -EINVAL an option or a SOURCE that is none. */
int pgofs_source_open(const char *source, const struct pgofs_strings *options, const struct pgofs_tree_config *config,
		      struct pgofs_tree **ret, struct pgofs_error *err);

/* Prints the rows of -o: the tree's, a directory's, a bucket's. */
void pgofs_source_help(FILE *to);
