/* A server may say anything, at any speed, for ever. So: one deadline over the whole request, a limit on the body, one on the
 * headers (curl keeps them, and an endless header is as good as an endless body), a budget over all bodies at once, and no
 * redirects: a target is what the configuration says, not what a target says.
 *
 * The system's resolver waits for a name server as long as it pleases, in a thread of curl's. A request that is given up meanwhile
 * leaves that thread to itself (CURLOPT_QUICK_EXIT), where curl would wait for it, and everybody with it; it ends when the resolver
 * does.
 *
 * No connection is kept: the next request comes in half an hour, and an idle connection costs the service more than a
 * handshake. */
#include "scrape.h"

#include "access.h"
#include "config.h"

#include <pgofs/units.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX ((size_t)256 << 10)
#define REASON_MAX  ((size_t)4 << 10) /* of a body that is not 200: only its first line is ever shown */
#define CONNECT_MS  5000L

struct scrape {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *connect_to;
	struct curl_slist *resolve;
	void *owner;
	struct scrape_limits limits;
	struct pgofs_buf body;
	size_t n_budget; /* bytes taken from the budget */
	size_t n_headers;
	bool go_pprof; /* the answer comes from net/http/pprof itself, and is an error of its */
	bool html;
	bool cut;       /* we ended it: past a limit */
	bool no_budget; /* … that of all bodies together */
	char why[CURL_ERROR_SIZE];
};

void budget_release(struct budget *b, size_t n_bytes)
{
	atomic_fetch_sub(&b->used, n_bytes);
}

static bool budget_take(struct budget *b, size_t n_bytes)
{
	if (atomic_fetch_add(&b->used, n_bytes) + n_bytes <= b->max)
		return true;
	budget_release(b, n_bytes);
	return false;
}

static long status_of(const struct scrape *s)
{
	long status = 0;
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_body(char *data, size_t one, size_t len, void *context)
{
	struct scrape *s = context;
	if (status_of(s) != 200 && s->body.len + len > REASON_MAX) {
		s->cut = true;
		return 0;
	}
	if (!budget_take(s->limits.budget, len)) {
		s->cut = s->no_budget = true;
		return 0;
	}
	s->n_budget += len;
	s->cut = pgofs_buf_append(&s->body, data, len) < 0;
	return s->cut ? 0 : len;
}

static bool header_is(const char *line, size_t len, const char *name, const char *value)
{
	size_t n_name = strlen(name), n_value = strlen(value);
	if (len <= n_name || strncasecmp(line, name, n_name) != 0 || line[n_name] != ':')
		return false;
	line += n_name + 1;
	len -= n_name + 1;
	for (; len && (*line == ' ' || *line == '\t'); len--)
		line++;
	return len >= n_value && strncasecmp(line, value, n_value) == 0;
}

static size_t on_header(char *line, size_t one, size_t len, void *context)
{
	struct scrape *s = context;
	s->n_headers += len;
	if (s->n_headers > HEADERS_MAX) {
		s->cut = true;
		return 0;
	}
	if (header_is(line, len, "X-Go-Pprof", "1"))
		s->go_pprof = true;
	if (header_is(line, len, "Content-Type", "text/html"))
		s->html = true;
	return len;
}

static void set_limits(struct scrape *s)
{
	CURL *e = s->easy;
	long timeout_ms = (long)(s->limits.timeout_ns / PGOFS_NS_PER_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)s->limits.max_bytes);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
}

static int set_request(struct scrape *s, const struct target *t, struct pgofs_error *err)
{
	CURL *e = s->easy;
	curl_easy_setopt(e, CURLOPT_PRIVATE, s);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->why);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "pgofs-collector/" PGOFS_VERSION);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's own */
	set_limits(s);
	if (t->resolve) {
		s->resolve = curl_slist_append(NULL, t->resolve);
		if (!s->resolve)
			return pgofs_error_errno(err, -ENOMEM, "request");
		curl_easy_setopt(e, CURLOPT_RESOLVE, s->resolve);
	}
	return access_apply(&t->job->access, e, t->url, &s->connect_to, err);
}

int scrape_start(CURLM *multi, const struct target *t, const struct scrape_limits *limits, void *owner,
		 struct scrape **ret, struct pgofs_error *err)
{
	struct scrape *s = calloc(1, sizeof *s);
	if (!s)
		return pgofs_error_errno(err, -ENOMEM, "request");
	s->limits = *limits;
	s->owner = owner;
	s->body = PGOFS_BUF(limits->max_bytes);
	s->easy = curl_easy_init();
	int r = s->easy ? set_request(s, t, err) : pgofs_error_errno(err, -ENOMEM, "request");
	if (r == 0 && curl_multi_add_handle(multi, s->easy))
		r = pgofs_error_errno(err, -ENOMEM, "request");
	if (r < 0) {
		scrape_free(s);
		return r;
	}
	s->multi = multi;
	*ret = s;
	return 0;
}

struct scrape *scrape_of(CURL *easy)
{
	char *s = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
	return (struct scrape *)(void *)s;
}

void *scrape_owner(const struct scrape *s)
{
	return s->owner;
}

/* The first line of an answer that is no profile, as far as it is text: "Could not enable CPU profiling: …" */
static const char *first_line(const struct scrape *s, char ret[static 200])
{
	size_t n = 0;
	for (; !s->html && n < s->body.len && n < 199 && s->body.data[n] >= 0x20 && s->body.data[n] < 0x7f; n++)
		ret[n] = (char)s->body.data[n];
	ret[n] = '\0';
	return ret;
}

static enum outcome judge_status(const struct scrape *s, long status, struct pgofs_error *err)
{
	char line[200];
	if (status >= 300 && status < 400) {
		pgofs_error_set(err, -EPROTO, "answers %ld, a redirect: those are not followed", status);
		return OUTCOME_HTTP;
	}
	first_line(s, line);
	pgofs_error_set(err, -EPROTO, "answers %ld%s%s", status, *line ? ": " : "", line);
	return status == 500 && s->go_pprof ? OUTCOME_BUSY : OUTCOME_HTTP;
}

static enum outcome judge_cut(const struct scrape *s, struct pgofs_error *err)
{
	char max[PGOFS_UNIT_TEXT_SIZE];
	if (s->no_budget) {
		pgofs_error_set(err, -EFBIG, "too many bytes from all targets at once (--memory %s)",
				pgofs_size_format(max, s->limits.budget->max));
		return OUTCOME_LOCAL;
	}
	if (s->n_headers > HEADERS_MAX)
		pgofs_error_set(err, -EFBIG, "headers without end");
	else
		pgofs_error_set(err, -EFBIG, "more than %s", pgofs_size_format(max, s->limits.max_bytes));
	return OUTCOME_TOO_LARGE;
}

static enum outcome judge_timeout(const struct scrape *s, struct pgofs_error *err)
{
	char limit[PGOFS_UNIT_TEXT_SIZE];
	curl_off_t ready_us = 0; /* to ask: after TLS and what proxies want */
	curl_easy_getinfo(s->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
	if (!ready_us) {
		pgofs_error_set(err, -ETIMEDOUT, "no connection in time");
		return OUTCOME_UNREACHABLE;
	}
	pgofs_error_set(err, -ETIMEDOUT, "not done after %s", pgofs_duration_format(limit, s->limits.timeout_ns));
	return OUTCOME_TIMEOUT;
}

static enum outcome judge_code(const struct scrape *s, CURLcode code, struct pgofs_error *err)
{
	char max[PGOFS_UNIT_TEXT_SIZE];
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return judge_timeout(s, err);
	case CURLE_FILESIZE_EXCEEDED:
		pgofs_error_set(err, -EFBIG, "more than %s", pgofs_size_format(max, s->limits.max_bytes));
		return OUTCOME_TOO_LARGE;
	case CURLE_OUT_OF_MEMORY:
		pgofs_error_errno(err, -ENOMEM, "request");
		return OUTCOME_LOCAL;
	default:
		break;
	}
	pgofs_error_set(err, -EIO, "%s", s->why[0] ? s->why : curl_easy_strerror(code));
	return status_of(s) || code == CURLE_GOT_NOTHING ? OUTCOME_BROKEN : OUTCOME_UNREACHABLE;
}

enum outcome scrape_judge(struct scrape *s, CURLcode code, struct pgofs_bytes **ret_body, struct pgofs_error *err)
{
	long status = status_of(s);
	if (s->cut && (status == 200 || s->n_headers > HEADERS_MAX || s->no_budget))
		return judge_cut(s, err);
	if (code != CURLE_OK && !s->cut)
		return judge_code(s, code, err);
	if (status != 200)
		return judge_status(s, status, err);
	if (s->html) {
		pgofs_error_set(err, -EPROTO, "answers with HTML, not with a profile");
		return OUTCOME_UNUSABLE;
	}
	*ret_body = pgofs_bytes_consume_buf(&s->body);
	if (!*ret_body) {
		pgofs_error_errno(err, -ENOMEM, "request");
		return OUTCOME_LOCAL;
	}
	s->n_budget = 0; /* counted with the bytes from here on */
	return OUTCOME_GOOD;
}

void scrape_free(struct scrape *s)
{
	if (!s)
		return;
	if (s->multi)
		curl_multi_remove_handle(s->multi, s->easy);
	if (s->easy)
		curl_easy_cleanup(s->easy);
	curl_slist_free_all(s->connect_to);
	curl_slist_free_all(s->resolve);
	if (s->n_budget)
		budget_release(s->limits.budget, s->n_budget);
	pgofs_buf_done(&s->body);
	free(s);
}
