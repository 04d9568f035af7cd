/* An EC2 instance's role, from its metadata service, version 2: a token first, then the role's name, then its keys.
 *
 * It is the last of the chain and is asked without being set up, so a machine that is no instance must not wait for it:
 * one second to connect, once, no proxy. Nobody there, or somebody who knows nothing of such a token, means "not here"; all else
 * is a failure, since the keys of an instance that has a role must not seem to be gone.
 *
 * Source: Amazon EC2 User Guide, "Use the Instance Metadata Service". */
#include "s3-credentials-sources.h"

#include <pgofs/units.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_ENDPOINT "http://169.254.169.254"
#define ROLE_PATH        "latest/meta-data/iam/security-credentials/"
#define TTL_S            "21600"

/* Metadata answers at once or not at all. */
static int64_t soon(const struct s3_ask *ask, int64_t within_ns)
{
	int64_t soon = pgofs_monotonic_ns() + within_ns;
	return soon < ask->deadline_ns ? soon : ask->deadline_ns;
}

static int fetch(const struct s3_ask *ask, const char *method, const char *path, const struct s3_header *header,
		 struct s3_http_response *p, struct pgofs_error *err)
{
	const char *endpoint = s3_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	_cleanup_(pgofs_buf_done) struct pgofs_buf url = PGOFS_BUF(4096);
	endpoint = endpoint ? endpoint : DEFAULT_ENDPOINT;
	int r = pgofs_buf_printf(&url, "%s%s%s", endpoint, endpoint[strlen(endpoint) - 1] == '/' ? "" : "/", path);
	if (r < 0)
		return pgofs_error_errno(err, r, "address");

	struct s3_http_request q = { .method = method,
				     .url = (const char *)url.data,
				     .headers = header,
				     .n_headers = 1,
				     .max_bytes = 64 << 10,
				     .deadline_ns = soon(ask, 5 * PGOFS_NS_PER_S),
				     .connect_within_ns = PGOFS_NS_PER_S,
				     .direct = true };
	bool first = !strcmp(method, "PUT");
	if (first)
		q.body = "";
	r = s3_source_exchange(ask, &q, !first, p, err);
	if (r < 0)
		return r;
	if (p->status != 200 || pgofs_buf_append(&p->body, "", 1) < 0)
		return pgofs_error_set(err, -EIO, "/%s answered %ld", path, p->status);
	p->body.len--; /* text from here on */
	return 0;
}

static int role_credentials(const struct s3_ask *ask, const struct s3_header *token, struct s3_credentials **ret,
			    struct pgofs_error *err)
{
	_cleanup_(s3_wipe_response_done) struct s3_http_response name = { 0 }, keys = { 0 };
	_cleanup_(pgofs_buf_done) struct pgofs_buf path = PGOFS_BUF(1024);
	int r = fetch(ask, "GET", ROLE_PATH, token, &name, err);
	if (r < 0)
		return name.status == 404 ? -ENOENT : r; /* an instance without a role */

	char *role = (char *)name.body.data;
	role[strcspn(role, "\r\n")] = '\0';
	r = pgofs_buf_printf(&path, "%s", ROLE_PATH);
	if (r == 0)
		r = s3_encode_path(&path, role);
	if (r < 0)
		return pgofs_error_errno(err, r, "role");
	r = fetch(ask, "GET", (const char *)path.data, token, &keys, err);
	return r < 0 ? r : s3_credentials_from_json("instance metadata", keys.body.data, keys.body.len, ret, err);
}

int s3_source_instance(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err)
{
	const char *disabled = s3_env("AWS_EC2_METADATA_DISABLED");
	if (disabled && !strcasecmp(disabled, "true"))
		return -ENOENT;

	_cleanup_(s3_wipe_response_done) struct s3_http_response p = { 0 };
	struct s3_header ttl = { "x-aws-ec2-metadata-token-ttl-seconds", TTL_S };
	int r = fetch(ask, "PUT", "latest/api/token", &ttl, &p, err);
	if (r < 0)
		return p.status / 100 == 4 && p.status != 429 ? -ENOENT : r;

	struct s3_header token = { "x-aws-ec2-metadata-token", (const char *)p.body.data };
	return role_credentials(ask, &token, ret, err);
}
