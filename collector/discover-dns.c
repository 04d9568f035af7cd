/* c-ares, because getaddrinfo blocks for as long as a name server pleases, and does not know SRV.
 *
 * An answer that there is nothing (NXDOMAIN, no data) is an answer: a service scaled to nothing. Silence or SERVFAIL is not: then the
 * last answer stays. */
#define CARES_NO_DEPRECATED /* the calls that Debian 12's has, newer ones deprecate */

#include "discover-dns.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#define TIMEOUT_MS 2000
#define TRIES      2

/* A name that was never answered is asked for again soon: a round is too long without any target. */
#define RETRY_FIRST_NS PGOFS_NS_PER_S
#define RETRY_LAST_NS  (60 * PGOFS_NS_PER_S)

struct question {
	struct question *next;
	struct dns *dns;
	const struct job *job;
	bool srv;
	bool asked;                   /* and not answered yet */
	bool known;                   /* was answered once: `answers` says something, be it that there is none */
	int64_t retry_ns;             /* by the monotonic clock: when to ask again while it is not */
	int64_t wait_ns;              /* what the next failure adds */
	struct pgofs_strings answers; /* "HOST:PORT", the last good ones */
	char *port;                   /* of an address */
	char name[];
};

struct dns {
	ares_channel channel;
	struct question *questions;
	size_t n_asked;
	bool changed;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_same(const struct pgofs_strings *a, const struct pgofs_strings *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return a->n == b->n;
}

static void put_off(struct question *q)
{
	q->retry_ns = pgofs_monotonic_ns() + q->wait_ns;
	q->wait_ns = q->wait_ns * 2 < RETRY_LAST_NS ? q->wait_ns * 2 : RETRY_LAST_NS;
}

/* Takes an answer's addresses over. */
static void settle(struct question *q, int status, struct pgofs_strings *now)
{
	bool none = status == ARES_ENOTFOUND || status == ARES_ENODATA;
	q->asked = false;
	q->dns->n_asked--;
	if (status == ARES_EDESTRUCTION || (status != ARES_SUCCESS && !none)) {
		if (status != ARES_EDESTRUCTION)
			pgofs_log(PGOFS_LOG_WARNING,
				  q->known ? "name not resolved, its last answer stays" : "name not resolved", "name",
				  q->name, "why", ares_strerror(status));
		pgofs_strings_done(now);
		put_off(q);
		return;
	}
	q->known = true;
	if (now->n)
		qsort(now->items, now->n, sizeof *now->items, by_text); /* servers shuffle */
	if (none)
		pgofs_log(PGOFS_LOG_WARNING, "name has no address", "name", q->name);
	if (!is_same(now, &q->answers)) {
		pgofs_log(PGOFS_LOG_INFO, "name resolved", "name", q->name, "targets", PGOFS_FMT("%zu", now->n));
		q->dns->changed = true;
	}
	pgofs_strings_done(&q->answers);
	q->answers = *now;
}

static void add_host(struct pgofs_strings *list, const char *host, const char *port)
{
	char text[NS_MAXDNAME + 16];
	bool v6 = strchr(host, ':') != NULL;
	snprintf(text, sizeof text, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	pgofs_strings_add(list, text);
}

static void on_addresses(void *context, int status, int n_timeouts, struct ares_addrinfo *info)
{
	struct question *q = context;
	struct pgofs_strings now = { 0 };
	char host[INET6_ADDRSTRLEN];
	for (const struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next) {
		const void *at = n->ai_family == AF_INET6
				     ? (const void *)&((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr
				     : (const void *)&((const struct sockaddr_in *)(const void *)n->ai_addr)->sin_addr;
		if (inet_ntop(n->ai_family, at, host, sizeof host))
			add_host(&now, host, q->port);
	}
	if (info)
		ares_freeaddrinfo(info);
	settle(q, status, &now);
}

static void on_services(void *context, int status, int n_timeouts, unsigned char *answer, int len)
{
	struct question *q = context;
	struct pgofs_strings now = { 0 };
	struct ares_srv_reply *services = NULL;
	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(answer, len, &services);
	for (const struct ares_srv_reply *s = services; s; s = s->next) {
		char port[8];
		snprintf(port, sizeof port, "%u", s->port);
		if (s->host && *s->host)
			add_host(&now, s->host, port);
	}
	if (services)
		ares_free_data(services);
	settle(q, status, &now);
}

static int add_question(struct dns *d, const struct job *job, const char *text, bool srv)
{
	const char *colon = srv ? NULL : strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	struct question *q = calloc(1, sizeof *q + len + 1);
	if (!q)
		return -ENOMEM;
	memcpy(q->name, text, len);
	q->dns = d;
	q->job = job;
	q->srv = srv;
	q->wait_ns = RETRY_FIRST_NS;
	q->next = d->questions;
	d->questions = q;
	q->port = strdup(colon ? colon + 1 : "");
	return q->port ? 0 : -ENOMEM;
}

static int add_questions(struct dns *d, const struct config *config)
{
	const struct job *job;
	int r = 0;
	for (size_t i = 0; (job = config_job(config, i)); i++) {
		for (size_t j = 0; r == 0 && j < job->dns.n; j++)
			r = add_question(d, job, job->dns.items[j], false);
		for (size_t j = 0; r == 0 && j < job->dns_srv.n; j++)
			r = add_question(d, job, job->dns_srv.items[j], true);
	}
	return r;
}

static int open_channel(struct dns *d, const char *server, struct pgofs_error *err)
{
	struct ares_options options = { .timeout = TIMEOUT_MS, .tries = TRIES };
	int status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&d->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (status != ARES_SUCCESS) {
		d->channel = NULL;
		return pgofs_error_set(err, -EIO, "DNS: %s", ares_strerror(status));
	}
	if (server && ares_set_servers_ports_csv(d->channel, server) != ARES_SUCCESS)
		return pgofs_error_set(err, -EINVAL, "dns-server \"%s\" is not ADDRESS[:PORT]", server);
	return 0;
}

int dns_new(const struct config *config, struct dns **ret, struct pgofs_error *err)
{
	struct dns *d = calloc(1, sizeof *d);
	int r = d ? add_questions(d, config) : -ENOMEM;
	if (r < 0)
		pgofs_error_errno(err, r, "DNS");
	else if (d->questions) /* else no name server needs to be known */
		r = open_channel(d, config->dns_server, err);
	if (r < 0) {
		dns_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	if (d->channel) {
		ares_destroy(d->channel);
		ares_library_cleanup();
	}
	for (struct question *q; (q = d->questions);) {
		d->questions = q->next;
		pgofs_strings_done(&q->answers);
		free(q->port);
		free(q);
	}
	free(d);
}

static void ask(struct question *q)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
					     .ai_flags = ARES_AI_NOSORT,
					     .ai_socktype = SOCK_STREAM };
	q->asked = true;
	q->dns->n_asked++;
	if (q->srv)
		ares_search(q->dns->channel, q->name, ns_c_in, ns_t_srv, on_services, q);
	else
		ares_getaddrinfo(q->dns->channel, q->name, NULL, &hints, on_addresses, q);
}

void dns_refresh(struct dns *d)
{
	for (struct question *q = d->questions; q; q = q->next)
		if (!q->asked)
			ask(q);
}

void dns_inherit(struct dns *d, struct dns *old)
{
	for (struct question *q = d->questions; q; q = q->next) {
		for (struct question *o = old->questions; o && !q->known; o = o->next) {
			if (!o->known || o->srv != q->srv || strcmp(o->name, q->name) != 0 ||
			    strcmp(o->port, q->port) != 0)
				continue;
			pgofs_strings_done(&q->answers);
			q->answers = o->answers;
			q->known = true;
			o->answers = (struct pgofs_strings){ 0 };
			o->known = false;
		}
	}
}

/* When to ask for this name again by ourselves. */
static int64_t retry_at(const struct question *q)
{
	return q->asked || q->known ? INT64_MAX : q->retry_ns;
}

static unsigned sockets(const struct dns *d, ares_socket_t ret[ARES_GETSOCK_MAXNUM])
{
	return d->n_asked ? (unsigned)ares_getsock(d->channel, ret, ARES_GETSOCK_MAXNUM) : 0;
}

/* What to wait for on socket `i`: ARES_GETSOCK_READABLE and _WRITABLE, but theirs shift into the sign bit. */
static short events_of(unsigned bits, int i)
{
	return (bits >> i & 1 ? CURL_WAIT_POLLIN : 0) | (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? CURL_WAIT_POLLOUT : 0);
}

/* Reading a socket that has nothing to say costs a system call, and only while a question is under way. */
bool dns_step(struct dns *d)
{
	int64_t now_ns = pgofs_monotonic_ns();
	for (struct question *q = d->questions; q; q = q->next)
		if (retry_at(q) <= now_ns)
			ask(q);
	ares_socket_t fds[ARES_GETSOCK_MAXNUM];
	unsigned bits = sockets(d, fds);
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = events_of(bits, i);
		if (events)
			ares_process_fd(d->channel, events & CURL_WAIT_POLLIN ? fds[i] : ARES_SOCKET_BAD,
					events & CURL_WAIT_POLLOUT ? fds[i] : ARES_SOCKET_BAD);
	}
	if (d->n_asked)
		ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* timeouts */
	bool changed = d->changed;
	d->changed = false;
	return changed;
}

bool dns_settled(const struct dns *d)
{
	return d->n_asked == 0;
}

bool dns_complete(const struct dns *d)
{
	for (const struct question *q = d->questions; q; q = q->next)
		if (!q->known)
			return false;
	return true;
}

size_t dns_fds(const struct dns *d, struct curl_waitfd *fds, size_t max)
{
	ares_socket_t found[ARES_GETSOCK_MAXNUM];
	unsigned bits = sockets(d, found);
	size_t n = 0;
	for (int i = 0; i < ARES_GETSOCK_MAXNUM && n < max; i++) {
		short events = events_of(bits, i);
		if (events)
			fds[n++] = (struct curl_waitfd){ .fd = found[i], .events = events };
	}
	return n;
}

int64_t dns_wake_ns(const struct dns *d)
{
	struct timeval left;
	int64_t wake_ns = INT64_MAX;
	if (d->n_asked && ares_timeout(d->channel, NULL, &left))
		wake_ns = pgofs_monotonic_ns() + left.tv_sec * PGOFS_NS_PER_S + left.tv_usec * PGOFS_NS_PER_US;
	for (const struct question *q = d->questions; q; q = q->next)
		if (retry_at(q) < wake_ns)
			wake_ns = retry_at(q);
	return wake_ns;
}

static int add_target(const struct question *q, const char *address, int64_t duration_ns, struct targets *ret)
{
	const struct job *job = q->job;
	struct pgofs_error err = { "" };
	_cleanup_(pgofs_freep) char *url = NULL;
	struct target t;
	if (asprintf(&url, "%s://%s%s", job->scheme, address, job->path) < 0)
		return -ENOMEM;
	struct target_words words = { job->app, NULL, url, job, duration_ns };
	int r = target_init(&t, &words, &err);
	if (r == -EINVAL) { /* a name server may say anything */
		pgofs_log(PGOFS_LOG_WARNING, "name has a bad address", "name", q->name, "why", err.text);
		return 0;
	}
	return r < 0 ? r : targets_consume(ret, &t);
}

int dns_list(const struct dns *d, int64_t duration_ns, struct targets *ret)
{
	for (const struct question *q = d->questions; q; q = q->next) {
		for (size_t i = 0; i < q->answers.n; i++) {
			int r = add_target(q, q->answers.items[i], duration_ns, ret);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
