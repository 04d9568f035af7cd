/* Paths and windows, as any program that can open a file may spell them: what parses is within bounds, and agrees with itself. */
#include "path.h"
#include "window.h"

#include <pgofs/units.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(what)                                                                                                     \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			abort();                                                                                       \
	} while (0)

#define NOW (INT64_C(20779) * PGOFS_NS_PER_DAY)

/* A path of the tree fits its buffers; so does the way up, every step of which is a directory that would show the step below it. */
static void try_path(const char *text)
{
	char path[PGOFS_PATH_SIZE], above[PGOFS_PATH_SIZE], again[PGOFS_PATH_SIZE];
	struct pgofs_path p, up;
	if (pgofs_path_parse(text, &p) < 0)
		return;
	MUST(strlen(text) < PGOFS_PATH_SIZE);
	MUST(p.name >= text && p.name <= text + strlen(text));
	MUST(p.days >= 0 && p.days <= INT64_MAX / PGOFS_NS_PER_DAY - 1);
	for (strcpy(path, text); *path; strcpy(path, above)) {
		pgofs_path_parent(above, path);
		MUST(pgofs_path_parse(path, &p) == 0 && pgofs_path_parse(above, &up) == 0);
		MUST(pgofs_place_is_dir(up.place));
		MUST(pgofs_path_join(again, above, p.name) == 0 && !strcmp(again, path));
		if (p.place <= PGOFS_PLACE_PROFILE)
			MUST(pgofs_path_shows(&up, p.name, pgofs_place_is_dir(p.place)));
	}
}

static void try_window(const char *text, int64_t now_ns)
{
	struct pgofs_window w;
	enum pgofs_view view;
	if (pgofs_window_parse(text, strlen(text), now_ns, &w) == 0)
		MUST(w.from_ns >= 0 && w.to_ns > w.from_ns);
	if (pgofs_merged_name_parse(text, now_ns, &w, &view) == 0)
		MUST(w.to_ns > w.from_ns && strstr(text, pgofs_view_suffix(view)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len);
	MUST(text);
	try_path(text);
	try_window(text, NOW);
	try_window(text, 0);
	try_window(text, INT64_MAX);
	free(text);
	return 0;
}
