/* An option is one row of a table, and the environment's variables name rows of it too, so that both are read and refused
 * in the same way. What the shared files say is applied first, then the environment, then the options; the profile that
 * says which part of the shared files counts is itself an option, so it is looked up before.
 *
 * A secret is never an option: a command line can be read by every user of the machine. Rows stand for them only so that
 * whoever tries is told what to do instead. */
#include "s3-config.h"

#include "s3-profile.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct s3_config, field)
#define SECRET    "refused: secrets come from the environment or a file"

const struct pgofs_option s3_config_options[] = {
	{ "endpoint", 0, PGOFS_OPTION_STRING, AT(endpoint), NULL, "URL", "the S3 server; without it, AWS" },
	{ "region", 0, PGOFS_OPTION_STRING, AT(region), "us-east-1", "NAME",
	  "the bucket's region; a wrong one is corrected" },
	{ "addressing", 0, PGOFS_OPTION_STRING, AT(addressing), "auto", "HOW",
	  "path, virtual (the bucket in the host name), or auto: path with an endpoint of your own" },
	{ "ca-bundle", 0, PGOFS_OPTION_STRING, AT(ca_bundle), NULL, "FILE",
	  "certificate authorities to trust, instead of the system's" },
	{ "profile", 0, PGOFS_OPTION_STRING, AT(profile), NULL, "NAME",
	  "profile of ~/.aws/config and ~/.aws/credentials" },
	{ "no-sign-request", 0, PGOFS_OPTION_FLAG, AT(no_sign_request), NULL, NULL, "ask without credentials" },
	{ "timeout", 0, PGOFS_OPTION_DURATION, AT(timeout_ns), "30s", "TIME",
	  "for one operation with all its retries" },
	{ "connections", 0, PGOFS_OPTION_COUNT, AT(connections), "16", "N", "at the same time, at most" },
	{ "attempts", 0, PGOFS_OPTION_COUNT, AT(attempts), "5", "N", "how often one request is sent, at most" },
	{ "check-etag", 0, PGOFS_OPTION_FLAG, AT(check_etag), "yes", NULL,
	  "check what is read against an ETag that is an MD5" },
	{ "access-key", 0, PGOFS_OPTION_STRING, AT(refused[0]), NULL, "ID", SECRET },
	{ "secret-key", 0, PGOFS_OPTION_STRING, AT(refused[1]), NULL, "KEY", SECRET },
	{ "session-token", 0, PGOFS_OPTION_STRING, AT(refused[2]), NULL, "TOKEN", SECRET },
	{ NULL },
};

/* The first that is set counts. */
static const struct {
	const char *option;
	const char *variables[2];
} from_environment[] = {
	{ "endpoint", { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" } },
	{ "region", { "AWS_REGION", "AWS_DEFAULT_REGION" } },
	{ "ca-bundle", { "AWS_CA_BUNDLE", NULL } },
	{ "profile", { "AWS_PROFILE", "AWS_DEFAULT_PROFILE" } },
	{ "attempts", { "AWS_MAX_ATTEMPTS", NULL } },
};

bool s3_config_matches(const char *source)
{
	return !strncmp(source, "s3://", 5);
}

static int set(struct s3_config *c, const char *name, size_t len, const char *value, struct pgofs_error *err)
{
	const struct pgofs_option *o = pgofs_options_find(s3_config_options, name, len);
	if (!o)
		return pgofs_error_set(err, -EINVAL, "there is no option %.*s for S3", (int)len, name);
	if (o->offset >= AT(refused) && o->offset < AT(refused) + sizeof c->refused)
		return pgofs_error_set(
		    err, -EINVAL,
		    "option %s is refused, since every user of this machine can read a command line: "
		    "put it into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
		    "AWS_SESSION_TOKEN) or into ~/.aws/credentials and say profile=NAME",
		    o->name);
	if (o->type == PGOFS_OPTION_STRING && (!value || !*value))
		return pgofs_error_set(err, -EINVAL, "option %s needs a value: %s=%s", o->name, o->name, o->arg);
	return pgofs_option_set(o, c, value, err);
}

static int set_option(struct s3_config *c, const char *option, struct pgofs_error *err)
{
	const char *equals = strchr(option, '=');
	size_t len = equals ? (size_t)(equals - option) : strlen(option);
	if (len == strlen("profile") && !strncmp(option, "profile", len))
		c->profile_by_option = true;
	return set(c, option, len, equals ? equals + 1 : NULL, err);
}

static int set_from_environment(struct s3_config *c, struct pgofs_error *err)
{
	for (size_t i = 0; i < sizeof from_environment / sizeof *from_environment; i++) {
		const char *option = from_environment[i].option;
		for (size_t v = 0; v < 2 && from_environment[i].variables[v]; v++) {
			const char *value = s3_env(from_environment[i].variables[v]);
			if (!value)
				continue;
			int r = set(c, option, strlen(option), value, err);
			if (r < 0)
				return pgofs_error_wrap(err, r, "%s", from_environment[i].variables[v]);
			break;
		}
	}
	return 0;
}

/* The profile's word, where there is one. */
static int set_from_profile(struct s3_config *c, const char *option, const char *value, struct pgofs_error *err)
{
	if (!value || !*value)
		return 0;
	int r = set(c, option, strlen(option), value, err);
	return r < 0 ? pgofs_error_wrap(err, r, "profile") : 0;
}

static int set_from_files(struct s3_config *c, const char *profile, struct pgofs_error *err)
{
	_cleanup_(s3_profile_freep) struct s3_profile *p = NULL;
	int r = s3_profile_open(profile, &p, err);
	if (r < 0)
		return r;

	const char *endpoint = s3_profile_get_service(p, "s3", "endpoint_url");
	r = set_from_profile(c, "endpoint", endpoint ? endpoint : s3_profile_get(p, "endpoint_url"), err);
	if (r == 0)
		r = set_from_profile(c, "region", s3_profile_get(p, "region"), err);
	if (r == 0)
		r = set_from_profile(c, "addressing", s3_profile_get_service(p, "s3", "addressing_style"), err);
	if (r == 0)
		r = set_from_profile(c, "ca-bundle", s3_profile_get(p, "ca_bundle"), err);
	return r == 0 ? set_from_profile(c, "attempts", s3_profile_get(p, "max_attempts"), err) : r;
}

static const char *profile_named(const char *const *options)
{
	const char *named = NULL;
	for (; options && *options; options++)
		if (!strncmp(*options, "profile=", 8) && (*options)[8])
			named = *options + 8;
	return named;
}

static int set_all(struct s3_config *c, const char *const *options, struct pgofs_error *err)
{
	int r = pgofs_options_init(s3_config_options, c, err);
	if (r == 0)
		r = set_from_files(c, profile_named(options), err);
	if (r == 0)
		r = set_from_environment(c, err);
	for (; r == 0 && options && *options; options++)
		r = set_option(c, *options, err);
	if (r < 0)
		return r;

	if (c->attempts < 1 || c->attempts > 100)
		return pgofs_error_set(err, -EINVAL, "attempts: 1 to 100");
	if (c->connections < 1 || c->connections > 1024)
		return pgofs_error_set(err, -EINVAL, "connections: 1 to 1024");
	if (c->timeout_ns < 1)
		return pgofs_error_set(err, -EINVAL, "timeout: more than 0");
	return 0;
}

static bool bucket_valid(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", s[i]))
			return false;
	return len >= 1 && len <= 255 && s[0] != '.';
}

/* Segments as in a key: none empty, none "." or "..". */
static bool prefix_valid(const char *s, size_t len)
{
	while (len) {
		size_t n = 0;
		while (n < len && s[n] != '/')
			n++;
		if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
		len -= n;
		if (len) {
			s++;
			len--;
			if (!len)
				return false;
		}
	}
	return true;
}

static int set_place(struct s3_config *c, const char *source, struct pgofs_error *err)
{
	const char *bucket = source + strlen("s3://");
	size_t bucket_len = strcspn(bucket, "/");
	if (memchr(bucket, '@', bucket_len))
		return pgofs_error_set(err, -EINVAL,
				       "credentials in a source are refused: put them into the environment "
				       "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or ~/.aws/credentials");
	if (!bucket_valid(bucket, bucket_len))
		return pgofs_error_set(err, -EINVAL, "%s: no bucket is called that; wanted s3://BUCKET[/PREFIX]",
				       source);

	const char *prefix = bucket + bucket_len + (bucket[bucket_len] == '/');
	size_t prefix_len = strlen(prefix);
	if (prefix_len && prefix[prefix_len - 1] == '/')
		prefix_len--;
	if (prefix_len > 512 || !prefix_valid(prefix, prefix_len))
		return pgofs_error_set(err, -EINVAL, "%s: the prefix is no path (empty part, \".\", \"..\", too long)",
				       source);

	c->bucket = strndup(bucket, bucket_len);
	if (!c->bucket || asprintf(&c->prefix, "%.*s%s", (int)prefix_len, prefix, prefix_len ? "/" : "") < 0)
		return pgofs_error_errno(err, -ENOMEM, "%s", source);
	return 0;
}

static int url_part(CURLU *url, CURLUPart part, char **ret)
{
	char *text = NULL;
	if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
		return -ENOENT;
	*ret = strdup(text);
	curl_free(text);
	return *ret ? 0 : -ENOMEM;
}

static bool url_has(CURLU *url, CURLUPart part)
{
	_cleanup_(pgofs_freep) char *text = NULL;
	return url_part(url, part, &text) == 0 && *text;
}

static int split_endpoint(struct s3_config *c, CURLU *url, struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) char *host = NULL, *port = NULL;
	if (curl_url_set(url, CURLUPART_URL, c->endpoint, 0) != CURLUE_OK ||
	    url_part(url, CURLUPART_SCHEME, &c->scheme) < 0 ||
	    (strcmp(c->scheme, "http") && strcmp(c->scheme, "https")) || url_part(url, CURLUPART_HOST, &host) < 0)
		return pgofs_error_set(err, -EINVAL, "endpoint %s: wanted http://HOST[:PORT] or https://HOST[:PORT]",
				       strchr(c->endpoint, '@') ? "(not shown)" : c->endpoint);
	if (url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD))
		return pgofs_error_set(err, -EINVAL, "endpoint: a user or a password in it is refused: S3 has none");
	if (url_has(url, CURLUPART_QUERY) || url_has(url, CURLUPART_FRAGMENT))
		return pgofs_error_set(err, -EINVAL, "endpoint %s: no '?' or '#' belongs into it", c->endpoint);

	url_part(url, CURLUPART_PORT, &port);
	bool usual = !port || !strcmp(port, !strcmp(c->scheme, "https") ? "443" : "80");
	if (asprintf(&c->authority, "%s%s%s", host, usual ? "" : ":", usual ? "" : port) < 0 ||
	    url_part(url, CURLUPART_PATH, &c->base_path) < 0)
		return pgofs_error_errno(err, -ENOMEM, "endpoint");
	for (size_t len = strlen(c->base_path); len && c->base_path[len - 1] == '/'; len--)
		c->base_path[len - 1] = '\0';
	return 0;
}

static int set_endpoint(struct s3_config *c, struct pgofs_error *err)
{
	if (!c->endpoint) {
		c->scheme = strdup("https");
		c->base_path = strdup("");
		return c->scheme && c->base_path ? 0 : pgofs_error_errno(err, -ENOMEM, "endpoint");
	}
	CURLU *url = curl_url();
	int r = url ? split_endpoint(c, url, err) : pgofs_error_errno(err, -ENOMEM, "endpoint");
	curl_url_cleanup(url);
	return r;
}

static int set_addressing(struct s3_config *c, struct pgofs_error *err)
{
	if (!strcmp(c->addressing, "auto"))
		/* A certificate for *.s3.amazonaws.com does not cover a bucket with dots. */
		c->path_style = c->authority || strchr(c->bucket, '.') || strchr(c->bucket, '_');
	else if (!strcmp(c->addressing, "path"))
		c->path_style = true;
	else if (strcmp(c->addressing, "virtual"))
		return pgofs_error_set(err, -EINVAL, "addressing: path, virtual or auto, not %s", c->addressing);
	return 0;
}

static int check_region(const struct s3_config *c, struct pgofs_error *err)
{
	size_t len = strlen(c->region);
	if (len > 63 || strspn(c->region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != len)
		return pgofs_error_set(err, -EINVAL, "region: no region is called %s", c->region);
	return 0;
}

int s3_config_init(struct s3_config *c, const char *source, const char *const *options, struct pgofs_error *err)
{
	int r = set_all(c, options, err);
	if (r == 0)
		r = set_place(c, source, err);
	if (r == 0)
		r = set_endpoint(c, err);
	if (r == 0)
		r = check_region(c, err);
	return r < 0 ? r : set_addressing(c, err);
}

void s3_config_done(struct s3_config *c)
{
	pgofs_options_done(s3_config_options, c);
	free(c->bucket);
	free(c->prefix);
	free(c->scheme);
	free(c->authority);
	free(c->base_path);
}

void s3_config_host(const struct s3_config *c, const char *region, char ret[static S3_HOST_SIZE])
{
	const char *bucket = c->path_style ? "" : c->bucket, *dot = c->path_style ? "" : ".";
	if (c->authority)
		snprintf(ret, S3_HOST_SIZE, "%s%s%s", bucket, dot, c->authority);
	else
		snprintf(ret, S3_HOST_SIZE, "%s%ss3.%s.amazonaws.com%s", bucket, dot, region,
			 !strncmp(region, "cn-", 3) ? ".cn" : "");
}
