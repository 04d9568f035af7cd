/* The names of the views: what a merged file ends in. */
#include <pgofs/pprof.h>

#include <errno.h>
#include <string.h>

static const char *const suffixes[] = {
	[PGOFS_VIEW_PPROF] = "pprof",
	[PGOFS_VIEW_PGO] = "pgo",
	[PGOFS_VIEW_TXT] = "txt",
};

int pgofs_view_parse(const char *suffix, enum pgofs_view *ret)
{
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		if (strcmp(suffix, suffixes[i]) == 0) {
			*ret = (enum pgofs_view)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *pgofs_view_suffix(enum pgofs_view view)
{
	return suffixes[view];
}
