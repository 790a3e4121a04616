#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "buf.h"
#include "dial.h"
#include "http.h"
#include "ledger.h"
#include "log.h"
#include "provider.h"
#include "relay_own.h"
#include "reply.h"
#include "text.h"

#define RELAY_EVENT	(1024 * 1024)	/* bytes of one event */
#define RELAY_JSON	(16 * 1024 * 1024)	/* bytes of a JSON answer */
#define RELAY_SEEN	8	/* limits told by one head */
#define RELAY_WHO	1023	/* bytes of JSON about who answers */

static void	attempt(struct relay *r, size_t lane);
static void	on_failed(void *arg, const struct provider_answer *a);
static void	clock_set(void *arg);

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

/* ---- the choice ---- */

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
	return true;
}

static void
attempt_next(struct relay *r, const struct text_time *now, size_t lane)
{
	if (r->dear)
		budget_again(&r->rs->budget, now->mono);
	attempt(r, lane);
}

/* Call the next lane, wait for room, try one that is barred, or give up. */
static void
ask_next(struct relay *r)
{
	struct text_time now;
	struct fault f;
	size_t lane;

	text_clock(&now);
	r->answer.dared = false;
	if (seek_next(&r->seek, &now, &lane, &r->lease) == 0) {
		attempt_next(r, &now, lane);
	} else if (wait_for_room(r, &now)) {
		return;
	} else if (seek_dare(&r->seek, &now, &lane, &r->lease) == 0) {
		r->answer.dared = true;
		attempt_next(r, &now, lane);
	} else {
		seek_fault(&r->seek, &now, &r->fault, r->answer.trail, &f);
		r->fault = f;
		relay_fail(r);
	}
}

static void
on_step(struct loop_task *t)
{
	struct relay *r = LOOP_OWNER(t, struct relay, step);

	if (r->answer.content)
		relay_stop(r);		/* see on_out */
	else
		ask_next(r);
}

/* ---- the clocks ---- */

/* Whether silence is filled with comments: not behind [DONE], not on top of
 * what the client does not take as it is, and not with a head for lost content.
 */
static bool
beats(const struct relay *r)
{
	return r->answer.mode == REPLY_SSE && r->rs->cfg->heartbeat_ms > 0 &&
	    r->call.tail == 0 && !r->answer.full &&
	    (r->answer.headed || !r->answer.content);
}

/* The timer has its place on the loop from the first to the last, so that this
 * cannot fail: a call without a clock might never end. */
static void
clock_set(void *arg)
{
	struct relay *r = arg;
	int64_t due = INT64_MAX, beat;

	if (r->wait_room)
		due = r->room;
	else if (call_live(&r->call))
		due = call_due(&r->call);
	beat = r->told + r->rs->cfg->heartbeat_ms;
	if (beats(r) && beat < due)
		due = beat;
	(void)loop_timer_set(r->rs->loop, &r->timer, due);
}

static void
on_clock(struct loop_timer *t)
{
	struct relay *r = LOOP_OWNER(t, struct relay, timer);
	int64_t now = loop_now(r->rs->loop);
	struct text_time clock;

	(void)loop_timer_set(r->rs->loop, t, INT64_MAX);
	if (r->wait_again) {
		r->wait_again = false;
		text_clock(&clock);
		r->again = seek_again(&r->seek, &clock, r->lane,
		    &r->lease) == 0;
		if (r->again)
			attempt(r, r->lane);
		else
			ask_next(r);
		return;
	}
	if (r->wait_room && now >= r->room) {
		r->wait_room = false;
		text_clock(&clock);
		seek_order(&r->seek, &clock, seek_chance(&r->rs->chance));
		ask_next(r);
		return;
	}
	if (call_live(&r->call) && now >= call_due(&r->call)) {
		call_late(&r->call);
		return;
	}
	if (beats(r) && now >= r->told + r->rs->cfg->heartbeat_ms) {
		r->told = now;
		/* Not into the middle of an event. */
		if (!r->call.reply.part)
			answer_beat(&r->answer);
	}
	clock_set(r);
}

/* ---- one attempt ---- */

static void
on_head(void *arg, const char *head, size_t n)
{
	struct relay *r = arg;
	struct quota_seen seen[RELAY_SEEN];
	struct text_time now;
	size_t k;

	text_clock(&now);
	k = provider_observe(relay_provider(r), head, n, now.wall, seen,
	    RELAY_SEEN);
	if (k > 0)
		ledger_observe(r->rs->ledger, &now, r->lane, LEDGER_LANE, seen,
		    k);
	clock_set(r);
}

/* The first content decides: from here on the client's body is not needed
 * again, and there is no way back. */
static bool
on_out(void *arg)
{
	struct relay *r = arg;
	bool first = !r->answer.content;
	struct text_time now;

	if (first) {
		if (ledger_probes(r->lease)) {
			text_clock(&now);
			ledger_good(r->rs->ledger, &now, r->lease);
		}
		r->answer.content = true;
		r->first_ms = loop_now(r->rs->loop) - r->call.began;
		answer_trail(&r->answer, relay_provider(r)->name, "ok");
		answer_head(&r->answer, relay_provider(r)->name,
		    relay_model(r)->id);
		free(r->ask.body);
		r->ask.body = NULL;
		/* Not from here: the call is under way. */
		if (!r->answer.headed)
			loop_post(r->rs->loop, &r->step);
	}
	relay_put(r, &r->call.out);
	if (first || r->call.tail != 0)
		clock_set(r);
	return r->answer.full;
}

/* The time for an attempt until it gives content: what is left of the time for
 * all, split over those that may still come. */
static int64_t
share_of(struct relay *r)
{
	int64_t more = (int64_t)(r->seek.open - r->seek.next);
	int64_t now = loop_now(r->rs->loop);

	if (r->until == 0)
		r->until = now + relay_provider(r)->total_ms;
	if (more > r->seek.route->attempts - r->seek.attempts)
		more = r->seek.route->attempts - r->seek.attempts;
	if (!r->seek.route->fallback)
		more = 0;
	return budget_share(r->until - now, more + 1);
}

/* Call lane: r->lease is held, and the body is made anew unless this is the
 * lane's second try. */
static void
attempt(struct relay *r, size_t lane)
{
	const char *who = NULL;

	r->lane = lane;
	if (r->ask.tell) {
		answer_who(&r->answer, relay_provider(r)->name,
		    relay_model(r)->id, &r->who);
		who = r->who.failed ? "{}" : buf_str(&r->who);
	}
	if ((r->again || call_write(&r->call, relay_provider(r), relay_model(r),
	    &r->ask.chat, r->ask.body, r->ask.len, r->answer.mode) == 0) &&
	    call_start(&r->call, lane, &(struct reply_spec){
		.mode = r->answer.mode, .want_usage = r->ask.chat.want_usage,
		.choices = r->ask.chat.choices < 64 ? r->ask.chat.choices : 64,
		.relevo = who,
		.max_event = RELAY_EVENT, .max_json = RELAY_JSON,
	    }, share_of(r)) == 0)
		clock_set(r);
	else
		on_failed(r, &(struct provider_answer){
			.net = FAULT_INTERNAL });
}

static void
bar(struct relay *r, const struct provider_verdict *v)
{
	static const enum ledger_scope scopes[] = {
		[PROVIDER_LANE] = LEDGER_LANE, [PROVIDER_MODEL] = LEDGER_MODEL,
		[PROVIDER_KEY] = LEDGER_KEY, [PROVIDER_ACCOUNT] =
		LEDGER_ACCOUNT,
	};
	const struct quota_ban ban = { v->reason, v->until, v->guess };
	struct text_time now;
	char at[24];

	if (v->scope == PROVIDER_NONE || v->until == 0)
		return;
	text_clock(&now);
	text_iso(at, v->until);
	log_msg(LOG_WARN, "barred", "%s: %s until %s (%s)",
	    relay_model(r)->name, quota_word(v->reason), at, v->row);
	ledger_bar(r->rs->ledger, &now, r->lane, scopes[v->scope], &ban);
	seek_barred(&r->seek, &now, r->lane, &ban);
}

/* Whether the provider has counted an attempt that came to nothing: one that
 * it began to answer, yes. */
static bool
was_counted(const struct relay *r, enum fault_code net)
{
	return relay_provider(r)->counts_failures || (r->call.good &&
	    (net == FAULT_UPSTREAM_EMPTY || net == FAULT_UPSTREAM_CUT ||
	    net == FAULT_UPSTREAM_TIMEOUT));
}

/* The attempt came to nothing, in whatever way. Before content the next lane
 * is tried in silence; after it the client is told. */
static void
on_failed(void *arg, const struct provider_answer *a)
{
	struct relay *r = arg;
	struct provider_verdict v;
	struct text_time now;
	char word[24];

	text_clock(&now);
	provider_judge(relay_provider(r), a, now.wall, &v);
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
	    !r->again && (v.action == PROVIDER_SAME ||
	    call_strip(&r->call, v.strip) == 0)) {
		/* A call of its own for the provider, so a lease of its own. */
		relay_settle(r, GOOD, relay_provider(r)->counts_failures, true);
		call_drop(&r->call);
		r->again = r->wait_again = true;
		(void)loop_timer_set(r->rs->loop, &r->timer,
		    loop_now(r->rs->loop) + v.wait_ms);
		return;
	}
	answer_trail(&r->answer, relay_provider(r)->name, word);
	relay_settle(r, v.breaker ? BAD :
	    a->net == FAULT_INTERNAL ? UNKNOWN : GOOD, was_counted(r, a->net),
	    a->net != FAULT_UPSTREAM_TIMEOUT && a->net != FAULT_UPSTREAM_CUT);
	call_drop(&r->call);
	r->again = false;
	if (v.action == PROVIDER_LARGER &&
	    relay_model(r)->context > r->seek.larger)
		r->seek.larger = relay_model(r)->context;
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

static const struct call_events events = { on_head, clock_set, on_out,
    relay_whole, on_failed };

/* ---- from outside ---- */

struct relay *
relay_start(struct relays *rs, const struct relay_ask *ask, struct sink *sink)
{
	struct relay *r = malloc(sizeof(*r));
	struct text_time now;

	if (r == NULL)
		goto fail;
	*r = (struct relay){ .rs = rs, .ask = *ask, .first_ms = -1,
	    .fault.retry_ms = -1, .timer.fire = on_clock, .step.run = on_step,
	    .answer = { .sink = sink, .http = ask->http,
	    .origins = rs->cfg->origins, .mode = ask->text ? REPLY_TEXT :
	    ask->chat.stream ? REPLY_SSE : REPLY_JSON } };
	if (loop_timer_set(rs->loop, &r->timer, INT64_MAX) != 0)
		goto fail;
	if (seek_init(&r->seek, rs->cfg, rs->ledger, ask->alias, &r->ask.chat,
	    ask->client) != 0) {
		loop_timer_cancel(rs->loop, &r->timer);
		goto fail;
	}
	text_clock(&now);
	r->seek.patience = now.mono + seek_max_wait(r->seek.route,
	    ask->http->max_wait);
	seek_order(&r->seek, &now, seek_chance(&rs->chance));
	budget_asked(&rs->budget, now.mono);
	r->began = r->told = loop_now(rs->loop);
	buf_init(&r->who, RELAY_WHO);
	call_init(&r->call, rs->loop, rs->dial, ask->len, &events, r);
	rs->live++;
	/* Not from here: the front has not stored r when sink->end comes. */
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
	r->told = loop_now(r->rs->loop);
	/* The clocks are set after it: it may end us. */
	(void)loop_timer_set(r->rs->loop, &r->timer, r->told);
	if (r->call.paused)
		call_resume(&r->call);
}
