/* A web identity: a file with a token that somebody (a Kubernetes node, most often) keeps fresh, and a role; the security
 * token service (STS) gives keys for both. The file is read again for each renewal, since the token in it is replaced.
 *
 * Source: AWS STS, AssumeRoleWithWebIdentity. MinIO answers the same at its own address. */
#include "s3-credentials-sources.h"
#include "s3-time.h"
#include "s3-xml.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#define CODE_SIZE 64
#define ROOT      "AssumeRoleWithWebIdentityResponse"
#define ANSWER    ROOT "/AssumeRoleWithWebIdentityResult/Credentials/"

struct web_identity {
	const char *token_file;
	const char *role;
	const char *session;
};

static int find(const struct s3_ask *ask, struct web_identity *ret, struct pgofs_error *err)
{
	*ret = (struct web_identity){ s3_env("AWS_WEB_IDENTITY_TOKEN_FILE"), s3_env("AWS_ROLE_ARN"),
				      s3_env("AWS_ROLE_SESSION_NAME") };
	if (!ret->token_file)
		*ret = (struct web_identity){ s3_profile_get(ask->profile, "web_identity_token_file"),
					      s3_profile_get(ask->profile, "role_arn"),
					      s3_profile_get(ask->profile, "role_session_name") };
	if (!ret->token_file)
		return -ENOENT;
	if (!ret->role)
		return pgofs_error_set(err, -EACCES, "there is a token file, but no role (AWS_ROLE_ARN)");
	if (!ret->session)
		ret->session = "pgofs";
	return 0;
}

static int address(const struct s3_ask *ask, struct pgofs_buf *to)
{
	const char *url = s3_env("AWS_ENDPOINT_URL_STS");
	if (!url)
		url = s3_env("AWS_ENDPOINT_URL");
	if (!url)
		url = s3_profile_get_service(ask->profile, "sts", "endpoint_url");
	if (!url)
		url = s3_profile_get(ask->profile, "endpoint_url");
	if (!url)
		return pgofs_buf_printf(to, "https://sts.%s.amazonaws.com%s/", ask->region,
					!strncmp(ask->region, "cn-", 3) ? ".cn" : "");
	size_t len = strlen(url);
	return pgofs_buf_printf(to, "%s%s", url, len && url[len - 1] == '/' ? "" : "/");
}

struct answer {
	char access_key[256];
	char secret_key[256];
	char *token;
	int64_t expires_s;
};

static void answer_done(struct answer *a)
{
	s3_wipe_free(a->token);
	OPENSSL_cleanse(a, sizeof *a);
}

static int on_element(void *context, const char *path, const char *text)
{
	struct answer *a = context;
	if (strncmp(path, ANSWER, strlen(ANSWER)))
		return 0;
	path += strlen(ANSWER);
	if (!strcmp(path, "AccessKeyId"))
		snprintf(a->access_key, sizeof a->access_key, "%s", text);
	else if (!strcmp(path, "SecretAccessKey"))
		snprintf(a->secret_key, sizeof a->secret_key, "%s", text);
	else if (!strcmp(path, "SessionToken") && !a->token)
		return (a->token = strdup(text)) ? 0 : -ENOMEM;
	else if (!strcmp(path, "Expiration"))
		return s3_time_parse_iso(text, &a->expires_s) < 0 ? -EIO : 0;
	return 0;
}

static int on_refusal(void *context, const char *path, const char *text)
{
	if (!strcmp(path, "ErrorResponse/Error/Code"))
		snprintf(context, CODE_SIZE, "%s", text);
	return 0;
}

static int read_answer(const struct s3_http_response *p, struct s3_credentials **ret, struct pgofs_error *err)
{
	if (p->status != 200) {
		char code[CODE_SIZE] = "";
		s3_xml_walk(p->body.data, p->body.len, "ErrorResponse", on_refusal, code, NULL);
		return pgofs_error_set(err, p->status >= 500 ? -EIO : -EACCES, "STS answered %ld %s", p->status, code);
	}

	_cleanup_(answer_done) struct answer a = { 0 };
	int r = s3_xml_walk(p->body.data, p->body.len, ROOT, on_element, &a, err);
	if (r < 0)
		return r;
	if (!a.access_key[0] || !a.secret_key[0])
		return pgofs_error_set(err, -EIO, "STS answered without credentials");
	*ret = s3_credentials_new("web identity", a.access_key, a.secret_key, a.token, a.expires_s);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "credentials");
}

static int ask_sts(const struct s3_ask *ask, const struct pgofs_buf *form, struct s3_credentials **ret,
		   struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf url = PGOFS_BUF(4096);
	_cleanup_(s3_wipe_response_done) struct s3_http_response p = { 0 };
	struct s3_header type = { "content-type", "application/x-www-form-urlencoded" };
	int r = address(ask, &url);
	if (r < 0)
		return pgofs_error_errno(err, r, "address of STS");

	struct s3_http_request q = { .method = "POST",
				     .url = (const char *)url.data,
				     .headers = &type,
				     .n_headers = 1,
				     .body = form->data,
				     .body_len = form->len,
				     .max_bytes = 64 << 10,
				     .deadline_ns = ask->deadline_ns };
	r = s3_source_exchange(ask, &q, true, &p, err);
	return r < 0 ? r : read_answer(&p, ret, err);
}

int s3_source_web_identity(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err)
{
	struct web_identity w;
	_cleanup_(s3_wipe_freep) char *token = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf form = PGOFS_BUF(256 << 10);
	int r = find(ask, &w, err);
	if (r == 0)
		r = s3_read_token(w.token_file, &token, err);
	if (r < 0)
		return r;

	struct s3_param params[] = {
		{ "Action", "AssumeRoleWithWebIdentity" }, { "Version", "2011-06-15" },   { "RoleArn", w.role },
		{ "RoleSessionName", w.session },          { "WebIdentityToken", token },
	};
	r = s3_encode_query(&form, params, sizeof params / sizeof *params);
	if (r < 0)
		return pgofs_error_errno(err, r, "the question to STS");
	r = ask_sts(ask, &form, ret, err);
	OPENSSL_cleanse(form.data, form.len);
	return r;
}
