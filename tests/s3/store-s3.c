/* A bucket of a server that the environment names (tests/s3/minio.sh, or the server in tests/s3server). */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Each test has a bucket of its own: the contract has keys of S3's full length, so there is no room for a prefix. */
static int open_bucket(struct pgofs_backend **ret)
{
	static const char *const options[] = { "connections=8", "cache-memory=0", NULL };
	char source[64], command[1024];
	unsigned long long name;
	if (!getenv("AWS_ENDPOINT_URL_S3")) {
		fprintf(stderr, "AWS_ENDPOINT_URL_S3 names no server\n");
		return 1;
	}
	if (getrandom(&name, sizeof name, 0) != sizeof name)
		return -1;
	snprintf(source, sizeof source, "s3://contract-%llx", name);
	snprintf(command, sizeof command, "'%s' make %s", S3TOOL, source + 5);
	if (system(command) != 0)
		return -1;
	return pgofs_backend_open(source, options, ret, NULL);
}

/* The server and all it holds go after the last test. */
const struct contract_store contract_store = {
	.open = open_bucket,
	.close = pgofs_backend_free,
	.remove_cannot_tell = true,
};
