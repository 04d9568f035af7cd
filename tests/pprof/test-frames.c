/* Patterns of frames to drop: matched as Go's regexp would, refused where Go refuses, and bounded where they are hostile. */
#include "../../pprof/frames.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct pgofs_pattern pattern(const char *text)
{
	return (struct pgofs_pattern){ (const uint8_t *)text, strlen(text) };
}

static int match(const char *drop, const char *keep, const char *name)
{
	struct pgofs_frames f;
	cr_assert_eq(pgofs_frames_init(&f, pattern(drop), pattern(keep)), 0);
	int r = pgofs_frames_match(&f, (const uint8_t *)name, strlen(name));
	pgofs_frames_done(&f);
	return r;
}

Test(frames, match_the_whole_name)
{
	cr_expect_eq(match("malloc|free", "", "malloc"), 1);
	cr_expect_eq(match("malloc|free", "", "free"), 1);
	cr_expect_eq(match("malloc", "", "mallocgc"), 0);
	cr_expect_eq(match("malloc", "", "malloc\n"), 0);
	cr_expect_eq(match("", "", "malloc"), 0);
}

Test(frames, keep_beats_drop)
{
	cr_expect_eq(match("m.*", "malloc", "malloc"), 0);
	cr_expect_eq(match("m.*", "malloc", "main"), 1);
}

Test(frames, match_without_arguments_and_leading_dot)
{
	cr_expect_eq(match("f", "", ".f(int, char)"), 1);
	cr_expect_eq(match("\\(anonymous namespace\\)::f", "", "(anonymous namespace)::f(int)"), 1);
	cr_expect_eq(match("T::operator\\(\\)", "", "T::operator()(int)"), 1);
}

Test(frames, drop_nothing_where_go_refuses_the_pattern)
{
	const char *const refused[] = { "(?=a)a",  "(?<!b)a", "(a)\\1", "a++", "a**",  "(?>a)",   "\\Ka",    "(?#x)a",
					"a{1001}", "(",       ")",      "[a",  "a\\Z", "(*F)a|a", "(?R)a|a", "\\ca|a" };
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		cr_expect_eq(match(refused[i], "", "a"), 0, "%s", refused[i]);
	cr_expect_eq(match("a", "(?=x)", "a"), 0);
}

Test(frames, understand_what_go_understands)
{
	const char *const taken[] = { "(?i)A", "(?P<n>a)", "(?:a)", "[[:alpha:]]", "\\Qa\\E", "a{1,3}?", "\\x61",
				      "\\pL",  "[^\\d]",   "a|",    "(?s:.)",      "[]a]",    "a{,5}|a", "\\ba\\b" };
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		cr_expect_eq(match(taken[i], "", "a"), 1, "%s", taken[i]);
}

Test(frames, keep_a_name_that_a_pattern_takes_too_long_for)
{
	const char *explodes = "(a|aa)+$x|(a|aa|aaa)+b|drop.me",
		   *costly = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac";
	cr_expect_eq(match(explodes, "", costly), 0);
	cr_expect_eq(match(explodes, "", "drop.me"), 1);
	cr_expect_eq(match("a.*", explodes, costly), 0);
	cr_expect_eq(match("a.*", explodes, "abc"), 1);
}

Test(frames, survive_any_bytes)
{
	struct pgofs_frames f;
	const uint8_t name[] = { 0xff, 0xfe, 'a', 0, 0xc3 };
	cr_assert_eq(pgofs_frames_init(&f, pattern("a.*"), pattern("")), 0);
	cr_expect_eq(pgofs_frames_match(&f, name, sizeof name), 0);
	pgofs_frames_done(&f);
	cr_assert_eq(pgofs_frames_init(&f, (struct pgofs_pattern){ (const uint8_t *)"a\0\xff[", 4 }, pattern("")), 0);
	pgofs_frames_done(&f);
}

Test(frames, never_drop_the_frames_before_the_first_users)
{
	const uint8_t drop = PGOFS_FRAME_DROP | PGOFS_FRAME_UNDER, under = PGOFS_FRAME_UNDER;
	cr_expect_eq(pgofs_frames_leaf((const uint8_t[]){ drop, 0, drop }, 3), 1);
	cr_expect_eq(pgofs_frames_leaf((const uint8_t[]){ drop, drop }, 2), 0);
	cr_expect_eq(pgofs_frames_leaf((const uint8_t[]){ 0, under, 0 }, 3), 1);
	cr_expect_eq(pgofs_frames_leaf((const uint8_t[]){ 0, drop, 0 }, 3), 2);
	cr_expect_eq(pgofs_frames_leaf((const uint8_t[]){ 0, 0 }, 2), 0);
}
