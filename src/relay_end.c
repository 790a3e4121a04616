#include "relay_own.h"

#include <stdlib.h>

#include "http.h"
#include "ledger.h"
#include "log.h"
#include "reply.h"
#include "text.h"

void
relay_put(struct relay *r, struct buf *b)
{
	if (b->len > 0)
		r->told = loop_now(r->rs->loop);
	answer_put(&r->answer, b);
}

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
		log_str("provider", relay_provider(r)->name);
		log_str("model", relay_model(r)->id);
	}
	log_str("attempts", r->answer.trail[0] ? r->answer.trail : NULL);
	log_int("status", status);
	if (r->fault.code != FAULT_NONE)
		log_str("code", fault_word(r->fault.code));
	if (r->call.good && r->call.reply.prompt >= 0) {
		log_int("tokens_in", r->call.reply.prompt);
		log_int("tokens_out", r->call.reply.completion);
	} else if (r->answer.content) {
		log_int("tokens_in", r->ask.chat.prompt);
		log_int("tokens_out", reply_estimate(&r->call.reply));
	}
	if (r->first_ms >= 0)
		log_int("first_ms", r->first_ms);
	log_int("ms", loop_now(r->rs->loop) - r->began);
	log_close();
}

void
relay_settle(struct relay *r, enum lesson is, bool counted, bool free_of_charge)
{
	struct ledger_end end = {
		.counted = counted, .asked = is != UNKNOWN, .failed = is == BAD,
		.unknown = is == UNKNOWN, .fallback = r->seek.attempts > 1,
		.prompt = -1, .completion = -1,
		.first_ms = is == BAD ? -1 : r->first_ms,
	};
	struct text_time now;

	if (r->lease == 0)
		return;
	if (r->call.good && r->call.reply.prompt >= 0) {
		end.prompt = r->call.reply.prompt;
		end.completion = r->call.reply.completion;
		end.raw = r->ask.chat.prompt;
	} else if (r->call.good && (r->call.reply.bytes > 0 ||
	    r->call.reply.fault.code == FAULT_UPSTREAM_EMPTY)) {
		end.prompt = ledger_estimate(r->rs->ledger, r->lane,
		    r->ask.chat.prompt);
		end.completion = reply_estimate(&r->call.reply);
	} else if (free_of_charge) {
		end.prompt = end.completion = 0;
	}
	text_clock(&now);
	ledger_settle(r->rs->ledger, &now, r->lease, &end);
	r->lease = 0;
}

static void
relay_free(struct relay *r)
{
	call_release(&r->call);
	loop_timer_cancel(r->rs->loop, &r->timer);
	loop_unpost(r->rs->loop, &r->step);
	r->rs->live--;
	free(r->ask.body);
	buf_release(&r->who);
	seek_release(&r->seek);
	free(r);
}

static void
relay_end(struct relay *r, int status, bool whole)
{
	struct sink *sink = r->answer.sink;

	relay_settle(r, r->fault.code == FAULT_NONE ? GOOD :
	    r->fault.code == FAULT_OVERLOADED ? UNKNOWN : BAD, true, false);
	log_end(r, status);
	relay_free(r);
	sink->end(sink, whole);
}

void
relay_whole(void *arg)
{
	struct relay *r = arg;

	if (!r->answer.headed) {
		relay_stop(r);
		return;
	}
	r->fault.code = FAULT_NONE;
	relay_end(r, 200, true);
}

void
relay_fail(struct relay *r)
{
	bool whole;
	int status;

	/* What was held back before content stays so: with it the body would
	 * stand before the head. */
	if (r->answer.content) {
		reply_break(&r->call.reply, &r->call.out);
		relay_put(r, &r->call.out);
	}
	status = answer_fault(&r->answer, &r->fault, &whole);
	relay_end(r, status, whole);
}

void
relay_gone(struct relay *r)
{
	fault_set(&r->fault, FAULT_NONE, NULL, "the client left");
	relay_settle(r, r->answer.content ? GOOD : UNKNOWN, call_live(&r->call),
	    false);
	/* Behind [DONE] it has what it wanted, and need not wait for the end
	 * of the upstream's transfer; 499 is nginx's word for the others. */
	log_end(r, r->call.tail != 0 && !r->answer.full ? 200 : 499);
	relay_free(r);
}

void
relay_stop(struct relay *r)
{
	if (r->answer.headed && call_complete(&r->call)) {
		call_late(&r->call);
		return;
	}
	relay_settle(r, r->answer.content ? GOOD : UNKNOWN,
	    r->answer.content || call_live(&r->call), false);
	fault_set(&r->fault, FAULT_OVERLOADED, NULL,
	    "the gateway had to break the answer off; ask again");
	r->fault.retry_ms = 1000;
	relay_fail(r);
}
