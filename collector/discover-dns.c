/* c-ares, because getaddrinfo blocks for as long as a name server pleases, and does not know SRV.
 *
 * An answer that there is nothing (NXDOMAIN, no data) is an answer: a service scaled to nothing. Silence or SERVFAIL is not: then the
 * last answer stays. */
#define CARES_NO_DEPRECATED /* the calls that Debian 12's has, newer ones deprecate */

#include "discover-dns.h"

#include <pgofs/buf.h>
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

#define SERVICE_MAX ((size_t)64 << 10) /* a name and its addresses: more than an answer has room for */

static const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
						  .ai_flags = ARES_AI_NOSORT,
						  .ai_socktype = SOCK_STREAM };

struct question {
	struct question *next;
	struct dns *dns;
	const struct job *job;
	bool srv;
	bool asked;       /* and not answered yet */
	bool failed;      /* the last time */
	bool known;       /* was answered once: `answers` says something, be it that there is none */
	int64_t retry_ns; /* by the monotonic clock: when to ask again while it is not */
	int64_t wait_ns;  /* what the next failure adds */
	size_t n_hosts;   /* of its services whose addresses are asked for */
	int status;       /* of the answer that is being put together */
	struct pgofs_strings found;
	struct pgofs_strings answers; /* the last good ones: "HOST:PORT", of a service with ":ADDRESS,…" */
	char *port;                   /* of an address */
	char name[];
};

/* One host of a service. */
struct lookup {
	struct question *q;
	unsigned port;
	char host[];
};

struct dns {
	ares_channel channel;
	const char *server; /* NULL: the system's */
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

static bool is_none(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

static void sort(struct pgofs_strings *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof *list->items, by_text); /* servers shuffle */
}

/* The answer is complete, or will not come. */
static void settle(struct question *q)
{
	struct pgofs_strings now = q->found;
	q->found = (struct pgofs_strings){ 0 };
	q->asked = false;
	q->dns->n_asked--;
	q->failed = q->status != ARES_SUCCESS && !is_none(q->status);
	if (q->failed) {
		if (q->status != ARES_EDESTRUCTION)
			pgofs_log(PGOFS_LOG_WARNING,
				  q->known ? "name not resolved, its last answer stays" : "name not resolved", "name",
				  q->name, "why", ares_strerror(q->status));
		pgofs_strings_done(&now);
		put_off(q);
		return;
	}
	q->known = true;
	sort(&now);
	if (!now.n)
		pgofs_log(PGOFS_LOG_WARNING, "name has no address", "name", q->name);
	if (!is_same(&now, &q->answers)) {
		pgofs_log(PGOFS_LOG_INFO, "name resolved", "name", q->name, "targets", PGOFS_FMT("%zu", now.n));
		q->dns->changed = true;
	}
	pgofs_strings_done(&q->answers);
	q->answers = now;
}

/* Adds those of one family, in the form they have in a URL. */
static void add_addresses(struct pgofs_strings *list, const struct ares_addrinfo *info, int family)
{
	char host[INET6_ADDRSTRLEN];
	for (const struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next) {
		bool v6 = n->ai_family == AF_INET6;
		const void *at = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr
				    : (const void *)&((const struct sockaddr_in *)(const void *)n->ai_addr)->sin_addr;
		if (n->ai_family == family && inet_ntop(family, at, host, sizeof host))
			pgofs_strings_add(list, PGOFS_FMT("%s%s%s", v6 ? "[" : "", host, v6 ? "]" : ""));
	}
}

/* A program that listens on both families has an address of each, and is one target. */
static void on_addresses(void *context, int status, int n_timeouts, struct ares_addrinfo *info)
{
	struct question *q = context;
	struct pgofs_strings addresses = { 0 };
	q->status = status;
	add_addresses(&addresses, info, AF_INET);
	if (!addresses.n)
		add_addresses(&addresses, info, AF_INET6);
	for (size_t i = 0; i < addresses.n; i++)
		pgofs_strings_add(&q->found, PGOFS_FMT("%s:%s", addresses.items[i], q->port));
	pgofs_strings_done(&addresses);
	if (info)
		ares_freeaddrinfo(info);
	settle(q);
}

static void release(struct question *q)
{
	if (--q->n_hosts == 0)
		settle(q);
}

/* "HOST:PORT:ADDRESS,…": what curl needs to ask nobody again. */
static void add_service(struct question *q, const struct lookup *l, struct pgofs_strings *addresses)
{
	struct pgofs_buf text = PGOFS_BUF(SERVICE_MAX);
	sort(addresses);
	int r = pgofs_buf_printf(&text, "%s:%u", l->host, l->port);
	for (size_t i = 0; r == 0 && i < addresses->n; i++)
		r = pgofs_buf_printf(&text, "%c%s", i ? ',' : ':', addresses->items[i]);
	if (r == 0 && pgofs_buf_append(&text, "", 1) == 0)
		pgofs_strings_add(&q->found, (const char *)text.data);
	pgofs_buf_done(&text);
}

static void on_host(void *context, int status, int n_timeouts, struct ares_addrinfo *info)
{
	_cleanup_(pgofs_freep) struct lookup *l = context;
	struct question *q = l->q;
	struct pgofs_strings addresses = { 0 };
	add_addresses(&addresses, info, AF_INET);
	add_addresses(&addresses, info, AF_INET6);
	if (addresses.n)
		add_service(q, l, &addresses);
	else if (status == ARES_SUCCESS || is_none(status))
		pgofs_log(PGOFS_LOG_WARNING, "name has no address", "name", l->host, "of", q->name);
	else
		q->status = status;
	pgofs_strings_done(&addresses);
	if (info)
		ares_freeaddrinfo(info);
	release(q);
}

static void look_up(struct question *q, const struct ares_srv_reply *service)
{
	size_t len = strlen(service->host) + 1;
	struct lookup *l = malloc(sizeof *l + len);
	if (!l) {
		q->status = ARES_ENOMEM;
		return;
	}
	*l = (struct lookup){ q, service->port };
	memcpy(l->host, service->host, len);
	q->n_hosts++;
	ares_getaddrinfo(q->dns->channel, l->host, NULL, &hints, on_host, l);
}

static void on_services(void *context, int status, int n_timeouts, unsigned char *answer, int len)
{
	struct question *q = context;
	struct ares_srv_reply *services = NULL;
	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(answer, len, &services);
	q->status = status;
	q->n_hosts = 1; /* ours, while we look at them: an answer may be there at once */
	for (const struct ares_srv_reply *s = services; s; s = s->next)
		if (s->host && *s->host)
			look_up(q, s);
	if (services)
		ares_free_data(services);
	release(q);
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

/* The library cuts a port to 16 bits. */
static bool has_good_port(const char *server)
{
	const char *colon = strrchr(server, ':');
	bool has_port = colon && (colon == strchr(server, ':') || colon[-1] == ']');
	return *server && (!has_port || config_port_valid(colon + 1));
}

static int open_channel(const char *server, ares_channel *ret, struct pgofs_error *err)
{
	struct ares_options options = { .timeout = TIMEOUT_MS, .tries = TRIES };
	ares_channel channel;
	int status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (status != ARES_SUCCESS)
		return pgofs_error_set(err, -EIO, "DNS: %s", ares_strerror(status));
	if (server && (!has_good_port(server) || ares_set_servers_ports_csv(channel, server) != ARES_SUCCESS)) {
		ares_destroy(channel);
		return pgofs_error_set(err, -EINVAL, "dns-server \"%s\" is not ADDRESS[:PORT]", server);
	}
	*ret = channel;
	return 0;
}

int dns_check_server(const char *server, struct pgofs_error *err)
{
	ares_channel channel;
	int r = open_channel(server, &channel, err);
	if (r == 0)
		ares_destroy(channel);
	return r;
}

/* Where no name could be resolved, the machine may have moved to other name servers: /etc/resolv.conf is read with a new channel. */
static void renew_channel(struct dns *d)
{
	ares_channel channel;
	for (const struct question *q = d->questions; q; q = q->next)
		if (q->asked || !q->failed)
			return;
	if (d->questions && open_channel(d->server, &channel, NULL) == 0) {
		ares_destroy(d->channel);
		d->channel = channel;
	}
}

int dns_new(const struct config *config, struct dns **ret, struct pgofs_error *err)
{
	struct dns *d = calloc(1, sizeof *d);
	if (!d)
		return pgofs_error_errno(err, -ENOMEM, "DNS");
	ares_library_init(ARES_LIB_INIT_ALL);
	d->server = config->dns_server;
	int r = add_questions(d, config);
	if (r < 0)
		pgofs_error_errno(err, r, "DNS");
	else if (d->questions) /* else no name server needs to be known */
		r = open_channel(d->server, &d->channel, err);
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
	if (d->channel)
		ares_destroy(d->channel);
	ares_library_cleanup();
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
	q->asked = true;
	q->dns->n_asked++;
	if (q->srv)
		ares_search(q->dns->channel, q->name, ns_c_in, ns_t_srv, on_services, q);
	else
		ares_getaddrinfo(q->dns->channel, q->name, NULL, &hints, on_addresses, q);
}

void dns_refresh(struct dns *d)
{
	renew_channel(d);
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
	for (struct question *q = d->questions; q; q = q->next) {
		if (retry_at(q) > now_ns)
			continue;
		renew_channel(d);
		ask(q);
	}
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

static int add_target(const struct question *q, const char *answer, int64_t duration_ns, struct targets *ret)
{
	const struct job *job = q->job;
	struct pgofs_error err = { "" };
	_cleanup_(pgofs_freep) char *url = NULL;
	struct target t;
	size_t len = q->srv ? strcspn(answer, ":") : strlen(answer);
	if (q->srv)
		len += 1 + strcspn(answer + len + 1, ":");
	if (asprintf(&url, "%s://%.*s%s", job->scheme, (int)len, answer, job->path) < 0)
		return -ENOMEM;
	struct target_words words = { job->app, NULL, url, job, duration_ns, q->srv ? answer : NULL };
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
