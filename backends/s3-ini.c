/* The dialect of INI that AWS's tools share. Three things set it apart from others: names are the same in any case, a
 * comment needs a blank before it, and a setting without a value opens a nest of indented ones under its name.
 *
 * No library in Debian reads this dialect; a line that is none of a section, a setting or a comment is passed over, as the
 * AWS tools pass over settings they do not know. The file is kept as one text whose lines are cut up in place. */
#include "s3-ini.h"

#include <pgofs/buf.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((size_t)1 << 20)

struct setting {
	const char *section; /* all borrowed from the text */
	const char *nest;    /* "s3", or "" */
	const char *name;    /* NULL: the section itself */
	const char *value;
};

struct s3_ini {
	char *text;
	size_t len;
	struct setting *settings;
	size_t n;
	size_t cap;
};

static char *trim(char *s)
{
	s += strspn(s, " \t");
	size_t len = strlen(s);
	while (len && strchr(" \t\r", s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

static void cut_comment(char *s)
{
	for (char *c = s; *c; c++)
		if ((*c == '#' || *c == ';') && (c == s || isblank((unsigned char)c[-1]))) {
			*c = '\0';
			return;
		}
}

static int add(struct s3_ini *ini, struct setting s)
{
	if (ini->n == ini->cap) {
		size_t cap = ini->cap ? ini->cap * 2 : 32;
		struct setting *more = realloc(ini->settings, cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		ini->settings = more;
		ini->cap = cap;
	}
	ini->settings[ini->n++] = s;
	return 0;
}

/* Where the reading stands: in which section, and under which setting that opened a nest. */
struct place {
	const char *section;
	const char *nest;
};

static int read_line(struct s3_ini *ini, struct place *at, char *line)
{
	bool indented = isblank((unsigned char)*line);
	cut_comment(line);
	line = trim(line);
	if (*line == '[') {
		line[strcspn(line, "]")] = '\0';
		at->section = trim(line + 1);
		at->nest = "";
		return add(ini, (struct setting){ .section = at->section });
	}

	char *equals = strchr(line, '=');
	if (!equals || !at->section)
		return 0;
	*equals = '\0';
	struct setting s = { at->section, indented ? at->nest : "", trim(line), trim(equals + 1) };
	if (!indented)
		at->nest = *s.value ? "" : s.name;
	return add(ini, s);
}

int s3_ini_parse(const char *text, size_t len, struct s3_ini **ret)
{
	_cleanup_(s3_ini_freep) struct s3_ini *ini = calloc(1, sizeof *ini);
	if (!ini || !(ini->text = strndup(text, len)))
		return -ENOMEM;
	ini->len = strlen(ini->text);

	struct place at = { NULL, "" };
	for (char *line = ini->text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (read_line(ini, &at, line) < 0)
			return -ENOMEM;
	}
	*ret = STEAL(ini);
	return 0;
}

int s3_ini_read(const char *path, struct s3_ini **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pgofs_error_errno(err, -errno, "%s", path);

	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(FILE_MAX_BYTES);
	int r = pgofs_buf_reserve(&b, FILE_MAX_BYTES);
	ssize_t n = 1;
	while (r == 0 && b.len < b.max && (n = read(fd, b.data + b.len, b.max - b.len)) > 0)
		b.len += (size_t)n;
	if (n < 0)
		r = -errno;
	if (r == 0)
		r = b.len == b.max ? -EFBIG : s3_ini_parse((const char *)b.data, b.len, ret);
	if (b.data)
		OPENSSL_cleanse(b.data, b.len);
	return r < 0 ? pgofs_error_errno(err, r, "%s", path) : 0;
}

void s3_ini_free(struct s3_ini *ini)
{
	if (!ini)
		return;
	if (ini->text)
		OPENSSL_cleanse(ini->text, ini->len);
	free(ini->text);
	free(ini->settings);
	free(ini);
}

bool s3_ini_has(const struct s3_ini *ini, const char *section)
{
	for (size_t i = 0; ini && i < ini->n; i++)
		if (!strcmp(ini->settings[i].section, section))
			return true;
	return false;
}

static bool named(const struct setting *s, const char *name)
{
	if (!s->name)
		return false;
	size_t nest = strlen(s->nest);
	if (nest && (strncasecmp(name, s->nest, nest) || name[nest] != '.'))
		return false;
	return !strcasecmp(s->name, nest ? name + nest + 1 : name);
}

const char *s3_ini_get(const struct s3_ini *ini, const char *section, const char *name)
{
	const char *value = NULL;
	for (size_t i = 0; ini && i < ini->n; i++)
		if (!strcmp(ini->settings[i].section, section) && named(&ini->settings[i], name))
			value = ini->settings[i].value; /* the last one counts */
	return value;
}
