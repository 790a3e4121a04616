/* day: when a provider's day and month begin and end. Pure.
 *
 * UTC, and America/Los_Angeles by the rule in force since 2007 (15 USC 260a:
 * second Sunday of March to first Sunday of November, 02:00). ROLLING and
 * FIRST_USE have no calendar: a day is 24 h and a month 30 d from any start.
 * All times are wall ms. */
#ifndef DAY_H
#define DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

/* Whether the day begins at a fixed instant, used or not. */
bool	day_calendar(enum config_day day);

/* The start of the day or month that wall lies in; wall itself when there is
 * no calendar. */
int64_t	day_begin(enum config_day day, bool month, int64_t wall);

/* The end of the day or month that began at start. */
int64_t	day_end(enum config_day day, bool month, int64_t start);

#endif
