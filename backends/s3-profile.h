/* One profile of AWS's shared files: what [profile NAME] in ~/.aws/config and [NAME] in ~/.aws/credentials say together.
 *
 * Files are read when the profile is opened: opening it again sees what changed. Any thread. */
#pragma once

#include <pgofs/cleanup.h>
#include <pgofs/error.h>

#include <stdbool.h>

struct s3_profile;

/* `name` NULL means AWS_PROFILE, or "default". A file that is not there is an empty one; -ENOENT where a profile that was
 * asked for is in neither file. */
int s3_profile_open(const char *name, struct s3_profile **ret, struct pgofs_error *err);
void s3_profile_free(struct s3_profile *p);
PGOFS_DEFINE_FREEP(struct s3_profile, s3_profile_free)

const char *s3_profile_name(const struct s3_profile *p);

/* The value, borrowed, or NULL. The credentials file wins over the config file. */
const char *s3_profile_get(const struct s3_profile *p, const char *name);

/* What the profile says for one service: `services = local`, [services local], nested under "s3"; or nested in itself. */
const char *s3_profile_get_service(const struct s3_profile *p, const char *service, const char *name);

/* The variable of the environment, or NULL where it is not set or empty. */
const char *s3_env(const char *name);
