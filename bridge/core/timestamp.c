/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/timestamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_DAY 86400000
#define MS_LAST    253402300799999 /* of the year 9999 */

static int64_t
clock_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_steady_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_steady_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; the year is taken
 * to begin in March, so that the leap day is its last. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = month <= 2 ? year - 1 : year;
	const int64_t era = y / 400;
	const int64_t year_of_era = y - era * 400;
	const int64_t month_from_march = (month + 9) % 12;
	const int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	       year_of_era / 100 + day_of_year - 719468;
}

static bool
take_digits(struct view *v, size_t count, int64_t *out_value)
{
	if (v->len < count || v->data[0] == '-' ||
	    view_to_int((struct view){ v->data, count }, out_value) !=
		STATUS_OK)
		return false;
	v->data += count;
	v->len -= count;
	return true;
}

static bool
take_char(struct view *v, const char *any)
{
	if (v->len == 0 || strchr(any, v->data[0]) == NULL ||
	    v->data[0] == '\0')
		return false;
	v->data++;
	v->len--;
	return true;
}

static bool
take_fraction(struct view *v, int64_t *out_ms)
{
	int64_t scale = 100;
	size_t digits = 0;

	*out_ms = 0;
	if (!take_char(v, "."))
		return true;
	while (v->len > 0 && v->data[0] >= '0' && v->data[0] <= '9') {
		*out_ms += (v->data[0] - '0') * scale;
		scale /= 10;
		v->data++;
		v->len--;
		digits++;
	}
	return digits >= 1 && digits <= 9;
}

static bool
take_offset(struct view *v, int64_t *out_minutes)
{
	int64_t hours, minutes;
	bool is_west;

	*out_minutes = 0;
	if (v->len == 0 || take_char(v, "Zz"))
		return v->len == 0;
	is_west = v->data[0] == '-';
	if (!take_char(v, "+-") || !take_digits(v, 2, &hours) ||
	    !take_char(v, ":") || !take_digits(v, 2, &minutes) || hours > 23 ||
	    minutes > 59 || v->len != 0)
		return false;
	*out_minutes = (hours * 60 + minutes) * (is_west ? -1 : 1);
	return true;
}

static int64_t
days_in_month(int64_t year, int64_t month)
{
	static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	const bool is_leap = (year % 4 == 0 && year % 100 != 0) ||
			     year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

enum status
timestamp_parse(struct view text, int64_t *out_ms)
{
	int64_t year, month, day, hour, minute, second, ms, offset;

	if (!take_digits(&text, 4, &year) || !take_char(&text, "-") ||
	    !take_digits(&text, 2, &month) || !take_char(&text, "-") ||
	    !take_digits(&text, 2, &day) || !take_char(&text, "Tt ") ||
	    !take_digits(&text, 2, &hour) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &minute) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &second) || !take_fraction(&text, &ms) ||
	    !take_offset(&text, &offset))
		return STATUS_INVALID;
	if (year < 1970 || month < 1 || month > 12 || day < 1 ||
	    day > days_in_month(year, month) || hour > 23 || minute > 59 ||
	    second > 60)
		return STATUS_INVALID;
	ms += days_of(year, month, day) * MS_PER_DAY +
	      ((hour * 60 + minute - offset) * 60 + second) * 1000;
	/* An offset or a leap second may lead out of those years. */
	if (ms < 0 || ms > MS_LAST)
		return STATUS_INVALID;
	*out_ms = ms;
	return STATUS_OK;
}

void
timestamp_print(int64_t ms, char out[TIMESTAMP_TEXT_SIZE])
{
	const time_t seconds = (time_t)(ms / 1000);
	const int fraction = (int)(ms % 1000);
	struct tm utc;

	if (ms < 0 || gmtime_r(&seconds, &utc) == NULL ||
	    utc.tm_year > 9999 - 1900) {
		out[0] = '\0';
		return;
	}
	strftime(out, TIMESTAMP_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	if (fraction != 0)
		snprintf(
		    out + 19, TIMESTAMP_TEXT_SIZE - 19, ".%03dZ", fraction);
	else
		snprintf(out + 19, TIMESTAMP_TEXT_SIZE - 19, "Z");
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). */
static enum status
http_date_parse(struct view text, int64_t *out_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day, month, year, hour, minute, second;

	if (text.len != 29 || text.data[3] != ',' ||
	    !view_is((struct view){ text.data + 25, 4 }, " GMT"))
		return STATUS_INVALID;
	for (month = 1; month <= 12; month++)
		if (memcmp(months + (month - 1) * 3, text.data + 8, 3) == 0)
			break;
	text = (struct view){ text.data + 5, 20 };
	if (!take_digits(&text, 2, &day) || month > 12)
		return STATUS_INVALID;
	text = (struct view){ text.data + 5, text.len - 5 };
	if (!take_digits(&text, 4, &year) || !take_char(&text, " ") ||
	    !take_digits(&text, 2, &hour) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &minute) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &second) || year < 1970 || day < 1 ||
	    day > 31 || hour > 23 || minute > 59 || second > 60)
		return STATUS_INVALID;
	*out_ms = days_of(year, month, day) * MS_PER_DAY +
		  ((hour * 60 + minute) * 60 + second) * 1000;
	return STATUS_OK;
}

enum status
retry_after_parse(struct view text, int64_t now_ms, int64_t *out_ms)
{
	int64_t value;

	text = view_trim(text);
	if (view_to_int(text, &value) == STATUS_OK) {
		if (value < 0 || value > INT64_MAX / 1000)
			return STATUS_INVALID;
		*out_ms = value * 1000;
		return STATUS_OK;
	}
	if (http_date_parse(text, &value) != STATUS_OK)
		return STATUS_INVALID;
	*out_ms = value > now_ms ? value - now_ms : 0;
	return STATUS_OK;
}
