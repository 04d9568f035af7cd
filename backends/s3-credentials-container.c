/* A container's credentials: an address near by that the platform (ECS, EKS Pod Identity) puts into the environment, and a
 * token to show there.
 *
 * What must stay true: the token goes nowhere but to this machine, to the platform's own link-local addresses, or over
 * TLS; anybody who can set a variable could otherwise have it sent to himself. The address is a secret too: on ECS whoever
 * has it has the keys. No message names it.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider". */
#include "s3-credentials-sources.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define ECS_HOST "http://169.254.170.2"
#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL     "AWS_CONTAINER_CREDENTIALS_FULL_URI"

static bool host_is_near(const char *host)
{
	static const char *const near[] = { "localhost", "169.254.170.2", "169.254.170.23", "[::1]", "[fd00:ec2::23]" };
	for (size_t i = 0; i < sizeof near / sizeof *near; i++)
		if (!strcmp(host, near[i]))
			return true;
	return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == strlen(host);
}

static bool url_is_safe(const char *text)
{
	char *scheme = NULL, *host = NULL;
	CURLU *url = curl_url();
	bool safe = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		    (!strcmp(scheme, "https") || (!strcmp(scheme, "http") && host_is_near(host)));
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(url);
	return safe;
}

static int address(struct pgofs_buf *to, struct pgofs_error *err)
{
	const char *relative = s3_env(RELATIVE);
	const char *full = s3_env(FULL);
	if (!relative && !full)
		return -ENOENT;
	int r = relative ? pgofs_buf_printf(to, ECS_HOST "%s%s", *relative == '/' ? "" : "/", relative)
			 : pgofs_buf_printf(to, "%s", full);
	if (r < 0)
		return pgofs_error_errno(err, r, "address");
	if (!url_is_safe((const char *)to->data))
		return pgofs_error_set(err, -EACCES,
				       FULL " is neither https nor on this machine: the token is not sent there");
	return 0;
}

static int authorization(char **ret, struct pgofs_error *err)
{
	const char *file = s3_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = s3_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	if (file)
		return s3_read_token(file, ret, err);
	if (!token)
		return 0;
	*ret = strdup(token);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "credentials");
}

int s3_source_container(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf url = PGOFS_BUF(4096);
	_cleanup_(s3_wipe_freep) char *token = NULL;
	_cleanup_(s3_wipe_response_done) struct s3_http_response p = { 0 };
	int r = address(&url, err);
	if (r == 0)
		r = authorization(&token, err);
	if (r < 0)
		return r;

	struct s3_header header = { "authorization", token };
	struct s3_http_request q = { .method = "GET",
				     .url = (const char *)url.data,
				     .headers = &header,
				     .n_headers = token ? 1 : 0,
				     .max_bytes = 64 << 10,
				     .deadline_ns = ask->deadline_ns,
				     .direct = true };
	r = s3_source_exchange(ask, &q, true, &p, err);
	if (r == 0 && p.status != 200)
		r = pgofs_error_set(err, p.status >= 500 ? -EIO : -EACCES, "the address in %s answered %ld",
				    s3_env(RELATIVE) ? RELATIVE : FULL, p.status);
	else if (r == 0)
		r = s3_credentials_from_json("container", p.body.data, p.body.len, ret, err);
	return r == -ENOENT ? -EIO : r;
}
