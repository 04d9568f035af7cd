/* What must stay true: after target_init, a target's app and source fit the grammar of the tree, so that every file
 * name made of them is one a mount accepts; and its URL is http or https, without a password in it. */
#include "target.h"

#include "config.h"

#include <pgofs/buf.h>
#include <pgofs/name.h>
#include <pgofs/units.h>

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define URL_MAX      4096
#define DEFAULT_PATH "/debug/pprof/profile"

PGOFS_DEFINE_FREEP(CURLU, curl_url_cleanup)
PGOFS_DEFINE_FREEP(char, curl_free)

const char *target_shown(const char *text)
{
	return strchr(text, '@') && strpbrk(text, ":/") ? "(a URL)" : text;
}

static bool is_source_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._+=,@-", c));
}

static int check_source(const char *source, struct pgofs_error *err)
{
	size_t len = strlen(source);
	if (len == 0 || len > TARGET_SOURCE_MAX)
		return pgofs_error_set(err, -EINVAL, "a name has 1 to %d bytes", TARGET_SOURCE_MAX);
	for (size_t i = 0; i < len; i++)
		if (!is_source_byte(source[i]))
			return pgofs_error_set(err, -EINVAL, "a name is made of A-Z a-z 0-9 . _ + = , @ -");
	return 0;
}

/* "10.0.0.7:6060" -> "10.0.0.7_6060" */
static char *source_of_url(CURLU *url)
{
	_cleanup_(curl_freep) char *host = NULL, *port = NULL;
	char *source = NULL;
	if (curl_url_get(url, CURLUPART_HOST, &host, 0) || curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
		return NULL;
	if (asprintf(&source, "%.*s_%s", TARGET_SOURCE_MAX - 8, host, port) < 0)
		return NULL;
	for (char *c = source; *c; c++)
		if (!is_source_byte(*c))
			*c = '_';
	return source;
}

/* A query without its "seconds=": ours takes its place. */
static int drop_seconds(CURLU *url)
{
	_cleanup_(curl_freep) char *query = NULL;
	if (curl_url_get(url, CURLUPART_QUERY, &query, 0))
		return 0; /* has none */

	struct pgofs_buf rest = PGOFS_BUF(URL_MAX);
	char *at = query, *part;
	int r = 0;
	while (r == 0 && (part = strsep(&at, "&")))
		if (*part && strncmp(part, "seconds=", 8) != 0)
			r = pgofs_buf_printf(&rest, "%s%s", rest.len ? "&" : "", part);
	if (r == 0)
		r = pgofs_buf_append(&rest, "", 1);
	if (r == 0 && curl_url_set(url, CURLUPART_QUERY, rest.len > 1 ? (char *)rest.data : NULL, 0))
		r = -ENOMEM;
	pgofs_buf_done(&rest);
	return r;
}

static int complete_url(CURLU *url, int64_t duration_ns)
{
	_cleanup_(curl_freep) char *path = NULL;
	char seconds[40];
	if (curl_url_get(url, CURLUPART_PATH, &path, 0))
		return -ENOMEM;
	if (!strcmp(path, "/") && curl_url_set(url, CURLUPART_PATH, DEFAULT_PATH, 0))
		return -ENOMEM;
	curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	int r = drop_seconds(url);
	if (r < 0)
		return r;
	snprintf(seconds, sizeof seconds, "seconds=%" PRId64, duration_ns / PGOFS_NS_PER_S);
	return curl_url_set(url, CURLUPART_QUERY, seconds, CURLU_APPENDQUERY) ? -ENOMEM : 0;
}

static int parse_url(const char *text, CURLU **ret, struct pgofs_error *err)
{
	_cleanup_(curl_url_cleanupp) CURLU *url = curl_url();
	_cleanup_(curl_freep) char *scheme = NULL, *user = NULL;
	if (!url)
		return pgofs_error_errno(err, -ENOMEM, "URL");
	if (strlen(text) > URL_MAX / 2)
		return pgofs_error_set(err, -EINVAL, "a URL has at most %d bytes", URL_MAX / 2);
	CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
	if (code)
		return pgofs_error_set(err, -EINVAL, "not a URL like http://host:6060: %s", curl_url_strerror(code));
	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return pgofs_error_set(err, -EINVAL, "not a URL like http://host:6060: only http and https are spoken");
	if (!curl_url_get(url, CURLUPART_USER, &user, 0))
		return pgofs_error_set(err, -EINVAL,
				       "no password belongs in a URL, where everybody reads it: use --username and "
				       "--password-file");
	*ret = STEAL(url);
	return 0;
}

static int set_url(struct target *t, const struct target_words *words, CURLU **ret, struct pgofs_error *err)
{
	_cleanup_(curl_url_cleanupp) CURLU *url = NULL;
	_cleanup_(curl_freep) char *whole = NULL;
	int r = parse_url(words->url, &url, err);
	if (r < 0)
		return r;
	r = complete_url(url, words->duration_ns);
	if (r < 0 || curl_url_get(url, CURLUPART_URL, &whole, 0))
		return pgofs_error_errno(err, r < 0 ? r : -ENOMEM, "URL");
	t->url = strdup(whole);
	*ret = STEAL(url);
	return t->url ? 0 : -ENOMEM;
}

int target_init(struct target *ret, const struct target_words *words, struct pgofs_error *err)
{
	const char *app = words->app ? words->app : "";
	struct target t = { .job = words->job };
	_cleanup_(curl_url_cleanupp) CURLU *url = NULL;
	if (*app && !pgofs_app_valid(app, strlen(app)))
		return pgofs_error_set(
		    err, -EINVAL,
		    "app \"%s\": an app is named [A-Za-z0-9_][A-Za-z0-9._-]*, at most %d bytes, not \"merged\"", app,
		    PGOFS_APP_MAX);
	int r = words->source ? check_source(words->source, err) : 0;
	if (r < 0)
		return pgofs_error_wrap(err, r, "target \"%s\"", target_shown(words->source));

	r = set_url(&t, words, &url, err);
	if (r == 0) {
		t.app = strdup(app);
		t.source = words->source ? strdup(words->source) : source_of_url(url);
		/* with a +: curl is to forget it again, as it does all addresses */
		if (!t.app || !t.source || (words->resolve && asprintf(&t.resolve, "+%s", words->resolve) < 0))
			r = pgofs_error_errno(err, -ENOMEM, "target");
	}
	if (r < 0) {
		target_done(&t);
		return pgofs_error_wrap(err, r, "target \"%s\"",
					target_shown(words->source ? words->source : words->url));
	}
	*ret = t;
	return 0;
}

int target_parse(const char *text, const struct job *job, int64_t duration_ns, struct target *ret,
		 struct pgofs_error *err)
{
	const char *equals = strchr(text, '=');
	if (!equals)
		return pgofs_error_set(err, -EINVAL, "target \"%s\" is not NAME=URL", target_shown(text));
	_cleanup_(pgofs_freep) char *name = strndup(text, (size_t)(equals - text));
	if (!name)
		return pgofs_error_errno(err, -ENOMEM, "target");
	struct target_words words = { job->app, name, equals + 1, job, duration_ns };
	return target_init(ret, &words, err);
}

void target_done(struct target *t)
{
	free(t->app);
	free(t->source);
	free(t->url);
	free(t->resolve);
	*t = (struct target){ 0 };
}

int target_dup(const struct target *t, struct target *ret)
{
	struct target copy = { strdup(t->app), strdup(t->source), strdup(t->url),
			       t->resolve ? strdup(t->resolve) : NULL, t->job };
	if (!copy.app || !copy.source || !copy.url || (t->resolve && !copy.resolve)) {
		target_done(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

int target_compare(const struct target *a, const struct target *b)
{
	int order = strcmp(a->app, b->app);
	return order ? order : strcmp(a->source, b->source);
}

int targets_consume(struct targets *list, struct target *t)
{
	if ((list->n & (list->n + 1)) == 0) { /* full at 2^k - 1 */
		struct target *items = realloc(list->items, (2 * list->n + 1) * sizeof *items);
		if (!items) {
			target_done(t);
			return -ENOMEM;
		}
		list->items = items;
	}
	list->items[list->n++] = *t;
	*t = (struct target){ 0 };
	return 0;
}

void targets_done(struct targets *list)
{
	for (size_t i = 0; i < list->n; i++)
		target_done(&list->items[i]);
	free(list->items);
	*list = (struct targets){ 0 };
}

static int compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int order = target_compare(x, y);
	return order ? order : strcmp(x->url, y->url); /* so that the same one of two is dropped every time */
}

size_t targets_unique(struct targets *list, struct pgofs_error *err)
{
	size_t kept = 0, n_dropped = 0, n = list->n;
	if (n)
		qsort(list->items, n, sizeof *list->items, compare);
	for (size_t i = 0; i < n; i++) {
		struct target *t = &list->items[i], *before = kept ? &list->items[kept - 1] : NULL;
		if (!before || target_compare(before, t) != 0) {
			list->items[kept++] = *t;
			continue;
		}
		if (strcmp(before->url, t->url) != 0 && !n_dropped++)
			pgofs_error_set(err, -EEXIST, "two targets have one name, \"%s%s%s\": %s and %s", t->app,
					*t->app ? "/" : "", t->source, before->url, t->url);
		target_done(t);
	}
	list->n = kept;
	return n_dropped;
}
