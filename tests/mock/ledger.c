#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *
need(void *p)
{
	if (!p) {
		fputs("mock: out of memory\n", stderr);
		exit(70);
	}
	return p;
}

void
ledger_init(struct ledger *l)
{
	*l = (struct ledger){ .epoch = 1 };
	l->records = need(calloc(LEDGER_RECORDS, sizeof(*l->records)));
}

static void
free_rule(struct rule *r)
{
	free(r->name);
	free(r->text);
	free(r);
}

static void
drop_gates_and_rules(struct ledger *l)
{
	struct gate *g;
	struct rule *r;

	while ((g = l->gates)) {
		l->gates = g->next;
		free(g->name);
		free(g);
	}
	while ((r = l->rules)) {
		l->rules = r->next;
		free_rule(r);
	}
}

void
ledger_free(struct ledger *l)
{
	struct model *m;
	int i;

	drop_gates_and_rules(l);
	while ((m = l->models)) {
		l->models = m->next;
		free(m->name);
		free(m);
	}
	for (i = 0; i < LEDGER_RAWS; i++)
		blob_free(&l->raws[i].bytes);
	free(l->records);
}

struct model *
ledger_model(struct ledger *l, const char *name, size_t n)
{
	struct model *m;

	for (m = l->models; m; m = m->next)
		if (strlen(m->name) == n && !memcmp(m->name, name, n))
			return m;
	m = need(calloc(1, sizeof(*m)));
	m->name = need(strndup(name, n));
	m->next = l->models;
	l->models = m;
	return m;
}

/* Bring a model into the present epoch: what it counted before a reset is
 * gone. */
static void
present(struct ledger *l, struct model *m)
{
	if (m->epoch == l->epoch)
		return;
	*m = (struct model){ .next = m->next, .name = m->name,
	    .epoch = l->epoch };
}

void
ledger_key(const struct request *r, char out[5])
{
	struct span v = http_header(r, "authorization");
	size_t n;

	if (!v.p)
		v = http_header(r, "x-api-key");
	n = v.n < 4 ? v.n : 4;
	if (n)
		memcpy(out, v.p + v.n - n, n);
	out[n] = '\0';
}

void
ledger_begin(struct ledger *l, struct entry *e, struct model *m,
    const struct request *r)
{
	struct record *rec = &l->records[l->seq % LEDGER_RECORDS];
	struct raw *raw = &l->raws[l->seq % LEDGER_RAWS];
	struct span id = http_header(r, "x-request-id");
	struct timespec now;

	present(l, m);
	m->requests++;
	if (++m->inflight > m->peak)
		m->peak = m->inflight;
	*e = (struct entry){ m, l->seq++, l->epoch };

	clock_gettime(CLOCK_REALTIME, &now);
	rec->ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	rec->model = m;
	rec->body = r->body.n;
	rec->end = 'i';
	ledger_key(r, rec->key);
	snprintf(rec->id, sizeof(rec->id), "%.*s", (int)id.n,
	    id.p ? id.p : "");

	raw->model = m;
	raw->bytes.n = 0;
	blob_put(&raw->bytes, r->head.p, r->head.n + r->body.n);
	l->changed = true;
}

void
ledger_token(struct ledger *l, struct entry *e)
{
	if (!e->model || e->epoch != l->epoch)
		return;
	e->model->tokens++;
	l->changed = true;
}

void
ledger_end(struct ledger *l, struct entry *e, bool aborted)
{
	struct model *m = e->model;

	e->model = NULL;
	if (!m || e->epoch != l->epoch)
		return;
	m->inflight--;
	if (aborted)
		m->aborted++;
	else
		m->completed++;
	if (l->seq - e->seq <= LEDGER_RECORDS)
		l->records[e->seq % LEDGER_RECORDS].end = aborted ? 'a' : 'c';
	l->changed = true;
}

void
ledger_stale(struct ledger *l, struct model *m)
{
	present(l, m);
	m->stale++;
	l->changed = true;
}

void
ledger_reset(struct ledger *l)
{
	drop_gates_and_rules(l);
	l->epoch++;
	l->base = l->seq;
	l->connections = l->open;
	l->changed = true;
}

int64_t
ledger_count(const struct ledger *l, const char *model, const char *what)
{
	static const struct {
		const char *name;
		size_t at;
	} counters[] = {
		{ "requests", offsetof(struct model, requests) },
		{ "inflight", offsetof(struct model, inflight) },
		{ "peak", offsetof(struct model, peak) },
		{ "completed", offsetof(struct model, completed) },
		{ "aborted", offsetof(struct model, aborted) },
		{ "stale", offsetof(struct model, stale) },
		{ "tokens", offsetof(struct model, tokens) },
	};
	const struct model *m;
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		if (strcmp(counters[i].name, what))
			continue;
		for (m = l->models; m; m = m->next)
			if (m->epoch == l->epoch &&
			    (!model || !strcmp(m->name, model)))
				sum += *(const int64_t *)((const char *)m +
				    counters[i].at);
		return sum;
	}
	return -1;
}

void
ledger_stats(const struct ledger *l, struct blob *out)
{
	const struct model *m;
	const char *comma = "";

	blob_str(out, "{\"models\":{");
	for (m = l->models; m; m = m->next) {
		if (m->epoch != l->epoch)
			continue;
		blob_fmt(out, "%s\"", comma);
		blob_json(out, m->name, strlen(m->name));
		blob_fmt(out, "\":{\"requests\":%lld,\"inflight\":%lld,"
		    "\"peak\":%lld,\"completed\":%lld,\"aborted\":%lld,"
		    "\"stale\":%lld,\"tokens\":%lld}", (long long)m->requests,
		    (long long)m->inflight, (long long)m->peak,
		    (long long)m->completed, (long long)m->aborted,
		    (long long)m->stale, (long long)m->tokens);
		comma = ",";
	}
	blob_fmt(out, "},\"total\":%lld,\"connections\":%lld,\"open\":%lld}\n",
	    (long long)(l->seq - l->base), (long long)l->connections,
	    (long long)l->open);
}

void
ledger_log(const struct ledger *l, const char *model, struct blob *out)
{
	int64_t i = l->seq - LEDGER_RECORDS;

	if (i < l->base)
		i = l->base;
	for (; i < l->seq; i++) {
		const struct record *r = &l->records[i % LEDGER_RECORDS];

		if (model && strcmp(r->model->name, model))
			continue;
		blob_fmt(out, "{\"ms\":%lld,\"model\":\"", (long long)r->ms);
		blob_json(out, r->model->name, strlen(r->model->name));
		blob_str(out, "\",\"key\":\"");
		blob_json(out, r->key, strlen(r->key));
		blob_str(out, "\",\"id\":\"");
		blob_json(out, r->id, strlen(r->id));
		blob_fmt(out, "\",\"body\":%zu,\"end\":\"%s\"}\n", r->body,
		    r->end == 'i' ? "inflight" :
		    r->end == 'a' ? "aborted" : "completed");
	}
}

bool
ledger_last(const struct ledger *l, const char *model, int64_t back,
    struct blob *out)
{
	int64_t i, stop = l->seq - LEDGER_RAWS;

	if (stop < l->base)
		stop = l->base;
	for (i = l->seq; i-- > stop;) {
		const struct raw *r = &l->raws[i % LEDGER_RAWS];

		if (model && strcmp(r->model->name, model))
			continue;
		if (!back--) {
			blob_put(out, r->bytes.p, r->bytes.n);
			return true;
		}
	}
	return false;
}

/* -- Gates and rules ---------------------------------------------------- */

static struct gate *
find_gate(const struct ledger *l, const char *name)
{
	struct gate *g = l->gates;

	while (g && strcmp(g->name, name))
		g = g->next;
	return g;
}

int64_t
ledger_gate(const struct ledger *l, const char *name)
{
	const struct gate *g = find_gate(l, name);

	return g ? g->open : 0;
}

void
ledger_gate_set(struct ledger *l, const char *name, int64_t open)
{
	struct gate *g = find_gate(l, name);

	if (!g) {
		g = need(calloc(1, sizeof(*g)));
		g->name = need(strdup(name));
		g->next = l->gates;
		l->gates = g;
	}
	g->open = open;
}

static bool
rule_is(const struct rule *r, bool by_key, const char *name)
{
	return r->by_key == by_key && !strcmp(r->name, name);
}

void
ledger_rule_drop(struct ledger *l, bool by_key, const char *name)
{
	struct rule **at = &l->rules, *r;

	while ((r = *at)) {
		if (rule_is(r, by_key, name)) {
			*at = r->next;
			free_rule(r);
		} else {
			at = &r->next;
		}
	}
}

void
ledger_rule(struct ledger *l, bool by_key, const char *name, struct span text,
    int64_t times)
{
	struct rule **at = &l->rules;
	struct rule *r = need(calloc(1, sizeof(*r)));

	if (times < 0)
		ledger_rule_drop(l, by_key, name);
	r->by_key = by_key;
	r->name = need(strdup(name));
	r->text = need(strndup(text.p, text.n));
	r->times = times;
	/* Counted rules stand before all lasting ones, in order of arrival. */
	while (*at && (times < 0 || (*at)->times >= 0))
		at = &(*at)->next;
	r->next = *at;
	*at = r;
}

const char *
ledger_rule_use(struct ledger *l, bool by_key, const char *name)
{
	struct rule **at = &l->rules, *r;

	/* A used-up rule was left for its text's sake until now. */
	while ((r = *at)) {
		if (r->times == 0) {
			*at = r->next;
			free_rule(r);
		} else if (rule_is(r, by_key, name)) {
			if (r->times > 0)
				r->times--;
			return r->text;
		} else {
			at = &r->next;
		}
	}
	return NULL;
}
