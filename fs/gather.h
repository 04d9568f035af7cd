/* Many profiles, fetched and inflated side by side, handed over one by one in order.
 *
 * Threads: starts its own and has ended them on return. `fetch` and `prepare` are called from any of them and from the caller's; `each`
 * from the caller's thread alone. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>

#include <stddef.h>
#include <stdint.h>

struct pgofs_patience;
struct pgofs_stages;

struct pgofs_gather {
	size_t n; /* inputs: 0 .. n-1 */
	void *context;

	/* The stored bytes of input `i`, with one reference. -EFBIG (too large) and -ENODATA (gone, and may be): `each` will hear
	 * of it. Any other failure ends the gathering and is returned by it. */
	int (*fetch)(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err);

	/* About how many stored bytes `i` has, for the memory bound. */
	uint64_t (*size_of)(void *context, size_t i);

	/* Nullable. Input `i` in raw form, ahead of its turn; not of each input. Returns how many bytes it made of it and holds until `each` has
	 * had it, for the memory bound. The raw form is the same that `each` will get. */
	size_t (*prepare)(void *context, size_t i, const void *raw, size_t len);

	/* Input `i` in raw form, for the call; or in `why`, else NULL, what is wrong with it. Below 0 ends the gathering and is
	 * returned by it. */
	int (*each)(void *context, size_t i, const void *raw, size_t len, const char *why, struct pgofs_error *err);

	unsigned n_fetch;     /* threads that fetch and inflate ahead; 0: all on the caller's thread */
	unsigned n_inflate;   /* of these, inflated at the same time; at least 1 */
	size_t raw_max_bytes; /* of one input, inflated */
	size_t
	    memory_bytes; /* held ahead of `each`, about; one input more where it alone is larger; as much again in buffers to be used again */
	const struct pgofs_patience *patience; /* nullable; asked before each input's turn */
	struct pgofs_stages *stages;           /* nullable; of it, inflating is counted here */
};

/* Inputs under way at one time are i .. i+n-1 for some i and at most this n. */
size_t pgofs_gather_n_ahead(const struct pgofs_gather *g);

int pgofs_gather_run(const struct pgofs_gather *g, struct pgofs_error *err);
