/* The loop around one request.
 *
 * An attempt is signed with what is known now (region, credentials, how far our clock is off) and sent. What comes back is
 * a success, a final refusal, or one of two reasons to go on. A correction: the server told us what we had wrong (its region, its
 * clock, that our token expired), so the next attempt follows at once, each correction once. A retry: the network or the
 * server failed in a way that passes, so the next follows after a pause, up to `attempts`.
 *
 * What must stay true: the deadline covers all of it, pauses and credentials included; an answer counts as a success only
 * when it is whole and is what it says it is; a caller learns when a request may have been obeyed before the answer that
 * he sees; a failure is one line in the log, with no secret in it. */
#include "s3-client.h"

#include "s3-credentials.h"
#include "s3-retry.h"
#include "s3-time.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define URL_MAX     ((size_t)16 << 10)
#define CLOCK_OFF_S 300
#define REGION_SIZE 64

struct s3_client {
	struct s3_config config;
	struct s3_http *http;
	struct s3_identity *identity; /* NULL: anonymous */
	struct s3_retry_budget budget;
	_Atomic int64_t clock_off_s; /* the server's clock minus ours */
	pthread_mutex_t lock;        /* guards region */
	char region[REGION_SIZE];
	atomic_ulong n_requests[S3_N_OPERATIONS];
	atomic_ulong n_retries;
	atomic_bool has_written;
};

static const struct {
	const char *name;
	const char *method;
	const char *counter;
} operations[] = {
	[S3_LIST] = { "ListObjectsV2", "GET", "list" },
	[S3_GET] = { "GetObject", "GET", "get" },
	[S3_PUT] = { "PutObject", "PUT", "put" },
	[S3_COPY] = { "CopyObject", "PUT", "copy" },
	[S3_DELETE] = { "DeleteObject", "DELETE", "delete" },
	[S3_DELETE_MANY] = { "DeleteObjects", "POST", "delete_many" },
};

int s3_client_new(const char *source, const char *const *options, struct s3_client **ret, struct pgofs_error *err)
{
	struct s3_client *c = calloc(1, sizeof *c);
	if (!c)
		return pgofs_error_errno(err, -ENOMEM, "%s", source);
	pthread_mutex_init(&c->lock, NULL);
	s3_retry_budget_init(&c->budget);

	_cleanup_(s3_client_freep) struct s3_client *owned = c;
	int r = s3_config_init(&c->config, source, options, err);
	if (r < 0)
		return r;
	snprintf(c->region, sizeof c->region, "%s", c->config.region);

	struct s3_http_config http = { .n_connections = (size_t)c->config.connections,
				       .ca_bundle = c->config.ca_bundle };
	r = s3_http_new(&http, &c->http, err);
	if (r < 0)
		return r;
	if (!c->config.no_sign_request) {
		struct s3_identity_config identity = { c->http, c->config.profile, c->config.profile_by_option,
						       c->config.region };
		r = s3_identity_new(&identity, &c->identity, err);
	}
	if (r == 0)
		*ret = STEAL(owned);
	return r;
}

void s3_client_free(struct s3_client *c)
{
	if (!c)
		return;
	s3_identity_free(c->identity);
	s3_http_free(c->http);
	s3_config_done(&c->config);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

const struct s3_config *s3_client_config(const struct s3_client *c)
{
	return &c->config;
}

int64_t s3_client_deadline_ns(const struct s3_client *c)
{
	int64_t now = pgofs_monotonic_ns();
	return c->config.timeout_ns > INT64_MAX - now ? INT64_MAX : now + c->config.timeout_ns;
}

void s3_answer_done(struct s3_answer *a)
{
	s3_http_response_done(&a->http);
}

/* One request under way. */
struct call {
	struct s3_client *client;
	const struct s3_request *q;
	struct s3_answer *a;
	int64_t started_ns;
	int64_t deadline_ns;
	char payload[S3_HEX_SHA256_SIZE];
	unsigned n_tries;
	bool retry;     /* the last attempt failed in a way that passes */
	bool corrected; /* the last attempt taught us something */

	/* What the last attempt was made with. */
	struct s3_credentials *credentials;
	char region[REGION_SIZE];
	int64_t now_s;

	/* Corrections made. */
	bool new_region;
	bool new_clock;
	bool new_credentials;
};

static void call_done(struct call *k)
{
	s3_credentials_unref(k->credentials);
}

static int build_path(const struct call *k, struct pgofs_buf *path)
{
	const struct s3_config *c = &k->client->config;
	int r = pgofs_buf_printf(path, "%s/", c->base_path);
	if (r == 0 && c->path_style)
		r = pgofs_buf_printf(path, "%s%s", c->bucket, k->q->key ? "/" : "");
	if (r == 0 && k->q->key)
		r = s3_encode_path(path, k->q->key);
	return r;
}

struct outgoing {
	char host[S3_HOST_SIZE];
	char date[S3_DATE_SIZE];
	struct s3_header headers[S3_HEADERS_MAX + 1];
	size_t n_headers;
	struct pgofs_buf path;
	struct pgofs_buf query;
	struct pgofs_buf authorization;
	struct pgofs_buf url;
};

static void outgoing_done(struct outgoing *o)
{
	pgofs_buf_done(&o->path);
	pgofs_buf_done(&o->query);
	pgofs_buf_done(&o->authorization);
	pgofs_buf_done(&o->url);
}

static void add_header(struct outgoing *o, const char *name, const char *value)
{
	o->headers[o->n_headers++] = (struct s3_header){ name, value };
}

static int authorize(const struct call *k, struct outgoing *o)
{
	if (!k->credentials)
		return 0;
	s3_format_date(o->date, k->now_s);
	add_header(o, "x-amz-date", o->date);
	add_header(o, "x-amz-content-sha256", k->payload);
	if (k->credentials->token)
		add_header(o, "x-amz-security-token", k->credentials->token);

	struct s3_signing s = {
		.method = operations[k->q->operation].method,
		.path = (const char *)o->path.data,
		.query = (const char *)o->query.data,
		.headers = o->headers,
		.n_headers = o->n_headers,
		.payload_sha256 = k->payload,
		.date = o->date,
		.region = k->region,
		.service = "s3",
		.access_key = k->credentials->access_key,
		.secret_key = k->credentials->secret_key,
	};
	int r = s3_sign(&s, &o->authorization);
	if (r == 0)
		add_header(o, "authorization", (const char *)o->authorization.data);
	return r;
}

static int build(const struct call *k, struct outgoing *o)
{
	const struct s3_config *c = &k->client->config;
	int r = build_path(k, &o->path);
	if (r == 0)
		r = s3_encode_query(&o->query, k->q->params, k->q->n_params);
	if (r < 0)
		return r;

	s3_config_host(c, k->region, o->host);
	add_header(o, "host", o->host);
	for (size_t i = 0; i < k->q->n_headers; i++)
		add_header(o, k->q->headers[i].name, k->q->headers[i].value);
	r = authorize(k, o);
	return r < 0 ? r
		     : pgofs_buf_printf(&o->url, "%s://%s%s%s%s", c->scheme, o->host, (const char *)o->path.data,
					k->q->n_params ? "?" : "", (const char *)o->query.data);
}

static int prepare(struct call *k, const struct s3_credentials *refused, struct pgofs_error *err)
{
	struct s3_client *c = k->client;
	struct s3_credentials *credentials = NULL;
	int r = c->identity ? s3_identity_get(c->identity, refused, k->deadline_ns, &credentials, err) : 0;
	if (r < 0)
		return r;
	s3_credentials_unref(k->credentials);
	k->credentials = credentials;
	k->now_s = pgofs_now_ns() / PGOFS_NS_PER_S + atomic_load(&c->clock_off_s);

	PGOFS_LOCKED(&c->lock);
	memcpy(k->region, c->region, sizeof k->region);
	return 0;
}

static int send_request(struct call *k, struct pgofs_error *err)
{
	_cleanup_(outgoing_done) struct outgoing o = { .path = PGOFS_BUF(URL_MAX),
						       .query = PGOFS_BUF(URL_MAX),
						       .authorization = PGOFS_BUF(URL_MAX),
						       .url = PGOFS_BUF(2 * URL_MAX) };
	int r = build(k, &o);
	if (r < 0)
		return pgofs_error_errno(err, r, "build the request");

	struct s3_http_request q = {
		.method = operations[k->q->operation].method,
		.url = (const char *)o.url.data,
		.headers = o.headers,
		.n_headers = o.n_headers,
		.body = k->q->body,
		.body_len = k->q->body_len,
		.max_bytes = k->q->max_bytes,
		.deadline_ns = k->deadline_ns,
	};
	k->n_tries++;
	r = s3_http_exchange(k->client->http, &q, &k->a->http, &k->retry, err);
	atomic_fetch_add(&k->client->n_requests[k->q->operation], k->a->http.n_sends);
	if (k->a->http.n_sends > 1)
		k->a->sent_before = true;
	return r;
}

/* Does the ETag tell the MD5 of the bytes? Not when it was uploaded in parts, nor with keys that the server does not hold. */
static bool etag_is_md5(const struct s3_http_response *p)
{
	return strlen(p->etag) == 34 && p->etag[0] == '"' && strspn(p->etag + 1, "0123456789abcdef") == 32 &&
	       !p->customer_key[0] && strncmp(p->encryption, "aws:kms", 7);
}

/* An object, whole and as it was stored. */
static int check_object(struct call *k, struct pgofs_error *err)
{
	const struct s3_http_response *p = &k->a->http;
	char md5[S3_HEX_MD5_SIZE];
	if (!p->etag[0])
		return pgofs_error_set(err, -EIO, "the answer has no ETag: is the endpoint an S3 server?");
	if (!k->client->config.check_etag || !etag_is_md5(p) || s3_md5_hex(p->body.data, p->body.len, md5) < 0)
		return 0;
	if (!memcmp(md5, p->etag + 1, 32))
		return 0;
	k->retry = true;
	return pgofs_error_set(err, -EIO, "%zu bytes came whose MD5 is %s, not the ETag %s", p->body.len, md5, p->etag);
}

/* Learns from a refusal what we had wrong, each thing once. */
static bool correct_region(struct call *k)
{
	struct s3_client *c = k->client;
	const char *told = k->a->refusal.region;
	if (k->new_region || !*told || !strcmp(told, k->region))
		return false;
	PGOFS_LOCKED(&c->lock);
	memcpy(c->region, told, sizeof c->region);
	pgofs_log(PGOFS_LOG_DEBUG, "bucket is in another region", "bucket", c->config.bucket, "region", told);
	return k->new_region = true;
}

static bool correct_clock(struct call *k)
{
	int64_t server_s;
	if (k->new_clock || !k->credentials || s3_time_parse_http(k->a->http.date, &server_s) < 0)
		return false;
	int64_t off = server_s - k->now_s;
	bool told = !strcmp(k->a->refusal.code, "RequestTimeTooSkewed");
	if (!told && (k->a->refusal.status != 403 || (off < CLOCK_OFF_S && off > -CLOCK_OFF_S)))
		return false;
	if (off == 0)
		return false;
	atomic_store(&k->client->clock_off_s, server_s - pgofs_now_ns() / PGOFS_NS_PER_S);
	pgofs_log(PGOFS_LOG_WARNING, "clock differs from the storage's", "seconds", PGOFS_FMT("%lld", (long long)off));
	return k->new_clock = true;
}

static bool correct_credentials(struct call *k)
{
	struct s3_credentials *fresh = NULL;
	if (k->new_credentials || !k->credentials || !s3_refusal_of_credentials(&k->a->refusal))
		return false;
	if (s3_identity_get(k->client->identity, k->credentials, k->deadline_ns, &fresh, NULL) < 0)
		return false;
	bool others = strcmp(fresh->access_key, k->credentials->access_key) ||
		      strcmp(fresh->secret_key, k->credentials->secret_key) ||
		      strcmp(fresh->token ? fresh->token : "", k->credentials->token ? k->credentials->token : "");
	s3_credentials_unref(fresh);
	return k->new_credentials = others;
}

/* MinIO on a file system makes a prefix's directories for an object that is stored and removes them with the last one that is deleted; when
 * both meet it answers AccessDenied (cmd/os-reliable.go: errFileAccessDenied for ENOENT). To those who have written before, it is worth
 * asking once more: only a denial that stays is one. */
static bool denied_in_passing(const struct call *k)
{
	return (k->q->operation == S3_PUT || k->q->operation == S3_COPY) && k->n_tries == 1 &&
	       !strcmp(k->a->refusal.code, "AccessDenied") && atomic_load(&k->client->has_written);
}

static int judge(struct call *k, struct pgofs_error *err)
{
	struct s3_answer *a = k->a;
	enum s3_operation operation = k->q->operation;
	bool good = a->http.status >= 200 && a->http.status < 300;
	bool xml = operation != S3_GET && operation != S3_PUT && operation != S3_DELETE;
	if (good && !(xml && s3_refusal_hidden(&a->http)))
		return operation == S3_GET ? check_object(k, err) : 0;

	s3_refusal_read(&a->http, &a->refusal);
	k->retry = s3_refusal_retry(&a->refusal) || denied_in_passing(k);
	k->corrected = correct_region(k) || correct_clock(k) || correct_credentials(k);
	return s3_refusal_error(&a->refusal, err);
}

static int attempt(struct call *k, struct pgofs_error *err)
{
	k->retry = k->corrected = false;
	s3_http_response_done(&k->a->http);
	k->a->http = (struct s3_http_response){ 0 };
	k->a->refusal = (struct s3_refusal){ 0 };
	int r = prepare(k, NULL, err);
	if (r == 0)
		r = send_request(k, err);
	return r < 0 ? r : judge(k, err);
}

bool s3_client_try_again(struct s3_client *c, unsigned n_tries, int64_t deadline_ns)
{
	if (n_tries >= c->config.attempts || !s3_retry_budget_take(&c->budget) ||
	    !s3_retry_pause(n_tries ? n_tries : 1, deadline_ns))
		return false;
	atomic_fetch_add(&c->n_retries, 1);
	return true;
}

/* After a failure: shall there be another attempt? Pauses before it. */
static bool again(struct call *k)
{
	if (k->corrected) {
		atomic_fetch_add(&k->client->n_retries, 1);
		return true;
	}
	if (!k->retry || !s3_client_try_again(k->client, k->n_tries, k->deadline_ns))
		return false;
	/* A refusal was an answer: nothing was obeyed. Only silence leaves that open. */
	if (k->a->refusal.status == 0 || k->a->refusal.status >= 500)
		k->a->sent_before = true;
	return true;
}

static bool is_conditional_put(const struct s3_request *q)
{
	for (size_t i = 0; i < q->n_headers; i++)
		if (!strcmp(q->headers[i].name, "if-none-match"))
			return true;
	return false;
}

/* Outcomes that callers ask for, or have another way for, are no failures. */
static bool expected(const struct call *k, int r)
{
	const struct s3_refusal *f = &k->a->refusal;
	if (r == -EFBIG && k->q->operation == S3_GET)
		return true;
	if (r == -EOPNOTSUPP && (k->q->operation == S3_DELETE_MANY || is_conditional_put(k->q)))
		return true;
	return !strcmp(f->code, "NoSuchKey") || f->status == 412 || f->status == 304;
}

static const char *key_of(const struct s3_request *q)
{
	return q->key ? q->key : q->about;
}

static const char *request_id_of(const struct s3_answer *a)
{
	const char *id = a->refusal.request_id[0] ? a->refusal.request_id : a->http.request_id;
	return id[0] ? id : NULL;
}

/* For who keeps the service: whoever asked tells the user what it comes to, or does without. */
static void log_failure(const struct call *k, int r, const char *why)
{
	const struct s3_answer *a = k->a;
	char words[128];
	pgofs_log(expected(k, r) ? PGOFS_LOG_DEBUG : PGOFS_LOG_INFO, "storage request failed", "operation",
		  operations[k->q->operation].name, "bucket", k->client->config.bucket, "key", key_of(k->q), "status",
		  a->http.status ? PGOFS_FMT("%ld", a->http.status) : NULL, "code",
		  a->refusal.code[0] ? a->refusal.code : NULL, "request", request_id_of(a), "tries",
		  PGOFS_FMT("%u", k->n_tries), "ms",
		  PGOFS_FMT("%lld", (long long)((pgofs_monotonic_ns() - k->started_ns) / PGOFS_NS_PER_MS)), "errno",
		  strerror_r(-r, words, sizeof words), "why", why);
}

static int say(const struct call *k, int r, const char *why, struct pgofs_error *err)
{
	char timeout[PGOFS_UNIT_TEXT_SIZE];
	if (pgofs_monotonic_ns() >= k->deadline_ns)
		return pgofs_error_set(err, r, "%s (the operation's %s are over)", why,
				       pgofs_duration_format(timeout, k->client->config.timeout_ns));
	if (k->n_tries > 1)
		return pgofs_error_set(err, r, "%s (tried %u times)", why, k->n_tries);
	return pgofs_error_set(err, r, "%s", why);
}

int s3_client_ask(struct s3_client *c, const struct s3_request *q, int64_t deadline_ns, struct s3_answer *a,
		  struct pgofs_error *err)
{
	_cleanup_(call_done) struct call k = {
		.client = c, .q = q, .a = a, .deadline_ns = deadline_ns, .started_ns = pgofs_monotonic_ns()
	};
	struct pgofs_error why = { "" };
	int r = s3_sha256(q->body ? q->body : "", q->body ? q->body_len : 0, k.payload);
	if (r < 0)
		return pgofs_error_set(err, r, "OpenSSL offers no SHA-256");

	do
		r = attempt(&k, &why);
	while (r < 0 && again(&k));
	if (r == 0) {
		s3_retry_budget_give(&c->budget);
		if (q->operation == S3_PUT || q->operation == S3_COPY)
			atomic_store(&c->has_written, true);
		return 0;
	}
	log_failure(&k, r, why.text);
	return say(&k, r, why.text, err);
}

int s3_client_refuse(struct s3_client *c, const struct s3_request *q, const struct s3_answer *a, const char *why,
		     struct pgofs_error *err)
{
	pgofs_log(PGOFS_LOG_INFO, "storage answer refused", "operation", operations[q->operation].name, "bucket",
		  c->config.bucket, "key", key_of(q), "status", PGOFS_FMT("%ld", a->http.status), "request",
		  request_id_of(a), "why", why);
	return pgofs_error_set(err, -EIO, "%s", why);
}

int s3_client_stats(struct s3_client *c, struct pgofs_buf *append_to)
{
	int r = 0;
	for (int i = 0; i < S3_N_OPERATIONS && r == 0; i++)
		r = pgofs_buf_printf(append_to, "s3_requests_%s_total %lu\n", operations[i].counter,
				     atomic_load(&c->n_requests[i]));
	return r < 0 ? r : pgofs_buf_printf(append_to, "s3_retries_total %lu\n", atomic_load(&c->n_retries));
}
