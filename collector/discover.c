#include "discover.h"

#include "discover-dns.h"
#include "discover-file.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <glob.h>

#define POLL_NS (5 * PGOFS_NS_PER_S)

struct discover {
	const struct config *config;
	struct targets named;
	struct file_sd **files;
	size_t n_files;
	struct dns *dns;
	int64_t poll_ns;      /* when to look at the files next */
	int64_t poll_step_ns; /* and how often */
};

static int add_files(struct discover *d)
{
	const struct job *job;
	size_t n = 0;
	for (size_t i = 0; (job = config_job(d->config, i)); i++)
		n += job->file_sd.n;
	d->files = calloc(n + 1, sizeof(struct file_sd *));
	if (!d->files)
		return -ENOMEM;
	for (size_t i = 0; (job = config_job(d->config, i)); i++) {
		for (size_t j = 0; j < job->file_sd.n; j++) {
			d->files[d->n_files] = file_sd_new(job->file_sd.items[j], job, d->config->duration_ns);
			if (!d->files[d->n_files++])
				return -ENOMEM;
		}
	}
	return 0;
}

int discover_new(const struct config *config, struct discover **ret, struct pgofs_error *err)
{
	_cleanup_(discover_freep) struct discover *d = calloc(1, sizeof *d);
	if (!d)
		return pgofs_error_errno(err, -ENOMEM, "discovery");
	d->config = config;
	d->poll_step_ns = config->interval_ns / 2 < POLL_NS ? config->interval_ns / 2 : POLL_NS;
	int r = config_targets(config, &d->named, err);
	if (r < 0)
		return r;
	r = add_files(d);
	if (r < 0)
		return pgofs_error_errno(err, r, "discovery");
	r = dns_new(config, &d->dns, err);
	if (r < 0)
		return r;
	*ret = STEAL(d);
	return 0;
}

void discover_free(struct discover *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_files; i++)
		file_sd_free(d->files[i]);
	free(d->files);
	dns_free(d->dns);
	targets_done(&d->named);
	free(d);
}

void discover_refresh(struct discover *d)
{
	dns_refresh(d->dns);
}

void discover_inherit(struct discover *d, struct discover *old)
{
	dns_inherit(d->dns, old->dns);
	for (size_t i = 0; i < d->n_files; i++)
		for (size_t j = 0; j < old->n_files; j++)
			file_sd_inherit(d->files[i], old->files[j]);
}

bool discover_step(struct discover *d)
{
	int64_t now_ns = pgofs_monotonic_ns();
	bool changed = dns_step(d->dns);
	if (now_ns < d->poll_ns)
		return changed;
	d->poll_ns = d->n_files ? now_ns + d->poll_step_ns : INT64_MAX;
	for (size_t i = 0; i < d->n_files; i++)
		if (file_sd_poll(d->files[i]))
			changed = true;
	return changed;
}

bool discover_settled(const struct discover *d)
{
	return dns_settled(d->dns);
}

bool discover_complete(const struct discover *d)
{
	bool complete = dns_complete(d->dns);
	for (size_t i = 0; i < d->n_files; i++)
		complete &= file_sd_complete(d->files[i]);
	return complete;
}

int discover_list(const struct discover *d, struct targets *ret)
{
	struct pgofs_error err = { "" };
	int r = 0;
	for (size_t i = 0; r == 0 && i < d->named.n; i++) {
		struct target t;
		r = target_dup(&d->named.items[i], &t);
		if (r == 0)
			r = targets_consume(ret, &t);
	}
	for (size_t i = 0; r == 0 && i < d->n_files; i++)
		r = file_sd_list(d->files[i], ret);
	if (r == 0)
		r = dns_list(d->dns, d->config->duration_ns, ret);
	if (r < 0)
		return r;
	size_t n = targets_unique(ret, &err);
	if (n)
		pgofs_log(PGOFS_LOG_WARNING, "targets left out", "targets", PGOFS_FMT("%zu", n), "why", err.text);
	return 0;
}

size_t discover_fds(const struct discover *d, struct curl_waitfd *fds, size_t max)
{
	return dns_fds(d->dns, fds, max);
}

int64_t discover_wake_ns(const struct discover *d)
{
	int64_t dns_ns = dns_wake_ns(d->dns);
	return dns_ns < d->poll_ns ? dns_ns : d->poll_ns;
}

/* Adds the targets of all files of a pattern. */
static int read_pattern(const struct file_sd_words *words, struct targets *ret, struct pgofs_error *err)
{
	glob_t found = { 0 };
	int r = glob(words->path, 0, NULL, &found) ? pgofs_error_set(err, -EINVAL, "%s: no such file", words->path) : 0;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		struct file_sd_words one = *words;
		struct targets part = { 0 };
		one.path = found.gl_pathv[i];
		r = file_sd_read(&one, &part, err);
		for (size_t j = 0; r == 0 && j < part.n; j++)
			r = targets_consume(ret, &part.items[j]);
		targets_done(&part);
	}
	globfree(&found);
	return r;
}

int discover_check(const struct config *config, size_t *ret_n, struct pgofs_error *err)
{
	const struct job *job;
	struct targets all = { 0 };
	int r = config_targets(config, &all, err);
	for (size_t i = 0; r == 0 && (job = config_job(config, i)); i++) {
		for (size_t j = 0; r == 0 && j < job->file_sd.n; j++) {
			struct file_sd_words words = { job->file_sd.items[j], job, config->duration_ns };
			r = read_pattern(&words, &all, err);
		}
	}
	targets_unique(&all, NULL);
	*ret_n = all.n;
	targets_done(&all);
	return r;
}
