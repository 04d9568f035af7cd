/* S3 refuses with an HTTP status and a short XML document. The code in it is the truth; the status alone may come from
 * anything between here and the server (a proxy, a balancer, another kind of server at that address), so a bare 404 does
 * not mean that an object is gone.
 *
 * The tables are AWS's "Error responses" and what MinIO and Ceph send. */
#include "s3-error.h"

#include "s3-xml.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *code;
	int error;
} meanings[] = {
	{ "NoSuchKey", -ENOENT },
	{ "AccessDenied", -EACCES },
	{ "AccountProblem", -EACCES },
	{ "AllAccessDisabled", -EACCES },
	{ "ExpiredToken", -EACCES },
	{ "InvalidAccessKeyId", -EACCES },
	{ "InvalidToken", -EACCES },
	{ "RequestTimeTooSkewed", -EACCES },
	{ "SignatureDoesNotMatch", -EACCES },
	{ "PreconditionFailed", -ESTALE },
	{ "KeyTooLongError", -ENAMETOOLONG },
	{ "EntityTooLarge", -EFBIG },
	{ "QuotaExceeded", -EDQUOT },
	{ "XMinioAdminBucketQuotaExceeded", -EDQUOT },
	{ "XMinioStorageFull", -ENOSPC },
	{ "InsufficientCapacity", -ENOSPC },
	{ "MethodNotAllowed", -EROFS },
	{ "NotImplemented", -EOPNOTSUPP },
};

static const char *const retried[] = {
	"InternalError",
	"InternalErrors",
	"RequestTimeout",
	"RequestTimeTooSkewed",
	"ConditionalRequestConflict",
	"OperationAborted",
	"ServiceUnavailable",
	"SlowDown",
	"SlowDownRead",
	"SlowDownWrite",
	"Throttling",
	"TooManyRequests",
	"XMinioServerNotInitialized",
};

static const char *const of_credentials[] = {
	"ExpiredToken",
	"InvalidToken",
	"InvalidAccessKeyId",
	"TokenRefreshRequired",
};

static bool among(const char *const *list, size_t n, const char *code)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], code))
			return true;
	return false;
}
#define AMONG(list, code) among(list, sizeof(list) / sizeof *(list), code)

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

/* It becomes part of a host name and of a signature. */
static void copy_region(char *to, size_t size, const char *text)
{
	if (strlen(text) < size && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text))
		copy(to, size, text);
}

static int on_element(void *context, const char *path, const char *text)
{
	struct s3_refusal *f = context;
	if (!strcmp(path, "Error/Code"))
		copy(f->code, sizeof f->code, text);
	else if (!strcmp(path, "Error/Message"))
		copy(f->message, sizeof f->message, text);
	else if (!strcmp(path, "Error/Region"))
		copy_region(f->region, sizeof f->region, text);
	else if (!strcmp(path, "Error/RequestId") && !f->request_id[0])
		copy(f->request_id, sizeof f->request_id, text);
	return 0;
}

void s3_refusal_read(const struct s3_http_response *p, struct s3_refusal *ret)
{
	*ret = (struct s3_refusal){ .status = p->status };
	copy(ret->request_id, sizeof ret->request_id, p->request_id);
	if (p->body.len)
		s3_xml_walk(p->body.data, p->body.len, "Error", on_element, ret, NULL);
	if (p->region[0])
		copy_region(ret->region, sizeof ret->region, p->region);
}

bool s3_refusal_hidden(const struct s3_http_response *p)
{
	struct s3_refusal f;
	if (p->status != 200 || !p->body.len)
		return false;
	s3_refusal_read(p, &f);
	return f.code[0];
}

bool s3_code_retry(const char *code)
{
	return AMONG(retried, code);
}

bool s3_refusal_retry(const struct s3_refusal *f)
{
	if (f->status == 429 || f->status == 500 || f->status == 502 || f->status == 503 || f->status == 504)
		return true;
	return s3_code_retry(f->code);
}

bool s3_refusal_of_credentials(const struct s3_refusal *f)
{
	return AMONG(of_credentials, f->code);
}

int s3_errno(const char *code, long status)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (!strcmp(meanings[i].code, code))
			return meanings[i].error;
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 412:
		return -ESTALE;
	case 501:
		return -EOPNOTSUPP;
	case 507:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

int s3_refusal_error(const struct s3_refusal *f, struct pgofs_error *err)
{
	int error = s3_errno(f->code, f->status);
	const char *hint = "";
	if (!f->code[0] && f->status != 304 && f->status != 412 && !s3_refusal_retry(f))
		hint = ", which is no S3 error: is the endpoint an S3 server?";
	return pgofs_error_set(err, error, "the server answered %ld%s%s%s%s%s%s%s%s", f->status, f->code[0] ? " " : "",
			       f->code, f->message[0] ? ": " : "", f->message, hint,
			       f->request_id[0] ? " (request " : "", f->request_id, f->request_id[0] ? ")" : "");
}
