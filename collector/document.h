/* A file of settings, as a tree: YAML, or JSON where its name ends in .json.
 *
 * YAML is turned into JSON's types, all scalars strings: what a number or a date is, its reader decides. So there is one
 * reader for both. Threads: any. */
#pragma once

#include <pgofs/cleanup.h>
#include <pgofs/error.h>

#include <jansson.h>

/* Reads a whole file; `ret` is freed with json_decref. An empty file is null. -EINVAL with the line, -EFBIG, or why it could not be read. */
int document_read(const char *path, json_t **ret, struct pgofs_error *err);

/* The text of a scalar: a string itself, a number or a boolean as written. Lives until the end of the enclosing full block, or
 * as long as `value`. NULL: no scalar. */
struct document_scalar {
	char text[32];
};
const char *document_scalar_text(const json_t *value, struct document_scalar *scratch);
#define DOCUMENT_TEXT(value) document_scalar_text((value), &(struct document_scalar){ "" })
