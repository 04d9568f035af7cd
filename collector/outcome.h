/* How one attempt at a target ended: the words that logs, metrics and exit codes share. */
#pragma once

#include <stdbool.h>

enum outcome {
	OUTCOME_GOOD,        /* a profile Go can use; it is on its way to storage */
	OUTCOME_IDLE,        /* a profile of a program that did nothing: not stored, not an error */
	OUTCOME_BUSY,        /* somebody else is profiling this program */
	OUTCOME_UNREACHABLE, /* no address, no connection, or a TLS we do not trust */
	OUTCOME_HTTP,        /* an answer other than 200 */
	OUTCOME_TIMEOUT,     /* not finished within its deadline */
	OUTCOME_TOO_LARGE,   /* past a limit on bytes */
	OUTCOME_BROKEN,      /* the connection ended before the answer did */
	OUTCOME_UNUSABLE,    /* a whole answer that Go could not use as a profile */
	OUTCOME_LOCAL,       /* our own trouble: memory, --memory, a credentials file */
	N_OUTCOMES,
};

/* "good", "idle", "busy", …: constant, fit for a metric's label. */
const char *outcome_word(enum outcome outcome);

static inline bool outcome_is_failure(enum outcome outcome)
{
	return outcome != OUTCOME_GOOD && outcome != OUTCOME_IDLE;
}
