#include "audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "map.h"
#include "quota.h"
#include "slot.h"
#include "text.h"

static bool
used(const struct quota_slot *s)
{
	return (s->hash[0] | s->hash[1]) != 0;
}

/* Names come from a file that may be damaged. */
static void
put_name(struct buf *out, const struct quota_slot *s)
{
	text_quote(out, s->name, strnlen(s->name, sizeof(s->name)));
}

static void
dump_rows(struct slot_table *t, const struct quota_slot *s,
    const struct text_time *now, struct buf *out)
{
	struct quota_row rows[CONFIG_LIMITS];
	char iso[24];
	size_t n, i;

	n = quota_rows(s, slot_rule(t, s), now, rows);
	buf_puts(out, ",\"windows\":[");
	for (i = 0; i < n; i++) {
		text_iso(iso, rows[i].reset);
		buf_printf(out, "%s{\"window\":\"%s\",\"used\":%" PRId64
		    ",\"max\":%" PRId64 ",\"reset\":\"%s\"}",
		    i > 0 ? "," : "", quota_word((enum quota_reason)
		    (QUOTA_RPM + (rows[i].limit - CONFIG_RPM))),
		    rows[i].used, rows[i].max,
		    rows[i].reset > 0 ? iso : "");
	}
	buf_puts(out, "]");
}

static void
dump_slot(struct slot_table *t, const struct quota_slot *s,
    const struct text_time *now, struct buf *out)
{
	char iso[24];

	buf_puts(out, "{\"name\":");
	put_name(out, s);
	text_iso(iso, s->last_used);
	buf_printf(out, ",\"lastUsed\":\"%s\",\"requests\":%" PRIu64
	    ",\"tokens\":%" PRIu64 ",\"failures\":%" PRIu32
	    ",\"failuresInARow\":%" PRIu32 ",\"inFlight\":%" PRIu32, iso,
	    s->requests, s->tokens, s->failures, s->streak, s->inflight);
	if (s->bar != QUOTA_OPEN && s->bar < QUOTA_REASONS) {
		text_iso(iso, s->bar_until);
		buf_printf(out, ",\"barred\":{\"reason\":\"%s\",\"until\":"
		    "\"%s\"}", quota_word((enum quota_reason)s->bar), iso);
	}
	dump_rows(t, s, now, out);
	buf_puts(out, "}");
}

static void
dump_lease(struct slot_table *t, const struct slot_lease *l, uint32_t i,
    struct buf *out)
{
	const struct quota_slot *s;
	char iso[24];

	text_iso(iso, (int64_t)l->wall * 1000);
	buf_printf(out, "{\"lease\":%" PRIu32 ",\"worker\":%u,\"alive\":%s,"
	    "\"tokens\":%" PRIu32 ",\"taken\":\"%s\",\"scope\":", i,
	    l->owner - 1u, map_alive(t->map, l->owner - 1) ? "true" : "false",
	    l->tokens, iso);
	s = slot_index(t, slot_named(l, 0));
	if (s != NULL)
		put_name(out, s);
	else
		buf_puts(out, "null");
	buf_puts(out, "}");
}

static void
dump_ring(struct slot_table *t, enum slot_ring ring, int64_t size,
    struct buf *out)
{
	const struct slot_cell *c;
	const char *sep = "";
	char iso[24];
	int64_t i;

	for (i = 0; (c = slot_cell(t, ring, i)) != NULL && i < size; i++) {
		if (c->number <= 0 || c->number > INT32_MAX)
			continue;
		text_iso(iso, slot_began(ring, c->number));
		buf_printf(out, "%s{\"at\":\"%s\",\"requests\":%" PRIu64
		    ",\"tokens\":%" PRIu64 ",\"failures\":%" PRIu64
		    ",\"fallbacks\":%" PRIu64 "}", sep, iso, c->requests,
		    c->tokens, c->failures, c->fallbacks);
		sep = ",";
	}
}

int
audit_dump(struct slot_table *t, const struct text_time *now,
    struct buf *out)
{
	const struct slot_head *h = slot_head(t);
	const struct quota_slot *s;
	const struct slot_lease *l;
	const char *sep = "";
	uint32_t i;

	buf_printf(out, "{\"slots\":%" PRIu64 ",\"bytes\":%zu,\"leases\":{"
	    "\"taken\":%" PRIu64 ",\"settled\":%" PRIu64 ",\"abandoned\":%"
	    PRIu64 ",\"fallbacks\":%" PRIu64 "},\"scopes\":[", h->nslots,
	    map_size(t->map), h->taken, h->settled, h->abandoned,
	    h->fallbacks);
	for (i = 0; (s = slot_index(t, i)) != NULL && !out->failed; i++) {
		if (!used(s))
			continue;
		buf_puts(out, sep);
		sep = ",";
		dump_slot(t, s, now, out);
	}
	buf_puts(out, "],\"open\":[");
	sep = "";
	for (i = 0; i < h->top && (l = slot_lease(t, i)) != NULL; i++) {
		if (l->owner == 0)
			continue;
		buf_puts(out, sep);
		sep = ",";
		dump_lease(t, l, i, out);
	}
	buf_puts(out, "],\"hours\":[");
	dump_ring(t, SLOT_BY_HOUR, SLOT_HOURS, out);
	buf_puts(out, "],\"days\":[");
	dump_ring(t, SLOT_BY_DAY, SLOT_DAYS, out);
	return buf_puts(out, "]}\n");
}

/* Verifying. */

struct audit {
	struct slot_table *t;
	const struct text_time *now;
	struct buf *out;
	size_t	 wrong;
};

static void __attribute__((format(printf, 3, 4)))
wrong(struct audit *a, const struct quota_slot *s, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (s != NULL) {
		put_name(a->out, s);
		buf_puts(a->out, ": ");
	}
	buf_printf(a->out, "%s\n", line);
	a->wrong++;
}

/* What one slot's open leases hold in each window. */
struct held {
	int64_t	 n[CONFIG_LIMITS];
};

static void
hold(const struct audit *a, const struct slot_lease *l, struct held *held,
    uint64_t nslots)
{
	const struct quota_slot *s;
	const struct window_rule *r;
	struct window_mark m;
	uint32_t i;
	int j, w;

	for (j = 0; j < SLOT_SCOPES; j++) {
		i = slot_named(l, j);
		if (i >= nslots)
			continue;
		s = slot_index(a->t, i);
		r = slot_rule(a->t, s);
		m = (struct window_mark){ l->sec, l->serial[j] };
		for (w = 0; w < CONFIG_LIMITS; w++) {
			if (window_holds(&s->windows, r, a->now, m,
			    (enum config_limit)w))
				held[i].n[w] += w == CONFIG_CONCURRENCY ? 1 :
				    w < CONFIG_TPM ? slot_holds(l, j) :
				    (int64_t)l->tokens;
		}
	}
}

static void
verify_slot(struct audit *a, const struct quota_slot *s,
    const struct held *held)
{
	struct quota_row rows[CONFIG_LIMITS];
	int64_t is[CONFIG_LIMITS] = { 0 };
	size_t n, i;

	if (strnlen(s->name, sizeof(s->name)) == sizeof(s->name))
		wrong(a, NULL, "a slot's name does not end");
	if ((int64_t)s->inflight != held->n[CONFIG_CONCURRENCY])
		wrong(a, s, "%" PRIu32 " in flight, but %" PRId64 " leases",
		    s->inflight, held->n[CONFIG_CONCURRENCY]);
	if (s->bar >= QUOTA_REASONS || s->guess > 1 || s->dared > 1 ||
	    s->windows.kind > CONFIG_DAY_FIRST_USE)
		wrong(a, s, "an unknown bar or kind of day");
	if (!(s->k >= 0.4f && s->k <= 2.5f) ||
	    !(s->overhead >= 0 && s->overhead <= 6000))
		wrong(a, s, "a learned rate out of its range");
	n = quota_rows(s, slot_rule(a->t, s), a->now, rows);
	for (i = 0; i < n; i++)
		is[rows[i].limit] = rows[i].used;
	for (i = 0; i < CONFIG_CONCURRENCY; i++) {
		if (is[i] < held->n[i] && held->n[i] <= UINT16_MAX)
			wrong(a, s, "%s holds %" PRId64 ", but its leases %"
			    PRId64, quota_word((enum quota_reason)
			    (QUOTA_RPM + i)), is[i], held->n[i]);
	}
}

static void
verify_names(struct audit *a)
{
	const struct quota_slot *s, *o;
	uint32_t i, j;

	for (i = 0; (s = slot_index(a->t, i)) != NULL; i++) {
		for (j = 0; used(s) && j < i; j++) {
			o = slot_index(a->t, j);
			if (o->hash[0] == s->hash[0] &&
			    o->hash[1] == s->hash[1])
				wrong(a, s, "is there twice");
		}
	}
}

static void
verify_lease(struct audit *a, const struct slot_lease *l, uint32_t i,
    uint64_t nslots)
{
	int64_t age = a->now->wall - (int64_t)l->wall * 1000;
	int j;

	for (j = 0; j < SLOT_SCOPES; j++) {
		if (l->slot[j] != 0 && slot_named(l, j) >= nslots)
			wrong(a, NULL, "lease %" PRIu32 " names slot %" PRIu32,
			    i, slot_named(l, j));
	}
	if (!map_alive(a->t->map, l->owner - 1) && age > 5000)
		wrong(a, NULL, "lease %" PRIu32 " of a dead process is open"
		    " for %" PRId64 " ms", i, age);
}

/* The free list holds exactly the leases that are not open. */
static void
verify_free(struct audit *a, uint64_t open)
{
	const struct slot_head *h = slot_head(a->t);
	const struct slot_lease *l;
	uint64_t at = h->free, n = 0;

	while (at != 0 && n <= h->top) {
		l = at <= h->top ? slot_lease(a->t, (uint32_t)at - 1) : NULL;
		if (l == NULL || l->owner != 0)
			break;
		at = l->tokens;
		n++;
	}
	if (at != 0 || n + open != h->top)
		wrong(a, NULL, "the list of free leases is broken");
	if (h->taken != h->settled + h->abandoned + open)
		wrong(a, NULL, "%" PRIu64 " leases taken, but %" PRIu64
		    " settled, %" PRIu64 " abandoned, %" PRIu64 " open",
		    h->taken, h->settled, h->abandoned, open);
}

/* Each figure is a sum of what is never negative, in the place of its number.
 * (An hour may hold more than its day: the day's cell began anew if the clock
 * was set two months forth and back.) */
static void
verify_ring(struct audit *a, enum slot_ring ring, int64_t size)
{
	const char *word = ring == SLOT_BY_HOUR ? "hour" : "day";
	const struct slot_cell *c;
	int64_t i;

	for (i = 0; (c = slot_cell(a->t, ring, i)) != NULL && i < size; i++) {
		if (c->number < 0 || c->number > INT32_MAX ||
		    (c->number != 0 && c->number % size != i))
			wrong(a, NULL, "%s %" PRId64 " stands in place %"
			    PRId64, word, c->number, i);
		if ((c->requests | c->tokens | c->failures | c->fallbacks) >
		    INT64_MAX)
			wrong(a, NULL, "%s %" PRId64 " has a negative figure",
			    word, c->number);
	}
}

int
audit_verify(struct slot_table *t, const struct text_time *now,
    struct buf *out)
{
	struct audit a = { t, now, out, 0 };
	const struct slot_head *h = slot_head(t);
	const struct quota_slot *s;
	const struct slot_lease *l;
	struct held *held;
	uint64_t open = 0;
	uint32_t i;

	if (slot_index(t, 0) == NULL) {
		wrong(&a, NULL, "the head of the tables is damaged");
		return -1;
	}
	if ((held = calloc(h->nslots, sizeof(*held))) == NULL) {
		buf_puts(out, "out of memory\n");
		return -1;
	}
	for (i = 0; i < h->top && (l = slot_lease(t, i)) != NULL; i++) {
		if (l->owner == 0)
			continue;
		open++;
		verify_lease(&a, l, i, h->nslots);
		hold(&a, l, held, h->nslots);
	}
	for (i = 0; (s = slot_index(t, i)) != NULL; i++) {
		if (used(s))
			verify_slot(&a, s, &held[i]);
	}
	verify_names(&a);
	verify_free(&a, open);
	verify_ring(&a, SLOT_BY_HOUR, SLOT_HOURS);
	verify_ring(&a, SLOT_BY_DAY, SLOT_DAYS);
	free(held);
	buf_printf(out, "%" PRIu64 " leases: %" PRIu64 " settled, %" PRIu64
	    " abandoned, %" PRIu64 " open; %zu fault%s\n", h->taken,
	    h->settled, h->abandoned, open, a.wrong, a.wrong == 1 ? "" : "s");
	return a.wrong == 0 ? 0 : -1;
}

/* Resetting. */

static void
reset_slot(struct slot_table *t, uint32_t i)
{
	struct quota_slot *s = slot_stage_index(t, i), was;
	const struct slot_head *h = slot_head(t);
	const struct slot_lease *is;
	struct window_mark m;
	char name[QUOTA_NAME];
	uint32_t k;
	int j;

	if (s == NULL)
		return;
	was = *s;
	memcpy(name, s->name, sizeof(name));
	name[QUOTA_NAME - 1] = '\0';
	quota_init(s, name, was.hash);
	s->windows.kind = was.windows.kind;
	s->windows.head = was.windows.head;
	s->windows.serial = was.windows.serial;
	s->last_used = was.last_used;
	s->requests = was.requests;
	s->tokens = was.tokens;
	s->failures = was.failures;
	s->overhead = was.overhead;
	s->k = was.k;
	s->first_ms = was.first_ms;
	for (k = 0; k < h->top && (is = slot_lease(t, k)) != NULL; k++) {
		for (j = 0; is->owner != 0 && j < SLOT_SCOPES; j++) {
			if (slot_named(is, j) != i)
				continue;
			m = (struct window_mark){ is->sec, is->serial[j] };
			window_adjust(&s->windows, m, slot_holds(is, j),
			    is->tokens);
			s->inflight++;
		}
	}
	map_commit(t->map);
}

int
audit_reset(struct slot_table *t, const char *name, struct buf *out)
{
	const struct quota_slot *s;
	size_t n = 0;
	uint32_t i;

	for (i = 0; (s = slot_index(t, i)) != NULL; i++) {
		if (!used(s) || (name != NULL &&
		    strncmp(s->name, name, QUOTA_NAME - 1) != 0))
			continue;
		reset_slot(t, i);
		n++;
	}
	if (n == 0 && name != NULL) {
		buf_printf(out, "there is no scope \"%s\": "
		    "`relevo state dump` names them\n", name);
		return -1;
	}
	return buf_printf(out, "%zu scope%s reset\n", n, n == 1 ? "" : "s");
}
