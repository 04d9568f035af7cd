#include <pgofs/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A file name or a server's answer may hold anything; the line it ends up in must stay one line. */
static void tidy(char *text, int wanted)
{
	if (wanted >= PGOFS_ERROR_TEXT_SIZE)
		memcpy(text + PGOFS_ERROR_TEXT_SIZE - 4, "...", 4);
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int pgofs_error_set(struct pgofs_error *err, int code, const char *format, ...)
{
	if (!err)
		return code;

	va_list args;
	va_start(args, format);
	int wanted = vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	tidy(err->text, wanted);
	return code;
}

int pgofs_error_errno(struct pgofs_error *err, int code, const char *format, ...)
{
	char doing[PGOFS_ERROR_TEXT_SIZE], why[128];
	if (!err)
		return code;

	va_list args;
	va_start(args, format);
	vsnprintf(doing, sizeof doing, format, args);
	va_end(args);
	return pgofs_error_set(err, code, "%s: %s", doing, strerror_r(-code, why, sizeof why));
}

int pgofs_error_wrap(struct pgofs_error *err, int code, const char *format, ...)
{
	char outer[PGOFS_ERROR_TEXT_SIZE], inner[PGOFS_ERROR_TEXT_SIZE];
	if (!err)
		return code;

	va_list args;
	va_start(args, format);
	vsnprintf(outer, sizeof outer, format, args);
	va_end(args);
	if (!err->text[0])
		return pgofs_error_errno(err, code, "%s", outer);
	memcpy(inner, err->text, sizeof inner);
	return pgofs_error_set(err, code, "%s: %s", outer, inner);
}
