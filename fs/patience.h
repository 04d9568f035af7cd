/* How long somebody waits for what is many storage operations: until a deadline, or until all of that is to end.
 *
 * It is asked between the operations, each of which has a deadline of its own (backend.h): so waiting ends by as much later.
 * Threads: any. It does not change, but for the flag, whose owner sets it once. */
#pragma once

#include <pgofs/error.h>

#include <stdatomic.h>
#include <stdint.h>

struct pgofs_patience {
	const atomic_bool *ending; /* borrowed */
	int64_t until_ns;          /* of the monotonic clock; 0: for ever */
};

/* 0 while there is some left; -ETIMEDOUT, -ECANCELED. Without end where `p` is NULL. */
int pgofs_patience_left(const struct pgofs_patience *p, struct pgofs_error *err);
