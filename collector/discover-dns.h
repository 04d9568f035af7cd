/* Targets from DNS: what a headless service in Kubernetes, or a service registry, answers for a name.
 *
 * Threads: the caller serialises. */
#pragma once

#include "config.h"

#include <curl/curl.h>
#include <stdbool.h>

struct dns;

/* Is this "ADDRESS[:PORT]"? Else -EINVAL with words. */
int dns_check_server(const char *server, struct pgofs_error *err);

/* Nothing is asked yet. Names with an A or AAAA address and names with SRV records are those of the configuration's jobs. */
int dns_new(const struct config *config, struct dns **ret, struct pgofs_error *err);
void dns_free(struct dns *d);

/* Asks for every name for which no question is under way. */
void dns_refresh(struct dns *d);

/* Takes from `old`, which is not asked any more, the answers for names that had none here. */
void dns_inherit(struct dns *d, struct dns *old);

/* Handles what servers said, and what they did not say in time; asks again for names that never had an answer. True: an answer is another than the last. */
bool dns_step(struct dns *d);

bool dns_settled(const struct dns *d);  /* no question is under way */
bool dns_complete(const struct dns *d); /* every name was answered once */
size_t dns_fds(const struct dns *d, struct curl_waitfd *fds, size_t max);
int64_t dns_wake_ns(const struct dns *d);

/* Adds a target for each address. */
int dns_list(const struct dns *d, int64_t duration_ns, struct targets *ret);
