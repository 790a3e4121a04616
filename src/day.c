#include "day.h"

#define HOUR		3600000LL
#define DAY		(24 * HOUR)
#define MONTH		(30 * DAY)

static int64_t
floordiv(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian; years
 * begin in March, so a leap day is the last of its year). */
static int64_t
civil_days(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = floordiv(y, 400);
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_month(int64_t days, int64_t *y, int *m)
{
	int64_t era, doe, yoe, doy, mp;

	days += 719468;
	era = floordiv(days, 146097);
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

/* The n-th Sunday of a month, as days since 1970 (a Thursday). */
static int64_t
nth_sunday(int64_t y, int m, int n)
{
	int64_t first = civil_days(y, m, 1);
	int64_t weekday = (first + 4) - floordiv(first + 4, 7) * 7;

	return first + (7 - weekday) % 7 + 7 * (n - 1);
}

/* What to add to UTC for Pacific time. Both changes happen at 02:00 local:
 * 10:00 UTC in March, 09:00 UTC in November. */
static int64_t
pacific(int64_t wall)
{
	int64_t y, day = floordiv(wall, DAY);
	int m;

	civil_month(day, &y, &m);
	if (wall < nth_sunday(y, 3, 2) * DAY + 10 * HOUR ||
	    wall >= nth_sunday(y, 11, 1) * DAY + 9 * HOUR)
		return -8 * HOUR;
	return -7 * HOUR;
}

/* The instant of a local midnight; it exists once in every zone day, since
 * the changes are at 02:00. */
static int64_t
midnight(enum config_day day, int64_t days)
{
	int64_t wall = days * DAY;

	if (day != CONFIG_DAY_PACIFIC)
		return wall;
	if (pacific(wall + 7 * HOUR) == -7 * HOUR)
		return wall + 7 * HOUR;
	return wall + 8 * HOUR;
}

bool
day_calendar(enum config_day day)
{
	return day == CONFIG_DAY_UTC || day == CONFIG_DAY_PACIFIC;
}

/* The start of the day or month at wall, or of the one `next` after it. */
static int64_t
boundary(enum config_day day, bool month, int64_t wall, int next)
{
	int64_t local = wall, days, y;
	int m;

	if (day == CONFIG_DAY_PACIFIC)
		local += pacific(wall);
	days = floordiv(local, DAY);
	if (!month)
		return midnight(day, days + next);
	civil_month(days, &y, &m);
	m += next;
	if (m > 12) {
		m = 1;
		y++;
	}
	return midnight(day, civil_days(y, m, 1));
}

int64_t
day_begin(enum config_day day, bool month, int64_t wall)
{
	return day_calendar(day) ? boundary(day, month, wall, 0) : wall;
}

int64_t
day_end(enum config_day day, bool month, int64_t start)
{
	if (day_calendar(day))
		return boundary(day, month, start, 1);
	return start + (month ? MONTH : DAY);
}
