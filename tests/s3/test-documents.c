/* What servers and users write, read by us: XML, listings, refusals, the shared files, times. Most of it hostile. */
#include "../../backends/s3-error.h"
#include "../../backends/s3-ini.h"
#include "../../backends/s3-page.h"
#include "../../backends/s3-time.h"
#include "../../backends/s3-xml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* ---- XML ---- */

static int append_element(void *context, const char *path, const char *text)
{
	return pgofs_buf_printf(context, "%s=%s;", path, text);
}

static int walk(const char *xml, char *ret, size_t size)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(4096);
	struct pgofs_error err = { "" };
	int r = s3_xml_walk(xml, strlen(xml), "R", append_element, &b, &err);
	snprintf(ret, size, "%s", r < 0 ? err.text : b.data ? (char *)b.data : "");
	return r;
}

Test(xml, elements_are_told_by_their_path_as_they_end)
{
	static const char *const good[][2] = {
		{ "<R/>", "R=;" },
		{ "<R>x</R>", "R=x;" },
		{ "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"u\"><A b=\"c\">1</A><A>2</A></R>",
		  "R/A=1;R/A=2;R=;" },
		{ "<R><A><B>&lt;&amp;&#65;&quot;</B></A></R>", "R/A/B=<&A\";R/A=;R=;" },
		{ "<R><![CDATA[<&]]></R>", "R=<&;" },
		{ "<R><!-- no --><A>\xc3\xa9</A></R>", "R/A=\xc3\xa9;R=;" },
	};
	char told[4096];
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cr_assert_eq(walk(good[i][0], told, sizeof told), 0, "%s: %s", good[i][0], told);
		cr_assert_str_eq(told, good[i][1]);
	}
}

Test(xml, what_is_wrong_is_refused_in_words)
{
	static const char *const bad[][2] = {
		{ "", "does not parse" },
		{ "<R>", "does not parse" },
		{ "<R></S>", "does not parse" },
		{ "<R/><R/>", "does not parse" },
		{ "hello", "does not parse" },
		{ "<R>&none;</R>", "does not parse" },
		{ "<R>\x01</R>", "does not parse" },
		{ "<R>\xff</R>", "does not parse" },
		{ "<S/>", "another document" },
		{ "<RR/>", "another document" },
		{ "<!DOCTYPE R><R/>", "DOCTYPE" },
		{ "<!DOCTYPE R SYSTEM \"file:///etc/passwd\"><R/>", "DOCTYPE" },
		{ "<!DOCTYPE R [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><R>&b;</R>", "DOCTYPE" },
		{ "<R><a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a></R>", "too deep" },
	};
	char told[4096];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert_eq(walk(bad[i][0], told, sizeof told), -EIO, "%s", bad[i][0]);
		cr_assert_not_null(strstr(told, bad[i][1]), "%s: %s", bad[i][0], told);
	}
}

Test(xml, long_names_and_long_texts_have_limits)
{
	struct pgofs_error err;
	static char xml[1 << 20];
	memset(xml, 'x', sizeof xml);
	memcpy(xml, "<R>", 3);
	cr_assert_eq(s3_xml_walk(xml, sizeof xml, "R", append_element, NULL, &err), -EIO);
	cr_assert_not_null(strstr(err.text, "too long"));
	memcpy(xml, "<R><", 4);
	xml[1000] = '>';
	cr_assert_eq(s3_xml_walk(xml, sizeof xml, "R", append_element, NULL, &err), -EIO);
	cr_assert_not_null(strstr(err.text, "too deep"));
}

static int stop_here(void *context, const char *path, const char *text)
{
	++*(int *)context;
	return -ECANCELED;
}

Test(xml, a_handler_may_end_the_walk)
{
	int n = 0;
	cr_assert_eq(s3_xml_walk("<R><A/><A/></R>", 15, "R", stop_here, &n, NULL), -ECANCELED);
	cr_assert_eq(n, 1);
}

/* ---- Pages of a listing ---- */

#define OBJECT(key)                                                                                                    \
	"<Contents><Key>" key "</Key><LastModified>2026-11-22T10:15:00.123Z</LastModified><ETag>&quot;e&quot;</ETag>"  \
	"<Size>7</Size></Contents>"
#define PAGE(body) "<ListBucketResult>" body "</ListBucketResult>"

static struct s3_page page;

static void page_init(void)
{
	s3_page_init(&page);
}

static void page_done(void)
{
	s3_page_done(&page);
}

TestSuite(page, .init = page_init, .fini = page_done);

static int read_page(const char *xml)
{
	return s3_page_read(&page, xml, strlen(xml), NULL);
}

Test(page, an_object_is_described)
{
	struct pgofs_stored stored;
	cr_assert_eq(read_page(PAGE(OBJECT("a/b") "<CommonPrefixes><Prefix>a/c/</Prefix></CommonPrefixes>"
						  "<IsTruncated>true</IsTruncated>"
						  "<NextContinuationToken>t+/=</NextContinuationToken>")),
		     0);
	cr_assert_eq(s3_page_count(&page), 2);
	cr_assert_str_eq(s3_page_key(&page, s3_page_at(&page, 0)), "a/b");
	s3_page_stored(&page, s3_page_at(&page, 0), &stored);
	cr_assert_eq(stored.size_bytes, 7);
	cr_assert_str_eq(stored.version, "e");
	cr_assert_eq(stored.mtime_ns, 1795342500000000000);
	cr_assert(s3_page_at(&page, 1)->is_prefix);
	cr_assert_str_eq(s3_page_key(&page, s3_page_at(&page, 1)), "a/c/");
	cr_assert(page.truncated);
	cr_assert_str_eq(page.next_token, "t+/=");
}

Test(page, keys_are_decoded_where_the_server_says_so)
{
	static const char *const keys[][2] = {
		{ "a%2Fb+c%2Bd", "a/b c+d" }, { "%C3%A9%0A", "\xc3\xa9\n" }, { "100%", "100%" }, { "%zz%4", "%zz%4" }
	};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		for (int encoded = 0; encoded <= 1; encoded++) {
			char xml[1024];
			snprintf(xml, sizeof xml, PAGE(OBJECT("%s") "%s"), keys[i][0],
				 encoded ? "<EncodingType>url</EncodingType>" : "");
			s3_page_clear(&page);
			cr_assert_eq(read_page(xml), 0);
			cr_assert_str_eq(s3_page_key(&page, s3_page_at(&page, 0)), keys[i][!!encoded]);
		}
}

Test(page, what_is_half_described_is_counted_and_left_out)
{
	static const char *const odd[] = {
		"<Contents/>",
		"<Contents><Key>a</Key></Contents>",
		"<Contents><Key>a</Key><Size>1</Size><ETag>e</ETag></Contents>",
		"<Contents><Key>a</Key><Size>-1</Size><ETag>e</ETag><LastModified>2026-11-22T10:15:00Z</LastModified></"
		"Contents>",
		"<Contents><Key>a</Key><Size>99999999999999999999</Size><ETag>e</ETag>"
		"<LastModified>2026-11-22T10:15:00Z</LastModified></Contents>",
		"<Contents><Key>a</Key><Size>1</Size><ETag>e "
		"f</ETag><LastModified>2026-11-22T10:15:00Z</LastModified></Contents>",
		"<Contents><Key>a</Key><Size>1</Size><ETag></ETag><LastModified>2026-11-22T10:15:00Z</LastModified></"
		"Contents>",
		"<Contents><Key>a</Key><Size>1</Size><ETag>e</ETag><LastModified>yesterday</LastModified></Contents>",
		"<CommonPrefixes/>",
		OBJECT("a%00b") "<EncodingType>url</EncodingType>",
	};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		char xml[1024];
		snprintf(xml, sizeof xml, PAGE("%s"), odd[i]);
		s3_page_clear(&page);
		cr_assert_eq(read_page(xml), 0, "%s", odd[i]);
		cr_assert_eq(s3_page_count(&page), 0, "%s", odd[i]);
		cr_assert_eq(page.n_foreign, 1, "%s", odd[i]);
	}
}

Test(page, one_object_s_fields_are_not_the_next_one_s)
{
	cr_assert_eq(read_page(PAGE(OBJECT("a") "<Contents><Key>b</Key></Contents>" OBJECT("c"))), 0);
	cr_assert_eq(s3_page_count(&page), 2);
	cr_assert_eq(page.n_foreign, 1);
}

Test(page, a_listing_without_end_is_refused)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf xml = PGOFS_BUF(S3_PAGE_TEXT_MAX);
	char key[16001];
	struct pgofs_error err = { "" };
	int r = 0, n_pages;
	memset(key, 'k', 16000);
	key[16000] = '\0';
	pgofs_buf_printf(&xml, "<ListBucketResult>");
	for (int i = 0; i < 500; i++)
		pgofs_buf_printf(&xml, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", key);
	pgofs_buf_printf(&xml, "</ListBucketResult>");
	for (n_pages = 0; n_pages < 20 && r == 0; n_pages++)
		r = s3_page_read(&page, xml.data, xml.len, &err);
	cr_assert_eq(r, -EIO);
	cr_assert_eq(n_pages, 17, "16 pages of 8 MB are 128 MiB: %d", n_pages);
	cr_assert_not_null(strstr(err.text, "longer than we keep"), "%s", err.text);
}

Test(page, a_token_without_end_is_refused)
{
	char xml[S3_TOKEN_SIZE + 200];
	snprintf(xml, sizeof xml, PAGE("<NextContinuationToken>%*s</NextContinuationToken>"), S3_TOKEN_SIZE, "x");
	cr_assert_eq(read_page(xml), -EIO);
}

/* ---- Refusals ---- */

static struct s3_refusal refusal_of(long status, const char *body)
{
	struct s3_http_response p = { .status = status, .body = PGOFS_BUF(4096) };
	struct s3_refusal f;
	cr_assert_eq(pgofs_buf_append(&p.body, body, strlen(body)), 0);
	s3_refusal_read(&p, &f);
	s3_http_response_done(&p);
	return f;
}

Test(refusal, the_server_s_words_reach_the_error)
{
	struct pgofs_error err;
	struct s3_refusal f = refusal_of(403, "<Error><Code>AccessDenied</Code><Message>Not\nyou.</Message>"
					      "<RequestId>R1</RequestId></Error>");
	cr_assert_eq(s3_refusal_error(&f, &err), -EACCES);
	cr_assert_str_eq(err.text, "the server answered 403 AccessDenied: Not?you. (request R1)");
	cr_assert_not(s3_refusal_retry(&f));
}

Test(refusal, what_is_no_error_document_is_only_a_status)
{
	static const char *const bodies[] = { "", "<html>", "<Error>",
					      "<!DOCTYPE Error><Error><Code>NoSuchKey</Code></Error>" };
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct s3_refusal f = refusal_of(404, bodies[i]);
		cr_assert_eq(s3_refusal_error(&f, NULL), -EIO, "a bare 404 does not say that the object is gone");
	}
}

Test(refusal, a_region_is_taken_only_if_it_could_be_one)
{
	cr_assert_str_eq(refusal_of(301, "<Error><Region>eu-west-1</Region></Error>").region, "eu-west-1");
	cr_assert_str_eq(refusal_of(301, "<Error><Region>evil.example/</Region></Error>").region, "");
	cr_assert_str_eq(refusal_of(301, "<Error><Region>EU</Region></Error>").region, "");
}

/* ---- The shared files ---- */

static const char config[] = "# comment\n"
			     "[default]\n"
			     "region = eu-west-1\r\n"
			     "output=json ; comment\n"
			     "key = a#b;c\n"
			     "twice = 1\n"
			     "twice = 2\n"
			     "s3 =\n"
			     "  addressing_style = path\n"
			     "\tendpoint_url = http://h\n"
			     "after = x\n"
			     "  stray = y\n"
			     "no equals sign\n"
			     "[ profile  b ]\n"
			     "REGION = here\n"
			     "empty =\n"
			     "[broken\n"
			     "a = 1";

Test(ini, settings_are_found_as_the_aws_tools_find_them)
{
	static const char *const wants[][3] = {
		{ "default", "region", "eu-west-1" },
		{ "default", "output", "json" },
		{ "default", "key", "a#b;c" },
		{ "default", "twice", "2" },
		{ "default", "s3.addressing_style", "path" },
		{ "default", "s3.endpoint_url", "http://h" },
		{ "default", "after", "x" },
		{ "default", "addressing_style", NULL },
		{ "profile  b", "region", "here" },
		{ "profile  b", "empty", "" },
		{ "default", "none", NULL },
		{ "none", "region", NULL },
		{ "broken", "a", "1" },
	};
	_cleanup_(s3_ini_freep) struct s3_ini *ini = NULL;
	cr_assert_eq(s3_ini_parse(config, sizeof config - 1, &ini), 0);
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
		const char *is = s3_ini_get(ini, wants[i][0], wants[i][1]);
		cr_assert_eq(!is, !wants[i][2], "%s", wants[i][1]);
		if (is)
			cr_assert_str_eq(is, wants[i][2], "%s", wants[i][1]);
	}
	cr_assert(s3_ini_has(ini, "default"));
	cr_assert_not(s3_ini_has(ini, "b"));
}

Test(ini, anything_at_all_is_read_without_harm)
{
	unsigned x = 1;
	static const char bytes[] = "[]=#; \t\r\nab.\0\xff";
	for (int i = 0; i < 20000; i++) {
		char text[40];
		for (size_t at = 0; at < sizeof text; at++)
			text[at] = bytes[((x = x * 1664525 + 1013904223) >> 16) % sizeof bytes];
		_cleanup_(s3_ini_freep) struct s3_ini *ini = NULL;
		cr_assert_eq(s3_ini_parse(text, x % sizeof text, &ini), 0);
		s3_ini_get(ini, "a", "b.a");
	}
}

Test(ini, a_file_without_end_is_refused)
{
	struct s3_ini *ini = NULL;
	cr_assert_eq(s3_ini_read("/dev/zero", &ini, NULL), -EFBIG);
	cr_assert_eq(s3_ini_read("/", &ini, NULL), -EISDIR);
	cr_assert_eq(s3_ini_read("/none/here", &ini, NULL), -ENOENT);
	cr_assert_null(ini);
}

/* ---- Times ---- */

Test(time, both_forms_are_read_and_nothing_else)
{
	int64_t at = 0;
	cr_assert_eq(s3_time_parse_iso("2026-11-22T10:15:00Z", &at), 0);
	cr_assert_eq(at, 1795342500);
	cr_assert_eq(s3_time_parse_iso("2026-11-22T10:15:00.999999Z", &at), 0);
	cr_assert_eq(at, 1795342500);
	cr_assert_eq(s3_time_parse_http("Sun, 22 Nov 2026 10:15:00 GMT", &at), 0);
	cr_assert_eq(at, 1795342500);
	static const char *const bad[] = { "",
					   "now",
					   "2026-11-22",
					   "2026-11-22T10:15:00",
					   "2026-11-22T10:15:00+01:00",
					   "2026-02-30T10:15:00Z",
					   "2026-11-22T25:15:00Z",
					   "2026-11-22T10:15:00Zx",
					   "2026-11-22T10:15:00.Zx" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(s3_time_parse_iso(bad[i], &at), -EINVAL, "%s", bad[i]);
	cr_assert_eq(s3_time_parse_http("", &at), -EINVAL);
	cr_assert_eq(s3_time_parse_http("x", &at), -EINVAL);
}
