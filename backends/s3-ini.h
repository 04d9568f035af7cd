/* AWS's shared files, ~/.aws/config and ~/.aws/credentials: sections of "name = value".
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". Pure but for s3_ini_read; any thread. */
#pragma once

#include <pgofs/cleanup.h>
#include <pgofs/error.h>

#include <stdbool.h>
#include <stddef.h>

struct s3_ini;

/* Reads a file, at most 1 MiB of it. -ENOENT where it is not there. Secrets in it are wiped by s3_ini_free. */
int s3_ini_read(const char *path, struct s3_ini **ret, struct pgofs_error *err);

int s3_ini_parse(const char *text, size_t len, struct s3_ini **ret);
void s3_ini_free(struct s3_ini *ini);
PGOFS_DEFINE_FREEP(struct s3_ini, s3_ini_free)

/* Is there such a section? "default", "profile web", "services local". NULL as `ini` has none. */
bool s3_ini_has(const struct s3_ini *ini, const char *section);

/* The value, borrowed, or NULL. A setting nested under another is named "s3.endpoint_url". */
const char *s3_ini_get(const struct s3_ini *ini, const char *section, const char *name);
