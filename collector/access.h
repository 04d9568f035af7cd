/* How a target is spoken with: trust, identity, secrets.
 *
 * Secrets live in files and are read again for every request, so that they can be rotated under a running collector.
 *
 * Threads: the structure is read-only once configured. */
#pragma once

#include <pgofs/error.h>

#include <curl/curl.h>

struct access {
	char *ca_file;     /* PEM; NULL: the system's */
	char *cert_file;   /* client certificate, PEM */
	char *key_file;    /* its key, PEM */
	char *server_name; /* the name that the certificate must carry, and that is asked for; NULL: the URL's host */
	char *bearer_token_file;
	char *username;
	char *password_file;
};

/* What makes no sense together, or cannot be read now. -EINVAL, or why a file could not be read; with words. */
int access_check(const struct access *a, struct pgofs_error *err);

/* Tells one request. `ret_connect_to` is what the caller frees with curl_slist_free_all after the request. Words as above. */
int access_apply(const struct access *a, CURL *easy, const char *url, struct curl_slist **ret_connect_to,
		 struct pgofs_error *err);
