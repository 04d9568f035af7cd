/* XML as S3 servers answer it: small documents of nested elements whose text matters and whose attributes do not.
 *
 * A document is walked, not kept: the handler is told each element as it ends, by its path from the root. */
#pragma once

#include <pgofs/error.h>

#include <stddef.h>

#define S3_XML_TEXT_MAX ((size_t)16 << 10) /* of one element */

/* `path` is "ListBucketResult/Contents/Key". `text` is what stood in the element itself, NUL-terminated; "" for one that
 * only held others. Not 0 ends the walk and is returned by it. */
typedef int (*s3_xml_fn)(void *context, const char *path, const char *text);

/* -EIO with words: not well-formed, a DOCTYPE, nested too deep, a text too long, another root element than `root`.
 * -ENOMEM. Any thread. */
int s3_xml_walk(const void *data, size_t len, const char *root, s3_xml_fn each, void *context, struct pgofs_error *err);
