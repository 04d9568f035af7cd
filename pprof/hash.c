/* Where the secret comes from. Without the kernel's randomness (a sandbox without getrandom) the clock and the address of the stack still differ
 * from run to run: weaker against an attacker, the same for everybody else. */
#include "hash.h"

#include <pgofs/units.h>

#include <pthread.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct pgofs_secret secret;
static pthread_once_t made = PTHREAD_ONCE_INIT;

struct pgofs_seed pgofs_seed_new(void)
{
	struct pgofs_seed s;
	if (getrandom(&s, sizeof s, GRND_NONBLOCK) != (ssize_t)sizeof s) {
		s.a = (uint64_t)pgofs_monotonic_ns();
		s.b = (uint64_t)(uintptr_t)&s ^ (uint64_t)pgofs_now_ns() << 20;
	}
	s.b |= UINT64_C(1) << 63; /* a factor of zero would hash everything to zero */
	return s;
}

static struct pgofs_hash odd(uint64_t number)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(&number, sizeof number, secret.bytes, sizeof secret.bytes);
	return (struct pgofs_hash){ h.low64 | 1, h.high64 | 1 };
}

static void make(void)
{
	for (size_t i = 0; i < sizeof secret.bytes; i += sizeof(struct pgofs_seed)) {
		struct pgofs_seed s = pgofs_seed_new();
		memcpy(secret.bytes + i, &s, sizeof s);
	}
	for (uint64_t i = 0; i < PGOFS_WEIGHTS; i++)
		secret.weight[i] = odd(i);
	secret.labels = odd(PGOFS_WEIGHTS);
	secret.further = odd(PGOFS_WEIGHTS + 1);
}

const struct pgofs_secret *pgofs_secret(void)
{
	pthread_once(&made, make);
	return &secret;
}

/* The hash of what came before, and the next bytes, as often as it takes. */
static struct pgofs_hash chain(const uint8_t *p, size_t len)
{
	struct {
		struct pgofs_hash before;
		uint8_t next[PGOFS_HASH_AT_ONCE - sizeof(struct pgofs_hash)];
	} link = { .before = { len, 0 } };
	while (len) {
		size_t n = len < sizeof link.next ? len : sizeof link.next;
		memcpy(link.next, p, n);
		link.before = pgofs_hash_bytes(&link, sizeof link.before + n);
		p += n;
		len -= n;
	}
	return link.before;
}

struct pgofs_hash pgofs_hash_bytes(const void *p, size_t len)
{
	const struct pgofs_secret *s = pgofs_secret();
	if (len > PGOFS_HASH_AT_ONCE)
		return chain(p, len);
	XXH128_hash_t h = XXH3_128bits_withSecret(p, len, s->bytes, sizeof s->bytes);
	return (struct pgofs_hash){ h.low64, h.high64 };
}
