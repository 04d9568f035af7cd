/* One request to one target, from start to a body in memory or words about what went wrong.
 *
 * Threads: all of one curl multi handle's scrapes belong to one thread. A budget is shared by any. */
#pragma once

#include "outcome.h"
#include "target.h"

#include <pgofs/buf.h>

#include <curl/curl.h>
#include <stdatomic.h>

/* Bytes of bodies held at one time, by all scrapes and by what waits to be checked. */
struct budget {
	atomic_size_t used;
	size_t max;
};

struct scrape_limits {
	int64_t timeout_ns; /* from start to the last byte */
	size_t max_bytes;   /* of a body */
	struct budget *budget;
};

struct scrape;

/* Adds a request to `multi`. `owner` is what scrape_owner returns. -errno with words, and nothing is under way. */
int scrape_start(CURLM *multi, const struct target *t, const struct scrape_limits *limits, void *owner,
		 struct scrape **ret, struct pgofs_error *err);

/* Which scrape a handle that curl_multi_info_read named is, and who started it. */
struct scrape *scrape_of(CURL *easy);
void *scrape_owner(const struct scrape *s);

/* Judges a finished request. OUTCOME_GOOD means a whole answer of status 200, not yet checked: *ret_body is its bytes, still counted in the
 * budget until the caller calls budget_release. Anything else has words. */
enum outcome scrape_judge(struct scrape *s, CURLcode code, struct pgofs_bytes **ret_body, struct pgofs_error *err);
void budget_release(struct budget *b, size_t n_bytes);

/* Ends it, whatever its state. NULL is fine. */
void scrape_free(struct scrape *s);
