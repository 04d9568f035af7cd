/* A tree over a storage that can fail, and beside it a list of what is stored, of which merges are made at once: what is read in the tree must be the
 * same. With dice that fall the same on every machine. */
#pragma once

#include "profiles.h"
#include "tree.h"

#include <pgofs/buf.h>

#define DAY_NS (INT64_C(20779) * PGOFS_NS_PER_DAY) /* 2026-11-22 */

/* What is stored, in the order of paths. */
struct model_one {
	char path[128];
	int64_t taken_ns;
	struct pgofs_bytes *bytes;
};

extern struct pgofs_backend *model_storage; /* faulty.h; the tree's */
extern struct pgofs_tree *model_tree;
extern struct model_one *model;
extern size_t n_model;
extern int64_t model_now_ns; /* the tree's clock; two days after DAY_NS when it is opened */

#define MODEL_MAX 2000

void model_open(const struct pgofs_tree_config *config);
void model_close(void);

uint32_t dice(uint32_t sides);

/* Stores, and removes. Takes `bytes` over. */
void model_add(const char *path, struct pgofs_bytes *bytes);
void model_drop(size_t i);

/* In one of two days, in the first few hours or in one minute; now and then without a stamp. */
void model_add_any(struct pgofs_bytes *bytes);

/* A profile like others; and bytes of the same length in place of some of it. */
struct pgofs_bytes *usable(void);
void bend(struct pgofs_bytes *b, const char *from, const char *to);

/* What is read at `path` is the merge at once of what was taken from `from_ns` up to but not including `to_ns`. */
void expect_same(const char *path, enum pgofs_view view, int64_t from_ns, int64_t to_ns, const char *when);
