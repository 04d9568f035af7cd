#include "access.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SECRET_SIZE 16384

/* One line from a file, without its newline. What a header cannot carry is refused. */
static int read_secret(const char *path, char ret[static SECRET_SIZE], struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return pgofs_error_errno(err, -errno, "read %s", path);
	ssize_t len = read(fd, ret, SECRET_SIZE);
	if (len < 0)
		return pgofs_error_errno(err, -errno, "read %s", path);
	if (len == SECRET_SIZE)
		return pgofs_error_set(err, -EINVAL, "read %s: longer than %d bytes", path, SECRET_SIZE - 1);
	while (len && (ret[len - 1] == '\n' || ret[len - 1] == '\r'))
		len--;
	ret[len] = '\0';
	if (!len)
		return pgofs_error_set(err, -EINVAL, "read %s: it is empty", path);
	for (ssize_t i = 0; i < len; i++)
		if ((unsigned char)ret[i] < 0x20 || ret[i] == 0x7f)
			return pgofs_error_set(err, -EINVAL, "read %s: not one line of text", path);
	return 0;
}

static int check_secret(const char *path, struct pgofs_error *err)
{
	char secret[SECRET_SIZE];
	int r = path ? read_secret(path, secret, err) : 0;
	explicit_bzero(secret, sizeof secret);
	return r;
}

static int check_readable(const char *path, struct pgofs_error *err)
{
	if (path && access(path, R_OK) < 0)
		return pgofs_error_errno(err, -errno, "read %s", path);
	return 0;
}

int access_check(const struct access *a, struct pgofs_error *err)
{
	if (a->bearer_token_file && a->username)
		return pgofs_error_set(err, -EINVAL, "a bearer token and a user name exclude each other");
	if (!a->username != !a->password_file)
		return pgofs_error_set(err, -EINVAL, "username and password-file go together");
	if (a->key_file && !a->cert_file)
		return pgofs_error_set(err, -EINVAL, "key-file needs cert-file");

	int r = check_secret(a->bearer_token_file, err);
	if (r == 0)
		r = check_secret(a->password_file, err);
	if (r == 0)
		r = check_readable(a->ca_file, err);
	if (r == 0)
		r = check_readable(a->cert_file, err);
	return r == 0 ? check_readable(a->key_file, err) : r;
}

static int apply_secrets(const struct access *a, CURL *easy, struct pgofs_error *err)
{
	char secret[SECRET_SIZE];
	int r = 0;
	if (a->bearer_token_file) {
		r = read_secret(a->bearer_token_file, secret, err);
		if (r == 0) {
			curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
			curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, secret);
		}
	} else if (a->username) {
		r = read_secret(a->password_file, secret, err);
		if (r == 0) {
			curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
			curl_easy_setopt(easy, CURLOPT_USERNAME, a->username);
			curl_easy_setopt(easy, CURLOPT_PASSWORD, secret);
		}
	}
	explicit_bzero(secret, sizeof secret);
	return r;
}

PGOFS_DEFINE_FREEP(CURLU, curl_url_cleanup)
PGOFS_DEFINE_FREEP(char, curl_free)

/* Asks for `name` at the address the URL gives: the URL then says `name`, so that the Host header, SNI and the certificate's
 * check follow it, and curl is told where to connect instead. */
static int apply_name(const char *name, CURL *easy, const char *text, struct curl_slist **ret, struct pgofs_error *err)
{
	_cleanup_(curl_url_cleanupp) CURLU *url = curl_url();
	_cleanup_(curl_freep) char *host = NULL, *port = NULL, *renamed = NULL;
	_cleanup_(pgofs_freep) char *row = NULL;
	if (!url || curl_url_set(url, CURLUPART_URL, text, 0) || curl_url_get(url, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
	    curl_url_set(url, CURLUPART_HOST, name, 0) || curl_url_get(url, CURLUPART_URL, &renamed, 0) ||
	    asprintf(&row, "%s:%s:%s:%s", name, port, host, port) < 0)
		return pgofs_error_set(err, -EINVAL, "server name \"%s\" makes no URL", name);
	*ret = curl_slist_append(NULL, row);
	if (!*ret)
		return pgofs_error_errno(err, -ENOMEM, "server name");
	curl_easy_setopt(easy, CURLOPT_URL, renamed);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, *ret);
	return 0;
}

int access_apply(const struct access *a, CURL *easy, const char *url, struct curl_slist **ret_connect_to,
		 struct pgofs_error *err)
{
	/* Where a session is resumed, no certificate is looked at. */
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (a->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, a->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* the system's, which would be trusted, too */
		curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	}
	if (a->cert_file)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, a->cert_file);
	if (a->key_file)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, a->key_file);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	int r = apply_secrets(a, easy, err);
	if (r == 0 && a->server_name)
		r = apply_name(a->server_name, easy, url, ret_connect_to, err);
	return r;
}
