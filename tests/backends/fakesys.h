/* System calls of a disk that is slow, old or failing, for a `local` storage under test.
 *
 * One at a time in a process: the calls that C passes have no room for a context. */
#pragma once

#include "../../backends/local.h"

enum fakesys_call {
	FAKESYS_READ,
	FAKESYS_WRITE,
	FAKESYS_FSYNC,
	FAKESYS_RENAME,
	FAKESYS_LINK,
	FAKESYS_MKDIR,
	FAKESYS_N
};

struct fakesys {
	enum fakesys_call call;                         /* which one fails */
	int nth;                                        /* from its nth time on (1 is the first); 0 never */
	int times;                                      /* so often; 0 for good */
	int error;                                      /* this errno */
	bool old;                                       /* no RENAME_NOREPLACE */
	bool slow;                                      /* reads and writes of few bytes, interrupted in between */
	void (*before)(enum fakesys_call call, int fd); /* nullable; sees every call first */
};

/* Makes `b`, a local storage, use it. `f` is copied. */
void fakesys_use(struct pgofs_backend *b, const struct fakesys *f);
