#include "collector.h"
#include "deliver.h"
#include "discover.h"

#include <pgofs/log.h>

#include <curl/curl.h>
#include <stdio.h>

static void set_log(const struct config *c)
{
	struct pgofs_log_config log = { .program = "pgofs-collector", .level = PGOFS_LOG_INFO };
	pgofs_log_level_parse(c->log_level, &log.level);
	pgofs_log_format_parse(c->log_format, &log.format);
	pgofs_log_setup(&log);
}

/* Takes `c` over. */
static int run(struct config *c, int argc, char *const *argv)
{
	struct pgofs_error err = { "" };
	set_log(c);
	int r = collector_run(c, argc, argv, &err);
	if (r >= 0)
		return r;
	pgofs_log(PGOFS_LOG_ERROR, err.text);
	return 1;
}

static int check(const struct config *c)
{
	struct pgofs_error err = { "" };
	size_t n;
	int r = discover_check(c, &n, &err);
	if (r == 0)
		r = deliver_check(c->into, c->require_mount, &err);
	if (r < 0) {
		fprintf(stderr, "pgofs-collector: %s\n", err.text);
		return 2;
	}
	printf("the configuration is good: %zu targets, and those that DNS knows\n", n);
	return 0;
}

/* What was printed must have arrived, or the exit code would lie. */
static int check_stdout(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("pgofs-collector: write to stdout");
	return code ? code : 1;
}

static int answer(struct config *c, int argc, char *const *argv)
{
	int r = 0;
	if (!c->help && !c->version && !c->check_config)
		return run(c, argc, argv);
	if (c->help)
		config_help(stdout);
	else if (c->version)
		puts("pgofs-collector " PGOFS_VERSION);
	else
		r = check(c);
	config_free(c);
	return check_stdout(r);
}

int main(int argc, char **argv)
{
	struct pgofs_error err = { "" };
	struct config *config;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return 1;
	int r = config_new(argc, argv, &config, &err);
	if (r < 0) {
		fprintf(stderr, "pgofs-collector: %s (see pgofs-collector --help)\n", err.text);
		r = 2;
	} else {
		r = answer(config, argc, argv);
	}
	return r; /* without curl_global_cleanup: a resolver's thread may still be at work */
}
