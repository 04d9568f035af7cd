/* URLs, as far as a merge has to know one. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does Go's url.Parse take it, and find a scheme? "http://host/path" and "main:1" have one, "/usr/bin/a:b" has none. */
bool pgofs_url_is_absolute(const uint8_t *text, size_t len);
