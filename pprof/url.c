/* Telling a file from a URL as Go does: `go tool pprof` clears a mapping's file that is one, because it puts the place a profile was fetched from
 * there itself. No library: what counts is what net/url accepts, not what a URL is. What it refuses and this does not (a port
 * that is no number, a host with odd bytes) is in docs/profiles.md. */
#include "url.h"

static bool is_letter(uint8_t c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The length of what stands before ':', 0 where that is no scheme. */
static size_t scheme_of(const uint8_t *text, size_t len)
{
	size_t i = 0;
	for (; i < len && text[i] != ':'; i++) {
		bool later = is_digit(text[i]) || text[i] == '+' || text[i] == '-' || text[i] == '.';
		if (!is_letter(text[i]) && !(later && i))
			return 0;
	}
	return i < len ? i : 0;
}

static bool escapes_are_good(const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len && text[i] != '?'; i++) {
		if (text[i] == '%' && !(len - i > 2 && is_hex(text[i + 1]) && is_hex(text[i + 2])))
			return false;
	}
	return true;
}

bool pgofs_url_is_absolute(const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	size_t scheme = scheme_of(text, len);
	if (!scheme)
		return false;
	bool opaque = scheme + 1 < len && text[scheme + 1] != '/';
	return opaque || escapes_are_good(text + scheme, len - scheme);
}
