#include "top.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "ledger.h"
#include "quota.h"
#include "text.h"

#define RUNS		512		/* requests that are listed at most */
#define CELL		26		/* columns of a window */
#define BAR		8
#define FIGURES		38		/* columns beside a lane's name */

struct frame {
	const struct config *cfg;
	struct ledger *l;
	const struct text_time *now;
	struct top_size size;
	struct buf *out;
	struct buf line;		/* the present one */
	size_t	 lines;
	size_t	 name;			/* columns of a name */
};

/* ---- text ---- */

/* What a terminal could take for an order, or would use to show something else
 * than what is there: C0, DEL, C1 (U+0080 to U+009F), marks without width and
 * orders of writing direction (Unicode 15, 23.2). */
static bool
shown(const unsigned char *p, size_t k)
{
	if (k == 1)
		return *p >= 0x20 && *p != 0x7f;
	if (k == 2)
		return p[0] != 0xc2 || p[1] >= 0xa0;
	if (k == 3 && p[0] == 0xe2 && p[1] == 0x80)
		return p[2] < 0x8b || (p[2] > 0x8f && p[2] < 0xa8) ||
		    p[2] > 0xae;
	if (k == 3 && p[0] == 0xe2 && p[1] == 0x81)
		return p[2] < 0xa0 || p[2] > 0xaf;
	return !(k == 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf);
}

/* Append s, at most max columns of it, what is not to be shown as '?'. The
 * columns: one for each character, so that wide ones may stand askew. */
static size_t
put(struct buf *b, const char *s, size_t max)
{
	size_t n = strlen(s), k, columns;

	for (columns = 0; n > 0 && columns < max; columns++) {
		k = text_utf8(s, n);
		if (k == 0 || !shown((const unsigned char *)s, k))
			buf_puts(b, "?");
		else
			buf_put(b, s, k);
		s += k > 0 ? k : 1;
		n -= k > 0 ? k : 1;
	}
	return columns;
}

static void
pad(struct buf *b, size_t from, size_t to)
{
	for (; from < to; from++)
		buf_puts(b, " ");
}

/* A name of exactly `columns`; what was cut shows as '~'. */
static void
put_name(struct buf *b, const char *s, size_t columns)
{
	size_t n = 0, at;

	for (const char *p = s; *p != '\0'; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	at = put(b, s, n > columns ? columns - 1 : columns);
	if (n > columns) {
		buf_puts(b, "~");
		at++;
	}
	pad(b, at, columns);
}

/* The present line is done. */
static void
end_line(struct frame *f)
{
	char *keep;

	while (f->line.len > 0 && f->line.data[f->line.len - 1] == ' ')
		f->line.len--;
	if (f->size.rows == 0 || f->lines < f->size.rows) {
		keep = strndup(f->line.data != NULL ? f->line.data : "",
		    f->line.len);
		if (keep != NULL)
			put(f->out, keep, f->size.width);
		free(keep);
		buf_puts(f->out, "\n");
	}
	f->lines++;
	buf_clear(&f->line);
}

static void
put_number(struct buf *b, int64_t v)
{
	if (v < 100000)
		buf_printf(b, "%" PRId64, v);
	else if (v < 100000000)
		buf_printf(b, "%" PRId64 "k", v / 1000);
	else
		buf_printf(b, "%" PRId64 "M", v / 1000000);
}

/* ---- windows ---- */

/* How many of BAR places n of max fills: none only when there is nothing, all
 * only when it is full. */
static int64_t
places(int64_t n, int64_t max)
{
	if (n <= 0 || max <= 0)
		return n > 0 || max == 0 ? BAR : 0;
	if (n >= max)
		return BAR;
	n = (n * BAR + max / 2) / max;
	return n < 1 ? 1 : n > BAR - 1 ? BAR - 1 : n;
}

/* "rpm [###+....] 12/30": used, reserved, free. */
static void
put_window(struct buf *b, const struct quota_row *q)
{
	int64_t all = places(q->used + q->reserved, q->max);
	int64_t used = q->used > 0 ? places(q->used, q->max) : 0;

	if (used > all || q->reserved == 0)
		used = all;
	buf_printf(b, "%s [%.*s%.*s%.*s] ", config_limit_word[q->limit],
	    (int)used, "########", (int)(all - used), "++++++++",
	    (int)(BAR - all), "........");
	put_number(b, q->used + q->reserved);
	buf_puts(b, "/");
	put_number(b, q->max);
}

/* As many in a line as fit. */
static void
put_windows(struct frame *f, const struct quota_row *rows, size_t n)
{
	struct buf cell;
	size_t column = 0, len;

	buf_init(&cell, 256);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].max < 0)
			continue;
		buf_clear(&cell);
		put_window(&cell, &rows[i]);
		if (column > 0 && column + cell.len > f->size.width) {
			end_line(f);
			column = 0;
		}
		if (column == 0) {
			buf_puts(&f->line, "  ");
			column = 2;
		}
		buf_put(&f->line, cell.data, cell.len);
		len = (cell.len + 1 + CELL) / CELL * CELL;
		pad(&f->line, cell.len, len);
		column += len;
	}
	if (column > 0)
		end_line(f);
	buf_release(&cell);
}

static size_t
limited(const struct quota_row *rows, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += rows[i].max >= 0;
	return k;
}

/* ---- lanes, and what they share ---- */

static void
put_figures(struct frame *f, const char *name, const char *key,
    const struct ledger_counts *c, const struct quota_answer *a)
{
	char whole[400], span[32];

	snprintf(whole, sizeof(whole), "%s%s%s", name, key != NULL ? " " : "",
	    key != NULL ? key : "");
	put_name(&f->line, whole, f->name);
	buf_printf(&f->line, " %6" PRId32, c->inflight);
	if (c->first_ms > 0)
		text_ago(span, c->first_ms);
	else
		strcpy(span, "-");
	buf_printf(&f->line, " %9s  ", span);
	buf_puts(&f->line, a->reason == QUOTA_OPEN ? "open" :
	    quota_word(a->reason));
	if (a->reason != QUOTA_OPEN && a->until != INT64_MAX) {
		text_ago(span, a->until > f->now->wall ?
		    a->until - f->now->wall : 0);
		buf_printf(&f->line, " %s", span);
	}
	end_line(f);
}

static const char *
key_of(const struct config *c, const struct config_lane *l)
{
	const struct config_provider *p = &c->providers[l->provider];

	return p->nkeys > 1 ? p->keys[l->key].name : NULL;
}

static void
put_lane(struct frame *f, size_t i, const struct quota_view *v)
{
	const struct config_lane *lane = &f->cfg->lanes[i];
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	size_t n = ledger_report(f->l, f->now, LEDGER_K_LANE, i, &c, rows);

	put_figures(f, f->cfg->models[lane->model].name, key_of(f->cfg, lane),
	    &c, &v->answer);
	put_windows(f, rows, n);
}

/* A provider's account, a key, a client: where there is something to see. */
static void
put_shared(struct frame *f, enum ledger_kind kind, size_t index,
    const char *what, const char *name, const char *key)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	char whole[200];
	size_t n = ledger_report(f->l, f->now, kind, index, &c, rows);

	if (limited(rows, n) == 0 && c.bar.reason == QUOTA_OPEN)
		return;
	snprintf(whole, sizeof(whole), "%s %s", what, name);
	put_figures(f, whole, key, &c, &c.bar);
	put_windows(f, rows, n);
}

static void
put_all_shared(struct frame *f)
{
	const struct config *c = f->cfg;
	const struct config_lane *lane;
	size_t i;

	for (i = 0; i < c->nproviders; i++)
		if (c->providers[i].off == NULL)
			put_shared(f, LEDGER_K_ACCOUNT, i, "account",
			    c->providers[i].name, NULL);
	for (i = 0; i < c->nlanes; i++) {
		lane = &c->lanes[i];
		if (config_key_first(c, i))
			put_shared(f, LEDGER_K_KEY, i, "key",
			    c->providers[lane->provider].name,
			    c->providers[lane->provider].keys[
			    lane->key].name);
	}
	for (i = 0; i < c->nclients; i++)
		put_shared(f, LEDGER_K_CLIENT, i, "client",
		    c->clients[i].name, NULL);
}

/* ---- requests under way ---- */

static int
older(const void *a, const void *b)
{
	const struct ledger_run *x = a, *y = b;

	return (x->since > y->since) - (x->since < y->since);
}

static void
put_run(struct frame *f, const struct ledger_run *r)
{
	const struct config *c = f->cfg;
	char pid[32], age[32];

	snprintf(pid, sizeof(pid), "%" PRId64 "%s", r->pid,
	    r->alive ? "" : " dead");
	text_ago(age, f->now->wall > r->since ? f->now->wall - r->since : 0);
	buf_printf(&f->line, "%-12s %9s %7" PRId64 "  ", pid, age, r->tokens);
	put_name(&f->line, r->client == LEDGER_NOBODY ? "-" :
	    c->clients[r->client].name, 12);
	buf_puts(&f->line, "  ");
	put(&f->line, r->lane == LEDGER_NOBODY ? "(of another configuration)" :
	    c->models[c->lanes[r->lane].model].name, SIZE_MAX);
	if (r->lane != LEDGER_NOBODY && key_of(c, &c->lanes[r->lane]) != NULL)
		buf_printf(&f->line, " %s", key_of(c, &c->lanes[r->lane]));
	end_line(f);
}

/* The oldest first; on a terminal a quarter of it at most. */
static void
put_runs(struct frame *f, struct ledger_run *runs, size_t n)
{
	size_t known = n < RUNS ? n : RUNS, most = known, i;

	if (n == 0)
		return;
	if (f->size.rows > 0 && most > f->size.rows / 4)
		most = f->size.rows / 4;
	end_line(f);
	buf_printf(&f->line, "%-12s %9s %7s  %-12s  %s", "PROCESS", "AGE",
	    "TOKENS", "CLIENT", "LANE");
	end_line(f);
	qsort(runs, known, sizeof(*runs), older);
	for (i = 0; i < most; i++)
		put_run(f, &runs[i]);
	if (n > most) {
		buf_printf(&f->line, "... and %zu more", n - most);
		end_line(f);
	}
}

/* ---- the whole ---- */

static void
put_head(struct frame *f, const struct quota_view *views, size_t running)
{
	const char *sick = ledger_health(f->l);
	char time[24];
	size_t open = 0;

	for (size_t i = 0; i < f->cfg->nlanes; i++)
		open += views[i].answer.reason == QUOTA_OPEN;
	text_iso(time, f->now->wall);
	buf_printf(&f->line, "relevo  %s  %zu of %zu lanes open, %zu in "
	    "flight, %zu waiting", time, open, f->cfg->nlanes, running,
	    ledger_waiting(f->l));
	end_line(f);
	buf_puts(&f->line, "state: ");
	put(&f->line, sick != NULL ? sick : f->cfg->state, SIZE_MAX);
	end_line(f);
}

/* As wide as the longest name needs, if the figures fit beside it. */
static size_t
name_width(const struct config *c, size_t width)
{
	size_t most = 24, n, room = width > FIGURES + 16 ? width - FIGURES : 16;
	const char *key;

	for (size_t i = 0; i < c->nlanes; i++) {
		key = key_of(c, &c->lanes[i]);
		n = strlen(c->models[c->lanes[i].model].name) +
		    (key != NULL ? strlen(key) + 1 : 0);
		if (n > most)
			most = n;
	}
	return most < room ? most : room;
}

int
top_frame(const struct config *cfg, struct ledger *l,
    const struct text_time *now, const struct top_size *size, struct buf *out)
{
	struct frame f = { .cfg = cfg, .l = l, .now = now, .size = *size,
	    .out = out, .name = name_width(cfg, size->width) };
	struct ledger_run *runs = calloc(RUNS, sizeof(*runs));
	struct quota_view *views = calloc(cfg->nlanes + 1, sizeof(*views));
	size_t running, i;
	uint16_t lane;

	buf_init(&f.line, 64 * 1024);
	if (runs == NULL || views == NULL) {
		out->failed = true;
		goto end;
	}
	for (i = 0; i < cfg->nlanes; i++) {
		lane = (uint16_t)i;
		ledger_view(l, now, &lane, 1, LEDGER_NOBODY, 1, &views[i]);
	}
	running = ledger_running(l, now, runs, RUNS);
	put_head(&f, views, running);
	put_runs(&f, runs, running);
	end_line(&f);
	put_name(&f.line, "LANE", f.name);
	buf_printf(&f.line, " %6s %9s  %s", "FLIGHT", "FIRST", "STATE");
	end_line(&f);
	for (i = 0; i < cfg->nlanes; i++)
		put_lane(&f, i, &views[i]);
	put_all_shared(&f);
end:
	buf_release(&f.line);
	free(runs);
	free(views);
	return out->failed ? -1 : 0;
}
