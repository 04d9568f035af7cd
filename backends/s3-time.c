#include "s3-time.h"

#include <pgofs/units.h>

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

int s3_time_parse_iso(const char *text, int64_t *ret_unix_s)
{
	int year, month, day, hour, minute, second, n = 0;
	int64_t days;
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &n) != 6 || !n)
		return -EINVAL;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
	    pgofs_days_from_date(year, month, day, &days) < 0)
		return -EINVAL;

	text += n;
	if (*text == '.')
		do
			text++;
		while (*text >= '0' && *text <= '9');
	if (text[0] != 'Z' || text[1])
		return -EINVAL;
	*ret_unix_s = days * 86400 + hour * 3600 + minute * 60 + second;
	return 0;
}

int s3_time_parse_http(const char *text, int64_t *ret_unix_s)
{
	time_t t = curl_getdate(text, NULL);
	if (t == (time_t)-1)
		return -EINVAL;
	*ret_unix_s = t;
	return 0;
}
