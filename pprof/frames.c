/* Dropping frames.
 *
 * The patterns come out of a profile, so they are hostile: PCRE2 is given limits on steps and memory for each name, and a name at which it reaches
 * one is kept, on every machine and in every view alike, whatever other names there are. google/pprof uses Go's regexp, which is RE2; what RE2 refuses
 * and PCRE2 knows (look-around, back references, possessive repetition, …) is found beforehand, because a pattern that does not
 * compile drops nothing there, and so it must here. docs/profiles.md names the differences that remain. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "frames.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <pcre2.h>
#include <string.h>

#define PATTERN_MAX     ((size_t)32 << 10)
#define STEPS_MAX       20000
#define HEAP_KIB_MAX    4096
#define REPETITIONS_MAX 1000 /* of Go's regexp/syntax */

struct pgofs_frames_regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

static void regex_free(struct pgofs_frames_regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	pcre2_match_data_free(r->data);
	pcre2_match_context_free(r->context);
	free(r);
}
PGOFS_DEFINE_FREEP(struct pgofs_frames_regex, regex_free)

static bool at(struct pgofs_pattern p, size_t i, const char *text)
{
	size_t len = strlen(text);
	return i <= p.len && p.len - i >= len && memcmp(p.text + i, text, len) == 0;
}

/* After "(?": names and flags are all that Go knows. */
static bool go_knows_group(struct pgofs_pattern p, size_t i)
{
	if (at(p, i, "P<") || (at(p, i, "<") && !at(p, i, "<=") && !at(p, i, "<!")))
		return true;
	while (i < p.len && strchr("imsU-", p.text[i]) && p.text[i])
		i++;
	return at(p, i, ":") || at(p, i, ")");
}

static bool go_knows_escape(uint8_t c)
{
	bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
	if (letter)
		return strchr("AbBzdDsSwWpPQEaftnrvx", c) != NULL;
	return c != '8' && c != '9';
}

/* The length of a repetition at `i`: of "*", "+?", "{2,3}"; 0 where there is none; PATTERN_MAX where Go refuses its count. */
static size_t repetition(struct pgofs_pattern p, size_t i)
{
	size_t start = i, number[2] = { 0 }, part = 0, digits = 0;
	if (i < p.len && (p.text[i] == '*' || p.text[i] == '+' || p.text[i] == '?')) {
		i++;
		return i < p.len && p.text[i] == '?' ? 2 : 1;
	}
	if (!at(p, i, "{"))
		return 0;
	for (i++; i < p.len && p.text[i] != '}'; i++) {
		if (p.text[i] == ',' && part == 0 && digits) {
			part = 1;
			continue;
		}
		if (p.text[i] < '0' || p.text[i] > '9')
			return 0;
		digits++;
		if (number[part] <= REPETITIONS_MAX)
			number[part] = number[part] * 10 + (size_t)(p.text[i] - '0');
	}
	if (i == p.len || !digits)
		return 0;
	if (number[0] > REPETITIONS_MAX || number[1] > REPETITIONS_MAX)
		return PATTERN_MAX;
	i++;
	return i - start + (at(p, i, "?") ? 1 : 0);
}

/* Past the class that starts at `i`, or PATTERN_MAX where it has an escape unknown to Go. */
static size_t skip_class(struct pgofs_pattern p, size_t i)
{
	i += at(p, i + 1, "^") ? 2 : 1;
	for (size_t first = i; i < p.len && (p.text[i] != ']' || i == first); i++) {
		if (p.text[i] == '\\' && i + 1 < p.len && !go_knows_escape(p.text[++i]))
			return PATTERN_MAX;
		if (at(p, i, "[:"))
			i++;
	}
	return i + 1;
}

static size_t skip_quoted(struct pgofs_pattern p, size_t i)
{
	while (i < p.len && !at(p, i, "\\E"))
		i++;
	return i + 2;
}

/* Would Go's regexp.Compile take it, as far as PCRE2 cannot tell? */
static bool go_would_take(struct pgofs_pattern p)
{
	bool repeated = false;
	for (size_t i = 0; i < p.len;) {
		size_t repeat = repetition(p, i);
		if (repeat == PATTERN_MAX || (repeat && repeated) || at(p, i, "(*"))
			return false;
		repeated = repeat != 0;
		if (repeat) {
			i += repeat;
		} else if (at(p, i, "(?")) {
			if (!go_knows_group(p, i + 2))
				return false;
			i += 2;
			while (i < p.len && p.text[i] != '>' && p.text[i] != ':' && p.text[i] != ')')
				i++;
		} else if (at(p, i, "\\Q")) {
			i = skip_quoted(p, i + 2);
		} else if (p.text[i] == '\\') {
			if (i + 1 == p.len || !go_knows_escape(p.text[i + 1]))
				return false;
			i += 2;
		} else if (p.text[i] == '[') {
			i = skip_class(p, i);
			if (i == PATTERN_MAX)
				return false;
		} else {
			i++;
		}
	}
	return true;
}

static int prepare(struct pgofs_frames_regex *r)
{
	r->data = pcre2_match_data_create(1, NULL);
	r->context = pcre2_match_context_create(NULL);
	if (!r->data || !r->context)
		return -ENOMEM;
	pcre2_set_match_limit(r->context, STEPS_MAX);
	pcre2_set_depth_limit(r->context, STEPS_MAX);
	pcre2_set_heap_limit(r->context, HEAP_KIB_MAX);
	return 0;
}

/* 1 and *ret; 0 where the pattern cannot be used; -ENOMEM. */
static int compile(struct pgofs_pattern p, struct pgofs_frames_regex **ret)
{
	if (p.len > PATTERN_MAX - 4 || !go_would_take(p))
		return 0;
	_cleanup_(regex_freep) struct pgofs_frames_regex *r = calloc(1, sizeof *r);
	_cleanup_(pgofs_freep) uint8_t *wrapped = malloc(p.len + 4);
	if (!r || !wrapped)
		return -ENOMEM;
	wrapped[0] = '^';
	wrapped[1] = '(';
	memcpy(wrapped + 2, p.text, p.len);
	wrapped[p.len + 2] = ')';
	wrapped[p.len + 3] = '$';

	int code;
	PCRE2_SIZE where;
	r->code = pcre2_compile(wrapped, p.len + 4, PCRE2_DOLLAR_ENDONLY | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code,
				&where, NULL);
	if (!r->code)
		return 0;
	if (prepare(r) < 0)
		return -ENOMEM;
	*ret = STEAL(r);
	return 1;
}

int pgofs_frames_init(struct pgofs_frames *f, struct pgofs_pattern drop, struct pgofs_pattern keep)
{
	*f = (struct pgofs_frames){ 0 };
	int r = drop.len ? compile(drop, &f->drop) : 0;
	if (r == 1 && keep.len)
		r = compile(keep, &f->keep);
	if (r == 1)
		return 0;
	pgofs_frames_done(f);
	return r;
}

void pgofs_frames_done(struct pgofs_frames *f)
{
	regex_free(f->drop);
	regex_free(f->keep);
	*f = (struct pgofs_frames){ 0 };
}

/* profile/prune.go simplifyFunc: without the dot of one ABI, and without the argument list. */
static void simplify(const uint8_t **name, size_t *len)
{
	static const char *const reserved[] = { "(anonymous namespace)", "operator()" };
	if (*len && **name == '.') {
		(*name)++;
		(*len)--;
	}
	struct pgofs_pattern p = { *name, *len };
	for (size_t i = 0; i < p.len;) {
		size_t skip = 0;
		for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++) {
			if (at(p, i, reserved[k]))
				skip = strlen(reserved[k]);
		}
		if (!skip && p.text[i] == '(') {
			*len = i;
			return;
		}
		i += skip ? skip : 1;
	}
}

enum verdict { NO_MATCH, MATCH, TOO_COSTLY };

static enum verdict match(const struct pgofs_frames_regex *r, const uint8_t *name, size_t len)
{
	int n = pcre2_match(r->code, name, len, 0, 0, r->data, r->context);
	if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT || n == PCRE2_ERROR_HEAPLIMIT)
		return TOO_COSTLY;
	return n >= 0 ? MATCH : NO_MATCH;
}

bool pgofs_frames_match(const struct pgofs_frames *f, const uint8_t *name, size_t len)
{
	if (!f->drop || !len)
		return false;
	simplify(&name, &len);
	return match(f->drop, name, len) == MATCH && (!f->keep || match(f->keep, name, len) == NO_MATCH);
}

size_t pgofs_frames_leaf(const uint8_t *flag, size_t n)
{
	bool found_user = false;
	for (size_t i = n; i-- > 0;) {
		if (!flag[i])
			found_user = true;
		else if (found_user)
			return flag[i] & PGOFS_FRAME_DROP ? i + 1 : i;
	}
	return 0;
}
