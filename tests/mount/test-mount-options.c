#include "mount-options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static int parse(struct pgofs_mount_options *o, const char *words, struct pgofs_error *err)
{
	char copy[512];
	snprintf(copy, sizeof copy, "%s", words);
	char *argv[] = { "mount", "-o", copy, "memory:", "/mnt", NULL };
	*o = (struct pgofs_mount_options){ 0 };
	return pgofs_mount_options_parse(o, 5, argv, err);
}

Test(mount_options, words_are_read_as_a_person_means_them)
{
	struct pgofs_mount_options o;
	struct pgofs_error err = { "" };
	const char *words = "ro,allow_other,fsname=a\\,b\\\\c,umask=027,file-mode=600,refresh=1m,max_profile=1MiB,,x-a="
			    "b,ready-timeout=1s";
	cr_assert_eq(parse(&o, words, &err), 0, "%s", err.text);
	cr_assert(o.tree.read_only && o.allow_other && !o.allow_root);
	cr_assert_str_eq(o.fsname, "a,b\\c");
	cr_assert_eq(o.file_mode, 0600);
	cr_assert_eq(o.dir_mode, 0750);
	cr_assert_eq(o.tree.refresh_ns, INT64_C(60000000000));
	cr_assert_eq(o.tree.stored_max_bytes, 1 << 20);
	cr_assert_eq(o.ready_fd, -1);
	cr_assert_str_eq(o.source, "memory:");
	cr_assert_gt(o.tree.memory_bytes, 0);
	cr_assert_geq(o.spool_bytes, 64 << 20);
	pgofs_mount_options_done(&o);
}

Test(mount_options, what_nobody_knows_is_named)
{
	static const struct {
		const char *words, *why;
	} cases[] = {
		{ "bogus", "bogus" },
		{ "ro,bogus_too=1", "bogus_too" },
		{ "options=ro", "options" },
		{ "refresh", "refresh" },
		{ "uid=-1", "uid" },
		{ "umask=08", "umask" },
		{ "dir_mode=1777", "dir-mode" },
		{ "allow_other,allow_root", "allow_root" },
		{ "ready-fd=1000", "ready-fd" },
		{ "threads=2000", "threads" },
		{ "max-profile=0", "max-profile" },
		{ "fetch=300", "fetch" },
		{ "memory=1000", "memory" },
		{ "spool=1MiB", "spool" },
	};
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct pgofs_mount_options o;
		struct pgofs_error err = { "" };
		cr_assert_eq(parse(&o, cases[k].words, &err), -EINVAL, "%s", cases[k].words);
		cr_assert_not_null(strstr(err.text, cases[k].why), "%s: %s", cases[k].words, err.text);
		pgofs_mount_options_done(&o);
	}
}
