/* Decoding needs nothing of the merge it is for, so it can be done by the thread that has just inflated the profile, while the merge is busy
 * with the one before. The first to hear of a fault is still the merge, in its order. */
#include "decoded.h"

struct pgofs_decoded *pgofs_decoded_new(void)
{
	struct pgofs_decoded *d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	pgofs_profile_init(&d->profile);
	d->result = pgofs_error_set(&d->err, -EINVAL, "nothing was read");
	return d;
}

void pgofs_decoded_free(struct pgofs_decoded *d)
{
	if (!d)
		return;
	pgofs_profile_done(&d->profile);
	free(d);
}

void pgofs_decoded_read(struct pgofs_decoded *d, const void *raw, size_t len)
{
	d->err = (struct pgofs_error){ "" };
	d->result = pgofs_profile_decode(&d->profile, raw, len, &d->err);
}

size_t pgofs_decoded_memory_bytes(const struct pgofs_decoded *d)
{
	return sizeof *d + pgofs_profile_memory_bytes(&d->profile);
}
