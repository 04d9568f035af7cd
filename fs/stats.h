/* Numbers about what was done, as text: "name value" a line, which people can read and Prometheus can scrape.
 *
 * A name that ends in _total counts up for as long as the process lives; any other is how much there is now. */
#pragma once

#include <pgofs/buf.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgofs_stat {
	const char *name;
	uint64_t value;
	bool is_ns; /* printed in seconds, as names say */
};

int pgofs_stats_print(const struct pgofs_stat *rows, size_t n, struct pgofs_buf *append_to);
