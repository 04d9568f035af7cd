/* pgofs merge: files in, one merged file out; no storage, no mount.
 *
 * Inputs are merged in the order they are named, as `go tool pprof` does. Whoever names a file wants it in: a broken one fails
 * the command, unless --skip-broken says otherwise. */
#include "command.h"
#include "input.h"
#include "merging.h"
#include "output.h"

#include <pgofs/name.h>
#include <pgofs/progress.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct options {
	bool help, skip_broken;
	char *out, *view;
	int64_t n_threads;
};

static const struct pgofs_option table[] = {
	{ "output", 'o', PGOFS_OPTION_STRING, offsetof(struct options, out), "-", "OUT",
	  "write here; its ending, .pprof, .pgo or .txt, chooses the view" },
	{ "view", 0, PGOFS_OPTION_STRING, offsetof(struct options, view), NULL, "VIEW",
	  "pprof, pgo or txt, whatever OUT is called" },
	{ "skip-broken", 0, PGOFS_OPTION_FLAG, offsetof(struct options, skip_broken), NULL, NULL,
	  "leave out files that cannot be used, instead of failing" },
	{ "threads", 0, PGOFS_OPTION_COUNT, offsetof(struct options, n_threads), "0", "N",
	  "threads that read and decode ahead of the one that merges; 0: one a processor" },
	{ "help", 'h', PGOFS_OPTION_FLAG, offsetof(struct options, help), NULL, NULL, "print this and exit" },
	{ NULL },
};

static const struct pgofs_command command = { "merge", pgofs_cmd_merge, "[-o OUT] [OPTIONS] FILE...", NULL };

struct files {
	const struct options *o;
	char **names;
	char source[PGOFS_NAME_MAX + 1]; /* of the file being described */
	int n_skipped;
};

static int fetch(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	const struct files *f = context;
	return pgofs_input_read(f->names[i], PGOFS_RAW_MAX, ret, NULL, err);
}

static uint64_t size_of(void *context, size_t i)
{
	const struct files *f = context;
	struct stat st;
	return stat(f->names[i], &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

static void describe(void *context, size_t i, struct pgofs_merge_input *ret)
{
	struct files *f = context;
	struct stat st = { 0 };
	size_t len;
	const char *slash = strrchr(f->names[i], '/');
	const char *source = pgofs_source_of(slash ? slash + 1 : f->names[i], &len);
	stat(f->names[i], &st);
	snprintf(f->source, sizeof f->source, "%.*s", (int)len, source);
	*ret = (struct pgofs_merge_input){ .path = f->names[i],
					   .source = len ? f->source : NULL,
					   .stored_bytes = (size_t)st.st_size };
}

static int skipped(void *context, size_t i, const char *why, struct pgofs_error *err)
{
	struct files *f = context;
	if (!f->o->skip_broken)
		return pgofs_error_set(err, -EINVAL, "%s: %s", f->names[i], why);
	f->n_skipped++;
	fprintf(stderr, "pgofs merge: skipped %s: %s\n", f->names[i], why);
	return 0;
}

static int merge(const struct options *o, enum pgofs_view view, int n, char **names, struct pgofs_error *err)
{
	_cleanup_(pgofs_progress_done) struct pgofs_progress progress = pgofs_progress_new("merged", "profiles");
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct files files = { .o = o, .names = names };
	const struct pgofs_merging merging = {
		.view = view,
		.n = (size_t)n,
		.context = &files,
		.fetch = fetch,
		.size_of = size_of,
		.describe = describe,
		.skipped = skipped,
		.progress = pgofs_progress_step,
		.progress_context = &progress,
		.n_fetch = o->n_threads ? (unsigned)o->n_threads : pgofs_merging_n_inflate(),
		.raw_max_bytes = PGOFS_RAW_MAX,
		.memory_bytes = 32 * PGOFS_MIB,
	};
	int r = pgofs_merging_run(&merging, &bytes, err);
	if (r == -ENODATA && files.n_skipped == n)
		return pgofs_error_set(err, r, "no file could be used");
	if (r < 0)
		return r;
	if (!strcmp(o->out, "-"))
		return pgofs_output_stdout(bytes->data, bytes->len, err);
	return pgofs_output_file(o->out, bytes->data, bytes->len, err);
}

static int choose_view(const struct options *o, enum pgofs_view *ret)
{
	const char *dot = strrchr(o->out, '.'), *slash = strrchr(o->out, '/');
	if (o->view)
		return pgofs_view_parse(o->view, ret) < 0
			   ? pgofs_command_misused("merge", "--view %s: pprof, pgo or txt", o->view)
			   : PGOFS_EXIT_DONE;
	*ret = PGOFS_VIEW_PPROF;
	struct stat st;
	if (!strcmp(o->out, "-") || (stat(o->out, &st) == 0 && !S_ISREG(st.st_mode)))
		return PGOFS_EXIT_DONE;
	if (!dot || (slash && dot < slash) || pgofs_view_parse(dot + 1, ret) < 0)
		return pgofs_command_misused(
		    "merge", "-o %s: ends in none of .pprof, .pgo and .txt, and no --view says which", o->out);
	return PGOFS_EXIT_DONE;
}

static int run(const void *options, int n, char **words)
{
	const struct options *o = options;
	struct pgofs_error err = { "" };
	enum pgofs_view view;
	int code = choose_view(o, &view);
	if (code)
		return code;
	if (o->n_threads > 64)
		return pgofs_command_misused("merge", "--threads %lld: at most 64", (long long)o->n_threads);
	if (!strcmp(o->out, "-") && view != PGOFS_VIEW_TXT && isatty(STDOUT_FILENO))
		return pgofs_command_misused("merge", "a profile is not for a terminal: -o OUT, or --view txt");
	int r = merge(o, view, n, words, &err);
	return r == 0 ? PGOFS_EXIT_DONE : r == -EPIPE ? PGOFS_EXIT_FAILED : pgofs_command_failed("merge", &err);
}

int pgofs_cmd_merge(int argc, char **argv)
{
	struct options o = { 0 };
	const struct pgofs_call call = {
		.command = &command,
		.about = "Merges profiles (\"-\" is stdin) in the order they are named. The .pprof is what go tool "
			 "pprof -proto -symbolize=none\n"
			 "gives; the .pgo is what Go's compiler reads of it, small enough to commit; the .txt tells "
			 "what is in it.",
		.table = table,
		.options = &o,
		.help = &o.help,
		.n_min = 1,
		.run = run,
	};
	return pgofs_call_run(&call, argc, argv);
}
