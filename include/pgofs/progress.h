/* A line on the terminal for work that takes more than a second: "merged 12 of 100 profiles". For one thread at a time.
 *
 * Only for a person: nothing is shown where stderr is no terminal, nor in the first second, nor more than ten times a second. Lines of the
 * log take its place (log.h), and the next step shows it again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgofs_progress {
	const char *verb;   /* "merged" */
	const char *noun;   /* "profiles" */
	int64_t began_ns;
	int64_t printed_ns; /* 0: never */
	bool to_terminal;
};

/* Begins now. The words are borrowed. */
struct pgofs_progress pgofs_progress_new(const char *verb, const char *noun);

/* So much is done of so much. Fits what a merge calls while it is made (fs/tree.h): `context` is the struct pgofs_progress. */
void pgofs_progress_step(void *context, size_t n_done, size_t n);

/* Takes the line away. */
void pgofs_progress_done(struct pgofs_progress *p);
