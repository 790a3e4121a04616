#include "explain.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "chat.h"
#include "config.h"
#include "fault.h"
#include "json.h"
#include "ledger.h"
#include "report.h"
#include "route.h"
#include "seek.h"
#include "text.h"

/* What the walk came to. */
struct found {
	const struct explain *e;
	struct seek	 seek;
	size_t		 ahead;		/* those in line before it */
	int64_t		 wait_ms;	/* 0 at once; -1 it would be refused */
	bool		 dares;		/* the first is tried though barred */
	struct fault	 fault;		/* then */
};

void
explain_plain(struct chat *c, const char *model, int64_t tokens)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->model, sizeof(c->model), "%s", model);
	c->prompt = tokens;
	c->output = -1;
}

static int
find(struct found *f, const struct explain *e)
{
	const struct fault none = { .code = FAULT_NONE };
	struct seek *s = &f->seek;
	struct route_pick pick;
	int64_t ms;
	size_t i;

	memset(f, 0, sizeof(*f));
	f->e = e;
	if (seek_init(s, e->cfg, e->ledger, e->alias, e->chat, e->client) != 0)
		return -1;
	s->patience = e->now->mono + s->route->max_wait_ms;
	seek_foresee(s, e->now, e->chance);
	f->ahead = seek_ahead(s, e->now);
	if (s->open > 0)
		return 0;
	ms = seek_soonest(s, e->now);
	if (s->limited && ms <= s->route->max_wait_ms) {
		f->wait_ms = ms > 0 ? ms : 1;
		return 0;
	}
	i = seek_dares(s, e->now);
	if (i != SIZE_MAX) {
		f->dares = true;
		pick = s->picks[i];
		memmove(s->picks + 1, s->picks, i * sizeof(pick));
		s->picks[0] = pick;
		return 0;
	}
	f->wait_ms = -1;
	seek_fault(s, e->now, &none, "", &f->fault);
	return 0;
}

/* A client sees what it may use. */
static bool
shown(const struct found *f, size_t lane)
{
	const struct explain *e = f->e;

	return e->client == LEDGER_NOBODY || route_allowed(
	    e->cfg->clients[e->client].models,
	    e->cfg->models[e->cfg->lanes[lane].model].name);
}

/* ---- JSON ---- */

/* The limits of every scope that a request down this lane is counted in. */
static void
put_windows(const struct found *f, struct json_out *w, size_t lane)
{
	static const struct {
		enum ledger_kind kind;
		const char	*word;
	} scopes[] = {
		{ LEDGER_K_LANE, "model" }, { LEDGER_K_KEY, "key" },
		{ LEDGER_K_ACCOUNT, "account" }, { LEDGER_K_CLIENT, "client" },
	};
	const struct explain *e = f->e;
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts counts;
	size_t index, n;

	json_open(w, "windows", '[');
	for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++) {
		index = scopes[i].kind == LEDGER_K_ACCOUNT ?
		    e->cfg->lanes[lane].provider :
		    scopes[i].kind == LEDGER_K_CLIENT ? e->client : lane;
		n = ledger_report(e->ledger, e->now, scopes[i].kind, index,
		    &counts, rows);
		for (size_t k = 0; k < n; k++) {
			/* Without a limit it holds nobody up. */
			if (rows[k].max < 0)
				continue;
			json_open(w, NULL, '{');
			json_put(w, "scope", scopes[i].word);
			report_window(w, &rows[k]);
			json_close(w, '}');
		}
	}
	json_close(w, ']');
}

static void
put_pick(const struct found *f, struct json_out *w,
    const struct route_pick *p)
{
	const struct explain *e = f->e;
	const struct config_lane *l = &e->cfg->lanes[p->lane];
	const struct config_provider *v = &e->cfg->providers[l->provider];
	int64_t tokens = seek_tokens(&f->seek, p->lane);
	bool open = p->answer.reason == QUOTA_OPEN;
	struct quota_view view;
	char share[16];

	ledger_view(e->ledger, e->now, &p->lane, 1, e->client, tokens, &view);
	json_open(w, NULL, '{');
	json_put(w, "model", e->cfg->models[l->model].name);
	json_put(w, "provider", v->name);
	json_put(w, "key", v->nkeys > 0 ? v->keys[l->key].name : NULL);
	json_put_bool(w, "open", open);
	json_put(w, "reason", open ? NULL : quota_word(p->answer.reason));
	report_time(w, "until", open ? 0 : p->answer.until);
	if (open || p->answer.until == INT64_MAX)
		json_put_null(w, "inMs");
	else
		json_put_int(w, "inMs", p->answer.until > e->now->wall ?
		    p->answer.until - e->now->wall : 0);
	json_put_int(w, "tokens", tokens);
	put_windows(f, w, p->lane);
	snprintf(share, sizeof(share), "%.4f", view.pressure);
	json_put_raw(w, "pressure", share, strlen(share));
	if (view.first_ms > 0)
		json_put_int(w, "firstMs", view.first_ms);
	else
		json_put_null(w, "firstMs");
	json_put_int(w, "inFlight", view.inflight);
	json_close(w, '}');
}

static void
put_answer(const struct found *f, struct json_out *w)
{
	const struct config *c = f->e->cfg;
	const struct config_lane *l;

	if (f->seek.open == 0 && !f->dares) {
		json_put_null(w, "answer");
		return;
	}
	l = &c->lanes[f->seek.picks[0].lane];
	json_open(w, "answer", '{');
	json_put(w, "model", c->models[l->model].name);
	json_put(w, "provider", c->providers[l->provider].name);
	json_put(w, "thoughBarred", f->dares ?
	    quota_word(f->seek.picks[0].answer.reason) : NULL);
	json_close(w, '}');
}

static void
put_refusal(const struct found *f, struct json_out *w)
{
	if (f->wait_ms >= 0) {
		json_put_null(w, "refusal");
		return;
	}
	json_open(w, "refusal", '{');
	json_put_int(w, "status", f->fault.status);
	json_put(w, "code", fault_word(f->fault.code));
	json_put(w, "message", f->fault.message);
	if (f->fault.retry_ms >= 0)
		json_put_int(w, "retryAfterMs", f->fault.retry_ms);
	else
		json_put_null(w, "retryAfterMs");
	json_close(w, '}');
}

int
explain_json(const struct explain *e, struct buf *out)
{
	struct json_out w = { out, false };
	const struct seek *s;
	struct found f;

	if (find(&f, e) != 0)
		return -1;
	s = &f.seek;
	json_open(&w, NULL, '{');
	json_put(&w, "model", e->chat->model);
	json_put(&w, "alias", e->alias->name);
	json_put(&w, "route", s->route->name);
	json_put(&w, "strategy", config_strategy_word[s->route->strategy]);
	json_put_int(&w, "tokens", e->chat->prompt +
	    (e->chat->output > 0 ? e->chat->output : 0));
	json_open(&w, "order", '[');
	for (size_t i = 0; i < e->alias->nlanes; i++)
		if (shown(&f, s->picks[i].lane))
			put_pick(&f, &w, &s->picks[i]);
	json_close(&w, ']');
	put_answer(&f, &w);
	json_put_int(&w, "ahead", (int64_t)f.ahead);
	if (f.wait_ms >= 0)
		json_put_int(&w, "waitMs", f.wait_ms);
	else
		json_put_null(&w, "waitMs");
	put_refusal(&f, &w);
	json_close(&w, '}');
	seek_release(&f.seek);
	return out->failed ? -1 : 0;
}

/* ---- a table ---- */

/* The fullest window of the model on its key, as "rpd 12/1000". */
static void
fullest(const struct explain *e, size_t lane, char *out, size_t size)
{
	struct quota_row rows[CONFIG_LIMITS];
	const struct quota_row *best = NULL;
	struct ledger_counts counts;
	size_t n = ledger_report(e->ledger, e->now, LEDGER_K_LANE, lane,
	    &counts, rows);

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (rows[i].max > 0 && (best == NULL ||
		    (double)rows[i].remaining / (double)rows[i].max <
		    (double)best->remaining / (double)best->max))
			best = &rows[i];
	if (best != NULL)
		snprintf(out, size, "%s %lld/%lld",
		    config_limit_word[best->limit],
		    (long long)(best->max - best->remaining),
		    (long long)best->max);
}

static void
text_pick(const struct found *f, struct buf *out, size_t i)
{
	const struct explain *e = f->e;
	const struct route_pick *p = &f->seek.picks[i];
	const struct config_lane *l = &e->cfg->lanes[p->lane];
	const struct config_provider *v = &e->cfg->providers[l->provider];
	char in[32] = "-", full[48], place[24] = "-";

	if (p->answer.reason == QUOTA_OPEN || (f->dares && i == 0))
		snprintf(place, sizeof(place), "%zu", i + 1);
	if (p->answer.reason != QUOTA_OPEN && p->answer.until != INT64_MAX)
		text_ago(in, p->answer.until > e->now->wall ?
		    p->answer.until - e->now->wall : 0);
	fullest(e, p->lane, full, sizeof(full));
	(void)buf_printf(out, "%3s  %-48s %-16s %-16s %-12s %s\n", place,
	    e->cfg->models[l->model].name,
	    v->nkeys > 0 ? v->keys[l->key].name : "-",
	    p->answer.reason == QUOTA_OPEN ? "open" :
	    quota_word(p->answer.reason), in, full);
}

int
explain_text(const struct explain *e, struct buf *out)
{
	struct found f;
	char in[32];

	if (find(&f, e) != 0)
		return -1;
	(void)buf_printf(out, "%s: %s, route %s, %zu lane%s\n\n"
	    "%3s  %-48s %-16s %-16s %-12s %s\n", e->alias->name,
	    config_strategy_word[f.seek.route->strategy], f.seek.route->name,
	    e->alias->nlanes, e->alias->nlanes == 1 ? "" : "s", "", "MODEL",
	    "KEY", "STATE", "AGAIN IN", "FULLEST");
	for (size_t i = 0; i < e->alias->nlanes; i++)
		if (shown(&f, f.seek.picks[i].lane))
			text_pick(&f, out, i);
	if (f.ahead > 0)
		(void)buf_printf(out, "\n%zu in line before it\n", f.ahead);
	if (f.dares) {
		(void)buf_printf(out, "\n%s is tried though barred: nothing "
		    "else is open\n", e->cfg->models[e->cfg->lanes[
		    f.seek.picks[0].lane].model].name);
	} else if (f.seek.open == 0 && f.wait_ms >= 0) {
		text_ago(in, f.wait_ms);
		(void)buf_printf(out, "\nit would wait %s for room\n", in);
	} else if (f.wait_ms < 0) {
		(void)buf_printf(out, "\nit would be refused: %d %s: %s\n",
		    f.fault.status, fault_word(f.fault.code),
		    f.fault.message);
	}
	seek_release(&f.seek);
	return out->failed ? -1 : 0;
}
