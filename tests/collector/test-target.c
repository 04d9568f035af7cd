#include "target.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(target, completes_a_url)
{
	static const struct {
		const char *url, *complete, *source;
	} rows[] = {
		{ "http://h:6060", "http://h:6060/debug/pprof/profile?seconds=30", "h_6060" },
		{ "http://h:6060/", "http://h:6060/debug/pprof/profile?seconds=30", "h_6060" },
		{ "https://h", "https://h/debug/pprof/profile?seconds=30", "h_443" },
		{ "HTTP://h/x/profile", "http://h/x/profile?seconds=30", "h_80" },
		{ "http://h/p?a=b", "http://h/p?a=b&seconds=30", "h_80" },
		{ "http://h/p?seconds=5", "http://h/p?seconds=30", "h_80" },
		{ "http://h/p?seconds=5&a=b&&seconds=6#f", "http://h/p?a=b&seconds=30", "h_80" },
		{ "http://[fd00::1]:6060", "http://[fd00::1]:6060/debug/pprof/profile?seconds=30", "_fd00__1__6060" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct target t;
		struct pgofs_error err = { "" };
		struct target_words words = { .url = rows[i].url, .duration_ns = 30 * PGOFS_NS_PER_S };
		cr_assert_eq(target_init(&t, &words, &err), 0, "%s: %s", rows[i].url, err.text);
		cr_assert_str_eq(t.url, rows[i].complete);
		cr_assert_str_eq(t.source, rows[i].source);
		cr_assert_str_eq(t.app, "");
		target_done(&t);
	}
}

Test(target, refuses_what_makes_no_file_name_or_url)
{
	static const struct target_words rows[] = {
		{ .app = "merged", .url = "http://h" }, { .app = "../x", .url = "http://h" },
		{ .source = "", .url = "http://h" },    { .source = "a/b", .url = "http://h" },
		{ .source = "a b", .url = "http://h" }, { .url = "" },
		{ .url = "file:///etc/passwd" },        { .url = "gopher://h/" },
		{ .url = "http://user:pass@h/" },       { .url = "http://user@h/" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct target t;
		struct pgofs_error err = { "" };
		struct target_words words = rows[i];
		words.duration_ns = PGOFS_NS_PER_S;
		cr_assert_eq(target_init(&t, &words, &err), -EINVAL, "row %zu", i);
		cr_assert(err.text[0]);
		cr_assert_not(strstr(err.text, "pass@"), "a password is told: %s", err.text);
	}
}

static void add(struct targets *list, const char *app, const char *source, const char *url)
{
	struct target t;
	struct target_words words = { .app = app, .source = source, .url = url, .duration_ns = PGOFS_NS_PER_S };
	cr_assert_eq(target_init(&t, &words, NULL), 0);
	cr_assert_eq(targets_consume(list, &t), 0);
}

Test(target, keeps_one_of_each)
{
	struct targets list = { 0 };
	add(&list, "b", "x", "http://h:1");
	add(&list, "a", "y", "http://h:3");
	add(&list, "a", "y", "http://h:2");
	add(&list, "a", "x", "http://h:1");
	cr_assert_eq(targets_unique(&list, NULL), 1);
	cr_assert_eq(list.n, 3);
	cr_assert_str_eq(list.items[0].source, "x");
	cr_assert_str_eq(list.items[1].url, "http://h:2/debug/pprof/profile?seconds=1");
	cr_assert_str_eq(list.items[2].app, "b");
	targets_done(&list);
}
