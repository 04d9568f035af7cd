/* What check refuses, and in which words: every file of bad/, and some limits. And what it says of a good one. */
#include "made.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

static const struct {
	const char *file, *words;
} bad[] = {
	{ "404-page-not-found", "this is text, not a profile: \"404 page not found\"" },
	{ "all-zero", "all values are 0" },
	{ "already-profiling",
	  "this is text, not a profile: \"Could not enable CPU profiling: cpu profiling already in use...\"" },
	{ "cpu-in-milliseconds",
	  "not a CPU profile: its sample types are cpu/milliseconds; samples/count or cpu/nanoseconds is needed" },
	{ "empty-gzip", "it is empty" },
	{ "empty", "it is empty" },
	{ "execution-trace", "this is an execution trace, not a CPU profile" },
	{ "few-start-lines", "only 4.8 % of the samples are in functions with a start line: Go could match no others" },
	{ "field-cut-off", "broken profile: a field of 9 bytes, where only 6 are left" },
	{ "first-string-not-empty", "broken profile: the first string is not empty" },
	{ "function-twice", "broken profile: two functions have the id 1" },
	{ "goroutines", "this is a goroutine profile in a text format; a CPU profile is needed" },
	{ "gzip-header-only", "the gzip is cut off" },
	{ "gzip-in-gzip", "this is gzip within gzip" },
	{ "gzip-then-garbage", "7 bytes follow the gzip" },
	{ "gzip-truncated", "the gzip is broken or cut off" },
	{ "gzip-wrong-crc", "the gzip is broken or cut off" },
	{ "heap", "not a CPU profile: its sample types are alloc_objects/count, alloc_space/bytes; samples/count or "
		  "cpu/nanoseconds is needed" },
	{ "html", "this is an HTML page, not a profile: \"<!DOCTYPE html>\"" },
	{ "legacy-cpu", "this is a CPU profile in a format of before 2016; a protobuf profile is needed" },
	{ "line-without-function", "broken profile: location 3 has a line without a function" },
	{ "location-twice", "broken profile: two locations have the id 1" },
	{ "location-zero", "broken profile: a location has the id 0, which means none" },
	{ "mapping-zero", "broken profile: a mapping has the id 0, which means none" },
	{ "negative-string", "broken profile: a string is named that is not in the table of 7" },
	{ "negative", "negative values: this is the difference of two profiles, not a profile" },
	{ "no-calls", "no calls: no sample has one function called by another" },
	{ "no-sample-types", "not a CPU profile: it has no sample types" },
	{ "no-samples", "no samples: the program was idle, or was not profiled for long" },
	{ "no-stacks", "no sample has a stack" },
	{ "no-start-lines", "no function has a start line: built by a Go before 1.20, or symbolized by another tool" },
	{ "no-string-table", "broken profile: a string is named that is not in the table of 0" },
	{ "no-such-function", "broken profile: location 3 names function 9, which is not there" },
	{ "no-such-location-in-zero-sample", "a sample names location 9, which is not there" },
	{ "no-such-location", "a sample names location 9, which is not there" },
	{ "no-such-string-in-label", "a label names a string that is not in the table of 7" },
	{ "no-such-string", "broken profile: a string is named that is not in the table of 7" },
	{ "not-symbolized", "no sample has a function's name: it was not symbolized" },
	{ "preprofile", "this is the output of go tool preprofile; the profile it was made from is needed" },
	{ "random-bytes", "broken profile: unknown wire type 4" },
	{ "same-type-twice", "two of its sample types have the same name" },
	{ "text-in-gzip", "this is text, not a profile: \"404 page not found\"" },
	{ "too-few-values", "a sample has 1 values where the profile has 2 sample types" },
	{ "too-many-values", "a sample has 3 values where the profile has 2 sample types" },
	{ "two-gzips", "these are two profiles in one file" },
	{ "two-profiles-with-times", "these are two profiles in one file" },
	{ "two-profiles", "these are two profiles in one file" },
	{ "varint-too-long", "broken profile: a varint is cut off or too long" },
	{ "wire-type-4", "broken profile: unknown wire type 4" },
	{ "wire-type-mismatch", "broken profile: field 6 has wire type 0, which it cannot have" },
	{ "zero-where-go-looks", "all values are 0" },
};

static int check_file(const char *name, struct pgofs_error *err)
{
	char path[512];
	uint8_t stored[8192];
	snprintf(path, sizeof path, "%s/%s.pprof", BAD_DIR, name);
	_cleanup_(pgofs_fclosep) FILE *f = fopen(path, "re");
	cr_assert_not_null(f, "%s", path);
	size_t len = fread(stored, 1, sizeof stored, f);
	return pgofs_pprof_check(stored, len, PGOFS_RAW_MAX, NULL, err);
}

Test(check, refuses_each_bad_file_in_words)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct pgofs_error err = { "" };
		cr_expect_eq(check_file(bad[i].file, &err), -EINVAL, "%s", bad[i].file);
		cr_expect_str_eq(err.text, bad[i].words, "%s: %s", bad[i].file, err.text);
	}
}

Test(check, knows_every_bad_file)
{
	size_t n = 0;
	DIR *dir = opendir(BAD_DIR);
	cr_assert_not_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		n += strstr(e->d_name, ".pprof") != NULL;
	closedir(dir);
	cr_expect_eq(n, sizeof bad / sizeof *bad);
}

static int check_made(const struct made *m, size_t max_raw, struct pgofs_profile_info *info, struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(PGOFS_RAW_MAX);
	made_pack(m, &raw);
	return pgofs_pprof_check(raw.data, raw.len, max_raw, info, err);
}

Test(check, tells_what_a_good_profile_says)
{
	_cleanup_(made_freep) struct made *m = made_usable();
	struct pgofs_profile_info info;
	struct pgofs_error err = { "" };
	uint64_t c = made_location(m, 0x404000, made_function(m, "cgo", 0), 0);
	MADE_SAMPLE(m, 1, 10000000, c, 1);
	MADE_SAMPLE(m, 0, 0, c, 1);
	cr_assert_eq(check_made(m, PGOFS_RAW_MAX, &info, &err), 0, "%s", err.text);
	cr_expect_eq(info.time_ns, m->p->time_nanos);
	cr_expect_eq(info.duration_ns, m->p->duration_nanos);
	cr_expect_eq(info.n_samples, 2);
	cr_expect_eq(info.total_count, 4);
	cr_expect_eq(info.total_cpu_ns, 40000000);
	cr_expect_eq(info.start_line_share, 0.75);
	cr_expect_str_eq(info.build_id, "build1");
}

Test(check, may_be_asked_for_nothing_but_the_verdict)
{
	_cleanup_(made_freep) struct made *m = made_usable();
	cr_expect_eq(check_made(m, PGOFS_RAW_MAX, NULL, NULL), 0);
}

Test(check, respects_the_limit_on_what_it_inflates)
{
	_cleanup_(made_freep) struct made *m = made_usable();
	struct pgofs_error err = { "" };
	cr_expect_eq(check_made(m, 100, NULL, &err), -EFBIG);
	cr_expect_str_eq(err.text, "more than 100 bytes: File too large");
}
