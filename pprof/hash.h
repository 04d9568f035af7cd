/* Hashing that a hostile input cannot steer.
 *
 * Two kinds. What a table holds is known by 128 bits of hash of its content, and by nothing else: entries are never compared, so finding one
 * costs no look at the strings and stacks it is made of, and the hash of what an input holds can be taken by any thread, without the
 * table. XXH3 with a secret of its own for each process: two things meet by chance once in 2^128, and a merge of a thousand million things has 2^59
 * pairs. Small numbers are chained by one multiplication each; there a table compares.
 *
 * Tables are open-addressed, so whoever could make hashes collide could make a merge quadratic or make it wrong: the secret is random and
 * never leaves the process. XXH3 is no cryptographic hash: pairs made with care meet once in 2^64, whatever the secret. Who may write profiles
 * gains nothing by it that writing a wrong name would not give. Of more than 240 bytes XXH3 takes sums that can be made to meet once in 2^32, so
 * longer ones are chained. Order and content of what comes out never depend on a hash: a table's order is that of first insertion.
 *
 * Threads: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pgofs_hash {
	uint64_t a, b;
};

/* Frames of a stack that have a weight of their own. */
#define PGOFS_WEIGHTS 128

/* Made once a process. */
struct pgofs_secret {
	uint8_t bytes[192];                                       /* XXH3's */
	struct pgofs_hash weight[PGOFS_WEIGHTS], labels, further; /* all odd */
};
const struct pgofs_secret *pgofs_secret(void);

/* XXH3 takes more by other means. */
#define PGOFS_HASH_AT_ONCE 240

struct pgofs_hash pgofs_hash_bytes(const void *p, size_t len);

/* What an index keeps of a hash to find its place. */
static inline uint32_t pgofs_hash_place(struct pgofs_hash h)
{
	return (uint32_t)(h.a ^ h.a >> 32);
}

/* Of a sample: the sum of its locations' hashes, each by the weight of its place in the stack, and of its labels'. Locations' hashes are random
 * to whoever does not know the secret and weights are odd, so each half of the sum of two stacks is the same with a chance near 2^-64. Own code:
 * gathering the locations' hashes for XXH3 takes 1.7 ns a frame, this 0.95, and stacks are most of what there is to hash. */
static inline struct pgofs_hash pgofs_hash_sample(const struct pgofs_secret *s, const struct pgofs_hash *location,
						  const uint32_t *place, size_t n, struct pgofs_hash labels)
{
	struct pgofs_hash sum = { labels.a * s->labels.a, labels.b * s->labels.b };
	for (; n > PGOFS_WEIGHTS; n -= PGOFS_WEIGHTS, place += PGOFS_WEIGHTS) {
#pragma GCC unroll 4
		for (size_t i = 0; i < PGOFS_WEIGHTS; i++) {
			sum.a += location[place[i]].a * s->weight[i].a;
			sum.b += location[place[i]].b * s->weight[i].b;
		}
		sum.a *= s->further.a;
		sum.b *= s->further.b;
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < n; i++) {
		sum.a += location[place[i]].a * s->weight[i].a;
		sum.b += location[place[i]].b * s->weight[i].b;
	}
	return sum;
}

/* For the small tables of one input: a random one, for a table's life. */
struct pgofs_seed {
	uint64_t a, b;
};

struct pgofs_seed pgofs_seed_new(void);

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

/* What a table keeps of it. */
static inline uint32_t pgofs_hash_short(uint64_t h)
{
	return (uint32_t)(h ^ h >> 32);
}

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
