#include <pgofs/cleanup.h>
#include <pgofs/options.h>
#include <pgofs/units.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int pgofs_strings_add(struct pgofs_strings *s, const char *text)
{
	char **items = realloc(s->items, (s->n + 2) * sizeof *items);
	if (!items)
		return -ENOMEM;
	s->items = items;
	items[s->n] = strdup(text);
	if (!items[s->n])
		return -ENOMEM;
	items[++s->n] = NULL;
	return 0;
}

void pgofs_strings_done(struct pgofs_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct pgofs_strings){ 0 };
}

static bool is_called(const struct pgofs_option *o, const char *name, size_t len)
{
	size_t i = 0;
	while (i < len && o->name[i] && o->name[i] == (name[i] == '_' ? '-' : name[i]))
		i++;
	return i == len && !o->name[i];
}

const struct pgofs_option *pgofs_options_find(const struct pgofs_option *table, const char *name, size_t len)
{
	for (; table->name; table++)
		if (is_called(table, name, len))
			return table;
	return NULL;
}

static const struct pgofs_option *find_letter(const struct pgofs_option *table, char letter)
{
	for (; table->name; table++)
		if (table->letter == letter)
			return table;
	return NULL;
}

static int set_flag(bool *at, const char *value)
{
	if (!value || !strcmp(value, "yes"))
		*at = true;
	else if (!strcmp(value, "no"))
		*at = false;
	else
		return -EINVAL;
	return 0;
}

static int set_string(char **at, const char *value)
{
	char *copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static int set_count(int64_t *at, const char *value)
{
	char *end;
	errno = 0;
	long long n = strtoll(value, &end, 10);
	if (end == value || *end || errno || n < 0)
		return -EINVAL;
	*at = n;
	return 0;
}

int pgofs_option_set(const struct pgofs_option *o, void *into, const char *value, struct pgofs_error *err)
{
	void *at = (char *)into + o->offset;
	int r = -EINVAL;
	if (!value && o->type != PGOFS_OPTION_FLAG)
		return pgofs_error_set(err, -EINVAL, "option %s needs a value, %s", o->name, o->arg);

	switch (o->type) {
	case PGOFS_OPTION_FLAG:
		r = set_flag(at, value);
		break;
	case PGOFS_OPTION_STRING:
		r = set_string(at, value);
		break;
	case PGOFS_OPTION_STRINGS:
		r = pgofs_strings_add(at, value);
		break;
	case PGOFS_OPTION_DURATION:
		r = pgofs_duration_parse(value, at);
		break;
	case PGOFS_OPTION_SIZE:
		r = pgofs_size_parse(value, at);
		break;
	case PGOFS_OPTION_COUNT:
		r = set_count(at, value);
		break;
	}
	if (r == -ENOMEM)
		return pgofs_error_errno(err, r, "option %s", o->name);
	if (r < 0) {
		static const char *const wants[] = {
			[PGOFS_OPTION_FLAG] = "yes or no",
			[PGOFS_OPTION_DURATION] = "a time such as 30s, 5m, 24h or 7d",
			[PGOFS_OPTION_SIZE] = "a size such as 512KiB, 64MiB or 1GiB",
			[PGOFS_OPTION_COUNT] = "a whole number",
		};
		return pgofs_error_set(err, -EINVAL, "option %s: \"%s\" is not %s", o->name, value, wants[o->type]);
	}
	return 0;
}

int pgofs_options_init(const struct pgofs_option *table, void *into, struct pgofs_error *err)
{
	for (; table->name; table++) {
		if (!table->initial)
			continue;
		int r = pgofs_option_set(table, into, table->initial, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void pgofs_options_done(const struct pgofs_option *table, void *into)
{
	for (; table->name; table++) {
		void *at = (char *)into + table->offset;
		if (table->type == PGOFS_OPTION_STRING) {
			free(*(char **)at);
			*(char **)at = NULL;
		} else if (table->type == PGOFS_OPTION_STRINGS) {
			pgofs_strings_done(at);
		}
	}
}

int pgofs_options_each_word(const char *words, pgofs_option_word_fn take, void *context, struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) char *word = malloc(strlen(words) + 1);
	size_t len = 0;
	if (!word)
		return pgofs_error_errno(err, -ENOMEM, "options");
	for (const char *at = words;; at++) {
		if (*at == '\\' && (at[1] == ',' || at[1] == '\\')) {
			word[len++] = *++at;
		} else if (*at && *at != ',') {
			word[len++] = *at;
		} else {
			word[len] = '\0';
			int r = len ? take(context, word, err) : 0;
			if (r < 0 || !*at)
				return r;
			len = 0;
		}
	}
}

struct words {
	int argc;
	char **argv;
	int at;
};

static const char *next_word(struct words *w)
{
	return w->at + 1 < w->argc ? w->argv[++w->at] : NULL;
}

static int parse_long(const struct pgofs_option *table, void *into, struct words *w, struct pgofs_error *err)
{
	const char *name = w->argv[w->at] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct pgofs_option *o = pgofs_options_find(table, name, len);
	if (!o)
		return pgofs_error_set(err, -EINVAL, "unknown option --%.*s", (int)len, name);
	const char *value = equals ? equals + 1 : NULL;
	if (!value && o->type != PGOFS_OPTION_FLAG)
		value = next_word(w);
	return pgofs_option_set(o, into, value, err);
}

/* "-f", "-fv", "-o VALUE", "-oVALUE". */
static int parse_letters(const struct pgofs_option *table, void *into, struct words *w, struct pgofs_error *err)
{
	for (const char *at = w->argv[w->at] + 1; *at; at++) {
		const struct pgofs_option *o = find_letter(table, *at);
		if (!o)
			return pgofs_error_set(err, -EINVAL, "unknown option -%c", *at);
		const char *value = NULL;
		if (o->type != PGOFS_OPTION_FLAG)
			value = at[1] ? at + 1 : next_word(w);
		int r = pgofs_option_set(o, into, value, err);
		if (r < 0 || value)
			return r;
	}
	return 0;
}

int pgofs_options_parse_argv(const struct pgofs_option *table, void *into, int argc, char **argv,
			     struct pgofs_error *err)
{
	struct words w = { argc, argv, 1 };
	int n = 0;
	for (; w.at < argc; w.at++) {
		char *word = argv[w.at];
		int r = 0;
		if (!strcmp(word, "--")) {
			while (++w.at < argc)
				argv[++n] = argv[w.at];
			break;
		}
		if (word[0] == '-' && word[1] == '-')
			r = parse_long(table, into, &w, err);
		else if (word[0] == '-' && word[1])
			r = parse_letters(table, into, &w, err);
		else
			argv[++n] = word;
		if (r < 0)
			return r;
	}
	return n;
}

void pgofs_options_help(const struct pgofs_option *table, FILE *to)
{
	for (; table->name; table++) {
		char left[64];
		int len = snprintf(left, sizeof left, "  %c%c%s--%s%s%s", table->letter ? '-' : ' ',
				   table->letter ? table->letter : ' ', table->letter ? ", " : "  ", table->name,
				   table->arg ? "=" : "", table->arg ? table->arg : "");
		if (len > 30)
			fprintf(to, "%s\n%32s", left, "");
		else
			fprintf(to, "%-32s", left);
		fprintf(to, "%s", table->help);
		if (table->initial)
			fprintf(to, " (default: %s)", table->initial);
		fputc('\n', to);
	}
}
