/* Where the hash's seed comes from. Without the kernel's randomness (a sandbox without getrandom) the clock and the address of the
 * stack still differ from run to run: weaker against an attacker, the same for everybody else. */
#include "hash.h"

#include <pgofs/units.h>

#include <sys/random.h>

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
