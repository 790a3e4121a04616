#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "answer.h"
#include "budget.h"
#include "buf.h"
#include "config.h"
#include "demo.h"
#include "dial.h"
#include "fault.h"
#include "fetch.h"
#include "http.h"
#include "json.h"
#include "ledger.h"
#include "log.h"
#include "loop.h"
#include "provider.h"
#include "reply.h"
#include "seek.h"
#include "text.h"

#define RELAY_ERROR	(64 * 1024)	/* bytes read of an error's body */
#define RELAY_EVENT	(1024 * 1024)	/* bytes of one event */
#define RELAY_JSON	(16 * 1024 * 1024)	/* bytes of a JSON answer */
#define RELAY_OUT	(24 * 1024 * 1024)	/* what one feed may produce */
#define RELAY_TAIL_MS	1000	/* for an upstream to end after [DONE] */
#define RELAY_ERROR_MS	2000	/* for the body of an error to come */
#define RELAY_SEEN	8	/* limits told by one head */

struct relays {
	struct loop		*loop;
	const struct config	*cfg;
	struct ledger		*ledger;
	struct dial		*dial;
	struct budget		 budget;	/* of retries */
	uint64_t		 chance;
	size_t			 live;
};

struct relay {
	struct relays		*rs;
	struct relay_ask	 ask;
	struct answer		 answer;	/* the client's side */
	struct seek		 seek;		/* the choice */

	/* the attempt under way */
	size_t			 lane;
	uint64_t		 lease;		/* 0: none */
	bool			 again;		/* had its second try */
	struct fetch		*fetch;
	struct demo		*demo;
	struct buf		 sent;		/* its body */
	int			 status;
	struct buf		 head;		/* of an error */
	struct buf		 error;		/* its body */
	bool			 good;		/* reply is in use */
	struct reply		 reply;
	struct buf		 out;		/* for the client, held back */

	bool			 dear;		/* the next try is counted */
	bool			 wait_room;	/* ASK: waiting for a slot */
	bool			 wait_again;	/* ASK: before the second try */
	struct fault		 fault;		/* what it ended with */
	char			 relevo[1024];	/* JSON about who answers */

	/* clocks, steady ms */
	struct loop_timer	 timer;
	struct loop_task	 step;		/* to try the next lane */
	int64_t			 began;
	int64_t			 room;		/* look again; in wait_room */
	int64_t			 until;		/* all attempts; 0 not called */
	int64_t			 called;	/* the attempt */
	int64_t			 share;		/* its part until content */
	int64_t			 heard;		/* last bytes of the upstream */
	int64_t			 told;		/* last bytes to the client */
	int64_t			 due_tail;	/* end after [DONE]; 0 none */
	int64_t			 first_ms;	/* to first content; -1 */
};

static void	attempt(struct relay *r, size_t lane);
static void	failed(struct relay *r, const struct provider_answer *a);
static void	refused(struct relay *r, enum fault_code net);
static void	clock_set(struct relay *r);

/* ---- what all chats share ---- */

struct relays *
relays_new(struct loop *loop, const struct config *cfg, struct ledger *ledger)
{
	struct relays *rs = calloc(1, sizeof(*rs));

	if (rs == NULL)
		return NULL;
	rs->loop = loop;
	rs->cfg = cfg;
	rs->ledger = ledger;
	if (getrandom(&rs->chance, sizeof(rs->chance), 0) < 0 ||
	    rs->chance == 0)
		rs->chance = TEXT_HASH;
	rs->dial = dial_new(loop, cfg);
	if (rs->dial == NULL) {
		free(rs);
		return NULL;
	}
	return rs;
}

void
relays_warm(struct relays *rs)
{
	dial_warm(rs->dial);
}

void
relays_free(struct relays *rs)
{
	if (rs == NULL)
		return;
	dial_free(rs->dial);
	free(rs);
}

size_t
relays_live(const struct relays *rs)
{
	return rs->live;
}

/* xorshift64 (Marsaglia 2003): chance for routing, nothing secret. */
static uint64_t
chance(struct relays *rs)
{
	rs->chance ^= rs->chance << 13;
	rs->chance ^= rs->chance >> 7;
	rs->chance ^= rs->chance << 17;
	return rs->chance;
}

static const struct config_provider *
provider_of(const struct relay *r)
{
	const struct config *c = r->rs->cfg;

	return &c->providers[c->lanes[r->lane].provider];
}

static const struct config_model *
model_of(const struct relay *r)
{
	const struct config *c = r->rs->cfg;

	return &c->models[c->lanes[r->lane].model];
}

/* Give out b, and note that the client heard something. */
static void
put(struct relay *r, struct buf *b)
{
	if (b->len > 0)
		r->told = loop_now(r->rs->loop);
	answer_put(&r->answer, b);
}

/* ---- the end ---- */

static void
log_end(struct relay *r, int status)
{
	const struct config *c = r->rs->cfg;

	log_open(LOG_INFO, "request");
	log_str("id", r->ask.http->id);
	log_str("route", r->ask.route);
	if (r->ask.client != LEDGER_NOBODY)
		log_str("client", c->clients[r->ask.client].name);
	if (r->seek.attempts > 0) {
		log_str("provider", provider_of(r)->name);
		log_str("model", model_of(r)->id);
	}
	log_str("attempts", r->answer.trail[0] ? r->answer.trail : NULL);
	log_int("status", status);
	if (r->fault.code != FAULT_NONE)
		log_str("code", fault_word(r->fault.code));
	if (r->good && r->reply.prompt >= 0) {
		log_int("tokens_in", r->reply.prompt);
		log_int("tokens_out", r->reply.completion);
	} else if (r->answer.content) {
		log_int("tokens_in", r->ask.chat.prompt);
		log_int("tokens_out", reply_estimate(&r->reply));
	}
	if (r->first_ms >= 0)
		log_int("first_ms", r->first_ms);
	log_int("ms", loop_now(r->rs->loop) - r->began);
	log_close();
}

/* Close the attempt's account: the lease and what the answer taught. */
static void
settle(struct relay *r, bool bad, bool counted, bool free_of_charge)
{
	struct ledger_end end = {
		.counted = counted, .failed = bad,
		.fallback = r->seek.attempts > 1,
		.prompt = -1, .completion = -1,
		.first_ms = bad ? -1 : r->first_ms,
	};
	struct text_time now;

	if (r->lease == 0)
		return;
	if (r->good && r->reply.prompt >= 0) {
		end.prompt = r->reply.prompt;
		end.completion = r->reply.completion;
		ledger_learn(r->rs->ledger, r->lane, r->ask.chat.prompt,
		    end.prompt);
	} else if (r->good && r->reply.bytes > 0) {
		end.prompt = ledger_estimate(r->rs->ledger, r->lane,
		    r->ask.chat.prompt);
		end.completion = reply_estimate(&r->reply);
	} else if (free_of_charge) {
		end.prompt = end.completion = 0;
	}
	text_clock(&now);
	ledger_settle(r->rs->ledger, &now, r->lease, &end);
	r->lease = 0;
}

/* Drop what belongs to one attempt, from any state. */
static void
attempt_end(struct relay *r)
{
	if (r->fetch != NULL)
		fetch_cancel(r->fetch);
	r->fetch = NULL;
	if (r->demo != NULL)
		demo_cancel(r->demo);
	r->demo = NULL;
	if (r->good)
		reply_release(&r->reply);
	r->good = false;
	buf_release(&r->head);
	buf_release(&r->error);
	buf_clear(&r->out);
	r->status = 0;
	r->due_tail = 0;
}

static void
relay_free(struct relay *r)
{
	attempt_end(r);
	loop_timer_cancel(r->rs->loop, &r->timer);
	loop_unpost(r->rs->loop, &r->step);
	buf_release(&r->sent);
	buf_release(&r->out);
	r->rs->live--;
	free(r->ask.body);
	seek_release(&r->seek);
	free(r);
}

static void
relay_end(struct relay *r, int status, bool whole)
{
	struct sink *sink = r->answer.sink;

	settle(r, r->fault.code != FAULT_NONE, true, false);
	log_end(r, status);
	relay_free(r);
	sink->end(sink, whole);
}

/* The answer is whole. */
static void
relay_done(struct relay *r)
{
	r->fault.code = FAULT_NONE;
	relay_end(r, 200, true);
}

/* It is not, and no lane is left: r->fault goes to the client. */
static void
relay_fail(struct relay *r)
{
	bool whole;
	int status = answer_fault(&r->answer, &r->fault, &whole);

	relay_end(r, status, whole);
}

void
relay_gone(struct relay *r)
{
	bool sent = r->status != 0 || r->fetch != NULL || r->demo != NULL;

	fault_set(&r->fault, FAULT_NONE, NULL, "the client left");
	settle(r, false, sent, false);
	log_end(r, 499);		/* nginx's word for it */
	relay_free(r);
}

/* ---- the choice ---- */

/* How long it waits for room at most: as the route says, or less. */
static int64_t
max_wait(const struct relay *r)
{
	int64_t most = r->seek.route->max_wait_ms, own;
	const char *word = r->ask.http->max_wait;

	if (word == NULL || text_duration(word, strlen(word), 1000, &own) != 0)
		return most;
	return own < most ? own : most;
}

/* Room comes before max-wait is over: wait for it, holding nothing. */
static bool
wait_for_room(struct relay *r, const struct text_time *now)
{
	int64_t ms = seek_wait(&r->seek, now);

	if (ms < 0)
		return false;
	/* Time to get ready: its turn is then not lost to one who is. */
	dial_warm(r->rs->dial);
	r->wait_room = true;
	r->room = now->mono + ms;
	clock_set(r);
	return r->timer.place != 0;
}

/* Call the next lane, wait for room, or give up. */
static void
ask_next(struct relay *r)
{
	struct text_time now;
	struct fault f;
	size_t lane;

	text_clock(&now);
	if (seek_next(&r->seek, &now, &lane, &r->lease) == 0) {
		if (r->dear)
			budget_again(&r->rs->budget, now.mono);
		attempt(r, lane);
	} else if (!wait_for_room(r, &now)) {
		seek_fault(&r->seek, &now, &r->fault, r->answer.trail, &f);
		r->fault = f;
		relay_fail(r);
	}
}

static void
on_step(struct loop_task *t)
{
	struct relay *r = (struct relay *)((char *)t -
	    offsetof(struct relay, step));

	ask_next(r);
}

/* ---- the clocks ---- */

/* Milliseconds until the upstream counts as too slow. A JSON answer comes in
 * one piece when all of it is made, so its first byte may take as long as that
 * of a slow model. */
static int64_t
upstream_due(const struct relay *r, bool *first)
{
	const struct config_provider *p = provider_of(r);
	int64_t due;

	*first = !r->good || r->reply.open == 0;
	if (r->status != 0 && !r->good)
		return r->heard + RELAY_ERROR_MS;	/* see on_body */
	if (r->answer.full)
		return INT64_MAX;
	if (*first)
		due = r->called + (model_of(r)->slow ||
		    r->answer.mode == REPLY_JSON ? 4 : 1) * (int64_t)p->first_ms;
	else
		due = r->heard + p->idle_ms;
	if (r->called + p->total_ms < due)
		due = r->called + p->total_ms;
	if (*first && r->called + r->share < due)
		due = r->called + r->share;
	return due;
}

static void
clock_set(struct relay *r)
{
	int64_t due = INT64_MAX, beat;
	bool first;

	if (r->due_tail != 0)
		due = r->due_tail;
	else if (r->wait_room)
		due = r->room;
	else if (r->fetch != NULL || r->demo != NULL)
		due = upstream_due(r, &first);
	beat = r->told + r->rs->cfg->heartbeat_ms;
	if (r->answer.mode == REPLY_SSE && r->rs->cfg->heartbeat_ms > 0 &&
	    !r->answer.full && beat < due)
		due = beat;
	if (due == INT64_MAX)
		loop_timer_cancel(r->rs->loop, &r->timer);
	else
		(void)loop_timer_set(r->rs->loop, &r->timer, due);
}


static void
on_clock(struct loop_timer *t)
{
	struct relay *r = (struct relay *)((char *)t -
	    offsetof(struct relay, timer));
	int64_t now = loop_now(r->rs->loop);
	struct text_time clock;
	bool first;

	if (r->wait_again) {
		r->wait_again = false;
		text_clock(&clock);
		if (seek_again(&r->seek, &clock, r->lane, &r->lease) == 0) {
			attempt(r, r->lane);
		} else {
			r->again = false;
			ask_next(r);
		}
		return;
	}
	if (r->wait_room && now >= r->room) {
		r->wait_room = false;
		text_clock(&clock);
		seek_order(&r->seek, &clock, chance(r->rs));
		ask_next(r);
		return;
	}
	if (r->due_tail != 0 && now >= r->due_tail) {
		relay_done(r);
		return;
	}
	if ((r->fetch != NULL || r->demo != NULL) && r->due_tail == 0 &&
	    now >= upstream_due(r, &first)) {
		if (r->status != 0 && !r->good)
			refused(r, FAULT_NONE);
		else
			failed(r, &(struct provider_answer){
				.net = FAULT_UPSTREAM_TIMEOUT });
		return;
	}
	if (r->answer.mode == REPLY_SSE && r->rs->cfg->heartbeat_ms > 0 &&
	    now >= r->told + r->rs->cfg->heartbeat_ms) {
		r->told = now;
		answer_beat(&r->answer);
	}
	clock_set(r);
}

/* ---- the upstream's side ---- */

/* Hand on what reply made. The first content decides: from here on the body
 * is not needed again. */
static void
pass_on(struct relay *r)
{
	if (!r->reply.content && !r->reply.done)
		return;
	if (!r->answer.content) {
		r->answer.content = true;
		r->first_ms = loop_now(r->rs->loop) - r->called;
		answer_trail(&r->answer, provider_of(r)->name, "ok");
		answer_head(&r->answer, provider_of(r)->name, model_of(r)->id);
		clock_set(r);
		free(r->ask.body);
		r->ask.body = NULL;
	}
	put(r, &r->out);
}

static void
reply_failed(struct relay *r)
{
	failed(r, &(struct provider_answer){
		.status = r->reply.status, .net = r->reply.fault.code,
		.body = r->reply.error.data, .body_len = r->reply.error.len,
	});
}

/* An answer that is an error, as far as it came. */
static void
refused(struct relay *r, enum fault_code net)
{
	failed(r, &(struct provider_answer){
		.status = r->status, .net = net,
		.head = r->head.data, .head_len = r->head.len,
		.body = r->error.data, .body_len = r->error.len,
	});
}

static void
on_head(void *arg, int status, const char *head, size_t n)
{
	struct relay *r = arg;
	struct quota_seen seen[RELAY_SEEN];
	struct text_time now;
	size_t k;

	r->status = status;
	r->heard = loop_now(r->rs->loop);
	text_clock(&now);
	k = provider_observe(provider_of(r), head, n, now.wall, seen,
	    RELAY_SEEN);
	if (k > 0)
		ledger_observe(r->rs->ledger, &now, r->lane, LEDGER_LANE, seen,
		    k);
	if (status != 200) {
		(void)buf_put(&r->head, head, n);
		clock_set(r);
		return;
	}
	reply_init(&r->reply, &(struct reply_spec){
		.mode = r->answer.mode, .want_usage = r->ask.chat.want_usage,
		.relevo = r->ask.tell ? r->relevo : NULL,
		.max_event = RELAY_EVENT, .max_json = RELAY_JSON,
	});
	r->good = true;
	reply_head(&r->reply, head, n);
	if (r->reply.failed)
		reply_failed(r);
}

static bool
on_body(void *arg, const char *p, size_t n)
{
	struct relay *r = arg;

	if (!r->good) {
		size_t room = r->error.max - r->error.len;

		/* It does not count as heard: some errors never end. */
		(void)buf_put(&r->error, p, n < room ? n : room);
		if (n >= room)
			refused(r, FAULT_NONE);
		return false;
	}
	r->heard = loop_now(r->rs->loop);
	if (r->due_tail != 0)
		return false;
	reply_feed(&r->reply, p, n, &r->out);
	if (r->reply.failed || r->out.failed) {
		pass_on(r);
		reply_failed(r);
		return false;
	}
	pass_on(r);
	if (r->reply.done) {
		/* Whole. The upstream gets a moment to end its transfer, so
		 * that the connection can be used again. */
		r->due_tail = loop_now(r->rs->loop) + RELAY_TAIL_MS;
		clock_set(r);
	}
	return r->answer.full;
}

static const enum fault_code net_fault[] = {
	[FETCH_OK] = FAULT_NONE,
	[FETCH_REFUSED] = FAULT_UPSTREAM_REFUSED,
	[FETCH_TIMEOUT] = FAULT_UPSTREAM_TIMEOUT,
	[FETCH_CUT] = FAULT_UPSTREAM_CUT,
	[FETCH_MALFORMED] = FAULT_UPSTREAM_MALFORMED,
	[FETCH_MEMORY] = FAULT_INTERNAL,
};

static void
on_done(void *arg, enum fetch_result result, const char *detail)
{
	struct relay *r = arg;

	r->fetch = NULL;
	r->demo = NULL;
	if (detail[0] != '\0' && r->due_tail == 0)
		log_msg(LOG_DEBUG, "upstream", "%s: %s", provider_of(r)->name,
		    detail);
	if (r->due_tail != 0) {
		relay_done(r);
		return;
	}
	if (r->good) {
		reply_end(&r->reply, result == FETCH_OK, &r->out);
		pass_on(r);
		if (r->reply.done)
			relay_done(r);
		else
			reply_failed(r);
		return;
	}
	refused(r, net_fault[result]);
}

static const struct fetch_events upstream = { on_head, on_body, on_done };

/* ---- one attempt ---- */

static void
describe(struct relay *r)
{
	struct buf b;
	struct json_out w = { &b, false };
	char trail[600];

	snprintf(trail, sizeof(trail), "%s%s%s:ok", r->answer.trail,
	    r->answer.trail[0] ? "," : "", provider_of(r)->name);
	buf_init(&b, sizeof(r->relevo) - 1);
	json_open(&w, NULL, '{');
	json_put(&w, "provider", provider_of(r)->name);
	json_put(&w, "model", model_of(r)->id);
	json_put(&w, "attempts", trail);
	json_close(&w, '}');
	if (b.failed)
		strcpy(r->relevo, "{}");
	else
		strcpy(r->relevo, buf_str(&b));
	buf_release(&b);
}

/* The time for an attempt until it gives content: what is left of the time for
 * all, split over those that may still come. */
static void
take_share(struct relay *r)
{
	int64_t more = (int64_t)(r->seek.open - r->seek.next);

	if (r->until == 0)
		r->until = r->called + provider_of(r)->total_ms;
	if (more > r->seek.route->attempts - r->seek.attempts)
		more = r->seek.route->attempts - r->seek.attempts;
	if (!r->seek.route->fallback)
		more = 0;
	r->share = budget_share(r->until - r->called, more + 1);
}

/* Call lane: r->lease is held, r->sent is made anew unless this is its second
 * try. */
static void
attempt(struct relay *r, size_t lane)
{
	struct relays *rs = r->rs;
	const struct config_lane *l = &rs->cfg->lanes[lane];
	const struct config_provider *p = &rs->cfg->providers[l->provider];
	const struct config_model *m = &rs->cfg->models[l->model];
	bool stream = r->answer.mode != REPLY_JSON;

	r->lane = lane;
	r->called = r->heard = loop_now(rs->loop);
	take_share(r);
	describe(r);
	if (!r->again) {
		buf_clear(&r->sent);
		if (provider_body(p, m, &r->ask.chat, r->ask.body, r->ask.len,
		    stream, &r->sent) != 0)
			goto fail;
	}
	if (p->demo)
		r->demo = demo_fetch(rs->loop, m->id, r->sent.data,
		    r->sent.len, stream, &upstream, r);
	else
		r->fetch = dial_fetch(rs->dial, lane, r->sent.data,
		    r->sent.len, &upstream, r);
	if (r->fetch == NULL && r->demo == NULL)
		goto fail;
	clock_set(r);
	return;
fail:
	failed(r, &(struct provider_answer){ .net = FAULT_INTERNAL });
}

static void
bar(struct relay *r, const struct provider_verdict *v)
{
	static const enum ledger_scope scopes[] = {
		[PROVIDER_LANE] = LEDGER_LANE, [PROVIDER_MODEL] = LEDGER_MODEL,
		[PROVIDER_KEY] = LEDGER_KEY, [PROVIDER_ACCOUNT] =
		LEDGER_ACCOUNT,
	};
	struct text_time now;
	char at[24];

	if (v->scope == PROVIDER_NONE || v->until == 0)
		return;
	text_clock(&now);
	text_iso(at, v->until);
	log_msg(LOG_WARN, "barred", "%s: %s until %s (%s)", model_of(r)->name,
	    quota_word(v->reason), at, v->row);
	ledger_bar(r->rs->ledger, &now, r->lane, scopes[v->scope], v->reason,
	    v->until);
	seek_note(&r->seek, &(struct quota_answer){ v->reason, v->until });
}

/* Take out the member that the provider does not know; once more. */
static bool
strip(struct relay *r, const char *member)
{
	struct buf b;
	bool ok;

	buf_init(&b, r->sent.max);
	ok = provider_strip(r->sent.data, r->sent.len, member, &b) == 0;
	if (ok) {
		buf_release(&r->sent);
		r->sent = b;
	} else {
		buf_release(&b);
	}
	return ok;
}

/* The attempt came to nothing, in whatever way. Before content the next lane
 * is tried in silence; after it the client is told. */
static void
failed(struct relay *r, const struct provider_answer *a)
{
	struct provider_verdict v;
	struct text_time now;
	char word[24];

	text_clock(&now);
	provider_judge(provider_of(r), model_of(r), a, now.wall, &v);
	if (a->net == FAULT_INTERNAL) {
		/* Memory or descriptors are short here: not the lane's fault,
		 * and the next one would fare no better. */
		v = (struct provider_verdict){ .action = PROVIDER_FAIL,
		    .row = "local" };
		fault_set(&v.fault, FAULT_OVERLOADED, NULL,
		    "the gateway is short of memory or descriptors");
	}
	/* Some providers quote the key that they refuse. */
	log_redact(v.fault.message, strlen(v.fault.message));
	if (a->status != 0 && a->status != 200)
		snprintf(word, sizeof(word), "%d", a->status);
	else
		snprintf(word, sizeof(word), "%s", fault_word(v.fault.code));
	bar(r, &v);
	r->fault = v.fault;
	if (r->answer.content) {
		relay_fail(r);
		return;
	}
	if ((v.action == PROVIDER_SAME || v.action == PROVIDER_STRIP) &&
	    !r->again && (v.action == PROVIDER_SAME || strip(r, v.strip))) {
		/* A call of its own for the provider, so a lease of its own. */
		settle(r, false, provider_of(r)->counts_failures, true);
		attempt_end(r);
		r->again = r->wait_again = true;
		(void)loop_timer_set(r->rs->loop, &r->timer,
		    loop_now(r->rs->loop) + v.wait_ms);
		return;
	}
	answer_trail(&r->answer, provider_of(r)->name, word);
	settle(r, v.breaker, provider_of(r)->counts_failures,
	    a->net != FAULT_UPSTREAM_TIMEOUT && a->net != FAULT_UPSTREAM_CUT);
	attempt_end(r);
	r->again = false;
	if (v.action == PROVIDER_LARGER && model_of(r)->context > r->seek.larger)
		r->seek.larger = model_of(r)->context;
	/* A limit that was hit is told once and barred; only what fails could
	 * go on and on. */
	r->dear = v.breaker;
	if (v.action == PROVIDER_FAIL || (r->dear &&
	    !budget_may(&r->rs->budget, loop_now(r->rs->loop)))) {
		relay_fail(r);
		return;
	}
	loop_post(r->rs->loop, &r->step);
}

/* ---- from outside ---- */

struct relay *
relay_start(struct relays *rs, const struct relay_ask *ask, struct sink *sink)
{
	struct relay *r = calloc(1, sizeof(*r));
	struct text_time now;

	if (r == NULL)
		goto fail;
	r->ask = *ask;
	if (seek_init(&r->seek, rs->cfg, rs->ledger, ask->alias, &r->ask.chat,
	    ask->client) != 0)
		goto fail;
	text_clock(&now);
	r->seek.patience = now.mono + max_wait(r);
	seek_order(&r->seek, &now, chance(rs));
	budget_asked(&rs->budget, now.mono);
	r->rs = rs;
	r->answer = (struct answer){ .sink = sink, .http = ask->http,
	    .origins = rs->cfg->origins, .mode = ask->text ? REPLY_TEXT :
	    ask->chat.stream ? REPLY_SSE : REPLY_JSON };
	r->timer.fire = on_clock;
	r->step.run = on_step;
	r->began = r->told = loop_now(rs->loop);
	r->first_ms = -1;
	r->fault.retry_ms = -1;
	buf_init(&r->sent, ask->len + 64 * 1024);
	buf_init(&r->head, RELAY_ERROR);
	buf_init(&r->error, RELAY_ERROR);
	buf_init(&r->out, RELAY_OUT);
	rs->live++;
	/* Not from here: the front has not stored r yet when sink->end comes. */
	loop_post(rs->loop, &r->step);
	return r;
fail:
	free(r);
	free(ask->body);
	return NULL;
}

void
relay_drained(struct relay *r)
{
	if (!r->answer.full)
		return;
	r->answer.full = false;
	r->heard = r->told = loop_now(r->rs->loop);
	clock_set(r);
	if (r->fetch != NULL)
		fetch_resume(r->fetch);
	else if (r->demo != NULL)
		demo_resume(r->demo);
}
