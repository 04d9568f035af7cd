/* Fifty builds that open the same merged file at once must cost one merge, and fifty lookups in a day one listing. What
 * is in flight is told apart from what is kept, so a result reaches those who waited for it even when nothing may be kept,
 * and a failure reaches them all instead of being tried once for each. */
#include "flight.h"

#include <stdlib.h>

struct pgofs_flight *pgofs_flight_new(void (*unref)(void *value))
{
	struct pgofs_flight *f = calloc(1, sizeof *f);
	if (f) {
		f->refs = 1;
		f->unref = unref;
	}
	return f;
}

struct pgofs_flight *pgofs_flight_ref(struct pgofs_flight *f)
{
	f->refs++;
	return f;
}

void pgofs_flight_unref(struct pgofs_flight *f)
{
	if (!f || --f->refs)
		return;
	if (f->value)
		f->unref(f->value);
	free(f);
}

void pgofs_flight_land(struct pgofs_flight *f, int result, const struct pgofs_error *err, void *value,
		       pthread_cond_t *cond)
{
	f->landed = true;
	f->result = result;
	f->err = *err;
	f->value = value;
	pthread_cond_broadcast(cond);
}

int pgofs_flight_wait(struct pgofs_flight *f, pthread_mutex_t *mutex, pthread_cond_t *cond, struct pgofs_error *err)
{
	while (!f->landed)
		pthread_cond_wait(cond, mutex);
	if (f->result < 0 && err)
		*err = f->err;
	return f->result;
}
