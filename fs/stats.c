#include "stats.h"

#include <pgofs/units.h>

#include <inttypes.h>

int pgofs_stats_print(const struct pgofs_stat *rows, size_t n, struct pgofs_buf *append_to)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct pgofs_stat *s = &rows[i];
		if (s->is_ns)
			r = pgofs_buf_printf(append_to, "%s %" PRIu64 ".%09" PRIu64 "\n", s->name,
					     s->value / PGOFS_NS_PER_S, s->value % PGOFS_NS_PER_S);
		else
			r = pgofs_buf_printf(append_to, "%s %" PRIu64 "\n", s->name, s->value);
	}
	return r;
}
