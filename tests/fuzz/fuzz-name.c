/* Names and numbers as people and other programs write them: whatever parses must survive being written and parsed again. */
#include <pgofs/name.h>
#include <pgofs/units.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(what)                                                                                                     \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			abort();                                                                                       \
	} while (0)

static void try_profile_name(const char *text)
{
	char path[PGOFS_PATH_SIZE], source[PGOFS_PATH_SIZE];
	int64_t ns, again;
	size_t source_len;
	const char *at = pgofs_source_of(text, &source_len);

	if (!pgofs_profile_name_valid(text))
		return;
	ns = pgofs_taken_ns(20000, text, 0);
	MUST(ns >= 20000 * PGOFS_NS_PER_DAY && ns < 20001 * PGOFS_NS_PER_DAY);
	if (pgofs_stamp_parse(text, &again) == 0)
		MUST(again >= 0 && again < PGOFS_NS_PER_DAY && ns == 20000 * PGOFS_NS_PER_DAY + again);

	memcpy(source, at, source_len);
	source[source_len] = 0;
	pgofs_profile_path_format(path, ns, source);
	MUST(pgofs_profile_name_valid(path + strlen("2024/10/04/")));
	MUST(pgofs_taken_ns(20000, path + strlen("2024/10/04/"), 0) / PGOFS_NS_PER_MS == ns / PGOFS_NS_PER_MS);
}

static void try_units(const char *text)
{
	char words[PGOFS_UNIT_TEXT_SIZE];
	int64_t ns, again, days;
	uint64_t bytes;

	if (pgofs_duration_parse(text, &ns) == 0) {
		MUST(ns >= 0);
		pgofs_duration_format(words, ns);
		MUST(pgofs_duration_parse(words, &again) == 0 && again == ns);
	}
	if (pgofs_size_parse(text, &bytes) == 0)
		pgofs_size_format(words, bytes);
	if (strlen(text) >= strlen("YYYY/MM/DD") && pgofs_day_parse(text, &days) == 0) {
		char day[PGOFS_DAY_SIZE];
		MUST(!strncmp(pgofs_day_format(day, days), text, strlen("YYYY/MM/DD")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len);

	MUST(text);
	pgofs_app_valid(text, strlen(text));
	try_profile_name(text);
	try_units(text);
	free(text);
	return 0;
}
