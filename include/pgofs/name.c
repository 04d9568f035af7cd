#include <pgofs/name.h>
#include <pgofs/units.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SUFFIX     ".pprof"
#define SUFFIX_LEN (sizeof SUFFIX - 1)

/* The C locale's letters and digits, whatever the process' locale is. */
static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_source_byte(char c)
{
	return is_word_byte(c) || (c && strchr(".-+=,@", c));
}

bool pgofs_app_valid(const char *name, size_t len)
{
	if (len == 0 || len > PGOFS_APP_MAX || !is_word_byte(name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_word_byte(name[i]) && name[i] != '.' && name[i] != '-')
			return false;
	return !(len == 6 && !memcmp(name, "merged", 6));
}

bool pgofs_profile_name_valid(const char *name)
{
	size_t len = strlen(name);
	if (len <= SUFFIX_LEN || len > PGOFS_NAME_MAX || !is_word_byte(name[0]) ||
	    strcmp(name + len - SUFFIX_LEN, SUFFIX) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_source_byte(name[i]))
			return false;
	return true;
}

/* `n` digits at `text`; -1 where there are fewer. */
static int digits(const char *text, int n)
{
	int value = 0;
	for (int i = 0; i < n; i++) {
		if (!is_digit(text[i]))
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

int pgofs_day_parse(const char *text, int64_t *ret_days)
{
	if (strnlen(text, 10) < 10 || text[4] != '/' || text[7] != '/')
		return -EINVAL;
	return pgofs_days_from_date(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2), ret_days);
}

char *pgofs_day_format(char buf[static PGOFS_DAY_SIZE], int64_t days)
{
	int year, month, day;
	pgofs_date_from_days(days, &year, &month, &day);
	snprintf(buf, PGOFS_DAY_SIZE, "%04u/%02u/%02u", (unsigned)year % 10000, (unsigned)month % 100,
		 (unsigned)day % 100);
	return buf;
}

/* Parses the stamp and tells how many bytes it took. */
static int scan_stamp(const char *name, int64_t *ret_ns, size_t *ret_len)
{
	if (strnlen(name, 6) < 6)
		return -ENOENT;
	int hour = digits(name, 2), minute = digits(name + 2, 2), second = digits(name + 4, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return -ENOENT;

	int64_t ns = ((hour * 60 + minute) * INT64_C(60) + second) * PGOFS_NS_PER_S;
	size_t at = 6;
	if (name[at] == '.' && is_digit(name[at + 1])) {
		int64_t scale = PGOFS_NS_PER_S;
		for (at++; is_digit(name[at]); at++) {
			scale /= 10;
			ns += (name[at] - '0') * scale;
		}
		if (scale == 0)
			return -ENOENT; /* more than nine decimals */
	}
	if (name[at] == 'Z')
		at++;
	if (name[at] != '\0' && name[at] != '-' && name[at] != '.')
		return -ENOENT;
	*ret_ns = ns;
	*ret_len = at;
	return 0;
}

int pgofs_stamp_parse(const char *name, int64_t *ret_ns)
{
	size_t len;
	return scan_stamp(name, ret_ns, &len);
}

int64_t pgofs_taken_ns(int64_t days, const char *name, int64_t mtime_ns)
{
	int64_t start = days * PGOFS_NS_PER_DAY, in_day;
	if (pgofs_stamp_parse(name, &in_day) == 0)
		return start + in_day;
	if (mtime_ns < start)
		return start;
	if (mtime_ns >= start + PGOFS_NS_PER_DAY)
		return start + PGOFS_NS_PER_DAY - 1;
	return mtime_ns;
}

const char *pgofs_source_of(const char *name, size_t *ret_len)
{
	int64_t ns;
	size_t at, len = strlen(name);
	*ret_len = 0;
	if (len < SUFFIX_LEN || strcmp(name + len - SUFFIX_LEN, SUFFIX) != 0)
		return name;
	if (scan_stamp(name, &ns, &at) < 0 || name[at] != '-')
		return name;
	*ret_len = len - SUFFIX_LEN - (at + 1);
	return name + at + 1;
}

char *pgofs_profile_path_format(char buf[static PGOFS_PATH_SIZE], int64_t taken_ns, const char *source)
{
	char clean[PGOFS_NAME_MAX - 32] = "", day[PGOFS_DAY_SIZE];
	for (size_t i = 0; source && source[i] && i < sizeof clean - 1; i++) {
		clean[i] = is_source_byte(source[i]) ? source[i] : '_';
		clean[i + 1] = '\0';
	}
	int64_t ms = taken_ns % PGOFS_NS_PER_DAY / PGOFS_NS_PER_MS, s = ms / 1000;
	snprintf(buf, PGOFS_PATH_SIZE, "%s/%02d%02d%02d.%03dZ%s%s" SUFFIX,
		 pgofs_day_format(day, taken_ns / PGOFS_NS_PER_DAY), (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60),
		 (int)(ms % 1000), clean[0] ? "-" : "", clean);
	return buf;
}
