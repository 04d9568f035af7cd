/* What an S3 server answers and what the shared files hold: the first byte chooses the reader. */
#include "../../backends/s3-error.h"
#include "../../backends/s3-ini.h"
#include "../../backends/s3-page.h"
#include "../../backends/s3-time.h"

#include <pgofs/cleanup.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_page(const uint8_t *data, size_t len)
{
	struct s3_page page;
	struct pgofs_stored stored;
	s3_page_init(&page);
	if (s3_page_read(&page, data, len, NULL) == 0)
		for (size_t i = 0; i < s3_page_count(&page); i++) {
			const struct s3_object *o = s3_page_at(&page, i);
			if (strlen(s3_page_key(&page, o)) > len || o->size_bytes > INT64_MAX)
				__builtin_trap();
			s3_page_stored(&page, o, &stored);
		}
	s3_page_done(&page);
}

static void read_refusal(const uint8_t *data, size_t len)
{
	struct s3_http_response p = { .status = 400, .body = PGOFS_BUF(len) };
	struct s3_refusal f;
	if (pgofs_buf_append(&p.body, data, len) < 0)
		return;
	s3_refusal_read(&p, &f);
	if (s3_refusal_error(&f, NULL) >= 0 || strpbrk(f.region, "/.:@"))
		__builtin_trap();
	s3_http_response_done(&p);
}

static void read_ini(const uint8_t *data, size_t len)
{
	_cleanup_(s3_ini_freep) struct s3_ini *ini = NULL;
	if (s3_ini_parse((const char *)data, len, &ini) == 0) {
		s3_ini_get(ini, "default", "region");
		s3_ini_get(ini, "default", "s3.endpoint_url");
	}
}

static void read_time(const uint8_t *data, size_t len)
{
	char text[64];
	int64_t at;
	len = len < sizeof text - 1 ? len : sizeof text - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	s3_time_parse_iso(text, &at);
	s3_time_parse_http(text, &at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const readers[])(const uint8_t *, size_t) = { read_page, read_refusal, read_ini, read_time };
	if (len)
		readers[data[0] % 4](data + 1, len - 1);
	return 0;
}
