/* The contract of a storage, as tests: every promise of pgofs/backend.h, run unchanged over every storage.
 *
 * A storage joins with one file that defines `contract_store`, and one row in meson.build; it is linked with contract.c
 * into a program of its own. Each test gets an empty storage, in a process of its own. */
#pragma once

#include <pgofs/backend.h>

struct contract_store {
	/* Opens an empty storage. 0; -errno fails the test; a positive number skips it (say why on stderr): the server that it needs
	 * is not here. */
	int (*open)(struct pgofs_backend **ret);

	/* Frees it, and removes what it left. */
	void (*close)(struct pgofs_backend *b);

	bool remove_cannot_tell; /* remove says 0 where nothing was */
};

extern const struct contract_store contract_store;
