/* Parts that were made, kept in memory under their fingerprints while there is room.
 *
 * Threads: any. One mutex; it is a leaf. */
#pragma once

#include "selection.h"

#include <pgofs/buf.h>

#include <stdbool.h>

struct pgofs_parts_kept;

struct pgofs_parts_kept *pgofs_parts_kept_new(uint64_t max_bytes);
void pgofs_parts_kept_free(struct pgofs_parts_kept *k);

/* 0 and the bytes with one reference; -ENOENT; -EDOM it is known that there is no such part (pgofs_merge_encode_part). */
int pgofs_parts_kept_find(struct pgofs_parts_kept *k, const uint8_t *fingerprint, struct pgofs_bytes **ret);

/* Takes a reference of its own; NULL: there is no such part. Forgets what was used least recently, and does nothing where memory is out. */
void pgofs_parts_kept_keep(struct pgofs_parts_kept *k, const uint8_t *fingerprint, struct pgofs_bytes *bytes);

/* Is a rollup of it in storage? Remembered while the part is kept. */
void pgofs_parts_kept_set_stored(struct pgofs_parts_kept *k, const uint8_t *fingerprint);
bool pgofs_parts_kept_is_stored(struct pgofs_parts_kept *k, const uint8_t *fingerprint);

uint64_t pgofs_parts_kept_bytes(struct pgofs_parts_kept *k);
