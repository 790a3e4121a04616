/* A simulated day: bursts of requests against providers that enforce their own
 * rules, with the gateway's real choice and real ledger, on a virtual clock.
 *
 *	day [seed]
 *
 * For each strategy, and for a naive round-robin that remembers nothing, it
 * prints a line of
 *
 *	served	requests that were answered
 *	refused	429 to the client
 *	waited	served after waiting for room
 *	429s	of providers
 *	late	of them: sent to a scope that was known to have said 429, within
 *		the time it had told. Where nobody else uses the key: goal 0
 *	shared	late ones where somebody else uses the same key; no goal
 *	unused	requests refused though a provider would have taken them, of all
 *		that it could have taken; the goal is below 5 %
 *
 * Both goals are for every strategy: a strategy decides who answers, never
 * whether anybody does. The naive one has none. Exit 1 when one is missed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "chat.h"
#include "config.h"
#include "fault.h"
#include "gate.h"
#include "ledger.h"
#include "provider.h"
#include "seek.h"
#include "text.h"

#define T0		1795219200000LL	/* 2026-11-21T00:00:00Z, a Saturday */
#define DAY		86400000LL
#define LANES		16
#define GATES		12
#define REQUESTS	20000
#define PACIFIC		(8 * 3600000LL)	/* standard time, in November */

/* ---- providers ---- */

/* What the gateway knows. `stranger` is used by somebody else too; of
 * `unknown` no limit is known: its 429s tell. */
static const char known[] =
    "provider groq { url = https://api.groq.com/openai/v1 key = k1 }\n"
    "model groq/a { rpm = 30 rpd = 1000 tpm = 8000 tpd = 200000"
    " can = {tools} }\n"
    "model groq/b { rpm = 30 rpd = 1000 tpm = 8000 tpd = 200000"
    " weight = 2 }\n"
    "provider gemini {\n"
    " url = https://generativelanguage.googleapis.com/v1beta/openai\n"
    " key = \"k2,k3\" day-resets = America/Los_Angeles }\n"
    "model gemini/c { rpm = 15 rpd = 250 tpm = 250000"
    " can = {tools, vision} }\n"
    "model gemini/d { rpm = 10 rpd = 100 tpm = 250000 }\n"
    /* two keys of one account: its limits do not grow with them */
    "provider openrouter { url = https://openrouter.ai/api/v1"
    " key = \"k4,k5\" rpm = 20 rpd = 50 }\n"
    "model openrouter/e { can = {tools} }\nmodel openrouter/f { }\n"
    "provider cerebras { url = https://api.cerebras.ai/v1 key = k6 }\n"
    "model cerebras/g { rpm = 5 tpm = 30000 tpd = 1000000 weight = 3 }\n"
    "provider steady { url = https://steady.example/v1 key = k9 }\n"
    "model steady/j { rpm = 2 }\n"
    "provider stranger { url = https://stranger.example/v1 key = k7 }\n"
    "model stranger/h { rpm = 30 rpd = 400 }\n"
    "provider unknown { url = https://unknown.example/v1 key = k8 }\n"
    "model unknown/i { }\n";

/* What the providers enforce. scope: 'm' a model on a key, 'a' the account. */
static const struct {
	const char *provider, *model;	/* NULL: any */
	char	 scope;
	enum gate_kind kind;
	bool	 tokens;
	int64_t	 max, zone;
} rules[] = {
	{ "groq", NULL, 'm', GATE_BUCKET, false, 30, 0 },
	{ "groq", NULL, 'm', GATE_BUCKET, true, 8000, 0 },
	{ "groq", NULL, 'm', GATE_DAY, false, 1000, 0 },
	{ "groq", NULL, 'm', GATE_DAY, true, 200000, 0 },
	{ "gemini", "c", 'm', GATE_MINUTE, false, 15, 0 },
	{ "gemini", "c", 'm', GATE_DAY, false, 250, PACIFIC },
	{ "gemini", "d", 'm', GATE_MINUTE, false, 10, 0 },
	{ "gemini", "d", 'm', GATE_DAY, false, 100, PACIFIC },
	{ "gemini", NULL, 'm', GATE_MINUTE, true, 250000, 0 },
	{ "openrouter", NULL, 'a', GATE_MINUTE, false, 20, 0 },
	{ "openrouter", NULL, 'a', GATE_DAY, false, 50, 0 },
	{ "cerebras", NULL, 'm', GATE_BUCKET, false, 5, 0 },
	{ "cerebras", NULL, 'm', GATE_BUCKET, true, 30000, 0 },
	{ "cerebras", NULL, 'm', GATE_DAY, true, 1000000, 0 },
	{ "steady", NULL, 'm', GATE_MINUTE, false, 2, 0 },
	{ "stranger", NULL, 'm', GATE_MINUTE, false, 30, 0 },
	{ "stranger", NULL, 'm', GATE_DAY, false, 400, 0 },
	{ "unknown", NULL, 'm', GATE_MINUTE, false, 20, 0 },
	{ "unknown", NULL, 'm', GATE_DAY, false, 300, 0 },
};
#define RULES	(sizeof(rules) / sizeof(*rules))

struct lane {
	struct gate *gates[GATES];
	size_t	 ngates;
	int64_t	 heard[GATES];		/* when we were told of a 429 ... */
	int64_t	 told[GATES];		/* ... and until when it holds */
	bool	 shared;
};

/* ---- the day's requests, the same for everybody ---- */

struct request {
	int64_t	 at;
	struct chat chat;
	int64_t	 prompt, completion;	/* what it really uses */
	int64_t	 serve_ms, way_ms;

	/* how it goes */
	struct seek seek;
	bool	 begun, waited;
	size_t	 lane, turn;
	int	 tries;
	uint64_t lease;
	int64_t	 reached;
	size_t	 why;			/* the gate that refused */
	int64_t	 again;			/* in that many ms */
};

enum kind { LOOK, REACH, TOLD, DONE, STRANGE };

struct event {
	int64_t	 at;
	uint64_t nr;			/* the earlier made goes first */
	enum kind kind;
	size_t	 request;
};

struct sim {
	struct config *cfg;
	struct ledger *ledger;		/* NULL: the naive one */
	struct gate gates[RULES * LANES];
	size_t	 ngates;
	struct lane lanes[LANES];
	struct request *requests;
	size_t	 n;
	struct event *heap;
	size_t	 nheap, room;
	uint64_t nr, seed, turn;
	int64_t	 now;
	struct { size_t lane; int64_t at; } *missed;
	size_t	 nmissed;
	long	 served, refused, waited, said, late, shared;
};

static uint64_t
any(uint64_t *seed, uint64_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % n;
}

static void
make_one(struct request *r, int64_t at, uint64_t *seed)
{
	uint64_t size = any(seed, 10);

	memset(r, 0, sizeof(*r));
	r->at = at;
	r->chat.prompt = (int64_t)(size < 7 ? 20 + any(seed, 300) :
	    300 + any(seed, 2500));
	r->chat.output = 256 << any(seed, 3);
	r->chat.needs = any(seed, 100) < 15 ? CONFIG_CAN_TOOLS :
	    any(seed, 100) < 3 ? CONFIG_CAN_VISION : 0;
	/* The estimate is off by up to a tenth. */
	r->prompt = 7 + r->chat.prompt * (90 + (int64_t)any(seed, 16)) / 100;
	r->completion = 1 + (int64_t)any(seed, (uint64_t)r->chat.output);
	r->way_ms = 20 + (int64_t)any(seed, 100);
	r->serve_ms = 500 + (int64_t)any(seed, 9000);
}

static int
by_time(const void *a, const void *b)
{
	const struct request *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* A quiet trickle, and sessions: an agent at work, one request after the
 * other; more of them by day than by night. */
static size_t
make_day(struct request *r, uint64_t seed)
{
	size_t n = 0, left;
	int64_t t;

	for (t = 0; t < DAY; t += 1 + (int64_t)any(&seed, 100000))
		make_one(&r[n++], t, &seed);
	for (int i = 0; i < 200; i++) {
		t = (int64_t)any(&seed, DAY);
		if (any(&seed, 3) > 0)
			t = DAY / 3 + t / 2;
		left = 1 + any(&seed, 40);
		for (; left > 0 && t < DAY && n < REQUESTS; left--) {
			make_one(&r[n++], t, &seed);
			t += (int64_t)any(&seed, any(&seed, 5) == 0 ? 30000 :
			    2000);
		}
	}
	qsort(r, n, sizeof(*r), by_time);
	return n;
}

/* ---- events ---- */

static bool
sooner(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->nr < b->nr;
}

static void
post(struct sim *s, int64_t at, enum kind kind, size_t request)
{
	struct event e = { at, s->nr++, kind, request };
	size_t i;

	if (s->nheap == s->room) {
		s->room = s->room > 0 ? 2 * s->room : 1024;
		s->heap = realloc(s->heap, s->room * sizeof(*s->heap));
		if (s->heap == NULL)
			abort();
	}
	for (i = s->nheap++; i > 0 && sooner(&e, &s->heap[(i - 1) / 2]);
	    i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

static struct event
take(struct sim *s)
{
	struct event e = s->heap[0], last = s->heap[--s->nheap];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < s->nheap) {
		if (k + 1 < s->nheap && sooner(&s->heap[k + 1], &s->heap[k]))
			k++;
		if (!sooner(&s->heap[k], &last))
			break;
		s->heap[i] = s->heap[k];
		i = k;
	}
	s->heap[i] = last;
	return e;
}

static struct text_time
clock_of(const struct sim *s)
{
	return (struct text_time){ T0 + s->now, 1000000 + s->now };
}

/* ---- the providers' side ---- */

/* The gates of each lane: one gate for each model and key, or one for the
 * account. */
static void
build(struct sim *s)
{
	const struct config *c = s->cfg;

	for (size_t i = 0; i < RULES; i++) {
		struct gate *account = NULL;

		for (size_t k = 0; k < c->nlanes; k++) {
			const struct config_lane *l = &c->lanes[k];
			struct lane *lane = &s->lanes[k];
			struct gate *g = account;

			if (strcmp(c->providers[l->provider].name,
			    rules[i].provider) != 0 ||
			    (rules[i].model != NULL && strcmp(rules[i].model,
			    c->models[l->model].id) != 0))
				continue;
			if (g == NULL) {
				g = &s->gates[s->ngates++];
				*g = (struct gate){ .kind = rules[i].kind,
				    .tokens = rules[i].tokens,
				    .max = rules[i].max,
				    .zone = rules[i].zone };
			}
			if (rules[i].scope == 'a')
				account = g;
			lane->gates[lane->ngates++] = g;
			lane->shared = strcmp(rules[i].provider,
			    "stranger") == 0;
		}
	}
}

/* The longest wait of a lane's gates, 0: it admits. */
static int64_t
lane_wait(struct sim *s, size_t lane, enum gate_account a, int64_t tokens,
    size_t *why)
{
	struct lane *l = &s->lanes[lane];
	int64_t most = 0, ms;

	for (size_t i = 0; i < l->ngates; i++) {
		ms = gate_wait(l->gates[i], a, s->now, tokens);
		if (ms > most) {
			most = ms;
			*why = i;
		}
	}
	return most;
}

static void
lane_use(struct sim *s, size_t lane, enum gate_account a, int64_t tokens)
{
	for (size_t i = 0; i < s->lanes[lane].ngates; i++)
		gate_use(s->lanes[lane].gates[i], a, s->now, tokens);
}

/* A call arrives: it is charged as it was declared, and refunded at its end. */
static void
reach(struct sim *s, size_t i)
{
	struct request *r = &s->requests[i];
	struct lane *l = &s->lanes[r->lane];
	int64_t tokens = r->prompt + r->chat.output;

	r->reached = s->now;
	r->again = lane_wait(s, r->lane, GATE_TRUE, tokens, &r->why);
	if (r->again == 0) {
		lane_use(s, r->lane, GATE_TRUE, tokens);
		lane_use(s, r->lane, GATE_ALSO, tokens);
		post(s, s->now + r->serve_ms, DONE, i);
		return;
	}
	s->said++;
	/* What was under way when the first one came could not know. */
	for (size_t k = 0; k < l->ngates; k++)
		if (s->now - r->way_ms > l->heard[k] &&
		    s->now - r->way_ms < l->told[k]) {
			*(l->shared ? &s->shared : &s->late) += 1;
			break;
		}
	post(s, s->now + r->way_ms, TOLD, i);
}

/* Refused: would anybody have taken it? */
static void
count_missed(struct sim *s, const struct request *r)
{
	int64_t tokens = r->prompt + r->chat.output;
	const struct config *c = s->cfg;
	size_t why;

	s->refused++;
	for (size_t k = 0; k < c->nlanes; k++) {
		if (r->chat.needs & ~c->models[c->lanes[k].model].can ||
		    lane_wait(s, k, GATE_ALSO, tokens, &why) > 0)
			continue;
		lane_use(s, k, GATE_ALSO, tokens);
		s->missed[s->nmissed].lane = k;
		s->missed[s->nmissed++].at = s->now;
		return;
	}
}

static double
unused(const struct sim *s)
{
	double sum = 0, part, w;

	for (size_t i = 0; i < s->nmissed; i++) {
		const struct lane *l = &s->lanes[s->missed[i].lane];

		part = 1;
		for (size_t k = 0; k < l->ngates; k++) {
			w = gate_wasted(l->gates[k], s->missed[i].at);
			part = w < part ? w : part;
		}
		sum += part;
	}
	return sum + (double)s->served > 0 ?
	    100 * sum / (sum + (double)s->served) : 0;
}

/* ---- the gateway's side, as relay does it ---- */

static void
finish(struct sim *s, struct request *r, bool served)
{
	if (served) {
		s->served++;
		s->waited += r->waited;
	} else {
		count_missed(s, r);
	}
	if (s->ledger != NULL)
		seek_release(&r->seek);
}

static void
look(struct sim *s, size_t i)
{
	struct request *r = &s->requests[i];
	struct text_time now = clock_of(s);
	int64_t ms;

	if (!r->begun) {
		if (seek_init(&r->seek, s->cfg, s->ledger, config_find(s->cfg,
		    "auto"), &r->chat, LEDGER_NOBODY) != 0)
			abort();
		r->seek.patience = now.mono + r->seek.route->max_wait_ms;
		r->begun = true;
	}
	if (r->seek.attempts == 0)
		seek_order(&r->seek, &now, any(&s->seed, UINT64_MAX));
	if (seek_next(&r->seek, &now, &r->lane, &r->lease) == 0) {
		post(s, s->now + r->way_ms, REACH, i);
		return;
	}
	ms = seek_wait(&r->seek, &now);
	if (ms < 0) {
		finish(s, r, false);
		return;
	}
	r->waited = true;
	post(s, s->now + ms, LOOK, i);
}

/* The naive one: the next lane, then the next, four times. */
static void
look_naive(struct sim *s, size_t i)
{
	struct request *r = &s->requests[i];
	const struct config *c = s->cfg;
	size_t k;

	if (r->tries == 0)
		r->turn = s->turn++;
	for (k = 0; r->tries < 4 && k < c->nlanes; k++) {
		r->lane = r->turn++ % c->nlanes;
		if (r->chat.needs & ~c->models[c->lanes[r->lane].model].can)
			continue;
		r->tries++;
		post(s, s->now + r->way_ms, REACH, i);
		return;
	}
	finish(s, r, false);
}

static void
settle(struct sim *s, struct request *r, bool good)
{
	struct text_time now = clock_of(s);
	struct ledger_end end = { .counted = good, .first_ms = good ? 500 : -1,
	    .prompt = good ? r->prompt : 0,
	    .completion = good ? r->completion : 0,
	    .raw = good ? r->chat.prompt : 0 };

	if (s->ledger == NULL)
		return;
	ledger_settle(s->ledger, &now, r->lease, &end);
}

/* The 429 comes back, with the words and the time of a provider. */
static void
told(struct sim *s, size_t i)
{
	static const enum ledger_scope scopes[] = {
		[PROVIDER_LANE] = LEDGER_LANE, [PROVIDER_MODEL] = LEDGER_MODEL,
		[PROVIDER_KEY] = LEDGER_KEY,
		[PROVIDER_ACCOUNT] = LEDGER_ACCOUNT,
	};
	struct request *r = &s->requests[i];
	const struct config_lane *l = &s->cfg->lanes[r->lane];
	struct text_time now = clock_of(s);
	int64_t secs = (r->again - r->way_ms + 999) / 1000;
	struct provider_verdict v;
	char head[64];
	static const char body[] = "{\"error\":{\"message\":\"Rate limit "
	    "reached\",\"code\":\"rate_limit_exceeded\"}}";

	if (secs < 1)
		secs = 1;
	s->lanes[r->lane].heard[r->why] = s->now;
	s->lanes[r->lane].told[r->why] = s->now + secs * 1000;
	if (s->ledger == NULL) {
		look_naive(s, i);
		return;
	}
	snprintf(head, sizeof(head), "retry-after: %lld\r\n", (long long)secs);
	provider_judge(&s->cfg->providers[l->provider],
	    &(struct provider_answer){ .status = 429,
	    .head = head, .head_len = strlen(head), .body = body,
	    .body_len = sizeof(body) - 1 }, now.wall, &v);
	if (v.scope != PROVIDER_NONE && v.until != 0)
		ledger_bar(s->ledger, &now, r->lane, scopes[v.scope],
		    &(struct quota_ban){ v.reason, v.until, false });
	settle(s, r, false);
	look(s, i);
}

static void
done(struct sim *s, size_t i)
{
	struct request *r = &s->requests[i];
	int64_t back = r->chat.output - r->completion;

	for (size_t k = 0; k < s->lanes[r->lane].ngates; k++)
		for (int a = 0; a < GATE_ACCOUNTS; a++)
			gate_refund(s->lanes[r->lane].gates[k],
			    (enum gate_account)a, r->reached, back);
	settle(s, r, true);
	finish(s, r, true);
}

/* Somebody else, on the same key: now and then, and in spurts. */
static void
strange(struct sim *s)
{
	size_t why;

	for (size_t k = 0; k < s->cfg->nlanes; k++)
		if (s->lanes[k].shared &&
		    lane_wait(s, k, GATE_TRUE, 500, &why) == 0) {
			lane_use(s, k, GATE_TRUE, 500);
			lane_use(s, k, GATE_ALSO, 500);
		}
	if (s->now < DAY)
		post(s, s->now + (int64_t)any(&s->seed, any(&s->seed, 6) == 0 ?
		    3000000 : 4000), STRANGE, 0);
}

static void
live(struct sim *s)
{
	struct event e;

	while (s->nheap > 0) {
		e = take(s);
		s->now = e.at;
		switch (e.kind) {
		case LOOK:
			if (s->ledger != NULL)
				look(s, e.request);
			else
				look_naive(s, e.request);
			break;
		case REACH:
			reach(s, e.request);
			break;
		case TOLD:
			told(s, e.request);
			break;
		case DONE:
			done(s, e.request);
			break;
		case STRANGE:
			strange(s);
			break;
		}
	}
}

/* ---- */

static struct config *
configure(const char *strategy)
{
	char path[] = "/tmp/relevo-day-XXXXXX";
	int fd = mkstemp(path);
	struct buf errors;
	struct config *c;
	FILE *f;

	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL)
		abort();
	fprintf(f, "server { access = open }\n"
	    "route { strategy = %s max-wait = 10s }\n%s", strategy, known);
	fclose(f);
	buf_init(&errors, 65536);
	c = config_load(path, &errors, NULL);
	fputs(buf_str(&errors), stderr);
	buf_release(&errors);
	unlink(path);
	if (c == NULL || c->nlanes > LANES)
		exit(2);
	/* In memory: nobody shares it, and a virtual day has 43,200
	 * checkpoints. */
	free(c->state);
	c->state = NULL;
	return c;
}

/* One day; whether it was good. */
static bool
run(const char *name, bool naive, uint64_t seed)
{
	struct sim s = { .seed = seed };
	struct text_time now;
	double idle;

	s.cfg = configure(naive ? "round-robin" : name);
	s.requests = calloc(REQUESTS, sizeof(*s.requests));
	s.missed = calloc(REQUESTS, sizeof(*s.missed));
	now = clock_of(&s);
	if (!naive)
		s.ledger = ledger_open(s.cfg, &now);
	if (s.requests == NULL || s.missed == NULL ||
	    (!naive && s.ledger == NULL))
		abort();
	build(&s);
	s.n = make_day(s.requests, seed);
	for (size_t i = 0; i < s.n; i++)
		post(&s, s.requests[i].at, LOOK, i);
	post(&s, 0, STRANGE, 0);
	live(&s);
	idle = unused(&s);
	printf("%-20s %7ld %8ld %7ld %6ld %5ld %7ld %7.2f %%\n", name,
	    s.served, s.refused, s.waited, s.said, s.late, s.shared, idle);
	if (s.served + s.refused != (long)s.n)
		printf("%zu requests, but not that many ends\n", s.n);
	ledger_close(s.ledger);
	for (size_t i = 0; i < s.ngates; i++)
		gate_free(&s.gates[i]);
	free(s.requests);
	free(s.missed);
	free(s.heap);
	config_free(s.cfg);
	return s.served + s.refused == (long)s.n && (naive ||
	    (s.late == 0 && idle < 5));
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	bool good = true;

	seed = seed * 0x9e3779b97f4a7c15ULL | 1;
	printf("%-20s %7s %8s %7s %6s %5s %7s %9s\n", "", "served", "refused",
	    "waited", "429s", "late", "shared", "unused");
	for (int i = 0; i < CONFIG_STRATEGIES; i++)
		good &= run(config_strategy_word[i], false, seed);
	(void)run("naive round-robin", true, seed);
	puts(good ? "goals met: late 0, unused below 5 %" :
	    "a goal was missed: late 0, unused below 5 %");
	return good ? 0 : 1;
}
