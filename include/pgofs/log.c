#include <pgofs/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE  4096
#define CLEAR_LINE "\r\033[K"

/* The mutable globals of the house: where lines go is a property of the process, set before threads start; and whether the cursor
 * stands behind a status. */
static atomic_bool status_shown;
static struct pgofs_log_config config = { .program = "pgofs", .level = PGOFS_LOG_INFO };

static const char *const level_words[] = { "error", "warning", "info", "debug" };
static const char *const format_words[] = { "text", "logfmt", "json" };

static int find_word(const char *word, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(word, words[i]))
			return i;
	return -EINVAL;
}

int pgofs_log_level_parse(const char *word, enum pgofs_log_level *ret)
{
	int i = find_word(word, level_words, 4);
	if (i >= 0)
		*ret = (enum pgofs_log_level)i;
	return i < 0 ? i : 0;
}

int pgofs_log_format_parse(const char *word, enum pgofs_log_format *ret)
{
	int i = find_word(word, format_words, 3);
	if (i >= 0)
		*ret = (enum pgofs_log_format)i;
	return i < 0 ? i : 0;
}

void pgofs_log_setup(const struct pgofs_log_config *c)
{
	config = *c;
	if (config.syslog)
		openlog(config.program, LOG_PID, LOG_DAEMON);
}

bool pgofs_log_enabled(enum pgofs_log_level level)
{
	return level <= config.level;
}

const char *pgofs_fmt_print(struct pgofs_fmt *f, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(f->text, sizeof f->text, format, args);
	va_end(args);
	return f->text;
}

struct line {
	char text[LINE_SIZE];
	size_t len;
};

static void put(struct line *l, const char *s)
{
	while (*s && l->len < LINE_SIZE - 16)
		l->text[l->len++] = *s++;
}

/* Between quotes: JSON's escapes, which logfmt readers understand too. */
static void put_quoted(struct line *l, const char *s)
{
	put(l, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char one[8] = { *s };
		if (c == '"' || c == '\\')
			snprintf(one, sizeof one, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			snprintf(one, sizeof one, "\\u%04x", c);
		put(l, one);
	}
	put(l, "\"");
}

static void put_value(struct line *l, const char *s)
{
	bool plain = *s != '\0';
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr("\"\\=", *p))
			plain = false;
	if (plain)
		put(l, s);
	else
		put_quoted(l, s);
}

static void put_pair(struct line *l, const char *key, const char *value)
{
	if (config.format == PGOFS_LOG_JSON) {
		put(l, l->len > 1 ? ",\"" : "\"");
		put(l, key);
		put(l, "\":");
		put_quoted(l, value);
		return;
	}
	if (l->len)
		put(l, " ");
	put(l, key);
	put(l, "=");
	put_value(l, value);
}

static void put_head(struct line *l, enum pgofs_log_level level, const char *event)
{
	if (config.format == PGOFS_LOG_TEXT) {
		if (!config.syslog) {
			put(l, config.program);
			put(l, ": ");
			if (level != PGOFS_LOG_INFO) {
				put(l, level_words[level]);
				put(l, ": ");
			}
		}
		put(l, event);
		return;
	}

	struct timespec now;
	struct tm tm;
	char day[32], stamp[48];
	clock_gettime(CLOCK_REALTIME, &now);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
	snprintf(stamp, sizeof stamp, "%s.%03dZ", day, (int)(now.tv_nsec / 1000000));
	put_pair(l, "time", stamp);
	put_pair(l, "level", level_words[level]);
	put_pair(l, "msg", event);
}

void pgofs_log_event(enum pgofs_log_level level, const char *event, ...)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	struct line l = { .len = 0 };
	if (!pgofs_log_enabled(level))
		return;

	bool json = config.format == PGOFS_LOG_JSON;
	if (json)
		put(&l, "{");
	put_head(&l, level, event);

	va_list args;
	va_start(args, event);
	const char *key;
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);
		if (value)
			put_pair(&l, key, value);
	}
	va_end(args);

	/* put() keeps room for these */
	if (json)
		l.text[l.len++] = '}';
	if (config.syslog) {
		syslog(priorities[level], "%.*s", (int)l.len, l.text);
		return;
	}
	l.text[l.len++] = '\n';
	if (atomic_exchange(&status_shown, false)) {
		memmove(l.text + strlen(CLEAR_LINE), l.text, l.len);
		memcpy(l.text, CLEAR_LINE, strlen(CLEAR_LINE));
		l.len += strlen(CLEAR_LINE);
	}
	if (write(STDERR_FILENO, l.text, l.len) < 0)
		return; /* nowhere left to say it */
}

void pgofs_log_status(const char *text)
{
	struct line l = { .len = 0 };
	put(&l, CLEAR_LINE);
	put(&l, text ? text : "");
	if (!atomic_exchange(&status_shown, text != NULL) && !text)
		return;
	if (write(STDERR_FILENO, l.text, l.len) < 0)
		return;
}
