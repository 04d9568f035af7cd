/* Two signers of two minds: the table's answers come from tests/s3server/sigv4.py, a few more from AWS's documentation. */
#include "../../backends/s3-sign.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define ACCESS "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define DATE   "20261122T101500Z"

static const struct {
	const char *name;
	const char *method;
	const char *path;
	struct s3_param params[6];
	struct s3_header headers[3];
	const char *payload;
	const char *query;
	const char *signature;
} cases[] = {
#include "sign-cases.h"
};

Test(sign, every_request_of_the_table_is_signed_as_another_signer_signs_it)
{
	cr_assert_eq(sizeof cases / sizeof *cases, 42);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_cleanup_(pgofs_buf_done) struct pgofs_buf path = PGOFS_BUF(1 << 14), query = PGOFS_BUF(1 << 14);
		_cleanup_(pgofs_buf_done) struct pgofs_buf header = PGOFS_BUF(1 << 14);
		struct s3_header headers[8] = { { "x-amz-date", DATE },
						{ "x-amz-content-sha256", cases[i].payload },
						{ "host", "s3.example.com" } };
		size_t n_params = 0, n_headers = 3;
		while (n_params < 6 && cases[i].params[n_params].name)
			n_params++;
		for (size_t h = 0; h < 3 && cases[i].headers[h].name; h++)
			headers[n_headers++] = cases[i].headers[h];

		cr_assert_eq(s3_encode_path(&path, cases[i].path), 0);
		cr_assert_eq(s3_encode_query(&query, cases[i].params, n_params), 0);
		cr_assert_str_eq((char *)query.data, cases[i].query, "%s", cases[i].name);
		struct s3_signing s = { cases[i].method,
					(char *)path.data,
					(char *)query.data,
					headers,
					n_headers,
					cases[i].payload,
					DATE,
					"us-east-1",
					"s3",
					ACCESS,
					SECRET };
		cr_assert_eq(s3_sign(&s, &header), 0);
		const char *signature = strstr((char *)header.data, ",Signature=");
		cr_assert_not_null(signature);
		cr_assert_str_eq(signature + 11, cases[i].signature, "%s: %s", cases[i].name, (char *)header.data);
	}
}

/* AWS, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", its four examples. */
#define AWS_ACCESS "AKIAIOSFODNN7EXAMPLE"
#define AWS_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define NOTHING    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void must_sign(const char *method, const char *path, const char *query, const struct s3_header *headers,
		      size_t n, const char *want)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf header = PGOFS_BUF(1 << 14);
	struct s3_signing s = { method,      path, query,      headers,   n, headers[1].value, "20130524T000000Z",
				"us-east-1", "s3", AWS_ACCESS, AWS_SECRET };
	cr_assert_eq(s3_sign(&s, &header), 0);
	cr_assert_str_eq((char *)header.data, want);
}

#define SCOPE "AWS4-HMAC-SHA256 Credential=" AWS_ACCESS "/20130524/us-east-1/s3/aws4_request,SignedHeaders="

Test(sign, the_examples_of_AWS_come_out)
{
	struct s3_header get[] = { { "host", "examplebucket.s3.amazonaws.com" },
				   { "x-amz-content-sha256", NOTHING },
				   { "range", "bytes=0-9" },
				   { "x-amz-date", "20130524T000000Z" } };
	must_sign("GET", "/test.txt", "", get, 4,
		  SCOPE "host;range;x-amz-content-sha256;x-amz-date,Signature="
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");

	struct s3_header put[] = { { "host", "examplebucket.s3.amazonaws.com" },
				   { "x-amz-content-sha256",
				     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" },
				   { "date", "Fri, 24 May 2013 00:00:00 GMT" },
				   { "x-amz-date", "20130524T000000Z" },
				   { "x-amz-storage-class", "REDUCED_REDUNDANCY" } };
	_cleanup_(pgofs_buf_done) struct pgofs_buf path = PGOFS_BUF(100);
	cr_assert_eq(s3_encode_path(&path, "/test$file.text"), 0);
	must_sign("PUT", (char *)path.data, "", put, 5,
		  SCOPE "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature="
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

	struct s3_header list[] = { { "host", "examplebucket.s3.amazonaws.com" },
				    { "x-amz-content-sha256", NOTHING },
				    { "x-amz-date", "20130524T000000Z" } };
	must_sign("GET", "/", "lifecycle=", list, 3,
		  SCOPE "host;x-amz-content-sha256;x-amz-date,Signature="
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");

	struct s3_param params[] = { { "prefix", "J" }, { "max-keys", "2" } };
	_cleanup_(pgofs_buf_done) struct pgofs_buf query = PGOFS_BUF(100);
	cr_assert_eq(s3_encode_query(&query, params, 2), 0);
	must_sign("GET", "/", (char *)query.data, list, 3,
		  SCOPE "host;x-amz-content-sha256;x-amz-date,Signature="
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

Test(sign, hashes_are_what_others_say)
{
	char hex[S3_HEX_SHA256_SIZE], md5[S3_HEX_MD5_SIZE], base64[S3_BASE64_MD5_SIZE];
	cr_assert_eq(s3_sha256("", 0, hex), 0);
	cr_assert_str_eq(hex, NOTHING);
	cr_assert_eq(s3_md5_hex("hello", 5, md5), 0);
	cr_assert_str_eq(md5, "5d41402abc4b2a76b9719d911017c592");
	cr_assert_eq(s3_md5_base64("hello", 5, base64), 0);
	cr_assert_str_eq(base64, "XUFAKrxLKna5cZ2REBfFkg==");
}

Test(sign, more_than_there_is_room_for_is_refused)
{
	struct s3_param params[S3_PARAMS_MAX + 1];
	struct s3_header headers[S3_HEADERS_MAX + 1];
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(1 << 14), small = PGOFS_BUF(8);
	for (size_t i = 0; i <= S3_PARAMS_MAX; i++)
		params[i] = (struct s3_param){ "a", "b" };
	for (size_t i = 0; i <= S3_HEADERS_MAX; i++)
		headers[i] = (struct s3_header){ "a", "b" };
	cr_assert_eq(s3_encode_query(&b, params, S3_PARAMS_MAX), 0);
	cr_assert_eq(s3_encode_query(&b, params, S3_PARAMS_MAX + 1), -E2BIG);
	struct s3_signing s = { "GET", "/", "", headers, S3_HEADERS_MAX + 1, NOTHING, DATE, "r", "s3", "a", "b" };
	cr_assert_eq(s3_sign(&s, &b), -E2BIG);
	cr_assert_eq(s3_encode_path(&small, "/a/long/path"), -EFBIG);
}

Test(sign, dates_are_UTC)
{
	char date[S3_DATE_SIZE];
	s3_format_date(date, 1795342500);
	cr_assert_str_eq(date, "20261122T101500Z");
}
