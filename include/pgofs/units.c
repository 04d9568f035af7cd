#include <pgofs/units.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct unit {
	const char *word;
	int64_t scale;
};

/* Largest first: this is also the order in which a duration may name them. */
static const struct unit durations[] = {
	{ "w", 7 * PGOFS_NS_PER_DAY }, { "d", PGOFS_NS_PER_DAY }, { "h", PGOFS_NS_PER_HOUR },
	{ "m", PGOFS_NS_PER_MIN },     { "s", PGOFS_NS_PER_S },   { "ms", PGOFS_NS_PER_MS },
};
#define N_DURATIONS (sizeof durations / sizeof durations[0])

static int parse_digits(const char **at, int64_t *ret)
{
	int64_t n = 0;
	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	for (; isdigit((unsigned char)**at); (*at)++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, **at - '0', &n))
			return -ERANGE;
	*ret = n;
	return 0;
}

int pgofs_duration_parse(const char *text, int64_t *ret_ns)
{
	int64_t total = 0;
	size_t next = 0; /* units from here on may still come */
	if (!strcmp(text, "0")) {
		*ret_ns = 0;
		return 0;
	}

	do {
		int64_t n, part;
		int r = parse_digits(&text, &n);
		if (r < 0)
			return r;
		size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
		while (next < N_DURATIONS &&
		       (strlen(durations[next].word) != letters || memcmp(durations[next].word, text, letters) != 0))
			next++;
		if (next == N_DURATIONS)
			return -EINVAL;
		if (__builtin_mul_overflow(n, durations[next++].scale, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return -ERANGE;
		text += letters;
	} while (*text);
	*ret_ns = total;
	return 0;
}

int pgofs_size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGT";
	int64_t n;
	int r = parse_digits(&text, &n);
	if (r < 0)
		return r;

	int shift = 0;
	const char *letter = *text ? strchr(letters, toupper((unsigned char)*text)) : NULL;
	if (letter) {
		shift = 10 * (int)(letter - letters + 1);
		text++;
		if (*text == 'i' && text[1] == 'B')
			text++;
	}
	if (*text == 'B')
		text++;
	if (*text)
		return -EINVAL;
	if (n > INT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = (uint64_t)n << shift;
	return 0;
}

char *pgofs_duration_format(char buf[static PGOFS_UNIT_TEXT_SIZE], int64_t ns)
{
	size_t len = 0;
	for (size_t i = 1; i < N_DURATIONS; i++) { /* weeks are for input: people compare days */
		int64_t n = ns / durations[i].scale;
		ns %= durations[i].scale;
		if (n)
			len += (size_t)snprintf(buf + len, PGOFS_UNIT_TEXT_SIZE - len, "%" PRId64 "%s", n,
						durations[i].word);
	}
	if (!len)
		strcpy(buf, "0s");
	return buf;
}

char *pgofs_size_format(char buf[static PGOFS_UNIT_TEXT_SIZE], uint64_t bytes)
{
	static const char *const words[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int i = 0;
	double n = (double)bytes;
	for (; n >= 1024 && i < 6; i++)
		n /= 1024;
	snprintf(buf, PGOFS_UNIT_TEXT_SIZE, i && n < 100 ? "%.1f %s" : "%.0f %s", n, words[i]);
	return buf;
}

char *pgofs_instant_format(char buf[static PGOFS_UNIT_TEXT_SIZE], int64_t ns)
{
	int64_t days = ns / PGOFS_NS_PER_DAY, rest = ns % PGOFS_NS_PER_DAY;
	if (rest < 0) {
		days--;
		rest += PGOFS_NS_PER_DAY;
	}
	int year, month, day;
	pgofs_date_from_days(days, &year, &month, &day);
	int64_t s = rest / PGOFS_NS_PER_S;
	int len = snprintf(buf, PGOFS_UNIT_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
			   (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
	int64_t decimals = rest % PGOFS_NS_PER_S;
	int width = 9;
	for (; decimals && decimals % 1000 == 0; width -= 3)
		decimals /= 1000;
	if (decimals)
		len += snprintf(buf + len, PGOFS_UNIT_TEXT_SIZE - (size_t)len, ".%0*" PRId64, width, decimals);
	snprintf(buf + len, PGOFS_UNIT_TEXT_SIZE - (size_t)len, "Z");
	return buf;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* Days before year `y` began, counted from year 1. */
static int64_t days_before_year(int64_t y)
{
	y--;
	return y * 365 + y / 4 - y / 100 + y / 400;
}

int pgofs_days_from_date(int year, int month, int day, int64_t *ret_days)
{
	if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return -EINVAL;
	int64_t days = days_before_year(year) - days_before_year(1970) + day - 1;
	for (int m = 1; m < month; m++)
		days += days_in_month(year, m);
	*ret_days = days;
	return 0;
}

void pgofs_date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	days += days_before_year(1970);
	int year = (int)(days / 366) + 1, month = 1; /* never too late a year, and close */
	while (days_before_year(year + 1) <= days)
		year++;
	days -= days_before_year(year);
	for (; days >= days_in_month(year, month); month++)
		days -= days_in_month(year, month);
	*ret_year = year;
	*ret_month = month;
	*ret_day = (int)days + 1;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * PGOFS_NS_PER_S + t.tv_nsec;
}

int64_t pgofs_now_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t pgofs_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}
