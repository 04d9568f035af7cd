/* The chain, and the one set of credentials in use.
 *
 * Long mounts outlive their tokens, so credentials are renewed five minutes before they expire, by whichever call comes
 * first, which gives it some seconds; the others go on with what they have. If that fails, what is there serves until it
 * has really expired. After each round the sources are left alone for a while, also where what they gave has expired by our
 * clock. No thread of our own is needed, and none is lost by a fork.
 *
 * What must stay true: no secret goes into a log or an error; those kept here are wiped when they go (copies that libcurl
 * and the parsers make on the way are not); a source that is set up and fails is an error, not a reason to try the next. */
#include "s3-credentials.h"

#include "s3-credentials-sources.h"
#include "s3-error.h"
#include "s3-retry.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define RENEW_BEFORE_S  300
#define NEXT_ROUND_NS   (10 * PGOFS_NS_PER_S)
#define RENEW_WITHIN_NS (5 * PGOFS_NS_PER_S)
#define TOKEN_MAX_BYTES ((size_t)64 << 10)
#define TRIES           3

struct s3_identity {
	struct s3_identity_config config;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t asked;
	struct s3_credentials *now; /* or NULL */
	bool asking;                /* one thread is at the sources */
	int64_t next_round_ns;      /* by pgofs_monotonic_ns; before it the sources are left alone */
	unsigned n_rounds;          /* how often the sources were asked */
	int last_result;            /* of the last round, */
	struct pgofs_error why;     /* and its words */
};

void s3_wipe_free(char *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	free(secret);
}

void s3_wipe_response_done(struct s3_http_response *r)
{
	if (r->body.data)
		OPENSSL_cleanse(r->body.data, r->body.len);
	s3_http_response_done(r);
}

struct s3_credentials *s3_credentials_new(const char *source, const char *access_key, const char *secret_key,
					  const char *token, int64_t expires_s)
{
	_cleanup_(s3_credentials_unrefp) struct s3_credentials *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	atomic_init(&c->refs, 1);
	c->source = source;
	c->expires_s = expires_s;
	c->access_key = strdup(access_key);
	c->secret_key = strdup(secret_key);
	c->token = token && *token ? strdup(token) : NULL;
	return c->access_key && c->secret_key && (c->token || !token || !*token) ? STEAL(c) : NULL;
}

struct s3_credentials *s3_credentials_ref(struct s3_credentials *c)
{
	if (c)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void s3_credentials_unref(struct s3_credentials *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(c->access_key);
	s3_wipe_free(c->secret_key);
	s3_wipe_free(c->token);
	free(c);
}

int s3_read_token(const char *path, char **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_fclosep) FILE *f = fopen(path, "re");
	if (!f)
		return pgofs_error_errno(err, -EIO, "token file %s: %m", path);
	_cleanup_(s3_wipe_freep) char *text = calloc(1, TOKEN_MAX_BYTES + 1);
	if (!text)
		return pgofs_error_errno(err, -ENOMEM, "token file %s", path);

	size_t n = fread(text, 1, TOKEN_MAX_BYTES, f);
	if (ferror(f) || n == TOKEN_MAX_BYTES)
		return pgofs_error_set(err, -EIO, "token file %s: cannot be read, or is larger than %zu bytes", path,
				       TOKEN_MAX_BYTES);
	size_t start = strspn(text, " \t\r\n");
	size_t len = strcspn(text + start, " \t\r\n");
	if (!len)
		return pgofs_error_set(err, -EIO, "token file %s: it is empty", path);
	*ret = strndup(text + start, len);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "token file %s", path);
}

int s3_source_exchange(const struct s3_ask *ask, const struct s3_http_request *q, bool named,
		       struct s3_http_response *p, struct pgofs_error *err)
{
	for (unsigned n = 1;; n++) {
		bool retry;
		int r = s3_http_exchange(ask->http, q, p, &retry, err);
		if (r < 0 && retry && !named && !p->n_sends)
			return -ENOENT;
		if (r == 0)
			retry = s3_refusal_retry(&(struct s3_refusal){ .status = p->status });
		if (!retry || n == TRIES || !s3_retry_pause(n, q->deadline_ns))
			return r;
		s3_http_response_done(p);
		*p = (struct s3_http_response){ 0 };
	}
}

int s3_source_environment(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err)
{
	const char *access_key = s3_env("AWS_ACCESS_KEY_ID"), *secret_key = s3_env("AWS_SECRET_ACCESS_KEY");
	if (!access_key && !secret_key)
		return -ENOENT;
	if (!access_key || !secret_key)
		return pgofs_error_set(err, -EACCES, "%s is not set, though %s is",
				       access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID",
				       access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY");
	*ret = s3_credentials_new("environment", access_key, secret_key, s3_env("AWS_SESSION_TOKEN"), 0);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "credentials");
}

static const struct {
	const char *name;
	s3_source_fn ask;
} chain[] = {
	{ "environment", s3_source_environment },    { "shared files", s3_source_shared },
	{ "web identity", s3_source_web_identity },  { "container endpoint", s3_source_container },
	{ "instance metadata", s3_source_instance },
};

static int ask_chain(const struct s3_identity *id, int64_t deadline_ns, struct s3_credentials **ret,
		     struct pgofs_error *err)
{
	_cleanup_(s3_profile_freep) struct s3_profile *profile = NULL;
	int r = s3_profile_open(id->config.profile, &profile, err);
	if (r < 0)
		return r == -ENOENT ? -EACCES : r;

	struct s3_ask ask = { id->config.http, profile, id->config.region, deadline_ns };
	for (size_t i = id->config.profile_first ? 1 : 0; i < sizeof chain / sizeof *chain; i++) {
		r = chain[i].ask(&ask, ret, err);
		if (r == 0)
			pgofs_log(PGOFS_LOG_DEBUG, "credentials found", "source", (*ret)->source, "access-key",
				  (*ret)->access_key);
		if (r != -ENOENT)
			return r < 0 ? pgofs_error_wrap(err, r, "credentials from %s", chain[i].name) : 0;
	}
	return pgofs_error_set(
	    err, -EACCES,
	    "no credentials: none in the environment (AWS_ACCESS_KEY_ID), in profile %s of ~/.aws, of a "
	    "web identity, a container or an instance; for a public bucket say no-sign-request",
	    s3_profile_name(profile));
}

int s3_identity_new(const struct s3_identity_config *config, struct s3_identity **ret, struct pgofs_error *err)
{
	struct s3_identity *id = calloc(1, sizeof *id);
	if (!id)
		return pgofs_error_errno(err, -ENOMEM, "credentials");
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	id->config = *config;
	pthread_mutex_init(&id->lock, NULL);
	pthread_cond_init(&id->asked, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret = id;
	return 0;
}

void s3_identity_free(struct s3_identity *id)
{
	if (!id)
		return;
	s3_credentials_unref(id->now);
	pthread_cond_destroy(&id->asked);
	pthread_mutex_destroy(&id->lock);
	free(id);
}

static int64_t now_s(void)
{
	return pgofs_now_ns() / PGOFS_NS_PER_S;
}

static bool good_for(const struct s3_credentials *c, int64_t seconds)
{
	return c && (!c->expires_s || c->expires_s - now_s() > seconds);
}

/* Keys that have expired although a source has just given them: then it is our clock that is off, and the server that
 * knows. */
static bool just_given(const struct s3_identity *id)
{
	return id->now && id->last_result == 0 && pgofs_monotonic_ns() < id->next_round_ns;
}

/* With the lock held: may this caller go on with id->now, or is it (*ret_ask) the one to ask the sources? Neither: wait. */
static bool may_use(struct s3_identity *id, const struct s3_credentials *refused, bool *ret_ask)
{
	bool usable = id->now != refused && (good_for(id->now, 0) || just_given(id));
	bool wanted = !usable || (!good_for(id->now, RENEW_BEFORE_S) && pgofs_monotonic_ns() >= id->next_round_ns);
	*ret_ask = wanted && !id->asking;
	return usable && !*ret_ask;
}

/* With the lock held: keeps what a round of the chain found, or why it found nothing. */
static void settle(struct s3_identity *id, int r, struct s3_credentials *found, const struct pgofs_error *why)
{
	id->asking = false;
	id->next_round_ns = pgofs_monotonic_ns() + NEXT_ROUND_NS;
	id->n_rounds++;
	id->last_result = r;
	id->why = *why;
	if (r == 0) {
		s3_credentials_unref(id->now);
		id->now = found;
	}
	pthread_cond_broadcast(&id->asked);
}

/* Renewing keys that are still good must leave the caller time for what he came for. */
static int64_t round_deadline_ns(const struct s3_identity *id, const struct s3_credentials *refused,
				 int64_t deadline_ns)
{
	int64_t now = pgofs_monotonic_ns(), most = (deadline_ns - now) / 2;
	if (id->now == refused || !good_for(id->now, 0))
		return deadline_ns;
	return now + (most < RENEW_WITHIN_NS ? most : RENEW_WITHIN_NS);
}

/* With the lock held, but for the time at the sources. */
static int ask_once(struct s3_identity *id, int64_t deadline_ns, struct pgofs_error *err)
{
	struct s3_credentials *found = NULL;
	struct pgofs_error why = { "" };
	id->asking = true;
	pthread_mutex_unlock(&id->lock);
	int r = ask_chain(id, deadline_ns, &found, &why);
	pthread_mutex_lock(&id->lock);
	if (r < 0 && good_for(id->now, 0)) /* else the caller fails, in the same words */
		pgofs_log(PGOFS_LOG_WARNING, "credentials not renewed", "why", why.text);
	settle(id, r, found, &why);
	return r < 0 ? pgofs_error_set(err, r, "%s", why.text) : 0;
}

/* With the lock held. The failure of another's round is shared, but not that his time was over: ours may not be. */
static int wait_for_round(struct s3_identity *id, int64_t deadline_ns, struct pgofs_error *err)
{
	struct timespec until = { deadline_ns / PGOFS_NS_PER_S, deadline_ns % PGOFS_NS_PER_S };
	unsigned before = id->n_rounds;
	if (pthread_cond_timedwait(&id->asked, &id->lock, &until) == ETIMEDOUT)
		return pgofs_error_set(err, -ETIMEDOUT, "waiting for credentials took too long");
	if (id->n_rounds == before || id->last_result >= 0 || id->last_result == -ETIMEDOUT)
		return 0;
	return pgofs_error_set(err, id->last_result, "%s", id->why.text);
}

int s3_identity_get(struct s3_identity *id, const struct s3_credentials *refused, int64_t deadline_ns,
		    struct s3_credentials **ret, struct pgofs_error *err)
{
	PGOFS_LOCKED(&id->lock);
	int r = 0;
	bool ask;
	while (!may_use(id, refused, &ask)) {
		if (r < 0)
			return r;
		r = ask ? ask_once(id, round_deadline_ns(id, refused, deadline_ns), err)
			: wait_for_round(id, deadline_ns, err);
	}
	*ret = s3_credentials_ref(id->now);
	return 0;
}
