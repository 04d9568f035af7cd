/* libcurl's easy handles, kept in a pool so that connections and TLS sessions are used again.
 *
 * Callers are threads that block (FUSE workers, a merge's fetchers), so blocking easy handles fit them and a multi handle
 * would only add a thread to talk to. The pool is a stack: the handle used last, whose connection is most likely alive, is
 * leased first, and few connections serve a light load. libcurl's documentation forbids sharing connections between
 * threads, so a handle and its connection are one thread's for the length of the lease.
 *
 * What must stay true: every exchange ends by its deadline (the total timeout is set from it, each time); nothing the
 * server sends is kept beyond a limit; the address is sent as it was signed; redirects are the caller's to follow, since
 * the signature covers the host. */
#include "s3-http.h"

#include <pgofs/units.h>

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define HEADER_LINE_MAX   ((size_t)64 << 10)
#define ERROR_BODY_MAX    ((size_t)64 << 10)
#define CONNECT_WITHIN_NS (5 * PGOFS_NS_PER_S)
#define SILENT_MIN_S      20L
#define CONNECTION_LIFE_S 300L

struct s3_http {
	pthread_mutex_t lock; /* guards idle, n_idle */
	pthread_cond_t returned;
	CURL **idle; /* a stack */
	size_t n_idle;
	size_t n_all;
	const char *ca_bundle;
	bool ca_is_dir;
};

static void global_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int s3_http_new(const struct s3_http_config *config, struct s3_http **ret, struct pgofs_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, global_init);

	struct stat st;
	if (config->ca_bundle && stat(config->ca_bundle, &st) < 0)
		return pgofs_error_errno(err, -errno, "CA bundle %s", config->ca_bundle);

	struct s3_http *h = calloc(1, sizeof *h);
	if (!h)
		return pgofs_error_errno(err, -ENOMEM, "HTTP");
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->returned, &monotonic);
	pthread_condattr_destroy(&monotonic);

	_cleanup_(s3_http_freep) struct s3_http *owned = h;
	h->ca_bundle = config->ca_bundle;
	h->ca_is_dir = config->ca_bundle && S_ISDIR(st.st_mode);
	h->idle = calloc(config->n_connections, sizeof *h->idle);
	for (size_t i = 0; h->idle && i < config->n_connections; i++) {
		CURL *easy = curl_easy_init();
		if (!easy)
			break;
		h->idle[h->n_idle++] = easy;
	}
	h->n_all = h->n_idle;
	if (h->n_all < config->n_connections)
		return pgofs_error_errno(err, -ENOMEM, "HTTP");
	*ret = STEAL(owned);
	return 0;
}

void s3_http_free(struct s3_http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_idle; i++)
		curl_easy_cleanup(h->idle[i]);
	free(h->idle);
	pthread_cond_destroy(&h->returned);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void s3_http_response_done(struct s3_http_response *r)
{
	pgofs_buf_done(&r->body);
}

/* A handle on loan; goes back at the end of the scope. */
struct lease {
	struct s3_http *from;
	CURL *easy;
	struct curl_slist *headers;
	char why[CURL_ERROR_SIZE];
};

static int lease_take(struct lease *l, struct s3_http *h, int64_t deadline_ns)
{
	struct timespec until = { deadline_ns / PGOFS_NS_PER_S, deadline_ns % PGOFS_NS_PER_S };
	PGOFS_LOCKED(&h->lock);
	while (h->n_idle == 0)
		if (pthread_cond_timedwait(&h->returned, &h->lock, &until) == ETIMEDOUT)
			return -ETIMEDOUT;
	l->from = h;
	l->easy = h->idle[--h->n_idle];
	return 0;
}

static void lease_return(struct lease *l)
{
	if (!l->from)
		return;
	curl_easy_reset(l->easy); /* keeps the connection; drops what points into this frame */
	curl_slist_free_all(l->headers);

	PGOFS_LOCKED(&l->from->lock);
	l->from->idle[l->from->n_idle++] = l->easy;
	pthread_cond_signal(&l->from->returned);
}

/* What the callbacks see of one exchange. */
struct transfer {
	CURL *easy;
	struct s3_http_response *response;
	size_t max_bytes;
	bool begun;
	bool error_body_cut;
	int result;
};

static int begin_body(struct transfer *t)
{
	long status = 0;
	curl_off_t told = -1;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);

	bool good = status >= 200 && status < 300;
	t->begun = true;
	t->response->status = status;
	t->response->body = PGOFS_BUF(good ? t->max_bytes : ERROR_BODY_MAX);
	if (!good || told < 0)
		return 0;
	if ((uint64_t)told > t->max_bytes)
		return -EFBIG;
	return pgofs_buf_reserve(&t->response->body, (size_t)told);
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct transfer *t = context;
	size_t len = size * n;
	int r = t->begun ? 0 : begin_body(t);
	if (r == 0)
		r = pgofs_buf_append(&t->response->body, data, len);
	if (r == 0)
		return len;

	if (r == -EFBIG && t->response->status >= 300)
		t->error_body_cut = true; /* its beginning is all we want of it */
	else
		t->result = r;
	return 0;
}

static int on_send(void *context, char *to, char *from, int to_port, int from_port)
{
	struct transfer *t = context;
	t->response->n_sends++;
	return CURL_PREREQFUNC_OK;
}

static int add_header(struct lease *l, const char *line)
{
	struct curl_slist *longer = curl_slist_append(l->headers, line);
	if (!longer)
		return -ENOMEM;
	l->headers = longer;
	return 0;
}

static int set_headers(struct lease *l, const struct s3_http_request *q)
{
	/* libcurl's own additions, which are not signed and make servers do things nobody asked for. */
	int r = add_header(l, "expect:");
	if (r == 0)
		r = add_header(l, "content-type:"); /* one of the caller's comes after it and stays */

	for (size_t i = 0; i < q->n_headers && r == 0; i++) {
		_cleanup_(pgofs_buf_done) struct pgofs_buf line = PGOFS_BUF(HEADER_LINE_MAX);
		if (strpbrk(q->headers[i].value, "\r\n"))
			return -EINVAL; /* a value would become headers of its own */
		r = pgofs_buf_printf(&line, "%s: %s", q->headers[i].name, q->headers[i].value);
		if (r == 0)
			r = add_header(l, (const char *)line.data);
		if (line.data)
			OPENSSL_cleanse(line.data, line.len);
	}
	return r;
}

static void set_limits(struct lease *l, const struct s3_http_request *q)
{
	int64_t left_ns = q->deadline_ns - pgofs_monotonic_ns();
	int64_t connect_ns = q->connect_within_ns ? q->connect_within_ns : CONNECT_WITHIN_NS;
	long left_ms = (long)(left_ns / PGOFS_NS_PER_MS);
	long connect_ms = (long)(connect_ns / PGOFS_NS_PER_MS);
	long silent_s = left_ms / 2 / 1000; /* so that there is time to ask another way, or again */

	curl_easy_setopt(l->easy, CURLOPT_TIMEOUT_MS, left_ms > 0 ? left_ms : 1L);
	curl_easy_setopt(l->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms < left_ms ? connect_ms : left_ms);
	curl_easy_setopt(l->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(l->easy, CURLOPT_LOW_SPEED_TIME, silent_s > SILENT_MIN_S ? silent_s : SILENT_MIN_S);
	curl_easy_setopt(l->easy, CURLOPT_NOSIGNAL, 1L);
	/* Without it a timeout waits for a name lookup that is under way in libcurl's helper thread. */
	curl_easy_setopt(l->easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_connection(struct lease *l, const struct s3_http_request *q)
{
	curl_easy_setopt(l->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(l->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(l->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(l->easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	curl_easy_setopt(l->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(l->easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
	curl_easy_setopt(l->easy, CURLOPT_USERAGENT, "pgofs/" PGOFS_VERSION);
	if (q->direct)
		curl_easy_setopt(l->easy, CURLOPT_PROXY, "");
	if (l->from->ca_bundle) { /* either has a default of its own, which would go on being trusted */
		curl_easy_setopt(l->easy, CURLOPT_CAINFO, l->from->ca_is_dir ? NULL : l->from->ca_bundle);
		curl_easy_setopt(l->easy, CURLOPT_CAPATH, l->from->ca_is_dir ? l->from->ca_bundle : NULL);
	}
}

static void set_request(struct lease *l, const struct s3_http_request *q, struct transfer *t)
{
	curl_easy_setopt(l->easy, CURLOPT_URL, q->url);
	curl_easy_setopt(l->easy, CURLOPT_PATH_AS_IS, 1L);
	if (q->body) {
		curl_easy_setopt(l->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
		curl_easy_setopt(l->easy, CURLOPT_POSTFIELDS, q->body);
	}
	curl_easy_setopt(l->easy, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(l->easy, CURLOPT_HTTPHEADER, l->headers);
	curl_easy_setopt(l->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(l->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(l->easy, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(l->easy, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(l->easy, CURLOPT_ERRORBUFFER, l->why);
}

static void copy_header(CURL *easy, const char *name, char ret[static S3_HEADER_SIZE])
{
	struct curl_header *h;
	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK && strlen(h->value) < S3_HEADER_SIZE)
		memcpy(ret, h->value, strlen(h->value) + 1);
}

static void read_headers(CURL *easy, struct s3_http_response *p)
{
	curl_off_t told = -1;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &p->status);
	curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
	p->total_bytes = told;
	copy_header(easy, "etag", p->etag);
	copy_header(easy, "last-modified", p->last_modified);
	copy_header(easy, "date", p->date);
	copy_header(easy, "x-amz-request-id", p->request_id);
	copy_header(easy, "x-amz-bucket-region", p->region);
	copy_header(easy, "x-amz-server-side-encryption", p->encryption);
	copy_header(easy, "x-amz-server-side-encryption-customer-algorithm", p->customer_key);
}

static bool worth_another_try(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return true;
	default:
		return false;
	}
}

static int failure(const struct lease *l, CURLcode code, struct pgofs_error *err)
{
	const char *why = l->why[0] ? l->why : curl_easy_strerror(code);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return pgofs_error_set(err, -ETIMEDOUT, "%s", why);
	if (code == CURLE_OUT_OF_MEMORY)
		return pgofs_error_errno(err, -ENOMEM, "HTTP");
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		return pgofs_error_set(err, -EIO, "%s (to trust another authority: ca-bundle=FILE)", why);
	return pgofs_error_set(err, -EIO, "%s", why);
}

int s3_http_exchange(struct s3_http *h, const struct s3_http_request *q, struct s3_http_response *p, bool *ret_retry,
		     struct pgofs_error *err)
{
	_cleanup_(lease_return) struct lease l = { 0 };
	*ret_retry = false;
	int r = lease_take(&l, h, q->deadline_ns);
	if (r < 0)
		return pgofs_error_set(err, r, "no connection came free in time, all %zu are busy", h->n_all);
	if (pgofs_monotonic_ns() >= q->deadline_ns)
		return pgofs_error_set(err, -ETIMEDOUT, "no time was left to ask");

	struct transfer t = { .easy = l.easy, .response = p, .max_bytes = q->max_bytes };
	if ((r = set_headers(&l, q)) < 0)
		return pgofs_error_errno(err, r, "a header");
	set_connection(&l, q);
	set_limits(&l, q);
	set_request(&l, q, &t);

	CURLcode code = curl_easy_perform(l.easy);
	read_headers(l.easy, p);
	if (t.result == -EFBIG)
		return pgofs_error_set(err, -EFBIG, "the answer is larger than %zu bytes", q->max_bytes);
	if (t.result < 0)
		return pgofs_error_errno(err, t.result, "the answer");
	if (code == CURLE_OK || t.error_body_cut)
		return 0;
	*ret_retry = worth_another_try(code);
	return failure(&l, code, err);
}
