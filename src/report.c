#include "report.h"

#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "json.h"
#include "ledger.h"
#include "route.h"
#include "text.h"

void
report_time(struct json_out *w, const char *name, int64_t wall)
{
	char s[24];

	if (wall <= 0 || wall == INT64_MAX) {
		json_put_null(w, name);
		return;
	}
	text_iso(s, wall);
	json_put(w, name, s);
}

static void
put_limit(struct json_out *w, const char *name, int64_t v)
{
	if (v < 0)
		json_put_null(w, name);
	else
		json_put_int(w, name, v);
}

/* The row that leaves least room among windows of requests, or of tokens. */
static const struct quota_row *
tightest(const struct quota_row *rows, size_t n, bool tokens)
{
	const struct quota_row *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct quota_row *q = &rows[i];

		if (q->limit == CONFIG_CONCURRENCY || q->max < 0 ||
		    (q->limit >= CONFIG_TPM) != tokens)
			continue;
		if (best == NULL || q->remaining < best->remaining)
			best = q;
	}
	return best;
}

/* The ancestors' view of a model's room: requests and tokens, one figure
 * each. Ours, window by window, stands in "windows". */
static void
put_rate(struct json_out *w, const char *provider,
    const struct ledger_counts *counts, const struct quota_row *rows, size_t n)
{
	const struct quota_row *req = tightest(rows, n, false);
	const struct quota_row *tok = tightest(rows, n, true);

	json_open(w, "rateLimit", '{');
	json_put(w, "provider", provider);
	put_limit(w, "remainingRequests", req ? req->remaining : -1);
	put_limit(w, "remainingTokens", tok ? tok->remaining : -1);
	put_limit(w, "limitRequests", req ? req->max : -1);
	put_limit(w, "limitTokens", tok ? tok->max : -1);
	json_open(w, "resetInfo", '{');
	report_time(w, "requests", req ? req->reset : 0);
	report_time(w, "tokens", tok ? tok->reset : 0);
	json_close(w, '}');
	report_time(w, "lastUpdated", counts->last_used);
	json_close(w, '}');
}

void
report_window(struct json_out *w, const struct quota_row *q)
{
	static const char *const sources[] = {
		[QUOTA_SRC_CONFIG] = "config", [QUOTA_SRC_HEADER] = "header",
		[QUOTA_SRC_ERROR] = "error",
	};

	json_put(w, "window", config_limit_word[q->limit]);
	json_put_int(w, "used", q->used);
	json_put_int(w, "reserved", q->reserved);
	put_limit(w, "limit", q->max);
	put_limit(w, "remaining", q->remaining);
	report_time(w, "resetAt", q->reset);
	json_put(w, "source", sources[q->source]);
}

static void
put_windows(struct json_out *w, const struct quota_row *rows, size_t n)
{
	json_open(w, "windows", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(w, NULL, '{');
		report_window(w, &rows[i]);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
put_limits(struct json_out *w, const struct config_limits *l)
{
	json_open(w, "configuredLimits", '{');
	for (int i = 0; i < CONFIG_LIMITS; i++)
		if (l->max[i] >= 0)
			json_put_int(w, config_limit_word[i], l->max[i]);
	json_close(w, '}');
}

static void
put_bar(struct json_out *w, const struct quota_answer *a)
{
	json_put_bool(w, "available", a->reason == QUOTA_OPEN);
	if (a->reason == QUOTA_OPEN) {
		json_put_null(w, "reason");
		json_put_null(w, "until");
	} else {
		json_put(w, "reason", quota_word(a->reason));
		report_time(w, "until", a->until);
	}
}

static void
put_can(struct json_out *w, unsigned can)
{
	json_open(w, "can", '[');
	for (size_t i = 0; config_can_word[i] != NULL; i++)
		if (can & 1u << i)
			json_put(w, NULL, config_can_word[i]);
	json_close(w, ']');
}

int
report_root(const struct report *r, struct buf *out)
{
	struct json_out w = { out, false };
	const struct config *c = r->cfg;

	json_open(&w, NULL, '{');
	json_put(&w, "status", "ok");
	json_put(&w, "message", "AI API running");
	json_open(&w, "models", '[');
	for (size_t i = 0; i < c->nmodels; i++) {
		const struct config_model *m = &c->models[i];

		if (config_off(c, m) != NULL ||
		    !route_allowed(r->allowed, m->name))
			continue;
		json_open(&w, NULL, '{');
		json_put(&w, "id", m->name);
		json_put(&w, "provider", c->providers[m->provider].name);
		json_put(&w, "name", m->title);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_close(&w, '}');
	return out->failed ? -1 : 0;
}

/* A model is as open as its best key. */
static void
model_lanes(const struct report *r, size_t model, struct quota_view *best,
    size_t *lane, size_t *nlanes)
{
	const struct config *c = r->cfg;

	*nlanes = 0;
	for (size_t i = 0; i < c->nlanes; i++) {
		uint16_t l = (uint16_t)i;
		struct quota_view v;

		if (c->lanes[i].model != model)
			continue;
		ledger_view(r->ledger, r->now, &l, 1, LEDGER_NOBODY, 1, &v);
		if (++*nlanes == 1 || (best->answer.reason != QUOTA_OPEN &&
		    (v.answer.reason == QUOTA_OPEN ||
		    v.answer.until < best->answer.until))) {
			*best = v;
			*lane = i;
		}
	}
}

static void
put_model(const struct report *r, struct json_out *w, size_t i)
{
	const struct config *c = r->cfg;
	const struct config_model *m = &c->models[i];
	const struct config_provider *p = &c->providers[m->provider];
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts counts;
	struct quota_view view;
	size_t lane = 0, nlanes, n = 0;

	memset(&counts, 0, sizeof(counts));
	memset(&view, 0, sizeof(view));
	model_lanes(r, i, &view, &lane, &nlanes);
	if (nlanes > 0)
		n = ledger_report(r->ledger, r->now, LEDGER_K_LANE, lane,
		    &counts, rows);
	json_open(w, NULL, '{');
	json_put(w, "id", m->name);
	json_put(w, "provider", p->name);
	json_put(w, "name", m->title);
	json_put(w, "model", m->id);
	if (nlanes > 0) {
		put_bar(w, &view.answer);
	} else {
		json_put_bool(w, "available", false);
		json_put(w, "reason", config_off(c, m));
		json_put_null(w, "until");
	}
	put_rate(w, p->name, &counts, rows, n);
	put_limits(w, &m->limits);
	put_can(w, m->can);
	put_limit(w, "context", m->context > 0 ? m->context : -1);
	put_limit(w, "output", m->output > 0 ? m->output : -1);
	put_limit(w, "firstMs", counts.first_ms > 0 ? counts.first_ms : -1);
	json_put_int(w, "keys", (int64_t)nlanes);
	json_put_bool(w, "demo", p->demo);
	json_close(w, '}');
}

int
report_models(const struct report *r, struct buf *out)
{
	struct json_out w = { out, false };
	const struct config *c = r->cfg;

	json_open(&w, NULL, '{');
	json_open(&w, "models", '[');
	for (size_t i = 0; i < c->nmodels; i++)
		if (route_allowed(r->allowed, c->models[i].name))
			put_model(r, &w, i);
	json_close(&w, ']');
	json_open(&w, "aliases", '[');
	for (size_t i = 0; i < c->naliases; i++) {
		const struct config_alias *a = &c->aliases[i];

		if ((a->implicit && i > 0) || a->retired)
			continue;
		json_open(&w, NULL, '{');
		json_put(&w, "name", a->name);
		json_put(&w, "strategy", config_strategy_word[
		    c->routes[a->route].strategy]);
		json_open(&w, "models", '[');
		for (size_t k = 0; k < a->nlanes; k++) {
			uint16_t m = c->lanes[a->lanes[k]].model;

			if ((k > 0 && c->lanes[a->lanes[k - 1]].model == m) ||
			    !route_allowed(r->allowed, c->models[m].name))
				continue;
			json_put(&w, NULL, c->models[m].name);
		}
		json_close(&w, ']');
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_close(&w, '}');
	return out->failed ? -1 : 0;
}

static void
put_stats(struct json_out *w, const char *provider,
    const struct ledger_counts *c)
{
	json_open(w, "localStats", '{');
	if (provider != NULL)
		json_put(w, "provider", provider);
	json_put_int(w, "requestsToday", c->requests_today);
	json_put_int(w, "tokensToday", c->tokens_today);
	report_time(w, "dayStart", c->day_start);
	json_put_int(w, "requests", c->requests);
	json_put_int(w, "tokens", c->tokens);
	json_put_int(w, "failures", c->failures);
	json_put_int(w, "inFlight", c->inflight);
	put_limit(w, "firstMs", c->first_ms > 0 ? c->first_ms : -1);
	report_time(w, "lastUsed", c->last_used);
	json_close(w, '}');
}

struct totals {
	int64_t requests, tokens, failures, inflight, today, tokens_today;
};

static void
put_lane(const struct report *r, struct json_out *w, size_t i,
    struct totals *t)
{
	const struct config *c = r->cfg;
	const struct config_lane *l = &c->lanes[i];
	const struct config_provider *p = &c->providers[l->provider];
	const struct config_model *m = &c->models[l->model];
	struct quota_row rows[CONFIG_LIMITS];
	const struct quota_row *req, *tok;
	struct ledger_counts counts;
	size_t n;

	n = ledger_report(r->ledger, r->now, LEDGER_K_LANE, i, &counts, rows);
	req = tightest(rows, n, false);
	tok = tightest(rows, n, true);
	json_open(w, NULL, '{');
	json_put(w, "modelId", m->name);
	json_put(w, "provider", p->name);
	json_put(w, "name", m->title);
	json_put(w, "key", p->keys[l->key].name);
	put_bar(w, &counts.bar);
	put_rate(w, p->name, &counts, rows, n);
	json_open(w, "remaining", '{');
	put_limit(w, "requests", req ? req->remaining : -1);
	put_limit(w, "tokens", tok ? tok->remaining : -1);
	report_time(w, "requestsResetAt", req ? req->reset : 0);
	report_time(w, "tokensResetAt", tok ? tok->reset : 0);
	json_close(w, '}');
	put_stats(w, p->name, &counts);
	put_windows(w, rows, n);
	json_close(w, '}');
	t->requests += counts.requests;
	t->tokens += counts.tokens;
	t->failures += counts.failures;
	t->inflight += counts.inflight;
	t->today += counts.requests_today;
	t->tokens_today += counts.tokens_today;
}

static void
put_scope(const struct report *r, struct json_out *w, enum ledger_kind kind,
    size_t index, const char *name, const char *key)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts counts;
	size_t n = ledger_report(r->ledger, r->now, kind, index, &counts, rows);

	json_open(w, NULL, '{');
	json_put(w, "name", name);
	if (key != NULL)
		json_put(w, "key", key);
	put_bar(w, &counts.bar);
	put_stats(w, NULL, &counts);
	put_windows(w, rows, n);
	json_close(w, '}');
}

/* Whether the asking client may use a lane's model, and so see its figures. */
static bool
may_see(const struct report *r, size_t lane)
{
	const struct config *c = r->cfg;

	return route_allowed(r->allowed, c->models[c->lanes[lane].model].name);
}

static bool
may_see_account(const struct report *r, size_t provider)
{
	for (size_t i = 0; i < r->cfg->nlanes; i++)
		if (r->cfg->lanes[i].provider == provider && may_see(r, i))
			return true;
	return r->allowed == NULL;
}

/* The first lane that uses each key stands for it. */
static void
put_keys(const struct report *r, struct json_out *w)
{
	const struct config *c = r->cfg;

	json_open(w, "keys", '[');
	for (size_t i = 0; i < c->nlanes; i++) {
		const struct config_lane *l = &c->lanes[i];
		bool seen = false;

		if (!may_see(r, i))
			continue;
		for (size_t k = 0; k < i && !seen; k++)
			seen = c->lanes[k].provider == l->provider &&
			    c->lanes[k].key == l->key && may_see(r, k);
		if (!seen)
			put_scope(r, w, LEDGER_K_KEY, i,
			    c->providers[l->provider].name,
			    c->providers[l->provider].keys[l->key].name);
	}
	json_close(w, ']');
}

static void
put_spans(struct json_out *w, const char *name, const struct ledger_span *s,
    size_t n)
{
	json_open(w, name, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(w, NULL, '{');
		report_time(w, "at", s[i].at);
		json_put_int(w, "requests", s[i].requests);
		json_put_int(w, "tokens", s[i].tokens);
		json_put_int(w, "failures", s[i].failures);
		json_put_int(w, "fallbacks", s[i].fallbacks);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
put_history(const struct report *r, struct json_out *w)
{
	struct ledger_history h;

	ledger_history(r->ledger, r->now, &h);
	json_open(w, "history", '{');
	put_spans(w, "hours", h.hours, LEDGER_HOURS);
	put_spans(w, "days", h.days, LEDGER_DAYS);
	json_close(w, '}');
}

int
report_usage(const struct report *r, struct buf *out)
{
	struct json_out w = { out, false };
	const struct config *c = r->cfg;
	struct totals t = { 0 };

	json_open(&w, NULL, '{');
	report_time(&w, "now", r->now->wall);
	json_open(&w, "usage", '[');
	for (size_t i = 0; i < c->nlanes; i++)
		if (may_see(r, i))
			put_lane(r, &w, i, &t);
	json_close(&w, ']');
	json_open(&w, "accounts", '[');
	for (size_t i = 0; i < c->nproviders; i++)
		if (c->providers[i].off == NULL && may_see_account(r, i))
			put_scope(r, &w, LEDGER_K_ACCOUNT, i,
			    c->providers[i].name, NULL);
	json_close(&w, ']');
	put_keys(r, &w);
	json_open(&w, "totals", '{');
	json_put_int(&w, "requests", t.requests);
	json_put_int(&w, "tokens", t.tokens);
	json_put_int(&w, "failures", t.failures);
	json_put_int(&w, "inFlight", t.inflight);
	json_put_int(&w, "requestsToday", t.today);
	json_put_int(&w, "tokensToday", t.tokens_today);
	json_close(&w, '}');
	json_open(&w, "clients", '[');
	for (size_t i = 0; i < c->nclients; i++)
		if (r->own == NULL || r->own == &c->clients[i])
			put_scope(r, &w, LEDGER_K_CLIENT, i,
			    c->clients[i].name, NULL);
	json_close(&w, ']');
	if (r->history)
		put_history(r, &w);
	json_put(&w, "state", ledger_health(r->ledger) ?
	    ledger_health(r->ledger) : "ok");
	json_close(&w, '}');
	return out->failed ? -1 : 0;
}

int
report_health(const struct report *r, size_t streams, struct buf *out)
{
	struct json_out w = { out, false };
	const char *sick = ledger_health(r->ledger);

	json_open(&w, NULL, '{');
	json_put(&w, "status", sick ? "degraded" : "ok");
	json_put_bool(&w, "ready", r->cfg->nlanes > 0);
	json_put(&w, "state", sick ? sick : "ok");
	json_put_int(&w, "streams", (int64_t)streams);
	json_put_int(&w, "waiting", (int64_t)ledger_waiting(r->ledger));
	json_put_int(&w, "models", (int64_t)r->cfg->nlanes);
	json_put_bool(&w, "demo", r->cfg->nlanes > 0 &&
	    r->cfg->providers[r->cfg->lanes[0].provider].demo);
	json_close(&w, '}');
	return out->failed ? -1 : 0;
}

static void
put_openai(struct json_out *w, const char *id, const char *owner)
{
	json_open(w, NULL, '{');
	json_put(w, "id", id);
	json_put(w, "object", "model");
	json_put_int(w, "created", 0);
	json_put(w, "owned_by", owner);
	json_close(w, '}');
}

/* What an alias's models have in common: their provider, else ours. */
static const char *
owner_of(const struct config *c, const struct config_alias *a)
{
	for (size_t i = 0; i < a->nlanes; i++)
		if (c->lanes[a->lanes[i]].provider !=
		    c->lanes[a->lanes[0]].provider)
			return "relevo";
	return a->nlanes > 0 && a->implicit ?
	    c->providers[c->lanes[a->lanes[0]].provider].name : "relevo";
}

int
report_openai(const struct report *r, struct buf *out)
{
	struct json_out w = { out, false };
	const struct config *c = r->cfg;

	json_open(&w, NULL, '{');
	json_put(&w, "object", "list");
	json_open(&w, "data", '[');
	for (size_t i = 0; i < c->naliases; i++)
		if ((i == 0 || !c->aliases[i].implicit) &&
		    !c->aliases[i].retired)
			put_openai(&w, c->aliases[i].name, "relevo");
	for (size_t i = 0; i < c->nmodels; i++)
		if (config_off(c, &c->models[i]) == NULL &&
		    route_allowed(r->allowed, c->models[i].name))
			put_openai(&w, c->models[i].name,
			    c->providers[c->models[i].provider].name);
	json_close(&w, ']');
	json_close(&w, '}');
	return out->failed ? -1 : 0;
}

/* A model's own name tells that there is such a model. */
static bool
may_name(const struct report *r, const struct config_alias *a)
{
	for (size_t i = 0; a->implicit && i < a->nlanes; i++)
		if (may_see(r, a->lanes[i]))
			return true;
	return !a->implicit || a->nlanes == 0;
}

int
report_openai_one(const struct report *r, const char *name, struct buf *out)
{
	struct json_out w = { out, false };
	const struct config_alias *a = config_find(r->cfg, name);

	if (a == NULL || name[0] == '\0' || !may_name(r, a))
		return -1;
	put_openai(&w, name, owner_of(r->cfg, a));
	return out->failed ? -1 : 0;
}
