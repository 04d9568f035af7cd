/* Decoding needs nothing of the merge it is for, so it can be done by the thread that has just inflated the profile, while the merge is busy
 * with the one before. The first to hear of a fault is still the merge, in its order. */
#include "decoded.h"

void pgofs_decoded_init(struct pgofs_decoded *d)
{
	*d = (struct pgofs_decoded){ 0 };
	pgofs_profile_init(&d->profile);
	d->result = pgofs_error_set(&d->err, -EINVAL, "nothing was read");
}

void pgofs_decoded_done(struct pgofs_decoded *d)
{
	pgofs_profile_done(&d->profile);
	pgofs_content_done(&d->content);
}

struct pgofs_decoded *pgofs_decoded_new(void)
{
	struct pgofs_decoded *d = malloc(sizeof *d);
	if (d)
		pgofs_decoded_init(d);
	return d;
}

void pgofs_decoded_free(struct pgofs_decoded *d)
{
	if (!d)
		return;
	pgofs_decoded_done(d);
	free(d);
}

void pgofs_decoded_read(struct pgofs_decoded *d, enum pgofs_view view, const void *raw, size_t len)
{
	d->err = (struct pgofs_error){ "" };
	d->view = view;
	d->result = pgofs_profile_decode(&d->profile, raw, len, &d->err);
	if (d->result == 0 && view == PGOFS_VIEW_PPROF)
		d->result = pgofs_content_read(&d->content, &d->profile, &d->err);
}

size_t pgofs_decoded_memory_bytes(const struct pgofs_decoded *d)
{
	return sizeof *d + pgofs_profile_memory_bytes(&d->profile) + pgofs_content_memory_bytes(&d->content);
}
