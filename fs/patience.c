/* A merge of 100,000 profiles is as many requests: none of them takes too long, and all of them may take hours. Nobody waits that long for the answer
 * to one question, and a mount that is to end has less time still. */
#include "patience.h"

#include <pgofs/units.h>

#include <errno.h>

int pgofs_patience_left(const struct pgofs_patience *p, struct pgofs_error *err)
{
	if (p && atomic_load(p->ending))
		return pgofs_error_set(err, -ECANCELED, "the mount is ending");
	if (p && p->until_ns && pgofs_monotonic_ns() >= p->until_ns)
		return pgofs_error_set(err, -ETIMEDOUT, "it takes longer than merge-timeout allows");
	return 0;
}
