/* A storage that misbehaves as a test tells it: stands in front of another, counts every call, and makes those fail, wait
 * or hang that a rule names. Test-only.
 *
 *	struct pgofs_backend *b = faulty_new(next);
 *	faulty_rule(b, &(struct faulty_rule){ FAULTY_PUT, .error = -ENOSPC, .times = 1 });
 *	faulty_rule(b, &(struct faulty_rule){ FAULTY_GET, .key = "bad", .delay_ns = 2 * PGOFS_NS_PER_S });
 *
 * Threads: everything may be called from any thread, also while calls are under way. */
#pragma once

#include <pgofs/backend.h>

enum faulty_op {
	FAULTY_PROBE,
	FAULTY_LIST,
	FAULTY_GET,
	FAULTY_PUT,
	FAULTY_REMOVE,
	FAULTY_REMOVE_MANY,
	FAULTY_REMOVE_DIR,
	FAULTY_RENAME,
	FAULTY_N_OPS,
};

struct faulty_rule {
	enum faulty_op op;
	const char *key;  /* only for keys that contain this; borrowed, NULL for any. Of remove_many: the first */
	unsigned after;   /* so many matching calls pass first */
	unsigned times;   /* for so many calls; 0 for all that follow */
	int64_t delay_ns; /* waits first */
	int error;        /* then fails with this -errno; 0 goes on to the storage */
	bool after_doing; /* does it, and fails all the same: an answer that was lost */
};

#define FAULTY_MAX_RULES 16

/* Takes `next` over. NULL when memory is out, `next` freed. */
struct pgofs_backend *faulty_new(struct pgofs_backend *next);

/* Adds a rule; the first that matches a call counts. */
void faulty_rule(struct pgofs_backend *b, const struct faulty_rule *rule);

/* Forgets all rules. */
void faulty_mend(struct pgofs_backend *b);

/* While shut, every call waits, for ever: a storage that hangs. Opening lets all of them go on. */
void faulty_gate(struct pgofs_backend *b, bool shut);

/* Calls so far, those that failed and those under way included. */
unsigned faulty_count(struct pgofs_backend *b, enum faulty_op op);

/* The most that were under way at the same time. */
unsigned faulty_most_at_once(struct pgofs_backend *b, enum faulty_op op);

void faulty_reset_counts(struct pgofs_backend *b);
