#include "s3-profile.h"

#include "s3-ini.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

struct s3_profile {
	char *name;
	char *section; /* in the config file: "default", "profile NAME" */
	struct s3_ini *config;
	struct s3_ini *credentials;
};

const char *s3_env(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static int home(char *ret, size_t size)
{
	const char *dir = s3_env("HOME");
	struct passwd pw, *found = NULL;
	char buf[4096];
	if (!dir && getpwuid_r(getuid(), &pw, buf, sizeof buf, &found) == 0 && found)
		dir = found->pw_dir;
	return dir && (size_t)snprintf(ret, size, "%s", dir) < size ? 0 : -ENOENT;
}

static int read_shared(const char *env, const char *below_home, struct s3_ini **ret, struct pgofs_error *err)
{
	char dir[PATH_MAX], path[PATH_MAX + 64];
	if (s3_env(env))
		snprintf(path, sizeof path, "%s", s3_env(env));
	else if (home(dir, sizeof dir) == 0)
		snprintf(path, sizeof path, "%s/%s", dir, below_home);
	else
		return 0;

	struct pgofs_error why;
	int r = s3_ini_read(path, ret, &why);
	if (r == -ENOENT || (r == -EACCES && !s3_env(env)))
		return 0;
	return r < 0 ? pgofs_error_set(err, r, "%s", why.text) : 0;
}

int s3_profile_open(const char *name, struct s3_profile **ret, struct pgofs_error *err)
{
	const char *asked = name ? name : s3_env("AWS_PROFILE");
	if (!asked)
		asked = s3_env("AWS_DEFAULT_PROFILE");

	_cleanup_(s3_profile_freep) struct s3_profile *p = calloc(1, sizeof *p);
	if (!p || !(p->name = strdup(asked ? asked : "default")) ||
	    asprintf(&p->section, "%s%s", strcmp(p->name, "default") ? "profile " : "", p->name) < 0)
		return pgofs_error_errno(err, -ENOMEM, "profile");

	int r = read_shared("AWS_CONFIG_FILE", ".aws/config", &p->config, err);
	if (r == 0)
		r = read_shared("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", &p->credentials, err);
	if (r < 0)
		return r;
	if (asked && !s3_ini_has(p->config, p->section) && !s3_ini_has(p->credentials, p->name))
		return pgofs_error_set(err, -ENOENT, "profile %s is in neither AWS file (config, credentials)", asked);
	*ret = STEAL(p);
	return 0;
}

void s3_profile_free(struct s3_profile *p)
{
	if (!p)
		return;
	s3_ini_free(p->config);
	s3_ini_free(p->credentials);
	free(p->section);
	free(p->name);
	free(p);
}

const char *s3_profile_name(const struct s3_profile *p)
{
	return p->name;
}

const char *s3_profile_get(const struct s3_profile *p, const char *name)
{
	const char *value = s3_ini_get(p->credentials, p->name, name);
	return value ? value : s3_ini_get(p->config, p->section, name);
}

const char *s3_profile_get_service(const struct s3_profile *p, const char *service, const char *name)
{
	char section[256], nested[256];
	const char *services = s3_profile_get(p, "services");
	snprintf(nested, sizeof nested, "%s.%s", service, name);
	snprintf(section, sizeof section, "services %s", services ? services : "");
	const char *value = services ? s3_ini_get(p->config, section, nested) : NULL;
	return value ? value : s3_profile_get(p, nested);
}
