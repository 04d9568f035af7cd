/* Where the bucket is, by what options, the environment and the shared files say, and which of them goes before which. */
#include "../../backends/s3-config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char file[] = "/tmp/pgofs-config-XXXXXX";
static struct s3_config config;
static struct pgofs_error err;

static void setup(void)
{
	extern char **environ;
	for (char **e = environ; *e;) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
		if (strncmp(name, "AWS_", 4))
			e++;
		else
			unsetenv(name);
	}
	close(mkstemp(file));
	setenv("AWS_CONFIG_FILE", file, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
}

static void teardown(void)
{
	s3_config_done(&config);
	unlink(file);
}

TestSuite(config, .init = setup, .fini = teardown);

static void write_config(const char *text)
{
	FILE *f = fopen(file, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

/* `option` may be NULL. */
static const struct s3_config *read_config(const char *source, const char *option)
{
	s3_config_done(&config);
	memset(&config, 0, sizeof config);
	const char *const options[] = { option, NULL };
	cr_assert_eq(s3_config_init(&config, source, options, &err), 0, "%s", err.text);
	return &config;
}

Test(config, options_go_before_the_environment_and_that_before_the_profile)
{
	cr_assert_str_eq(read_config("s3://b", NULL)->region, "us-east-1");
	write_config("[default]\nregion = of-the-profile\nmax_attempts = 7\n[profile other]\nregion = of-the-other\n");
	cr_assert_str_eq(read_config("s3://b", NULL)->region, "of-the-profile");
	cr_assert_eq(config.attempts, 7);
	cr_assert_str_eq(read_config("s3://b", "profile=other")->region, "of-the-other");
	cr_assert_eq(config.attempts, 5);
	setenv("AWS_PROFILE", "other", 1);
	cr_assert_str_eq(read_config("s3://b", NULL)->region, "of-the-other");
	setenv("AWS_DEFAULT_REGION", "by-default", 1);
	setenv("AWS_MAX_ATTEMPTS", "3", 1);
	cr_assert_str_eq(read_config("s3://b", NULL)->region, "by-default");
	cr_assert_eq(config.attempts, 3);
	setenv("AWS_REGION", "of-the-environment", 1);
	cr_assert_str_eq(read_config("s3://b", NULL)->region, "of-the-environment");
	cr_assert_str_eq(read_config("s3://b", "region=of-the-option")->region, "of-the-option");
	cr_assert_eq(read_config("s3://b", "attempts=2")->attempts, 2);
}

Test(config, a_profile_says_more_than_the_region)
{
	write_config("[default]\nca_bundle = /the/bundle\ns3 =\n  addressing_style = path\n");
	cr_assert(read_config("s3://b", NULL)->path_style);
	cr_assert_str_eq(config.ca_bundle, "/the/bundle");
	cr_assert_not(read_config("s3://b", "addressing=virtual")->path_style);
	setenv("AWS_CA_BUNDLE", "/of/the/environment", 1);
	cr_assert_str_eq(read_config("s3://b", NULL)->ca_bundle, "/of/the/environment");
	cr_assert_str_eq(read_config("s3://b", "ca-bundle=/of/the/option")->ca_bundle, "/of/the/option");
}

Test(config, the_host_follows_from_bucket_endpoint_region_and_addressing)
{
	static const struct {
		const char *source, *endpoint, *addressing, *region, *scheme, *host, *base_path;
	} hosts[] = {
		{ "s3://b/p", NULL, "auto", "eu-west-1", "https", "b.s3.eu-west-1.amazonaws.com", "" },
		{ "s3://b", NULL, "path", "eu-west-1", "https", "s3.eu-west-1.amazonaws.com", "" },
		{ "s3://b", NULL, "auto", "cn-north-1", "https", "b.s3.cn-north-1.amazonaws.com.cn", "" },
		{ "s3://b.c", NULL, "auto", "us-east-1", "https", "s3.us-east-1.amazonaws.com", "" },
		{ "s3://b_c", NULL, "auto", "us-east-1", "https", "s3.us-east-1.amazonaws.com", "" },
		{ "s3://b", "http://h:9000", "auto", "x", "http", "h:9000", "" },
		{ "s3://b", "http://h:9000/", "virtual", "x", "http", "b.h:9000", "" },
		{ "s3://b", "https://h:443/s3/", "auto", "x", "https", "h", "/s3" },
		{ "s3://b", "http://h:80", "auto", "x", "http", "h", "" },
		{ "s3://b", "https://h:80", "auto", "x", "https", "h:80", "" },
		{ "s3://b", "http://[::1]:9000", "auto", "x", "http", "[::1]:9000", "" },
	};
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		char host[S3_HOST_SIZE], addressing[32];
		if (hosts[i].endpoint)
			setenv("AWS_ENDPOINT_URL_S3", hosts[i].endpoint, 1);
		snprintf(addressing, sizeof addressing, "addressing=%s", hosts[i].addressing);
		const struct s3_config *c = read_config(hosts[i].source, addressing);
		s3_config_host(c, hosts[i].region, host);
		cr_expect_str_eq(host, hosts[i].host, "%zu: %s", i, host);
		cr_expect_str_eq(c->scheme, hosts[i].scheme, "%zu", i);
		cr_expect_str_eq(c->base_path, hosts[i].base_path, "%zu: %s", i, c->base_path);
	}
}
