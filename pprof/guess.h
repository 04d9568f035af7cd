/* What bytes that are no profile look like, in words for a person: most bad files are an error page or another tool's output. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGOFS_GUESS_SIZE 256

/* True, and words in `ret`, when the bytes are recognised. Never true for anything a profile can begin with and decode. */
bool pgofs_guess(const uint8_t *raw, size_t len, char ret[PGOFS_GUESS_SIZE]);
