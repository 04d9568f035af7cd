/* Recognising what somebody stored instead of a profile. Asked only after decoding has failed, so a guess can be bold. */
#include "guess.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOOK  512 /* bytes that decide whether it is text */
#define QUOTE 60  /* bytes of it to show */

static bool starts(const uint8_t *raw, size_t len, const char *text)
{
	return len >= strlen(text) && strncasecmp((const char *)raw, text, strlen(text)) == 0;
}

/* Printable ASCII, white space, or part of a UTF-8 character. */
static bool is_text(const uint8_t *raw, size_t len)
{
	if (len > LOOK)
		len = LOOK;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = raw[i];
		if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f || c >= 0xf8)
			return false;
	}
	return len > 0;
}

/* The first line that has anything in it, cut; what a terminal might take for a command becomes '?'. */
static void quote(const uint8_t *raw, size_t len, char ret[QUOTE + 4])
{
	size_t n = 0;
	while (len && (*raw == '\n' || *raw == '\r' || *raw == ' ' || *raw == '\t')) {
		raw++;
		len--;
	}
	for (; n < len && n < QUOTE && raw[n] != '\n' && raw[n] != '\r'; n++)
		ret[n] = raw[n] >= 0x20 && raw[n] < 0x7f ? (char)raw[n] : '?';
	strcpy(ret + n, n < len && n == QUOTE ? "..." : "");
}

/* A profile's own text form, or one of pprof's older formats. */
static const char *known_text(const uint8_t *raw, size_t len)
{
	static const struct {
		const char *start, *words;
	} known[] = {
		{ "GO PREPROFILE V1",
		  "this is the output of go tool preprofile; the profile it was made from is needed" },
		{ "heap profile:", "this is a heap profile in a text format; a CPU profile is needed" },
		{ "goroutine profile:", "this is a goroutine profile in a text format; a CPU profile is needed" },
		{ "goroutine ", "this is a dump of goroutines, not a CPU profile" },
		{ "threadcreate profile:", "this is a threadcreate profile in a text format; a CPU profile is needed" },
		{ "--- contention:", "this is a contention profile in a text format; a CPU profile is needed" },
		{ "--- mutex:", "this is a mutex profile in a text format; a CPU profile is needed" },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (starts(raw, len, known[i].start))
			return known[i].words;
	}
	return NULL;
}

static const char *known_binary(const uint8_t *raw, size_t len)
{
	static const uint8_t legacy_cpu[] = { 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0 };
	for (size_t i = 6; i < 9 && i < len && starts(raw, len, "go 1."); i++) {
		if (starts(raw + i, len - i, " trace"))
			return "this is an execution trace, not a CPU profile";
	}
	if (len >= sizeof legacy_cpu && memcmp(raw, legacy_cpu, sizeof legacy_cpu) == 0)
		return "this is a CPU profile in a format of before 2016; a protobuf profile is needed";
	if (starts(raw, len, "\177ELF"))
		return "this is a program, not a profile";
	if (starts(raw, len, "PERFILE2"))
		return "this is perf.data, not a profile; perf_to_profile converts it";
	if (starts(raw, len, "PK\003\004"))
		return "this is a zip file, not a profile";
	if (starts(raw, len, "\x28\xb5\x2f\xfd"))
		return "this is compressed by zstd, which Go does not read; gzip it";
	if (starts(raw, len, "\x1f\x8b"))
		return "this is gzip within gzip";
	return NULL;
}

bool pgofs_guess(const uint8_t *raw, size_t len, char ret[PGOFS_GUESS_SIZE])
{
	char line[QUOTE + 4];
	const char *words = known_binary(raw, len);
	if (!words && !is_text(raw, len))
		return false;
	if (!words)
		words = known_text(raw, len);
	if (words) {
		snprintf(ret, PGOFS_GUESS_SIZE, "%s", words);
		return true;
	}
	quote(raw, len, line);
	const char *what = starts((const uint8_t *)line, strlen(line), "<!doctype html") ||
				   starts((const uint8_t *)line, strlen(line), "<html")
			       ? "an HTML page"
			       : "text";
	snprintf(ret, PGOFS_GUESS_SIZE, "this is %s, not a profile: \"%s\"", what, line);
	return true;
}
