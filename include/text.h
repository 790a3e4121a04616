/* text: numbers, words, durations and clocks as text, and back.
 *
 * Pure but for text_clock(). Times are milliseconds: wall time since the Unix
 * epoch (UTC), or a steady clock that counts through sleep. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* One instant on both clocks. Short windows use mono (it never steps), days
 * and months use wall (they follow a calendar). */
struct text_time {
	int64_t	wall;		/* ms since 1970-01-01T00:00:00Z */
	int64_t	mono;		/* ms of CLOCK_BOOTTIME */
};

/* Read both clocks. Never fails. */
void	text_clock(struct text_time *t);

/* Whether p[0..n) is exactly word; the second ignores ASCII case. */
bool	text_is(const char *p, size_t n, const char *word);
bool	text_isi(const char *p, size_t n, const char *word);

/* Decimal digits only, at most max. 0, or -1 and *out untouched. */
int	text_uint(const char *p, size_t n, uint64_t max, uint64_t *out);

/* A duration into milliseconds, rounded up: one or more numbers with a unit
 * (ns us ms s m h d, and Go's U+00B5 s), as in "10s", "250ms", "1h30m",
 * "2m59.56s" (Go's form). A bare number, which may have a fraction, counts
 * `bare` ms each; bare 0 refuses it. Negative, NaN, empty or beyond 100 years:
 * -1. */
int	text_duration(const char *p, size_t n, int64_t bare, int64_t *ms);

/* A size in bytes: digits and an optional K, M or G (of 1024). 0 or -1. */
int	text_size(const char *p, size_t n, uint64_t max, uint64_t *out);

/* An HTTP date (RFC 9110 5.6.7, the three forms) or RFC 3339 time into wall
 * ms. 0 or -1. */
int	text_date(const char *p, size_t n, int64_t *wall);

/* wall as "2026-11-21T12:00:00Z"; out holds 24 bytes. Out of years 0-9999 it
 * writes "-". */
void	text_iso(char *out, int64_t wall);

/* ms in words for people: "850 ms", "12 s", "4 min 5 s", "3 h 20 min",
 * "2 d 4 h"; out holds 32 bytes. Rounded up to the smaller unit shown. */
void	text_ago(char *out, int64_t ms);

/* Decode %XX of p[0..n) into out, which holds n bytes. The length, or -1 on a
 * broken escape or a decoded NUL. */
int	text_percent(const char *p, size_t n, char *out);

/* The first byte from i on that ends a run of plain ASCII: a quote, a
 * backslash, a control byte, or one above 0x7f; n when there is none. */
size_t	text_plain(const char *p, size_t i, size_t n);

/* Append p[0..n) as a JSON string with its quotes. Control bytes, quotes and
 * backslashes are escaped; a byte that is not part of valid UTF-8 (RFC 3629)
 * becomes U+FFFD, so the output is always valid JSON. 0 or -1 as buf_put. */
int	text_quote(struct buf *out, const char *p, size_t n);

/* The length of the valid UTF-8 character at p, 1 to 4 and <= n, or 0. */
size_t	text_utf8(const char *p, size_t n);

/* FNV-1a, 64 bits: names of slots, never anything secret or hostile. Chain by
 * passing the former result; start with TEXT_HASH. */
#define TEXT_HASH	0xcbf29ce484222325ULL
uint64_t text_hash(uint64_t h, const void *p, size_t n);

#endif
