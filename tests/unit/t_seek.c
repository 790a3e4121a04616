#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/seek.c"

#include <signal.h>
#include <sys/wait.h>

#include "fault.h"
#include "line.h"
#include "loaded.h"
#include "slot.h"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */

/* Two processes' worth of ledgers on one file: their locks are of the open
 * file, so they are as strange to each other as two processes. */
struct world {
	struct loaded	 at;
	char		 dir[32];
	struct ledger	*l[2];
	struct text_time now;
};

static struct ledger *
attach(const struct world *w)
{
	struct ledger *l = ledger_open(w->at.c, &w->now);

	assert_non_null(l);
	assert_null(ledger_health(l));
	return l;
}

static void
world(struct world *w, const char *text)
{
	char all[2048];

	strcpy(w->dir, "/tmp/t_seekXXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(all, sizeof(all), "server { state = \"%s/s\" access = open }"
	    "\nroute { max-wait = 1m }\n"
	    "provider p { url = https://p.example/v1 key = k1 }\n%s",
	    w->dir, text);
	loaded_text(&w->at, all);
	if (w->at.c == NULL)
		fail_msg("%s", buf_str(&w->at.errors));
	w->now = (struct text_time){ T0, 1000000 };
	w->l[0] = attach(w);
	w->l[1] = attach(w);
}

static void
world_end(struct world *w)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", w->dir);
	ledger_close(w->l[0]);
	ledger_close(w->l[1]);
	loaded_free(&w->at);
	assert_int_equal(system(cmd), 0);
}

static void
go(struct world *w, int64_t ms)
{
	w->now.wall += ms;
	w->now.mono += ms;
}

/* One request. */
struct request {
	struct chat	 chat;
	struct seek	 s;
	int64_t		 due;		/* mono; it looks then */
	int		 state;		/* 0 waits, 1 served, -1 refused */
	size_t		 lane;
	uint64_t	 lease;
};

static void
look_again(struct world *w, struct request *q)
{
	int64_t ms;

	seek_order(&q->s, &w->now, 7);
	if (seek_next(&q->s, &w->now, &q->lane, &q->lease) == 0) {
		q->state = 1;
		return;
	}
	ms = seek_wait(&q->s, &w->now);
	if (ms < 0)
		q->state = seek_dare(&q->s, &w->now, &q->lane, &q->lease) == 0 ?
		    1 : -1;
	else
		q->due = w->now.mono + ms;
}

static void
come_as(struct world *w, struct request *q, int process, const char *model,
    int64_t patience, size_t client, unsigned needs)
{
	memset(q, 0, sizeof(*q));
	q->chat.prompt = 10;
	q->chat.output = 10;
	q->chat.needs = needs;
	assert_int_equal(seek_init(&q->s, w->at.c, w->l[process],
	    config_find(w->at.c, model), &q->chat, client), 0);
	q->s.patience = w->now.mono + patience;
	look_again(w, q);
}

static void
come(struct world *w, struct request *q, int process, int64_t patience)
{
	come_as(w, q, process, "m", patience, LEDGER_NOBODY, 0);
}

/* One for any model is served at once, by this lane. */
static void
gets(struct world *w, struct request *q, int process, int64_t patience,
    size_t lane)
{
	come_as(w, q, process, "auto", patience, LEDGER_NOBODY, 0);
	assert_int_equal(q->state, 1);
	assert_int_equal(q->lane, lane);
}

/* Time goes on until nobody waits: who is due looks. Writes the order in which
 * they were served, by number, into `order`; how many. */
static size_t
run(struct world *w, struct request *q, size_t n, size_t *order)
{
	size_t i, served = 0, next;

	for (;;) {
		next = n;
		for (i = 0; i < n; i++)
			if (q[i].state == 0 && (next == n ||
			    q[i].due < q[next].due))
				next = i;
		if (next == n)
			return served;
		if (q[next].due > w->now.mono)
			go(w, q[next].due - w->now.mono);
		look_again(w, &q[next]);
		if (q[next].state == 1)
			order[served++] = next;
	}
}

static void
settle(struct world *w, int process, struct request *q)
{
	ledger_settle(w->l[process], &w->now, q->lease, &(struct ledger_end){
	    .counted = true, .prompt = 5, .completion = 5, .first_ms = 10 });
}

static void
release(struct request *q, size_t n)
{
	while (n-- > 0)
		seek_release(&q[n].s);
}

/* ---- waiting ---- */

/* Ten wait for five slots a minute, in two processes: in the order in which
 * they came, in two minutes' bursts. */
static void
in_order(void **state)
{
	size_t order[10], i, n;
	struct request q[15];
	struct world w;
	int64_t t;

	(void)state;
	world(&w, "model p/m { rpm = 5 }\n");
	for (i = 0; i < 5; i++) {
		come(&w, &q[i], 0, 0);
		assert_int_equal(q[i].state, 1);
		settle(&w, 0, &q[i]);
	}
	t = w.now.mono;
	for (i = 5; i < 15; i++) {
		come(&w, &q[i], (int)(i * 7 % 3 % 2), 130000);
		assert_int_equal(q[i].state, 0);
		go(&w, 3);
	}
	assert_int_equal(ledger_waiting(w.l[0]), 10);
	n = run(&w, q + 5, 10, order);
	assert_int_equal(n, 10);
	for (i = 0; i < 10; i++)
		assert_int_equal(order[i], i);
	/* Nobody waited longer than it had to. */
	assert_in_range(w.now.mono - t, 120000, 122200);
	assert_int_equal(ledger_waiting(w.l[1]), 0);
	release(q, 15);
	world_end(&w);
}

/* A newcomer does not slip in between, wherever it comes from; who may not
 * wait takes what is free. */
static void
newcomers(void **state)
{
	struct request q[5];
	struct world w;
	size_t order[5];

	(void)state;
	world(&w, "model p/m { rpm = 1 }\n");
	come(&w, &q[0], 0, 0);
	come(&w, &q[1], 0, 60000 * 2);
	assert_int_equal(q[1].state, 0);
	/* The slot is free again, its turn comes in a moment. */
	go(&w, q[1].due - w.now.mono);
	come(&w, &q[2], 1, 60000 * 3);
	assert_int_equal(q[2].state, 0);
	assert_true(q[2].due - w.now.mono <= 50);
	assert_int_equal(seek_ahead(&q[2].s, &w.now), 1);
	assert_int_equal(run(&w, q + 1, 2, order), 2);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1);
	/* another round, for one that does not wait */
	come(&w, &q[3], 0, 60000 * 2);
	go(&w, q[3].due - w.now.mono);
	come(&w, &q[4], 1, 0);
	assert_int_equal(q[4].state, 1);
	release(q, 5);
	world_end(&w);
}

/* One leaves: the others do not wait for it. */
static void
one_leaves(void **state)
{
	struct request q[4];
	struct world w;
	size_t order[4];

	(void)state;
	world(&w, "model p/m { rpm = 1 }\n");
	come(&w, &q[0], 0, 0);
	come(&w, &q[1], 0, 100000);
	come(&w, &q[2], 1, 100000);
	seek_release(&q[1].s);
	assert_int_equal(seek_ahead(&q[2].s, &w.now), 0);
	assert_int_equal(ledger_waiting(w.l[0]), 1);
	assert_int_equal(run(&w, q + 2, 1, order), 1);
	release(q, 3);
	world_end(&w);
}

/* A killed process stands in nobody's way, a stopped one for a second. */
static void
killed(void **state)
{
	struct request q[3];
	struct world w;
	size_t order[3];
	int64_t t;
	int status;
	pid_t pid;

	(void)state;
	world(&w, "model p/m { rpm = 1 }\n");
	come(&w, &q[0], 0, 0);
	t = w.now.mono;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct world mine = w;

		/* The fork's own file: what it inherits lives on here. */
		mine.l[0] = attach(&mine);
		come(&mine, &q[1], 0, 100000);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ledger_waiting(w.l[0]), 1);
	go(&w, 5);
	come(&w, &q[2], 1, 100000);
	assert_int_equal(seek_ahead(&q[2].s, &w.now), 1);
	assert_int_equal(run(&w, q + 2, 1, order), 1);
	assert_true(w.now.mono - t >= 60000);
	assert_true(w.now.mono - t <= 61300);
	assert_int_equal(ledger_waiting(w.l[0]), 0);
	seek_release(&q[0].s);
	seek_release(&q[2].s);
	world_end(&w);
}

static void
stopped(void **state)
{
	struct request q[3];
	struct world w;
	size_t order[3];
	int64_t due;

	(void)state;
	world(&w, "model p/m { rpm = 1 }\n");
	come(&w, &q[0], 0, 0);
	come(&w, &q[1], 0, 200000);
	come(&w, &q[2], 1, 200000);
	due = q[1].due;
	/* q[1] does not come. */
	assert_int_equal(run(&w, q + 2, 1, order), 1);
	assert_true(w.now.mono > due + LINE_GRACE);
	assert_true(w.now.mono < due + LINE_GRACE + 500);
	/* It kept its place: it is first of those who came since. */
	seek_release(&q[0].s);
	come(&w, &q[0], 0, 200000);
	assert_int_equal(seek_ahead(&q[1].s, &w.now), 0);
	assert_int_equal(seek_ahead(&q[0].s, &w.now), 0);
	look_again(&w, &q[1]);
	assert_int_equal(q[1].state, 0);
	assert_int_equal(seek_ahead(&q[0].s, &w.now), 1);
	release(q, 3);
	world_end(&w);
}

/* Who waits for something else is in nobody's way. */
static void
other_lines(void **state)
{
	struct request q[6];
	struct world w;

	(void)state;
	world(&w, "model p/m { rpm = 9 }\n"
	    "model p/eye { rpm = 1 can = {vision} }\n"
	    "client bot { token = \"blake2b:00000000000000000000000000000000"
	    "000000000000000000000000000000aa\" rpm = 1 }\n");
	come_as(&w, &q[0], 0, "auto", 9, LEDGER_NOBODY, CONFIG_CAN_VISION);
	assert_int_equal(q[0].state, 1);
	come_as(&w, &q[1], 0, "auto", 100000, LEDGER_NOBODY,
	    CONFIG_CAN_VISION);
	assert_int_equal(q[1].state, 0);
	come_as(&w, &q[2], 1, "auto", 100000, LEDGER_NOBODY, 0);
	assert_int_equal(q[2].state, 1);
	/* a client at its own limit */
	come_as(&w, &q[3], 0, "auto", 100000, 0, 0);
	come_as(&w, &q[4], 0, "auto", 100000, 0, 0);
	assert_int_equal(q[3].state, 1);
	assert_int_equal(q[4].state, 0);
	come_as(&w, &q[5], 1, "auto", 100000, LEDGER_NOBODY, 0);
	assert_int_equal(q[5].state, 1);
	release(q, 6);
	world_end(&w);
}

/* Who is held up to the end of its patience looks past the line: better out of
 * turn than refused beside a free slot. */
static void
last_look(void **state)
{
	struct request q[3];
	struct world w;
	size_t order[3];

	(void)state;
	world(&w, "model p/m { tpm = 1000 }\n");
	come(&w, &q[0], 0, 0);
	settle(&w, 0, &q[0]);
	/* a long one has to wait for an empty minute */
	memset(&q[1], 0, sizeof(q[1]));
	q[1].chat.prompt = 800;
	q[1].chat.output = 150;
	assert_int_equal(seek_init(&q[1].s, w.at.c, w.l[0],
	    config_find(w.at.c, "m"), &q[1].chat, LEDGER_NOBODY), 0);
	q[1].s.patience = w.now.mono + 100000;
	look_again(&w, &q[1]);
	assert_int_equal(q[1].state, 0);
	/* a short one waits behind it, not longer than it may */
	come(&w, &q[2], 1, 5000);
	assert_int_equal(q[2].state, 0);
	assert_int_equal(run(&w, q + 2, 1, order), 1);
	assert_int_equal(w.now.mono, 1000000 + 5000);
	release(q, 3);
	world_end(&w);
}

static void
not_within(void **state)
{
	struct request q[3];
	struct fault f, none = { .code = FAULT_NONE };
	struct world w;

	(void)state;
	world(&w, "model p/m { rpm = 1 }\n");
	come(&w, &q[0], 0, 0);
	/* refused at once, with the true time, and in no line */
	come(&w, &q[1], 0, 10000);
	assert_int_equal(q[1].state, -1);
	assert_int_equal(ledger_waiting(w.l[0]), 0);
	seek_fault(&q[1].s, &w.now, &none, "", &f);
	assert_int_equal(f.status, 429);
	assert_int_equal(f.code, FAULT_RATE_LIMITED);
	assert_true(f.retry_ms >= 59000 && f.retry_ms <= 61000);
	go(&w, f.retry_ms);
	come(&w, &q[2], 0, 0);
	assert_int_equal(q[2].state, 1);
	release(q, 3);
	world_end(&w);
}

/* The soonest is of a lane that has room for all of the request, not of one
 * that would refuse it then. */
static void
true_soonest(void **state)
{
	struct request q[3];
	struct fault f, none = { .code = FAULT_NONE };
	struct world w;

	(void)state;
	world(&w, "model p/m { rpm = 1 tpm = 1500 }\n");
	/* 1,400 tokens first, and 30 s later the request of the minute */
	memset(&q[0], 0, sizeof(q[0]));
	q[0].chat.prompt = 10;
	q[0].chat.output = 1400;
	assert_int_equal(seek_init(&q[0].s, w.at.c, w.l[0],
	    config_find(w.at.c, "m"), &q[0].chat, LEDGER_NOBODY), 0);
	look_again(&w, &q[0]);
	assert_int_equal(q[0].state, 1);
	go(&w, 1000);
	come(&w, &q[1], 0, 0);
	assert_int_equal(q[1].state, -1);
	seek_fault(&q[1].s, &w.now, &none, "", &f);
	go(&w, f.retry_ms - 1);
	come(&w, &q[2], 0, 0);
	assert_int_equal(q[2].state, -1);
	seek_release(&q[2].s);
	go(&w, 1);
	come(&w, &q[2], 0, 0);
	assert_int_equal(q[2].state, 1);
	release(q, 3);
	world_end(&w);
}

/* A table that is full: who finds no place waits all the same. */
static void
full_table(void **state)
{
	static uint64_t tickets[SLOT_PLACES];
	struct request q[2];
	struct world w;
	uint64_t more = 0;
	size_t order[2], i;

	(void)state;
	world(&w, "model p/m { rpm = 1 }\n");
	for (i = 0; i < SLOT_PLACES; i++) {
		tickets[i] = 0;
		ledger_join(w.l[0], &w.now, 99, &tickets[i], w.now.mono);
		assert_true(tickets[i] > (i > 0 ? tickets[i - 1] : 0));
	}
	ledger_join(w.l[1], &w.now, 99, &more, w.now.mono);
	assert_true(more == 0);
	come(&w, &q[0], 0, 0);
	come(&w, &q[1], 1, 100000);
	assert_int_equal(run(&w, q + 1, 1, order), 1);
	for (i = 0; i < SLOT_PLACES; i++)
		ledger_leave(w.l[0], tickets[i]);
	assert_int_equal(ledger_waiting(w.l[0]), 0);
	/* what is no ticket (any more) changes nothing */
	ledger_leave(w.l[0], tickets[5]);
	ledger_leave(w.l[0], UINT64_MAX);
	ledger_leave(w.l[0], 0);
	assert_int_equal(ledger_waiting(w.l[0]), 0);
	release(q, 2);
	world_end(&w);
}

/* ---- the walk ---- */

static void
once_each(void **state)
{
	struct request q;
	struct world w;
	bool met[3] = { false };
	size_t i;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { }\nmodel p/c { }\n");
	come_as(&w, &q, 0, "auto", 0, LEDGER_NOBODY, 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(q.state, 1);
		assert_false(met[q.lane]);
		met[q.lane] = true;
		settle(&w, 0, &q);
		if (i < 2)
			assert_int_equal(seek_next(&q.s, &w.now, &q.lane,
			    &q.lease), 0);
	}
	assert_int_equal(seek_next(&q.s, &w.now, &q.lane, &q.lease), -1);
	assert_int_equal(seek_wait(&q.s, &w.now), -1);
	release(&q, 1);
	world_end(&w);
}

/* A request that waits and orders its lanes again has one turn. */
static void
one_turn(void **state)
{
	struct request q[2];
	struct world w;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { }\nmodel p/c { }\n");
	come_as(&w, &q[0], 0, "auto", 0, LEDGER_NOBODY, 0);
	assert_int_equal(q[0].lane, 0);
	seek_order(&q[0].s, &w.now, 1);
	seek_order(&q[0].s, &w.now, 1);
	seek_foresee(&q[0].s, &w.now, 1);
	gets(&w, &q[1], 1, 0, 1);
	release(q, 2);
	world_end(&w);
}

/* ---- what is barred for failures ---- */

static void
guess(struct world *w, size_t lane, int64_t ms)
{
	ledger_bar(w->l[0], &w->now, lane, LEDGER_LANE, &(struct quota_ban){
	    QUOTA_DOWN, w->now.wall + ms, true });
}

static void
settle_bad(struct world *w, int process, struct request *q)
{
	ledger_settle(w->l[process], &w->now, q->lease, &(struct ledger_end){
	    .failed = true, .prompt = -1, .completion = -1, .first_ms = -1 });
}

static void
settle_asked(struct world *w, uint64_t lease)
{
	ledger_settle(w->l[0], &w->now, lease, &(struct ledger_end){
	    .asked = true, .failed = true, .prompt = -1, .completion = -1,
	    .first_ms = -1 });
}

/* It is refused, and told to come back in that many ms. */
static void
refused(struct world *w, struct request *q, int64_t ms)
{
	struct fault f, none = { .code = FAULT_NONE };

	assert_int_equal(q->state, -1);
	seek_fault(&q->s, &w->now, &none, "", &f);
	assert_int_equal(f.code, FAULT_ALL_FAILED);
	assert_int_equal(f.retry_ms, ms);
}

/* The only lane is tried though barred: one at a time, over all processes, and
 * a second after the last, then two; what was served opens it for all. */
static void
only_lane(void **state)
{
	struct request q[8];
	struct world w;

	(void)state;
	world(&w, "model p/m { }\n");
	guess(&w, 0, 60000);
	come(&w, &q[0], 0, 0);
	assert_int_equal(q[0].state, 1);
	come(&w, &q[1], 1, 30000);
	refused(&w, &q[1], 1000);
	go(&w, 5000);
	come(&w, &q[2], 1, 0);		/* it is still out */
	refused(&w, &q[2], 1000);
	settle_bad(&w, 0, &q[0]);
	come(&w, &q[3], 1, 0);
	assert_int_equal(q[3].state, 1);
	go(&w, 300);
	settle_bad(&w, 1, &q[3]);
	come(&w, &q[4], 0, 0);
	refused(&w, &q[4], 1700);
	go(&w, 1700);
	come(&w, &q[5], 0, 0);
	assert_int_equal(q[5].state, 1);
	settle(&w, 0, &q[5]);
	come(&w, &q[6], 0, 0);
	come(&w, &q[7], 1, 0);
	assert_int_equal(q[6].state, 1);
	assert_int_equal(q[7].state, 1);
	release(q, 8);
	world_end(&w);
}

/* Not while another is open, nor while one frees that is worth the wait; the
 * one whose bar ends soonest goes first. */
static void
last_resort(void **state)
{
	struct request q[3];
	struct world w;
	uint64_t lease;
	size_t lane;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { rpm = 1 }\nmodel p/c { }\n");
	guess(&w, 0, 9000);
	guess(&w, 2, 8000);
	gets(&w, &q[0], 0, 60000, 1);
	/* b has room again in a minute */
	come_as(&w, &q[1], 1, "auto", 70000, LEDGER_NOBODY, 0);
	assert_int_equal(q[1].state, 0);
	gets(&w, &q[2], 1, 5000, 2);
	/* and when that fails, in the same request, the other one */
	settle_bad(&w, 1, &q[2]);
	assert_int_equal(seek_next(&q[2].s, &w.now, &lane, &lease), -1);
	assert_int_equal(seek_dare(&q[2].s, &w.now, &lane, &lease), 0);
	assert_int_equal(lane, 0);
	assert_int_equal(seek_dare(&q[2].s, &w.now, &lane, &lease), -1);
	release(q, 3);
	world_end(&w);
}

/* Another is quicker: it is not asked for that one again, but for the next. */
static void
dared_meanwhile(void **state)
{
	struct request q[2];
	struct world w;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { }\n");
	guess(&w, 0, 8000);
	guess(&w, 1, 9000);
	memset(q, 0, sizeof(q));
	q[0].chat.prompt = 10;
	assert_int_equal(seek_init(&q[0].s, w.at.c, w.l[0],
	    config_find(w.at.c, "auto"), &q[0].chat, LEDGER_NOBODY), 0);
	seek_order(&q[0].s, &w.now, 7);
	assert_int_equal(seek_next(&q[0].s, &w.now, &q[0].lane, &q[0].lease),
	    -1);
	gets(&w, &q[1], 1, 0, 0);
	assert_int_equal(seek_dare(&q[0].s, &w.now, &q[0].lane, &q[0].lease),
	    0);
	assert_int_equal(q[0].lane, 1);
	release(q, 2);
	world_end(&w);
}

/* An attempt may last for as long as a window: what has room by then is asked,
 * before anything is dared. */
static void
asked_since(const char *models)
{
	struct request q[2];
	struct world w;
	uint64_t lease;
	size_t lane;

	world(&w, models);
	guess(&w, 0, 90000);
	guess(&w, 2, 8000);
	gets(&w, &q[0], 0, 0, 1);
	/* b is at its limit, c is dared */
	gets(&w, &q[1], 1, 0, 2);
	go(&w, 61000);
	settle_bad(&w, 1, &q[1]);
	assert_int_equal(seek_next(&q[1].s, &w.now, &lane, &lease), 0);
	assert_int_equal(lane, 1);
	/* and then there is nothing but the other bar */
	assert_int_equal(seek_next(&q[1].s, &w.now, &lane, &lease), -1);
	assert_int_equal(seek_dare(&q[1].s, &w.now, &lane, &lease), 0);
	assert_int_equal(lane, 0);
	release(q, 2);
	world_end(&w);
}

static void
room_since(void **state)
{
	(void)state;
	asked_since("model p/a { }\nmodel p/b { rpm = 1 }\nmodel p/c { }\n");
	/* this one is put among those that are open, and refused when asked */
	asked_since("model p/a { }\nmodel p/b { tpm = 50 }\nmodel p/c { }\n");
}

/* Nothing is left; what the client is told. */
static void
told(struct world *w, struct request *q, struct fault *f)
{
	struct fault none = { .code = FAULT_NONE };
	uint64_t lease;
	size_t lane;

	assert_int_equal(seek_next(&q->s, &w->now, &lane, &lease), -1);
	assert_int_equal(seek_dare(&q->s, &w->now, &lane, &lease), -1);
	seek_fault(&q->s, &w->now, &none, "", f);
}

/* Others use most of a lane's minute. */
static void
fill(struct world *w, size_t lane, int64_t tokens)
{
	struct quota_answer why;
	uint64_t lease;

	assert_int_equal(ledger_take(w->l[1], &w->now, lane, LEDGER_NOBODY,
	    tokens, &lease, &why), 0);
}

/* The order goes by what the ledger shows. */
static void
by_the_views(void **state)
{
	struct request q[3];
	struct world w;
	size_t i;

	(void)state;
	world(&w, "model p/a { rpm = 9 }\nmodel p/b { rpm = 9 }\n"
	    "route room { strategy = headroom }\n"
	    "alias roomy { models = {\"p/*\"} route = room }\n");
	for (i = 0; i < 5; i++)
		fill(&w, 0, 1);
	for (i = 0; i < 3; i++) {
		come_as(&w, &q[i], 0, "roomy", 0, LEDGER_NOBODY, 0);
		assert_int_equal(q[i].state, 1);
		assert_int_equal(q[i].lane, 1);
	}
	release(q, 3);
	world_end(&w);
}

/* The declared answer has to fit into the context beside the question. */
static void
answer_in_context(void **state)
{
	struct request q;
	struct world w;
	struct fault f;

	(void)state;
	world(&w, "model p/m { context = 100 }\n");
	for (int out = 90; out <= 91; out++) {
		memset(&q, 0, sizeof(q));
		q.chat.prompt = 10;
		q.chat.output = out;
		assert_int_equal(seek_init(&q.s, w.at.c, w.l[0],
		    config_find(w.at.c, "m"), &q.chat, LEDGER_NOBODY), 0);
		look_again(&w, &q);
		assert_int_equal(q.state, out == 90 ? 1 : -1);
		if (out > 90) {
			told(&w, &q, &f);
			assert_int_equal(f.code, FAULT_CONTEXT_LENGTH);
		}
		release(&q, 1);
	}
	world_end(&w);
}

/* What no waiting mends is not waited for, and not called a limit. */
static void
never_fits(void **state)
{
	struct request q;
	struct fault f;
	struct world w;

	(void)state;
	world(&w, "model p/m { tpm = 9 }\n"
	    "provider q { url = https://q.example key = \"\" }\n"
	    "model q/n { }\nclient u { models = {\"q/*\"} token = "
	    "\"blake2b:0000000000000000000000000000000000000000000000000000"
	    "000000000000\" }\n");
	come_as(&w, &q, 0, "m", 100000, LEDGER_NOBODY, 0);
	assert_int_equal(q.state, -1);
	told(&w, &q, &f);
	assert_int_equal(f.code, FAULT_CONTEXT_LENGTH);
	release(&q, 1);
	come_as(&w, &q, 0, "n", 100000, LEDGER_NOBODY, 0);
	assert_int_equal(q.state, -1);
	told(&w, &q, &f);
	assert_int_equal(f.code, FAULT_NO_MODELS);
	release(&q, 1);
	/* nor what the client may not use */
	come_as(&w, &q, 0, "m", 100000, 0, 0);
	assert_int_equal(q.state, -1);
	told(&w, &q, &f);
	assert_int_equal(f.code, FAULT_FORBIDDEN);
	release(&q, 1);
	world_end(&w);
}

/* Nobody knows when a running request ends: it is asked for often; but not as
 * often as for room that those before us will take. */
static void
a_busy_lane(void **state)
{
	struct request q[4];
	struct world w;

	(void)state;
	world(&w, "model p/m { concurrency = 1 }\n");
	come(&w, &q[0], 0, 0);
	come(&w, &q[1], 0, 9000);
	assert_int_equal(q[1].state, 0);
	assert_int_equal(q[1].due - w.now.mono, SEEK_BUSY);
	settle(&w, 0, &q[0]);
	come(&w, &q[2], 1, 9000);
	assert_int_equal(q[2].state, 0);
	assert_int_equal(q[2].due - w.now.mono, SEEK_POLL + SEEK_STEP);
	release(q, 3);
	world_end(&w);

	/* one is busy, in the other is room for who came before */
	world(&w, "model p/a { concurrency = 1 }\nmodel p/b { rpm = 1 }\n");
	gets(&w, &q[0], 0, 0, 0);
	gets(&w, &q[1], 0, 0, 1);
	go(&w, 60000);
	come_as(&w, &q[2], 0, "auto", 9000, LEDGER_NOBODY, 0);
	assert_int_equal(q[2].due - w.now.mono, SEEK_BUSY);
	go(&w, 1000);
	come_as(&w, &q[3], 1, "auto", 9000, LEDGER_NOBODY, 0);
	assert_int_equal(q[3].state, 0);
	assert_int_equal(q[3].due - w.now.mono, SEEK_POLL + SEEK_STEP);
	release(q, 4);
	world_end(&w);
}

/* The same lane again is a request like any other to its limits. */
static void
again_is_counted(void **state)
{
	struct request q;
	struct world w;

	(void)state;
	world(&w, "model p/m { rpm = 2 }\n");
	come(&w, &q, 0, 0);
	settle(&w, 0, &q);
	assert_int_equal(seek_again(&q.s, &w.now, q.lane, &q.lease), 0);
	settle(&w, 0, &q);
	assert_int_equal(seek_again(&q.s, &w.now, q.lane, &q.lease), -1);
	assert_int_equal(q.s.soonest.reason, QUOTA_RPM);
	release(&q, 1);
	world_end(&w);
}

/* As many lanes as the route allows, and no second one where it says so. */
static void
no_more_than(void **state)
{
	struct request q;
	struct world w;
	size_t n;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { }\nmodel p/c { }\n"
	    "route single { fallback = no }\nroute double { attempts = 2 }\n"
	    "alias one { models = {\"p/*\"} route = single }\n"
	    "alias two { models = {\"p/*\"} route = double }\n");
	for (n = 1; n <= 2; n++) {
		come_as(&w, &q, 0, n == 1 ? "one" : "two", 0, LEDGER_NOBODY,
		    0);
		assert_int_equal(q.state, 1);
		settle_bad(&w, 0, &q);
		if (n == 2) {
			assert_int_equal(seek_next(&q.s, &w.now, &q.lane,
			    &q.lease), 0);
			settle_bad(&w, 0, &q);
		}
		assert_int_equal(seek_next(&q.s, &w.now, &q.lane, &q.lease),
		    -1);
		assert_int_equal(seek_dare(&q.s, &w.now, &q.lane, &q.lease),
		    -1);
		release(&q, 1);
	}
	world_end(&w);
}

/* A lane was refused, and would be again, with a later time, when the attempt
 * at the other one came to nothing. */
static void
told_anew(void **state)
{
	struct request q;
	struct fault f;
	struct world w;

	(void)state;
	world(&w, "model p/a { tpm = 1000 }\nmodel p/b { }\n");
	fill(&w, 0, 995);
	gets(&w, &q, 0, 0, 1);
	assert_int_equal(q.s.soonest.reason, QUOTA_TPM);
	go(&w, 70000);
	fill(&w, 0, 995);
	told(&w, &q, &f);
	assert_int_equal(f.code, FAULT_RATE_LIMITED);
	assert_in_range(f.retry_ms, 59000, 61000);
	release(&q, 1);
	world_end(&w);
}

/* The time to come back has come already. */
static void
never_at_once(void **state)
{
	struct quota_ban ban = { QUOTA_RATE_MINUTE, T0 + 2000, false };
	struct request q;
	struct fault f;
	struct world w;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { }\n");
	gets(&w, &q, 0, 0, 0);
	ledger_bar(w.l[0], &w.now, 0, LEDGER_LANE, &ban);
	seek_barred(&q.s, &w.now, 0, &ban);
	settle_asked(&w, q.lease);
	assert_int_equal(seek_next(&q.s, &w.now, &q.lane, &q.lease), 0);
	go(&w, 2000);
	settle_asked(&w, q.lease);
	told(&w, &q, &f);
	assert_int_equal(f.retry_ms, 1000);
	assert_non_null(strstr(f.message, "try again in 1s"));
	release(&q, 1);
	world_end(&w);
}

/* One is at its limit, and the other, which fails, may be tried before. */
static void
limit_or_failure(void **state)
{
	struct request q;
	struct fault f;
	struct world w;

	(void)state;
	world(&w, "model p/a { rpm = 1 }\nmodel p/b { }\n");
	gets(&w, &q, 0, 0, 0);
	release(&q, 1);
	gets(&w, &q, 0, 0, 1);
	seek_barred(&q.s, &w.now, 1, &(struct quota_ban){ QUOTA_DOWN,
	    T0 + 5000, false });
	settle_asked(&w, q.lease);
	told(&w, &q, &f);
	assert_string_equal(f.message, "every model of \"auto\" is at its "
	    "limit or out of order (down); try again in 5s");
	release(&q, 1);
	world_end(&w);
}

/* A client's limits are asked once in a request: what its first attempt used up
 * neither ends the request nor is told as the reason. */
static void
clients_are_admitted_once(void **state)
{
	struct fault f, last = { .code = FAULT_UPSTREAM_CUT, .retry_ms = -1 };
	struct request q[2];
	struct world w;
	uint64_t lease;
	size_t lane, left;

	(void)state;
	world(&w, "model p/a { }\nmodel p/b { }\nmodel p/c { }\n"
	    "model p/d { }\nclient u { token = \"blake2b:00000000000000000"
	    "00000000000000000000000000000000000000000000000\" rpd = 1 }\n");
	guess(&w, 3, 9000);
	come_as(&w, &q[0], 0, "auto", 0, 0, 0);
	assert_int_equal(q[0].state, 1);
	settle_asked(&w, q[0].lease);
	/* the next one of the client has to wait for tomorrow */
	come_as(&w, &q[1], 1, "auto", 0, 0, 0);
	assert_int_equal(q[1].state, -1);
	seek_fault(&q[1].s, &w.now, &last, "", &f);
	assert_int_equal(f.code, FAULT_QUOTA);
	assert_string_equal(f.message, "this token is at its own limit (rpd); "
	    "it will reset at 2026-11-22T00:00:00Z, in 1 d");
	/* this one has two lanes more, its second try of one, and a dare */
	for (left = 2; left > 0; left--) {
		assert_int_equal(seek_next(&q[0].s, &w.now, &lane, &lease), 0);
		settle_asked(&w, lease);
		assert_int_equal(seek_again(&q[0].s, &w.now, lane, &lease), 0);
		settle_asked(&w, lease);
	}
	assert_int_equal(seek_next(&q[0].s, &w.now, &lane, &lease), -1);
	assert_int_equal(seek_dare(&q[0].s, &w.now, &lane, &lease), 0);
	assert_int_equal(lane, 3);
	settle_asked(&w, lease);
	assert_int_equal(seek_next(&q[0].s, &w.now, &lane, &lease), -1);
	seek_fault(&q[0].s, &w.now, &last, "p:cut", &f);
	assert_int_equal(f.code, FAULT_ALL_FAILED);
	release(q, 2);
	world_end(&w);
}

/* What a provider says of itself holds, for the only lane too. */
static void
given_word(void **state)
{
	static const enum quota_reason words[] = { QUOTA_RATE_MINUTE,
	    QUOTA_CAPACITY, QUOTA_BAD_KEY, QUOTA_MODEL_GONE };
	struct request q;
	struct world w;
	size_t i;

	(void)state;
	world(&w, "model p/m { }\n");
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ledger_bar(w.l[0], &w.now, 0, LEDGER_LANE, &(struct quota_ban){
		    words[i], w.now.wall + 9000, false });
		come(&w, &q, 1, 0);
		assert_int_equal(q.state, -1);
		seek_release(&q.s);
		go(&w, 9000);
	}
	world_end(&w);
}

/* The first numbers after 1, by hand from the three shifts. */
static void
test_chance(void **state)
{
	uint64_t x = 1;

	(void)state;
	assert_true(seek_chance(&x) == UINT64_C(0x40822041));
	assert_true(seek_chance(&x) == UINT64_C(0x100041060c011441));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chance),
		cmocka_unit_test(in_order),
		cmocka_unit_test(newcomers),
		cmocka_unit_test(one_leaves),
		cmocka_unit_test(killed),
		cmocka_unit_test(stopped),
		cmocka_unit_test(other_lines),
		cmocka_unit_test(last_look),
		cmocka_unit_test(not_within),
		cmocka_unit_test(true_soonest),
		cmocka_unit_test(full_table),
		cmocka_unit_test(once_each),
		cmocka_unit_test(no_more_than),
		cmocka_unit_test(again_is_counted),
		cmocka_unit_test(by_the_views),
		cmocka_unit_test(answer_in_context),
		cmocka_unit_test(never_fits),
		cmocka_unit_test(a_busy_lane),
		cmocka_unit_test(one_turn),
		cmocka_unit_test(only_lane),
		cmocka_unit_test(last_resort),
		cmocka_unit_test(dared_meanwhile),
		cmocka_unit_test(room_since),
		cmocka_unit_test(told_anew),
		cmocka_unit_test(never_at_once),
		cmocka_unit_test(limit_or_failure),
		cmocka_unit_test(clients_are_admitted_once),
		cmocka_unit_test(given_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
