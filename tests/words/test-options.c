#include <pgofs/options.h>
#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

struct config {
	bool foreground;
	char *into;
	struct pgofs_strings targets;
	int64_t interval_ns;
	uint64_t spool_bytes;
	int64_t replicas;
};

#define AT(field) offsetof(struct config, field)
static const struct pgofs_option table[] = {
	{ "foreground", 'f', PGOFS_OPTION_FLAG, AT(foreground), NULL, NULL, "stay" },
	{ "into", 'i', PGOFS_OPTION_STRING, AT(into), NULL, "DIR", "where" },
	{ "target", 't', PGOFS_OPTION_STRINGS, AT(targets), NULL, "NAME=URL", "what" },
	{ "interval", 0, PGOFS_OPTION_DURATION, AT(interval_ns), "30m", "TIME", "how often" },
	{ "spool", 0, PGOFS_OPTION_SIZE, AT(spool_bytes), "64MiB", "SIZE", "how much" },
	{ "replicas", 0, PGOFS_OPTION_COUNT, AT(replicas), NULL, "N", "how many" },
	{ NULL },
};

Test(options, reads_a_command_line)
{
	struct config c = { 0 };
	struct pgofs_error err = { "" };
	char *argv[] = { "x",   "one",        "-fi", "d",  "--target=a=b", "two", "--target",
			 "c=d", "--interval", "5m",  "--", "--three",      NULL };
	cr_assert_eq(pgofs_options_init(table, &c, &err), 0);
	cr_assert_eq(c.interval_ns, 30 * PGOFS_NS_PER_MIN);
	cr_assert_eq(pgofs_options_parse_argv(table, &c, 12, argv, &err), 3);
	cr_assert_str_eq(argv[1], "one");
	cr_assert_str_eq(argv[2], "two");
	cr_assert_str_eq(argv[3], "--three");
	cr_assert(c.foreground);
	cr_assert_str_eq(c.into, "d");
	cr_assert_eq(c.targets.n, 2);
	cr_assert_str_eq(c.targets.items[0], "a=b");
	cr_assert_str_eq(c.targets.items[1], "c=d");
	cr_assert_eq(c.interval_ns, 5 * PGOFS_NS_PER_MIN);
	cr_assert_eq(c.spool_bytes, 64 << 20);
	pgofs_options_done(table, &c);
}

Test(options, say_what_is_wrong)
{
	static const struct {
		const char *word, *text;
	} rows[] = {
		{ "--nope", "unknown option --nope" },
		{ "-z", "unknown option -z" },
		{ "--into", "option into needs a value, DIR" },
		{ "--interval=soon", "option interval: \"soon\" is not a time such as 30s, 5m, 24h or 7d" },
		{ "--replicas=-1", "option replicas: \"-1\" is not a whole number" },
		{ "--foreground=maybe", "option foreground: \"maybe\" is not yes or no" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config c = { 0 };
		struct pgofs_error err = { "" };
		char *argv[] = { "x", (char *)rows[i].word, NULL };
		cr_assert_eq(pgofs_options_parse_argv(table, &c, 2, argv, &err), -EINVAL);
		cr_assert_str_eq(err.text, rows[i].text);
		pgofs_options_done(table, &c);
	}
}
