/* A directory of a test's own, gone when the test is. */
#pragma once

#define SCRATCH_SIZE 256

/* Makes one under $TMPDIR (or /tmp) and writes its path. Aborts where it cannot: a test cannot go on without. */
void scratch_make(char path[static SCRATCH_SIZE]);

/* Removes it and all that is in it. */
void scratch_remove(const char *path);
