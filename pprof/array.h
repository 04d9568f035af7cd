/* Arrays that grow: an owned pointer, a count kept by its owner, and a capacity.
 *
 * Growth is by half, so that a table never costs much more than what is in it. Nothing here has a bound of its own: each
 * owner checks its count against a limit before it grows. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Room for `need` elements in all, and never NULL afterwards, also where none are needed: memset and memcpy want it so. -ENOMEM leaves the
 * array as it was. */
static inline int pgofs_array_reserve(void **data, size_t *cap, size_t need, size_t element_bytes)
{
	if (need <= *cap && *data)
		return 0;
	size_t want = *cap + *cap / 2 + 16;
	if (want < need)
		want = need;
	if (want > SIZE_MAX / element_bytes)
		return -ENOMEM;
	void *grown = realloc(*data, want * element_bytes);
	if (!grown)
		return -ENOMEM;
	*data = grown;
	*cap = want;
	return 0;
}

#define ARRAY_RESERVE(data, cap, need) pgofs_array_reserve((void **)&(data), &(cap), (need), sizeof *(data))
