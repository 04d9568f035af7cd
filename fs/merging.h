/* From inputs, wherever they come from, to the bytes of a merged file. The one way to do it: what a mount shows and what `pgofs merge`
 * writes are the same bytes for the same inputs.
 *
 * Threads: as gather.h; of the functions here `fetch` alone is called from other threads. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>
#include <pgofs/pprof.h>

#include <stddef.h>
#include <stdint.h>

struct pgofs_patience;
struct pgofs_stages;

struct pgofs_merging {
	enum pgofs_view view;
	size_t n;
	void *context;

	int (*fetch)(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err); /* as in gather.h */
	uint64_t (*size_of)(void *context, size_t i);

	/* What to call input `i`; what `ret` points to lives until the next call. */
	void (*describe)(void *context, size_t i, struct pgofs_merge_input *ret);

	/* Input `i` is left out. Below 0 ends the merge. */
	int (*skipped)(void *context, size_t i, const char *why, struct pgofs_error *err);

	void (*progress)(void *context, size_t n_done, size_t n); /* nullable; once an input */
	void *progress_context;
	const struct pgofs_patience *patience; /* nullable */
	struct pgofs_stages *stages;           /* nullable; counted up */

	unsigned n_fetch;
	size_t raw_max_bytes; /* of an input, and of what the merge itself may hold */
	size_t memory_bytes;  /* for inputs held ahead of their turn */
};

/* In gzip, but for the text. -ENODATA where no input was usable (a report is made all the same) or a .pgo would be empty; -EFBIG where the merge grew past
 * raw_max_bytes; and when patience has come to an end. */
int pgofs_merging_run(const struct pgofs_merging *m, struct pgofs_bytes **ret, struct pgofs_error *err);

/* ---- The steps of it, for who merges in parts (merging-parts.h) ---- */

/* An input as gather.h hands it over: in raw form, or in `why` what is wrong with it. */
struct pgofs_gathered {
	const void *raw;
	size_t len;
	const char *why;
	const struct pgofs_decoded *decoded; /* nullable: the same, already decoded */
};

/* Some of the inputs, or all, gathered in this order. */
struct pgofs_merging_some {
	const struct pgofs_merging *merging;
	const uint32_t *inputs; /* `n` of their numbers; NULL: all there are */
	size_t n;
	void *context;

	/* The k-th of these. Below 0 ends it, and is returned. */
	int (*each)(void *context, size_t k, const struct pgofs_gathered *got, struct pgofs_error *err);
};
int pgofs_merging_gather(const struct pgofs_merging_some *some, struct pgofs_error *err);

/* Folds input `i` into `merge`, or leaves it out and says so. Below 0 ends the merge. */
int pgofs_merging_add(const struct pgofs_merging *m, struct pgofs_merge *merge, size_t i,
		      const struct pgofs_gathered *got, struct pgofs_error *err);

/* Why a merge did not take a profile, which `broken` says: where it would take it nowhere, in the words of who would refuse to store it. */
void pgofs_merging_explain(const struct pgofs_merging *m, const struct pgofs_gathered *got, struct pgofs_error *broken);

/* The bytes of the merged file. */
int pgofs_merging_finish(const struct pgofs_merging *m, struct pgofs_merge *merge, struct pgofs_bytes **ret,
			 struct pgofs_error *err);

/* The same, of what another way has made raw; `raw` may be taken over. */
int pgofs_merging_deflate(const struct pgofs_merging *m, struct pgofs_buf *raw, struct pgofs_bytes **ret,
			  struct pgofs_error *err);

/* How many inputs can be worked on at the same time: as many as there are processors. */
unsigned pgofs_merging_n_inflate(void);
