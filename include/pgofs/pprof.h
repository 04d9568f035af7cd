/* Profiles: bytes in, bytes out. Knows nothing of files, storage or FUSE.
 *
 * A profile's "stored form" is what net/http/pprof serves and people store: the protobuf of google/pprof's profile.proto,
 * gzipped or not. Its "raw form" is the protobuf itself. All bytes are untrusted: every function bounds what it allocates by the
 * limits it is given and by the input's size, recurses on nothing, and fails with -EINVAL (no profile, or one that breaks a rule; the words
 * say which), -EFBIG (past a limit) or -ENOMEM.
 *
 * Threads: functions are reentrant; one pgofs_merge belongs to one thread at a time. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The contract's limits, and the defaults of the options that move them. */
#define PGOFS_STORED_MAX ((size_t)64 << 20)
#define PGOFS_RAW_MAX    ((size_t)1 << 30)

/* Stored form -> raw form, appended to `raw` whose max is the limit. Reads gzip of any number of members; bytes that are
 * no gzip are taken as raw already. Trailing bytes after gzip, a wrong CRC and truncation are -EINVAL. */
int pgofs_pprof_inflate(const void *stored, size_t len, struct pgofs_buf *raw, struct pgofs_error *err);

/* Raw form -> gzip, appended to `stored`. The same bytes give the same gzip: no time, no name in its header. `level` is 1..12 as libdeflate
 * counts them. */
int pgofs_pprof_deflate(const void *raw, size_t len, int level, struct pgofs_buf *stored, struct pgofs_error *err);

/* What a profile says of itself. */
struct pgofs_profile_info {
	int64_t time_ns; /* 0 where it does not say */
	int64_t duration_ns;
	uint64_t n_samples;      /* with a value that is not 0 */
	int64_t total_count;     /* samples/count */
	int64_t total_cpu_ns;    /* cpu/nanoseconds */
	double start_line_share; /* of the samples' weight, the share whose leaf function has a start line */
	char build_id[128];      /* of the main mapping, or "" */
};

/* Would Go's compiler use this profile? 0, and then *ret_info (nullable) is filled; or -EINVAL with the reason in words
 * a person understands ("no samples", "no function has a start line: …"), -EFBIG. Source of the rules:
 * cmd/internal/pgo/pprof.go, internal/profile, and the table in docs/profiles.md. `max_raw` bounds the inflated bytes. *ret_info is
 * filled also where a CPU profile was read to its end and then refused: n_samples 0 says of that one that the program was idle. */
int pgofs_pprof_check(const void *stored, size_t len, size_t max_raw, struct pgofs_profile_info *ret_info,
		      struct pgofs_error *err);

/* The three forms in which a merge can be read. */
enum pgofs_view {
	PGOFS_VIEW_PPROF, /* what `go tool pprof -proto -symbolize=none` gives for the inputs in this order */
	PGOFS_VIEW_PGO,   /* the canonical edge profile: all that Go's compiler reads of it */
	PGOFS_VIEW_TXT,   /* a report for people */
};

/* "pprof", "pgo", "txt" -> view, 0 or -EINVAL; and back. */
int pgofs_view_parse(const char *suffix, enum pgofs_view *ret);
const char *pgofs_view_suffix(enum pgofs_view view);

/* A merge under way: inputs are folded in one at a time, in order; memory is the output's, never the inputs'. */
struct pgofs_merge;

int pgofs_merge_new(enum pgofs_view view, struct pgofs_merge **ret, struct pgofs_error *err);
void pgofs_merge_free(struct pgofs_merge *m);
PGOFS_DEFINE_FREEP(struct pgofs_merge, pgofs_merge_free)

/* One input, as the report names it. All strings are borrowed for the call. */
struct pgofs_merge_input {
	const char *path;   /* "sample/2026/11/22/101500Z-web-3.pprof" */
	const char *source; /* "web-3", or NULL */
	int64_t taken_ns;   /* 0: when the profile says itself */
	size_t stored_bytes;
};

/* Folds in one profile in raw form (pgofs_pprof_inflate). `input` may be NULL unless the view is TXT. On any failure the merge is as it
 * was before the call and may go on: -EINVAL a profile that is broken or does not go with the others (words). */
int pgofs_merge_add(struct pgofs_merge *m, const void *raw, size_t len, const struct pgofs_merge_input *input,
		    struct pgofs_error *err);

/* A profile decoded for a merge, by another thread than the merge's if need be: for .pprof that is most of the work, all of it that does not need
 * the merge. Belongs to one thread at a time; reused from one profile to the next. */
struct pgofs_decoded;

/* NULL when memory is out. */
struct pgofs_decoded *pgofs_decoded_new(void);
void pgofs_decoded_free(struct pgofs_decoded *d);
PGOFS_DEFINE_FREEP(struct pgofs_decoded, pgofs_decoded_free)

/* Decodes one in raw form, which is borrowed until it was added, for merges of that view. What is wrong with it, adding it will tell. */
void pgofs_decoded_read(struct pgofs_decoded *d, enum pgofs_view view, const void *raw, size_t len);

/* About how many bytes it holds. */
size_t pgofs_decoded_memory_bytes(const struct pgofs_decoded *d);

/* pgofs_merge_add of the profile read last, to any merge. */
int pgofs_merge_add_decoded(struct pgofs_merge *m, const struct pgofs_decoded *d, const struct pgofs_merge_input *input,
			    struct pgofs_error *err);

/* Notes for the report that an input was left out, and why. Does nothing in the other views. */
int pgofs_merge_skip(struct pgofs_merge *m, const struct pgofs_merge_input *input, const char *why);

/* How many inputs were folded in, and about how many bytes the merge holds now. */
size_t pgofs_merge_count(const struct pgofs_merge *m);
size_t pgofs_merge_memory_bytes(const struct pgofs_merge *m);

/* The view's raw form, appended to `out`: protobuf for PPROF and PGO, text for TXT. Deterministic. The merge may go on afterwards.
 * -ENODATA when nothing was added, but a report is also made of inputs that were all left out; and for PGO when they have no calls, as Go
 * would take that without a word and do nothing. */
int pgofs_merge_encode(struct pgofs_merge *m, struct pgofs_buf *out, struct pgofs_error *err);

/* Parts: a PGO merge of some of the inputs, as bytes, to be added to others later. Whatever the parts, their merge is byte for byte the
 * merge of all their inputs, in any order; a part of no input is one too. Parts are for this program alone: another version's are refused.
 *
 * _encode_part appends to `out`; -EDOM where there is no such part, because what an input adds depends on what it is merged with (profiles
 * of several kinds, pprof/part.h): then all inputs must be merged at once.
 *
 * _add_part adds one to a merge that has nothing but parts in it. -EDOM it does not go with the others, for that same reason; -EINVAL it
 * is no part. After any failure the merge is good for nothing but to be freed. */
int pgofs_merge_encode_part(const struct pgofs_merge *m, struct pgofs_buf *out, struct pgofs_error *err);
int pgofs_merge_add_part(struct pgofs_merge *m, const void *part, size_t len, struct pgofs_error *err);

/* Standing merges: for a .pprof that is asked for again and again while its inputs come and go. What inputs hold is kept once; of each run of
 * inputs there is kept only which samples it has, and their sums: 8 bytes a sample, where Go wrote them. The profile of any sequence of runs is then
 * made without reading an input again, and is byte for byte the merge of all their inputs, in that order.
 *
 * One thread at a time has a standing merge and all its runs. */
struct pgofs_standing;

int pgofs_standing_new(struct pgofs_standing **ret, struct pgofs_error *err);
void pgofs_standing_free(struct pgofs_standing *s);
PGOFS_DEFINE_FREEP(struct pgofs_standing, pgofs_standing_free)

/* Inputs in their order. May be freed before the standing merge it was made for, or after. */
struct pgofs_run;

int pgofs_run_new(struct pgofs_run **ret, struct pgofs_error *err);
void pgofs_run_free(struct pgofs_run *r);
PGOFS_DEFINE_FREEP(struct pgofs_run, pgofs_run_free)

/* One more input at the run's end, as pgofs_merge_add and pgofs_merge_add_decoded. -EINVAL it is broken or past a limit, and nothing has changed. -EDOM it cannot
 * stand: what it adds depends on what it is merged with; all must be merged at once. After that, and after -ENOMEM and -EFBIG, the standing merge
 * is good for nothing but to be freed. */
int pgofs_run_add(struct pgofs_standing *s, struct pgofs_run *run, const void *raw, size_t len,
		  struct pgofs_error *err);
int pgofs_run_add_decoded(struct pgofs_standing *s, struct pgofs_run *run, const struct pgofs_decoded *d,
			  struct pgofs_error *err);

/* The inputs in a run. About how many bytes are held, by each. */
size_t pgofs_run_count(const struct pgofs_run *r);
size_t pgofs_run_memory_bytes(const struct pgofs_run *r);
size_t pgofs_standing_memory_bytes(const struct pgofs_standing *s);

/* The .pprof of these runs, raw, appended to `out`. -EDOM where there is less than two inputs, their values add up to too much, or one of more than
 * 128 does not use its first mapping: merge them at once. Nothing has changed then, nor after -ENOMEM or -EFBIG. */
int pgofs_standing_encode(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, struct pgofs_buf *out,
			  struct pgofs_error *err);

/* Called after encoding, with the same runs: forgets samples that none of them has, once those are more than the others and than `spare`; or
 * once few more mappings can be told apart. Comments are not forgotten. Runs that are not named are void then. After any failure the
 * standing merge is good for nothing but to be freed. */
int pgofs_standing_tidy(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, size_t spare,
			struct pgofs_error *err);
