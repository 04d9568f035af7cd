/* A line on the terminal for work that takes more than a second. For one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgofs_progress {
	const char *verb;   /* "merged" */
	int64_t began_ns;   /* 0: not yet */
	int64_t printed_ns; /* 0: nothing on the terminal */
	bool to_terminal;
};

struct pgofs_progress pgofs_progress_new(const char *verb);

/* Fits struct pgofs_tree_config's `progress`; `context` is the struct pgofs_progress. */
void pgofs_progress_step(void *context, size_t n_done, size_t n);

/* Takes the line away. */
void pgofs_progress_done(struct pgofs_progress *p);
