#include "s3-credentials-sources.h"
#include "s3-time.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text && *text ? text : NULL;
}

int s3_credentials_from_json(const char *source, const void *data, size_t len, struct s3_credentials **ret,
			     struct pgofs_error *err)
{
	json_error_t why;
	_cleanup_(json_freep) json_t *j = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(j))
		return pgofs_error_set(err, -EIO, "the answer is no JSON object");

	const char *access_key = text_of(j, "AccessKeyId"), *secret_key = text_of(j, "SecretAccessKey");
	const char *token = text_of(j, "Token"), *expires = text_of(j, "Expiration");
	if (!access_key || !secret_key) {
		const char *said = text_of(j, "message");
		said = said ? said : text_of(j, "Message");
		return pgofs_error_set(err, -EIO, "the answer has no credentials in it%s%s", said ? ": " : "",
				       said ? said : "");
	}

	int64_t expires_s = 0;
	if (expires && s3_time_parse_iso(expires, &expires_s) < 0)
		return pgofs_error_set(err, -EIO, "the credentials' Expiration is no time");
	*ret = s3_credentials_new(source, access_key, secret_key, token, expires_s);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "credentials");
}
