#include "config.h"

#include "discover-dns.h"
#include "document.h"
#include "watch.h"

#include <pgofs/cleanup.h>
#include <pgofs/log.h>
#include <pgofs/name.h>
#include <pgofs/units.h>

#include <errno.h>
#include <string.h>

/* What can be said of a job, on the command line (offsets into struct config) as in the file (into struct job). */
#define JOB_OPTIONS(AT)                                                                                                     \
	{ "target", 0, PGOFS_OPTION_STRINGS, AT(target), NULL, "NAME=URL", "a program to profile; may be repeated" },       \
	    { "file-sd",                                                                                                    \
	      0,                                                                                                            \
	      PGOFS_OPTION_STRINGS,                                                                                         \
	      AT(file_sd),                                                                                                  \
	      NULL,                                                                                                         \
	      "PATTERN",                                                                                                    \
	      "files that list targets, in Prometheus' format" },                                                           \
	    { "dns", 0, PGOFS_OPTION_STRINGS, AT(dns), NULL, "NAME:PORT", "every address of this name is a target" },       \
	    { "dns-srv", 0, PGOFS_OPTION_STRINGS, AT(dns_srv), NULL, "NAME", "every SRV record of this name is a target" }, \
	    { "app", 0, PGOFS_OPTION_STRING, AT(app), NULL, "APP", "file profiles under DIR/APP" },                         \
	    { "scheme", 0, PGOFS_OPTION_STRING, AT(scheme), "http", "SCHEME", "of targets found: http or https" },          \
	    { "path", 0, PGOFS_OPTION_STRING, AT(path), "/debug/pprof/profile", "PATH", "of targets found" },               \
	    { "replicas", 0, PGOFS_OPTION_COUNT, AT(replicas), "0", "N", "targets of an app to profile a round; 0: all" },  \
	    { "ca-file", 0, PGOFS_OPTION_STRING, AT(access.ca_file), NULL, "FILE", "trust these certificates (PEM)" },      \
	    { "cert-file", 0, PGOFS_OPTION_STRING, AT(access.cert_file), NULL, "FILE", "client certificate (PEM)" },        \
	    { "key-file", 0, PGOFS_OPTION_STRING, AT(access.key_file), NULL, "FILE", "its key (PEM)" },                     \
	    { "server-name",                                                                                                \
	      0,                                                                                                            \
	      PGOFS_OPTION_STRING,                                                                                          \
	      AT(access.server_name),                                                                                       \
	      NULL,                                                                                                         \
	      "NAME",                                                                                                       \
	      "the name certificates must carry, if not the URL's" },                                                       \
	    { "bearer-token-file",                                                                                          \
	      0,                                                                                                            \
	      PGOFS_OPTION_STRING,                                                                                          \
	      AT(access.bearer_token_file),                                                                                 \
	      NULL,                                                                                                         \
	      "FILE",                                                                                                       \
	      "a token to send, read for every request" },                                                                  \
	    { "username", 0, PGOFS_OPTION_STRING, AT(access.username), NULL, "NAME", "for basic authentication" },          \
	{                                                                                                                   \
		"password-file", 0, PGOFS_OPTION_STRING, AT(access.password_file), NULL, "FILE",                            \
		    "its password, read for every request"                                                                  \
	}

#define AT(member)     offsetof(struct config, member)
#define JOB_AT(member) offsetof(struct config, job.member)
#define IN_JOB(member) offsetof(struct job, member)

static const struct pgofs_option options[] = {
	{ "into", 0, PGOFS_OPTION_STRING, AT(into), NULL, "DIR",
	  "where profiles go: MOUNT, MOUNT/APP, or any directory" },
	{ "interval", 0, PGOFS_OPTION_DURATION, AT(interval_ns), "30m", "TIME", "profile each target this often" },
	{ "duration", 0, PGOFS_OPTION_DURATION, AT(duration_ns), "30s", "TIME", "for so long, in whole seconds" },
	{ "margin", 0, PGOFS_OPTION_DURATION, AT(margin_ns), "10s", "TIME", "time a target has beyond the duration" },
	{ "once", 0, PGOFS_OPTION_FLAG, AT(once), NULL, NULL, "profile each target once, now, and exit" },
	{ "concurrency", 0, PGOFS_OPTION_COUNT, AT(concurrency), "100", "N", "targets profiled at one time, at most" },
	JOB_OPTIONS(JOB_AT),
	{ "dns-server", 0, PGOFS_OPTION_STRING, AT(dns_server), NULL, "ADDRESS", "ask this one, not the system's" },
	{ "config", 'c', PGOFS_OPTION_STRING, AT(config_file), NULL, "FILE", "read all this from YAML or JSON" },
	{ "check-config", 0, PGOFS_OPTION_FLAG, AT(check_config), NULL, NULL, "only say whether the options are good" },
	{ "require-mount", 0, PGOFS_OPTION_FLAG, AT(require_mount), NULL, NULL,
	  "deliver only while DIR is in a mount of pgofs" },
	{ "spool", 0, PGOFS_OPTION_STRING, AT(spool), NULL, "DIR",
	  "where profiles wait while they cannot be delivered" },
	{ "spool-size", 0, PGOFS_OPTION_SIZE, AT(spool_bytes), "1GiB", "SIZE", "drop the oldest beyond this" },
	{ "spool-age", 0, PGOFS_OPTION_DURATION, AT(spool_age_ns), "7d", "TIME",
	  "drop what waits and is older; 0: nothing" },
	{ "max-profile", 0, PGOFS_OPTION_SIZE, AT(max_profile_bytes), "64MiB", "SIZE", "largest profile taken" },
	{ "max-inflated", 0, PGOFS_OPTION_SIZE, AT(max_inflated_bytes), "1GiB", "SIZE", "the same, inflated" },
	{ "memory", 0, PGOFS_OPTION_SIZE, AT(memory_bytes), "256MiB", "SIZE", "profiles held in memory, in all" },
	{ "listen", 0, PGOFS_OPTION_STRING, AT(listen), NULL, "[ADDRESS:]PORT", "serve /metrics and /healthz" },
	{ "log-format", 0, PGOFS_OPTION_STRING, AT(log_format), "text", "FORMAT", "text, logfmt or json" },
	{ "log-level", 0, PGOFS_OPTION_STRING, AT(log_level), "info", "LEVEL", "error, warning, info or debug" },
	{ "help", 'h', PGOFS_OPTION_FLAG, AT(help), NULL, NULL, "show this, and exit" },
	{ "version", 'V', PGOFS_OPTION_FLAG, AT(version), NULL, NULL, "show the version, and exit" },
	{ NULL },
};

static const struct pgofs_option job_options[] = { JOB_OPTIONS(IN_JOB), { NULL } };

static size_t size_of(enum pgofs_option_type type)
{
	switch (type) {
	case PGOFS_OPTION_FLAG:
		return sizeof(bool);
	case PGOFS_OPTION_STRING:
		return sizeof(char *);
	case PGOFS_OPTION_STRINGS:
		return sizeof(struct pgofs_strings);
	case PGOFS_OPTION_DURATION:
	case PGOFS_OPTION_COUNT:
		return sizeof(int64_t);
	case PGOFS_OPTION_SIZE:
		return sizeof(uint64_t);
	}
	return 0;
}

static bool differs(enum pgofs_option_type type, const void *a, const void *b)
{
	if (type != PGOFS_OPTION_STRING)
		return memcmp(a, b, size_of(type)) != 0;
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	return strcmp(x ? x : "", y ? y : "") != 0;
}

bool config_swap(struct config *a, struct config *b, const char *option)
{
	const struct pgofs_option *o = pgofs_options_find(options, option, strlen(option));
	char kept[sizeof(struct pgofs_strings)], *at = (char *)a + o->offset, *other = (char *)b + o->offset;
	bool r = differs(o->type, at, other);
	memcpy(kept, at, size_of(o->type));
	memcpy(at, other, size_of(o->type));
	memcpy(other, kept, size_of(o->type));
	return r;
}

void config_help(FILE *to)
{
	fputs("Usage: pgofs-collector --target NAME=URL … --into DIR\n"
	      "       pgofs-collector --config FILE\n"
	      "\n"
	      "Fetches CPU profiles from programs that serve net/http/pprof, and files those Go can use\n"
	      "as DIR/[APP/]YYYY/MM/DD/HHMMSS.fffZ-NAME.pprof.\n"
	      "\n",
	      to);
	pgofs_options_help(options, to);
}

const struct job *config_job(const struct config *c, size_t i)
{
	return i == 0 ? &c->job : i <= c->n_jobs ? &c->jobs[i - 1] : NULL;
}

int config_targets(const struct config *c, struct targets *ret, struct pgofs_error *err)
{
	const struct job *job;
	for (size_t i = 0; (job = config_job(c, i)); i++) {
		for (size_t j = 0; j < job->target.n; j++) {
			struct target t;
			int r = target_parse(job->target.items[j], job, c->duration_ns, &t, err);
			if (r == 0 && targets_consume(ret, &t) < 0)
				r = pgofs_error_errno(err, -ENOMEM, "targets");
			if (r < 0)
				return r;
		}
	}
	return targets_unique(ret, err) ? -EINVAL : 0;
}

/* One option from the file: a scalar, or a list of them where the option may be repeated. */
static int set_option(const struct pgofs_option *o, void *into, const json_t *value, struct pgofs_error *err)
{
	size_t i;
	json_t *item;
	if (o->type != PGOFS_OPTION_STRINGS || !json_is_array(value)) {
		const char *text = DOCUMENT_TEXT(value);
		if (!text)
			return pgofs_error_set(err, -EINVAL, "%s: not one value", o->name);
		if (o->type == PGOFS_OPTION_FLAG) /* as YAML 1.1 and 1.2 say it */
			text = !strcmp(text, "true") ? "yes" : !strcmp(text, "false") ? "no" : text;
		return pgofs_option_set(o, into, text, err);
	}
	json_array_foreach(value, i, item)
	{
		const char *text = DOCUMENT_TEXT(item);
		int r = text ? pgofs_option_set(o, into, text, err)
			     : pgofs_error_set(err, -EINVAL, "%s: not a list of words", o->name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_key(const struct pgofs_option *table, void *into, const char *key, const json_t *value,
		   struct pgofs_error *err)
{
	char name[64];
	size_t len = strlen(key);
	if (len >= sizeof name)
		return pgofs_error_set(err, -EINVAL, "unknown key %s", key);
	for (size_t i = 0; i <= len; i++)
		name[i] = key[i] == '_' ? '-' : key[i];
	const struct pgofs_option *o = pgofs_options_find(table, name, len);
	return o ? set_option(o, into, value, err) : pgofs_error_set(err, -EINVAL, "unknown key %s", key);
}

static int set_job(struct job *job, json_t *object, struct pgofs_error *err)
{
	const char *key;
	json_t *value;
	int r = pgofs_options_init(job_options, job, err);
	if (r == 0 && !json_is_object(object))
		r = pgofs_error_set(err, -EINVAL, "not a mapping");
	if (r < 0)
		return r;
	json_object_foreach(object, key, value)
	{
		r = set_key(job_options, job, key, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_jobs(struct config *c, const json_t *list, struct pgofs_error *err)
{
	size_t n = json_array_size(list);
	if (!json_is_array(list))
		return pgofs_error_set(err, -EINVAL, "jobs: not a list");
	c->jobs = calloc(n + 1, sizeof *c->jobs);
	if (!c->jobs)
		return pgofs_error_errno(err, -ENOMEM, "jobs");
	while (c->n_jobs < n) {
		struct job *job = &c->jobs[c->n_jobs++];
		int r = set_job(job, json_array_get(list, c->n_jobs - 1), err);
		if (r < 0)
			return pgofs_error_wrap(err, r, "jobs: number %zu", c->n_jobs);
	}
	return 0;
}

static int read_file(struct config *c, const char *path, struct pgofs_error *err)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	const char *key;
	json_t *value;
	int r = document_read(path, &root, err);
	if (r < 0)
		return r;
	if (!json_is_object(root))
		return pgofs_error_set(err, -EINVAL, "%s: not a mapping", path);
	json_object_foreach(root, key, value)
	{
		r = strcmp(key, "jobs") ? set_key(options, c, key, value, err) : set_jobs(c, value, err);
		if (r < 0)
			return pgofs_error_wrap(err, r, "%s", path);
	}
	return 0;
}

bool config_port_valid(const char *text)
{
	size_t n_digits = strspn(text, "0123456789");
	return n_digits && n_digits <= 5 && !text[n_digits] && atoi(text) <= UINT16_MAX;
}

static int check_times(const struct config *c, struct pgofs_error *err)
{
	if (c->duration_ns < PGOFS_NS_PER_S || c->duration_ns % PGOFS_NS_PER_S)
		return pgofs_error_set(err, -EINVAL,
				       "option duration: net/http/pprof counts in whole seconds, from 1 up");
	if (c->margin_ns < 100 * PGOFS_NS_PER_MS)
		return pgofs_error_set(err, -EINVAL, "option margin: at least 100ms");
	if (c->interval_ns < c->duration_ns)
		return pgofs_error_set(err, -EINVAL, "option interval: shorter than the duration");
	if (c->interval_ns > 366 * PGOFS_NS_PER_DAY || c->margin_ns > PGOFS_NS_PER_DAY)
		return pgofs_error_set(err, -ERANGE, "an interval of over a year, or a margin of over a day");
	return 0;
}

static int check_words(const struct config *c, struct pgofs_error *err)
{
	enum pgofs_log_format format;
	enum pgofs_log_level level;
	if (!c->into || !*c->into)
		return pgofs_error_set(err, -EINVAL, "no directory to file profiles in: --into DIR");
	if (pgofs_log_format_parse(c->log_format, &format) < 0)
		return pgofs_error_set(err, -EINVAL, "option log-format: \"%s\" is not text, logfmt or json",
				       c->log_format);
	if (pgofs_log_level_parse(c->log_level, &level) < 0)
		return pgofs_error_set(err, -EINVAL, "option log-level: \"%s\" is not error, warning, info or debug",
				       c->log_level);
	if (!c->concurrency)
		return pgofs_error_set(err, -EINVAL, "option concurrency: at least 1");
	if (!c->max_profile_bytes || c->memory_bytes < c->max_profile_bytes)
		return pgofs_error_set(err, -EINVAL, "option memory: less than one profile (max-profile)");
	if (c->spool && c->spool_bytes < c->max_profile_bytes)
		return pgofs_error_set(err, -EINVAL, "option spool-size: less than one profile (max-profile)");
	return 0;
}

static int check_job(const struct job *job, struct pgofs_error *err)
{
	if (job->app && !pgofs_app_valid(job->app, strlen(job->app)))
		return pgofs_error_set(err, -EINVAL,
				       "app \"%s\": an app is named [A-Za-z0-9_][A-Za-z0-9._-]*, at most %d bytes, not "
				       "\"merged\"",
				       job->app, PGOFS_APP_MAX);
	if (strcmp(job->scheme, "http") != 0 && strcmp(job->scheme, "https") != 0)
		return pgofs_error_set(err, -EINVAL, "scheme \"%s\": only http and https are spoken", job->scheme);
	if (job->path[0] != '/')
		return pgofs_error_set(err, -EINVAL, "path \"%s\": does not start with /", job->path);
	for (size_t i = 0; i < job->dns.n; i++) {
		const char *colon = strrchr(job->dns.items[i], ':');
		if (!colon || colon == job->dns.items[i] || !config_port_valid(colon + 1))
			return pgofs_error_set(err, -EINVAL, "dns \"%s\" is not NAME:PORT", job->dns.items[i]);
	}
	return access_check(&job->access, err);
}

static int check(const struct config *c, struct pgofs_error *err)
{
	const struct job *job;
	struct targets targets = { 0 };
	size_t n_sources = 0;
	int r = check_words(c, err);
	if (r == 0)
		r = check_times(c, err);
	if (r == 0 && c->listen)
		r = watch_check(c->listen, err);
	if (r == 0 && c->dns_server)
		r = dns_check_server(c->dns_server, err);
	for (size_t i = 0; r == 0 && (job = config_job(c, i)); i++) {
		n_sources += job->target.n + job->file_sd.n + job->dns.n + job->dns_srv.n;
		r = check_job(job, err);
		if (r < 0 && i > 0)
			pgofs_error_wrap(err, r, "jobs: number %zu", i);
	}
	if (r == 0 && !n_sources)
		r = pgofs_error_set(err, -EINVAL, "nothing to profile: --target NAME=URL");
	if (r == 0)
		r = config_targets(c, &targets, err);
	targets_done(&targets);
	return r;
}

static int parse_argv(struct config *c, int argc, char *const *argv, struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) char **words = calloc((size_t)argc + 1, sizeof *words); /* parsing moves them about */
	if (!words)
		return pgofs_error_errno(err, -ENOMEM, "options");
	memcpy(words, argv, (size_t)argc * sizeof *words);
	int r = pgofs_options_parse_argv(options, c, argc, words, err);
	return r > 0 ? pgofs_error_set(err, -EINVAL, "\"%s\" is no option", target_shown(words[1])) : r;
}

/* "DIR/" is DIR, here where all learn of it. */
static void cut_slashes(char *dir)
{
	for (size_t len = dir ? strlen(dir) : 0; len > 1 && dir[len - 1] == '/';)
		dir[--len] = '\0';
}

static void forget(struct config *c)
{
	for (size_t i = 0; i < c->n_jobs; i++)
		pgofs_options_done(job_options, &c->jobs[i]);
	free(c->jobs);
	pgofs_options_done(options, c);
	*c = (struct config){ 0 };
}

int config_new(int argc, char *const *argv, struct config **ret, struct pgofs_error *err)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof *c);
	if (!c)
		return pgofs_error_errno(err, -ENOMEM, "options");
	int r = pgofs_options_init(options, c, err);
	if (r == 0)
		r = parse_argv(c, argc, argv, err);
	if (r == 0 && c->config_file && !c->help && !c->version) {
		/* the file comes before the command line, which had to say which file */
		_cleanup_(pgofs_freep) char *path = STEAL(c->config_file);
		forget(c);
		r = pgofs_options_init(options, c, err);
		if (r == 0)
			r = read_file(c, path, err);
		if (r == 0)
			r = parse_argv(c, argc, argv, err);
	}
	cut_slashes(c->into);
	cut_slashes(c->spool);
	if (r == 0 && !c->help && !c->version)
		r = check(c, err);
	if (r == 0)
		*ret = STEAL(c);
	return r;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	forget(c);
	free(c);
}
