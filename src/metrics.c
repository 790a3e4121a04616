#include "metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "ledger.h"
#include "quota.h"
#include "text.h"
#include "version.h"

#define PREFIX	"relevo_"

/* One thing that has figures. The members that are NULL give no label. */
struct thing {
	const char *scope, *provider, *model, *key, *client;
	struct ledger_counts counts;
	struct quota_view view;		/* of a lane */
	struct quota_row rows[CONFIG_LIMITS];
	size_t	 nrows;
};

struct world {
	const struct config *cfg;
	const struct text_time *now;
	struct ledger_totals totals;
	bool	 degraded;
	struct thing *things;		/* lanes first, then clients */
	size_t	 nthings, nlanes, nclients;
};

/* ---- figures ---- */

/* Each gives its figure: false, there is none to tell of. Times are ms;
 * INT64_MAX is never. */

static bool
loaded(const struct world *w, int64_t *v)
{
	*v = w->cfg->loaded;
	return true;
}

static bool
degraded(const struct world *w, int64_t *v)
{
	*v = w->degraded;
	return true;
}

#define TOTAL(member)							\
static bool								\
total_##member(const struct world *w, int64_t *v)			\
{									\
	*v = w->totals.member;						\
	return true;							\
}
TOTAL(bytes)
TOTAL(taken)
TOTAL(abandoned)
TOTAL(fallbacks)
TOTAL(waiting)

#define COUNT(member)							\
static bool								\
count_##member(const struct thing *t, int64_t *v)			\
{									\
	*v = t->counts.member;						\
	return true;							\
}
COUNT(requests)
COUNT(tokens)
COUNT(failures)
COUNT(inflight)

static bool
first_content(const struct thing *t, int64_t *v)
{
	*v = t->counts.first_ms;
	return *v > 0;
}

static bool
streak(const struct thing *t, int64_t *v)
{
	*v = t->view.failures;
	return true;
}

static bool
is_open(const struct thing *t, int64_t *v)
{
	*v = t->view.answer.reason == QUOTA_OPEN;
	return true;
}

static bool
shut_until(const struct thing *t, int64_t *v)
{
	*v = t->view.answer.until;
	return t->view.answer.reason != QUOTA_OPEN;
}

#define ROW(member)							\
static bool								\
row_##member(const struct quota_row *q, int64_t *v)			\
{									\
	*v = q->member;							\
	return true;							\
}
ROW(max)
ROW(used)
ROW(reserved)
ROW(remaining)

static bool
row_reset(const struct quota_row *q, int64_t *v)
{
	*v = q->reset;
	return *v > 0;
}

/* ---- families ---- */

enum { GAUGE, COUNTER };
enum { PLAIN, SECONDS };		/* how a figure is written */

/* One of the three functions: of the whole, of lanes or clients, of windows. */
struct family {
	const char *name, *help;
	int	 type, form;
	bool	 (*whole)(const struct world *, int64_t *);
	bool	 (*lane)(const struct thing *, int64_t *);
	bool	 (*client)(const struct thing *, int64_t *);
	bool	 (*window)(const struct quota_row *, int64_t *);
	bool	 reason;		/* a label why the lane is shut */
};

static const struct family families[] = {
	{ "config_loaded_timestamp_seconds", "When the answering process read "
	    "its configuration; under CGI that is now.", GAUGE, SECONDS,
	    .whole = loaded },
	{ "state_degraded", "Whether the state file cannot be used, or no "
	    "checkpoint of it be written.", GAUGE, PLAIN, .whole = degraded },
	{ "state_bytes", "Size of the tables in the state file.", GAUGE,
	    PLAIN, .whole = total_bytes },
	{ "attempts_total", "Reservations made for calls to providers.",
	    COUNTER, PLAIN, .whole = total_taken },
	{ "attempts_abandoned_total", "Reservations of processes that died; "
	    "counted at their estimate.", COUNTER, PLAIN,
	    .whole = total_abandoned },
	{ "fallbacks_total", "Attempts made after another lane had failed.",
	    COUNTER, PLAIN, .whole = total_fallbacks },
	{ "waiting", "Requests that stand in line for room.", GAUGE, PLAIN,
	    .whole = total_waiting },

	{ "requests_total", "Requests that the provider counts, by lane (a "
	    "model on a key).", COUNTER, PLAIN, .lane = count_requests },
	{ "tokens_total", "Tokens of prompts and answers together.", COUNTER,
	    PLAIN, .lane = count_tokens },
	{ "failures_total", "Attempts that the lane failed.", COUNTER, PLAIN,
	    .lane = count_failures },
	{ "failures_in_a_row", "Failures since the last success.", GAUGE,
	    PLAIN, .lane = streak },
	{ "in_flight", "Requests under way.", GAUGE, PLAIN,
	    .lane = count_inflight },
	{ "first_content_seconds", "Average time to first content, the latest "
	    "weighing most.", GAUGE, SECONDS, .lane = first_content },
	{ "open", "Whether a small request would be admitted now.", GAUGE,
	    PLAIN, .lane = is_open },
	{ "shut_until_timestamp_seconds", "Until when a lane is not open, and "
	    "why.", GAUGE, SECONDS, .lane = shut_until, .reason = true },

	{ "client_requests_total", "Requests of a client that were counted.",
	    COUNTER, PLAIN,
	    .client = count_requests },
	{ "client_tokens_total", "Tokens of a client's requests.",
	    COUNTER, PLAIN,
	    .client = count_tokens },
	{ "client_failures_total", "Failed attempts for a client.",
	    COUNTER, PLAIN,
	    .client = count_failures },
	{ "client_in_flight", "Requests of a client under way.", GAUGE, PLAIN,
	    .client = count_inflight },

	{ "window_limit", "Most that a window admits, by us or the provider.",
	    GAUGE, PLAIN, .window = row_max },
	{ "window_used", "Settled in the window.", GAUGE, PLAIN,
	    .window = row_used },
	{ "window_reserved", "Held in the window by requests under way.",
	    GAUGE, PLAIN, .window = row_reserved },
	{ "window_remaining", "Left in the window.", GAUGE, PLAIN,
	    .window = row_remaining },
	{ "window_reset_timestamp_seconds", "When the window is empty or "
	    "begins anew.", GAUGE, SECONDS, .window = row_reset },
};

/* ---- text ---- */

/* Backslash, quote and line feed are escaped; a byte that is no UTF-8 becomes
 * U+FFFD, for one such byte costs the whole scrape. */
static void
put_value(struct buf *out, const char *s)
{
	size_t n = strlen(s), k;

	for (; n > 0; s += k, n -= k) {
		k = text_utf8(s, n);
		if (k == 0) {
			buf_puts(out, "\xef\xbf\xbd");
			k = 1;
		} else if (*s == '\n') {
			buf_puts(out, "\\n");
		} else {
			if (*s == '\\' || *s == '"')
				buf_puts(out, "\\");
			buf_put(out, s, k);
		}
	}
}

static void
put_label(struct buf *out, const char *name, const char *value)
{
	bool first = out->len > 0 && out->data[out->len - 1] == '{';

	if (value == NULL)
		return;
	buf_printf(out, "%s%s=\"", first ? "" : ",", name);
	put_value(out, value);
	buf_puts(out, "\"");
}

static void
put_name(struct buf *out, const struct family *f)
{
	buf_printf(out, PREFIX "%s", f->name);
}

/* Thousandths, without those that say nothing. */
static void
put_figure(struct buf *out, int form, int64_t v)
{
	if (v == INT64_MAX)
		buf_puts(out, " +Inf\n");
	else if (form == PLAIN)
		buf_printf(out, " %" PRId64 "\n", v);
	else if (v % 1000 == 0)
		buf_printf(out, " %" PRId64 "\n", v / 1000);
	else
		buf_printf(out, " %" PRId64 ".%03d\n", v / 1000,
		    (int)(v % 1000));
}

static void
put_head(struct buf *out, const char *name, const char *help, int type)
{
	buf_printf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
	    name, help, name, type == COUNTER ? "counter" : "gauge");
}

static void
put_labels(struct buf *out, const struct thing *t)
{
	put_label(out, "provider", t->provider);
	put_label(out, "model", t->model);
	put_label(out, "key", t->key);
	put_label(out, "client", t->client);
}

static void
put_thing(struct buf *out, const struct family *f, const struct thing *t,
    bool (*figure)(const struct thing *, int64_t *))
{
	int64_t v;

	if (!figure(t, &v))
		return;
	put_name(out, f);
	buf_puts(out, "{");
	put_labels(out, t);
	if (f->reason)
		put_label(out, "reason", quota_word(t->view.answer.reason));
	buf_puts(out, "}");
	put_figure(out, f->form, v);
}

/* Only limits: what is used without one is in the totals. */
static void
put_windows(struct buf *out, const struct family *f, const struct thing *t)
{
	int64_t v;

	for (size_t i = 0; i < t->nrows; i++) {
		if (t->rows[i].max < 0 || !f->window(&t->rows[i], &v))
			continue;
		put_name(out, f);
		buf_puts(out, "{");
		put_label(out, "scope", t->scope);
		put_labels(out, t);
		put_label(out, "window", config_limit_word[t->rows[i].limit]);
		buf_puts(out, "}");
		put_figure(out, f->form, v);
	}
}

static void
put_family(struct buf *out, const struct family *f, const struct world *w)
{
	size_t i, clients = w->nlanes + w->nclients;
	int64_t v;

	put_head(out, f->name, f->help, f->type);
	if (f->whole != NULL && f->whole(w, &v)) {
		put_name(out, f);
		put_figure(out, f->form, v);
	}
	for (i = 0; f->lane != NULL && i < w->nlanes; i++)
		put_thing(out, f, &w->things[i], f->lane);
	for (i = w->nlanes; f->client != NULL && i < clients; i++)
		put_thing(out, f, &w->things[i], f->client);
	for (i = 0; f->window != NULL && i < w->nthings; i++)
		put_windows(out, f, &w->things[i]);
}

/* ---- reading ---- */

static struct thing *
read_thing(struct world *w, struct ledger *l, enum ledger_kind kind,
    size_t index)
{
	struct thing *t = &w->things[w->nthings++];

	t->nrows = ledger_report(l, w->now, kind, index, &t->counts, t->rows);
	return t;
}

static void
read_lane(struct world *w, struct ledger *l, size_t i)
{
	const struct config_lane *is = &w->cfg->lanes[i];
	const struct config_provider *p = &w->cfg->providers[is->provider];
	struct thing *t = read_thing(w, l, LEDGER_K_LANE, i);
	uint16_t lane = (uint16_t)i;

	t->scope = "model";
	t->provider = p->name;
	t->model = w->cfg->models[is->model].name;
	t->key = p->keys[is->key].name;
	ledger_view(l, w->now, &lane, 1, LEDGER_NOBODY, 1, &t->view);
}

static void
read_all(struct world *w, struct ledger *l)
{
	const struct config *c = w->cfg;
	const struct config_provider *p;
	struct thing *t;
	size_t i;

	for (i = 0; i < c->nlanes; i++)
		read_lane(w, l, i);
	for (i = 0; i < c->nclients; i++) {
		t = read_thing(w, l, LEDGER_K_CLIENT, i);
		t->scope = "client";
		t->client = c->clients[i].name;
	}
	for (i = 0; i < c->nproviders; i++) {
		if (c->providers[i].off != NULL)
			continue;
		t = read_thing(w, l, LEDGER_K_ACCOUNT, i);
		t->scope = "account";
		t->provider = c->providers[i].name;
	}
	for (i = 0; i < c->nlanes; i++) {
		if (!config_key_first(c, i))
			continue;
		p = &c->providers[c->lanes[i].provider];
		t = read_thing(w, l, LEDGER_K_KEY, i);
		t->scope = "key";
		t->provider = p->name;
		t->key = p->keys[c->lanes[i].key].name;
	}
}

int
metrics_put(const struct config *cfg, struct ledger *l,
    const struct text_time *now, struct buf *out)
{
	struct world w = { .cfg = cfg, .now = now, .nlanes = cfg->nlanes,
	    .nclients = cfg->nclients };
	size_t i;

	/* A key has a lane at least. */
	w.things = calloc(2 * cfg->nlanes + cfg->nclients + cfg->nproviders +
	    1, sizeof(*w.things));
	if (w.things == NULL)
		return -1;
	ledger_totals(l, now, &w.totals);
	read_all(&w, l);
	w.degraded = ledger_health(l) != NULL;
	put_head(out, "build_info", "Always 1; the version is a label.",
	    GAUGE);
	buf_puts(out, PREFIX "build_info{version=\"" VERSION "\"} 1\n");
	for (i = 0; i < sizeof(families) / sizeof(*families); i++)
		put_family(out, &families[i], &w);
	free(w.things);
	return out->failed ? -1 : 0;
}
