#include "gate.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE	60000
#define DAY	86400000LL

void
gate_free(struct gate *g)
{
	for (int a = 0; a < GATE_ACCOUNTS; a++)
		free(g->state[a].uses);
}

/* The day before the simulation begins is number 0. */
static size_t
day_of(const struct gate *g, int64_t t)
{
	int64_t n = (t - g->zone + DAY) / DAY;

	return n < 0 ? 0 : n >= GATE_DAYS ? GATE_DAYS - 1 : (size_t)n;
}

static int64_t
day_left(const struct gate *g, int64_t t)
{
	return DAY - (t - g->zone + DAY) % DAY;
}

static void
pass(const struct gate *g, struct gate_state *s, int64_t t)
{
	double rate = (double)g->max / MINUTE;

	for (; s->first < s->end && s->uses[s->first].at <= t - MINUTE;
	    s->first++)
		s->sum -= s->uses[s->first].n;
	if (s->filled == 0 && g->kind == GATE_BUCKET)
		s->level = (double)g->max;
	s->level += rate * (double)(t - s->filled);
	if (s->level > (double)g->max)
		s->level = (double)g->max;
	s->filled = t;
}

/* Until enough of the minute's oldest uses are out of it. */
static int64_t
minute_wait(const struct gate *g, const struct gate_state *s, int64_t t,
    int64_t n)
{
	int64_t over = s->sum + n - g->max;
	size_t i;

	for (i = s->first; i < s->end && over > 0; i++)
		over -= s->uses[i].n;
	return i == s->first ? 0 : s->uses[i - 1].at + MINUTE - t;
}

int64_t
gate_wait(struct gate *g, enum gate_account a, int64_t t, int64_t n)
{
	struct gate_state *s = &g->state[a];
	double lacks;

	if (!g->tokens)
		n = 1;
	if (n > g->max)
		return INT64_MAX;
	pass(g, s, t);
	switch (g->kind) {
	case GATE_MINUTE:
		return minute_wait(g, s, t, n);
	case GATE_BUCKET:
		lacks = (double)n - s->level;
		return lacks <= 1e-6 ? 0 :
		    (int64_t)(lacks * MINUTE / (double)g->max) + 1;
	case GATE_DAY:
		return g->day[a][day_of(g, t)] + n <= g->max ? 0 :
		    day_left(g, t);
	default:
		return 0;
	}
}

static void
append(struct gate_state *s, int64_t t, int64_t n)
{
	if (s->end == s->room) {
		s->room = s->room > 0 ? 2 * s->room : 64;
		s->uses = realloc(s->uses, s->room * sizeof(*s->uses));
		if (s->uses == NULL)
			abort();
	}
	s->uses[s->end++] = (struct gate_use){ t, n };
	s->sum += n;
}

void
gate_use(struct gate *g, enum gate_account a, int64_t t, int64_t n)
{
	struct gate_state *s = &g->state[a];

	if (!g->tokens)
		n = 1;
	pass(g, s, t);
	if (g->kind == GATE_MINUTE)
		append(s, t, n);
	s->level -= (double)n;
	g->day[a][day_of(g, t)] += n;
}

void
gate_refund(struct gate *g, enum gate_account a, int64_t at, int64_t n)
{
	struct gate_state *s = &g->state[a];

	if (!g->tokens || n <= 0)
		return;
	for (size_t i = s->end; i-- > s->first; )
		if (s->uses[i].at == at && s->uses[i].n >= n) {
			s->uses[i].n -= n;
			s->sum -= n;
			break;
		}
	s->level += (double)n;
	if (s->level > (double)g->max)
		s->level = (double)g->max;
	g->day[a][day_of(g, at)] -= n;
}

double
gate_wasted(const struct gate *g, int64_t t)
{
	size_t d = day_of(g, t);
	int64_t also = g->day[GATE_ALSO][d] - g->day[GATE_TRUE][d];
	int64_t left = g->max - g->day[GATE_TRUE][d];

	if (g->kind != GATE_DAY || also <= 0 || left >= also)
		return 1;
	return left <= 0 ? 0 : (double)left / (double)also;
}
