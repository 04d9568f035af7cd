#include "s3-credentials-sources.h"

#include <errno.h>

/* Ways to credentials that AWS's own tools know and we do not; saying so beats "no credentials". */
static const char *const unknown[] = { "sso_session", "sso_start_url", "source_profile", "credential_source",
				       "credential_process" };

int s3_source_shared(const struct s3_ask *ask, struct s3_credentials **ret, struct pgofs_error *err)
{
	const char *name = s3_profile_name(ask->profile);
	const char *access_key = s3_profile_get(ask->profile, "aws_access_key_id");
	const char *secret_key = s3_profile_get(ask->profile, "aws_secret_access_key");
	if (access_key && secret_key) {
		*ret = s3_credentials_new("shared files", access_key, secret_key,
					  s3_profile_get(ask->profile, "aws_session_token"), 0);
		return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "profile %s", name);
	}
	if (access_key || secret_key)
		return pgofs_error_set(err, -EACCES,
				       "profile %s has only one of aws_access_key_id and "
				       "aws_secret_access_key",
				       name);

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		if (s3_profile_get(ask->profile, unknown[i]))
			return pgofs_error_set(
			    err, -EACCES,
			    "profile %s uses %s, which pgofs does not: let the AWS command line make plain "
			    "keys of it (aws configure export-credentials --profile %s)",
			    name, unknown[i], name);
	return -ENOENT;
}
