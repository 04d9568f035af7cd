/* Hashing that a hostile input cannot steer.
 *
 * Tables are open-addressed, so whoever can make hashes collide can make a merge quadratic. The seed is random and never
 * leaves the process; each step folds a 128-bit product of input and seed, so without the seed no collision can be
 * prepared. Order and content of what comes out never depend on a hash: a table's order is that of first insertion.
 *
 * Own code, against a library's: the keys are 20 to 200 bytes, and a call with set-up costs more than the hash. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pgofs_seed {
	uint64_t a, b;
};

/* A random one, for a table's life. */
struct pgofs_seed pgofs_seed_new(void);

static inline uint64_t pgofs_load64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t pgofs_load32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t pgofs_hash_fold(uint64_t x, uint64_t y)
{
	unsigned __int128 product = (unsigned __int128)x * y;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Chains a number into a hash under way. */
static inline uint64_t pgofs_hash_mix(struct pgofs_seed s, uint64_t h, uint64_t v)
{
	return pgofs_hash_fold(h ^ s.a ^ UINT64_C(0x9e3779b97f4a7c15), v ^ s.b);
}

static inline uint64_t pgofs_hash_bytes(struct pgofs_seed s, const uint8_t *p, size_t len)
{
	uint64_t h = s.a ^ len, x = 0, y = 0;
	for (size_t left = len; left > 16; left -= 16, p += 16)
		h = pgofs_hash_fold(pgofs_load64(p) ^ s.b, pgofs_load64(p + 8) ^ h);
	size_t left = len ? (len - 1) % 16 + 1 : 0;
	if (left >= 8) {
		x = pgofs_load64(p);
		y = pgofs_load64(p + left - 8);
	} else if (left >= 4) {
		x = pgofs_load32(p);
		y = pgofs_load32(p + left - 4);
	} else if (left) {
		x = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
	}
	return pgofs_hash_mix(s, pgofs_hash_fold(x ^ s.b, y ^ h), len);
}

/* What a table keeps of a hash. */
static inline uint32_t pgofs_hash_short(uint64_t h)
{
	return (uint32_t)(h ^ h >> 32);
}
