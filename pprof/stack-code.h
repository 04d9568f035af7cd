/* A stack as it is written: the ids of its locations, leaf first, as varints.
 *
 * Most of what a merge writes is stacks, so each location's id is spelled once, and then copied: a code is the varint in its low four bytes,
 * above them this bit, and above that the varint's length. 0 is no code. Ids stay below PGOFS_LOCATIONS_MAX. */
#pragma once

#include "wire.h"

#include <endian.h>

#define PGOFS_CODE_KNOWN (UINT64_C(1) << 32)
#define PGOFS_CODE_LEN   33

static inline uint64_t pgofs_stack_code(uint32_t id)
{
	uint8_t bytes[8];
	uint64_t code = 0;
	size_t len = (size_t)(pgofs_varint_put(bytes, id) - bytes);
	for (size_t i = 0; i < len; i++)
		code |= (uint64_t)bytes[i] << 8 * i;
	return code | PGOFS_CODE_KNOWN | (uint64_t)len << PGOFS_CODE_LEN;
}

/* Writes the codes of n places to `out`, which has room for four bytes each, and returns where the next byte goes; NULL where one has no code, which
 * is asked once for all. Four bytes are stored for each, and the next one goes over those it did not use. */
static inline uint8_t *pgofs_stack_write(uint8_t *out, const uint64_t *code, const uint32_t *place, size_t n)
{
	uint64_t all = PGOFS_CODE_KNOWN;
#pragma GCC unroll 4
	for (size_t i = 0; i < n; i++) {
		uint64_t c = code[place[i]];
		uint32_t bytes = htole32((uint32_t)c);
		memcpy(out, &bytes, sizeof bytes);
		out += c >> PGOFS_CODE_LEN;
		all &= c;
	}
	return all ? out : NULL;
}
