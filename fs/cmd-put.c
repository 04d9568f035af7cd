/* pgofs put: files profiles under the time each carries.
 *
 * Doing it again changes nothing: a file's place follows from its content (and from --source), so the same profile finds itself there
 * already. Two different profiles of one millisecond and one source are told apart by their content's hash in the name. */
#include "command.h"
#include "input.h"
#include "path.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool help, quiet;
	char *source;
	struct pgofs_strings storage;
};

static const struct pgofs_option table[] = {
	{ "source", 's', PGOFS_OPTION_STRING, offsetof(struct options, source), NULL, "NAME",
	  "where the profiles come from (a host, a pod); part of the stored name" },
	{ "quiet", 'q', PGOFS_OPTION_FLAG, offsetof(struct options, quiet), NULL, NULL,
	  "do not print where each went" },
	{ "options", 'o', PGOFS_OPTION_STRINGS, offsetof(struct options, storage), NULL, "OPTION,...",
	  "options of SOURCE, see below" },
	{ "help", 'h', PGOFS_OPTION_FLAG, offsetof(struct options, help), NULL, NULL, "print this and exit" },
	{ NULL },
};

static const struct pgofs_command command = { "put", pgofs_cmd_put, "[OPTIONS] SOURCE APP FILE...", NULL };

/* One profile on its way in. */
struct parcel {
	struct pgofs_tree *t;
	const char *app, *source;
	const struct pgofs_bytes *bytes;
	int64_t taken_ns;
	char path[PGOFS_PATH_SIZE];
};

static int is_there_already(const struct parcel *p, struct pgofs_error *err)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *there = NULL;
	int r = pgofs_tree_read(p->t, p->path, NULL, &there, err);
	if (r < 0)
		return r;
	if (there->len == p->bytes->len && !memcmp(there->data, p->bytes->data, there->len))
		return 0;
	return pgofs_error_set(err, -EEXIST, "%s: another profile is stored under this name", p->path);
}

static int store_as(struct parcel *p, const char *source, struct pgofs_error *err)
{
	char name[PGOFS_PATH_SIZE];
	int r = pgofs_path_join(p->path, p->app, pgofs_profile_path_format(name, p->taken_ns, source));
	if (r < 0)
		return pgofs_error_errno(err, r, "%s/%s", p->app, name);
	r = pgofs_tree_store(p->t, p->path, p->bytes->data, p->bytes->len, PGOFS_PUT_NEW, err);
	return r == -EEXIST ? is_there_already(p, err) : r;
}

static int store_apart(struct parcel *p, struct pgofs_error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char source[PGOFS_NAME_MAX];
	if (!EVP_Digest(p->bytes->data, p->bytes->len, hash, NULL, EVP_sha256(), NULL))
		return pgofs_error_errno(err, -ENOMEM, "%s", p->path);
	snprintf(source, sizeof source, "%.180s%s%02x%02x%02x%02x%02x%02x", p->source ? p->source : "",
		 p->source ? "-" : "", hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
	return store_as(p, source, err);
}

static int put_file(struct pgofs_tree *t, const struct options *o, const char *app, const char *file,
		    struct pgofs_error *err)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	const struct pgofs_tree_config *limits = pgofs_tree_config(t);
	struct pgofs_profile_info info;
	int64_t mtime_ns;
	int r = pgofs_input_read(file, limits->stored_max_bytes, &bytes, &mtime_ns, err);
	if (r < 0)
		return r;
	r = pgofs_pprof_check(bytes->data, bytes->len, limits->raw_max_bytes, &info, err);
	if (r < 0)
		return pgofs_error_wrap(err, r, "%s", file);

	struct parcel p = { .t = t,
			    .app = app,
			    .source = o->source && *o->source ? o->source : NULL,
			    .bytes = bytes,
			    .taken_ns = info.time_ns > 0 ? info.time_ns : mtime_ns };
	r = store_as(&p, p.source, err);
	if (r == -EEXIST)
		r = store_apart(&p, err);
	if (r == 0 && !o->quiet)
		printf("%s\n", p.path);
	return r < 0 ? pgofs_error_wrap(err, r, "put %s", file) : 0;
}

static int put(const void *options, int n, char **words)
{
	const struct options *o = options;
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	const struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	struct pgofs_error err = { "" };
	if (!pgofs_app_valid(words[1], strlen(words[1])))
		return pgofs_command_misused("put", "no app is called \"%s\"", words[1]);
	int code = pgofs_command_open("put", words[0], &o->storage, &config, &t);
	if (code != PGOFS_EXIT_DONE)
		return code;
	for (int i = 2; i < n; i++)
		if (put_file(t, o, words[1], words[i], &err) < 0)
			code = pgofs_command_failed("put", &err);
	return code;
}

int pgofs_cmd_put(int argc, char **argv)
{
	struct options o = { 0 };
	const struct pgofs_call call = {
		.command = &command,
		.about = "Stores profiles (\"-\" is stdin) under APP/YYYY/MM/DD/HHMMSS.fffZ[-NAME].pprof, by the time "
			 "each carries, else by the\n"
			 "file's. What Go's compiler could not use is refused. Storing the same profile again changes "
			 "nothing.",
		.table = table,
		.options = &o,
		.help = &o.help,
		.uses_source = true,
		.n_min = 3,
		.run = put,
	};
	return pgofs_call_run(&call, argc, argv);
}
