/* libmicrohttpd in the mode where it has no thread: its epoll descriptor goes into the loop's poll. */
#include "watch.h"

#include "config.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#define PAGE_MAX     ((size_t)64 << 20)
#define CONNECTIONS  16u
#define IDLE_SECONDS 10u
#define DEFAULT_HOST "127.0.0.1"

struct watch {
	struct watch_config config;
	struct MHD_Daemon *daemon;
	int epoll_fd;
};

static enum MHD_Result answer(struct MHD_Connection *to, unsigned status, const char *type, struct MHD_Response *r)
{
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	enum MHD_Result done = MHD_queue_response(to, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result answer_text(struct MHD_Connection *to, unsigned status, const char *text)
{
	return answer(to, status, "text/plain; charset=utf-8",
		      MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer_metrics(struct watch *w, struct MHD_Connection *to)
{
	struct pgofs_buf page = PGOFS_BUF(PAGE_MAX);
	if (w->config.render(w->config.context, &page) < 0) {
		pgofs_buf_done(&page);
		return answer_text(to, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory for it\n");
	}
	struct MHD_Response *r = MHD_create_response_from_buffer(page.len, page.data, MHD_RESPMEM_MUST_FREE);
	if (!r)
		pgofs_buf_done(&page);
	return answer(to, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", r);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *to, const char *url, const char *method,
				  const char *version, const char *body, size_t *n_body, void **state)
{
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_text(to, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	if (!strcmp(url, "/metrics"))
		return answer_metrics(context, to);
	if (!strcmp(url, "/healthz"))
		return answer_text(to, MHD_HTTP_OK, "ok\n");
	return answer_text(to, MHD_HTTP_NOT_FOUND, "/metrics or /healthz\n");
}

/* "9469", ":9469", "0.0.0.0:9469", "[::]:9469" */
static int parse_address(const char *where, struct addrinfo **ret, struct pgofs_error *err)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	char host[64] = DEFAULT_HOST;
	const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
	size_t len = colon ? (size_t)(colon - where) : 0;
	bool bracketed = len >= 2 && where[0] == '[' && where[len - 1] == ']';
	if (len)
		snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len), where + bracketed);
	if (len >= sizeof host || !config_port_valid(port) || getaddrinfo(host, port, &hints, ret))
		return pgofs_error_set(err, -EINVAL, "listen \"%s\": not [ADDRESS:]PORT", where);
	return 0;
}

int watch_check(const char *where, struct pgofs_error *err)
{
	struct addrinfo *at = NULL;
	int r = parse_address(where, &at, err);
	if (r == 0)
		freeaddrinfo(at);
	return r;
}

static int open_socket(const char *where, struct pgofs_error *err)
{
	struct addrinfo *at = NULL;
	int one = 1, r = parse_address(where, &at, err);
	if (r < 0)
		return r;
	_cleanup_(pgofs_closep) int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 64) < 0)
		r = pgofs_error_errno(err, -errno, "listen on %s", where);
	freeaddrinfo(at);
	return r < 0 ? r : STEAL_FD(fd);
}

static void tell_port(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		pgofs_log(PGOFS_LOG_INFO, "listening", "address", host, "port", port);
}

int watch_start(const struct watch_config *config, struct watch **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int fd = open_socket(config->where, err);
	if (fd < 0)
		return fd;
	_cleanup_(pgofs_freep) struct watch *w = calloc(1, sizeof *w);
	if (!w)
		return pgofs_error_errno(err, -ENOMEM, "listen");
	w->config = *config;
	w->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				     IDLE_SECONDS, MHD_OPTION_END);
	const union MHD_DaemonInfo *info = w->daemon ? MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return pgofs_error_set(err, -EIO, "listen on %s: the server would not start", config->where);
	w->epoll_fd = info->epoll_fd;
	tell_port(STEAL_FD(fd)); /* the daemon's from here on */
	*ret = STEAL(w);
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	MHD_stop_daemon(w->daemon);
	free(w);
}

int watch_fd(const struct watch *w)
{
	return w->epoll_fd;
}

int64_t watch_wake_ns(const struct watch *w)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (MHD_get_timeout(w->daemon, &ms) != MHD_YES)
		return INT64_MAX;
	return pgofs_monotonic_ns() + (int64_t)ms * PGOFS_NS_PER_MS;
}

void watch_step(struct watch *w)
{
	MHD_run(w->daemon);
}
