/* Making tables anew from what is still needed of them.
 *
 * Needed where google/pprof merges a profile with nothing to drop what is not used: after samples cancelled out, and when a sample type is dropped.
 * Everything is numbered again in the order in which the samples left reach it, because that is the order google/pprof
 * would have met it in. Also the way one merge is folded into another: then `into` is not empty. */
#include "array.h"
#include "tables.h"
#include "transfer.h"
#include "wire.h"

#include <pgofs/cleanup.h>

#include <string.h>

int pgofs_tables_compact(struct pgofs_tables *into, const struct pgofs_tables *from, const uint32_t *column, size_t n)
{
	_cleanup_(pgofs_transfer_done) struct pgofs_transfer x = { 0 };
	int r = pgofs_transfer_init(&x, into, from);
	for (size_t i = 0; r == 0 && i < from->samples.n; i++) {
		const int64_t *value = pgofs_samples_values(from, i);
		int64_t any = 0;
		for (size_t c = 0; c < n; c++)
			any |= value[column[c]];
		uint32_t number;
		if (any)
			r = pgofs_transfer_sample(&x, i, &number);
		for (size_t c = 0; r == 0 && any && c < n; c++) {
			int64_t *sum = &pgofs_samples_values(into, number)[c];
			*sum = (int64_t)((uint64_t)*sum + (uint64_t)value[column[c]]);
		}
	}
	return r;
}
