#include "route.h"

#include <fnmatch.h>
#include <string.h>

#include "config.h"
#include "text.h"

/* One lane in the running. Lanes of one model stand together in an alias, so
 * a run of them is the model. */
struct seat {
	const struct config_model *model;
	const struct quota_view *view;	/* NULL: not looked at */
	struct quota_answer answer;
	uint64_t	 rank[4];	/* lower goes first; then `at` */
	uint16_t	 at;		/* in the alias */
	uint16_t	 key;
	uint16_t	 place;		/* of its model among its tier's */
	uint16_t	 nth, of;	/* which of its model's open lanes */
};

struct tier {
	const struct route_ask *ask;
	struct seat	*seats;
	size_t		 n, models;
};

/* ---- sorting ---- */

static bool
before(const struct seat *a, const struct seat *b)
{
	size_t i;

	for (i = 0; i < 4; i++)
		if (a->rank[i] != b->rank[i])
			return a->rank[i] < b->rank[i];
	return a->at < b->at;
}

static void
sift(struct seat *s, size_t i, size_t n)
{
	struct seat moved = s[i];
	size_t child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && before(&s[child], &s[child + 1]))
			child++;
		if (!before(&moved, &s[child]))
			break;
		s[i] = s[child];
		i = child;
	}
	s[i] = moved;
}

/* A heap sort: qsort may allocate, and an insertion sort of a thousand lanes
 * would cost more than the rest of a request. */
static void
sort(struct seat *s, size_t n)
{
	struct seat last;
	size_t i;

	for (i = n / 2; i-- > 0; )
		sift(s, i, n);
	for (i = n; i-- > 1; ) {
		last = s[i];
		s[i] = s[0];
		s[0] = last;
		sift(s, 0, i);
	}
}

/* ---- numbers ---- */

/* Spreads every bit over all (the finalizer of SplitMix64, Steele, Lea and
 * Flood 2014). */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* place, when the row of n begins at `first`. */
static uint64_t
turned(size_t place, size_t n, uint64_t first)
{
	return (place + n - (size_t)(first % n)) % n;
}

/* ---- strategies: each fills the ranks of a tier ---- */

/* Every model once, then every model by its next key: a second try goes to
 * another model first, for what failed is more often the model than the key.
 * The keys of a model take turns once the models have. */
static void
round_robin(struct tier *t)
{
	uint64_t turn = t->ask->turn;
	struct seat *s;

	for (s = t->seats; s < t->seats + t->n; s++) {
		s->rank[0] = turned(s->nth, s->of, turn / t->models);
		s->rank[1] = turned(s->place, t->models, turn);
	}
}

static void
by_chance(struct tier *t)
{
	uint64_t chance = t->ask->chance;
	struct seat *s;

	for (s = t->seats; s < t->seats + t->n; s++) {
		s->rank[0] = turned(s->nth, s->of,
		    mix(~chance ^ s->place) >> 32);
		s->rank[1] = mix(chance + mix(s->place));
	}
}

/* The fewest requests today, then the fewest in flight. */
static void
least_used(struct tier *t)
{
	struct seat *s;

	for (s = t->seats; s < t->seats + t->n; s++) {
		if (s->view != NULL) {
			s->rank[0] = (uint64_t)s->view->requests;
			s->rank[1] = (uint64_t)s->view->inflight;
		}
		s->rank[2] = turned(s->place, t->models, t->ask->turn);
		s->rank[3] = turned(s->nth, s->of, t->ask->turn / t->models);
	}
}

#define SCALE	(UINT64_C(1) << 24)	/* of a cycle's half */

/* How many of its slots a model of this weight is due by time x of a cycle
 * that lasts 2 * SCALE: its k-th slot lies in the middle of the k-th of
 * `weight` equal parts (the order of Webster's apportionment). */
static uint64_t
due(const struct seat *s, uint64_t x)
{
	return (x * (uint64_t)s->model->weight / SCALE + 1) / 2;
}

static uint64_t
all_due(const struct tier *t, uint64_t x)
{
	const struct seat *s;
	uint64_t sum = 0;

	for (s = t->seats; s < t->seats + t->n; s++)
		if (s->nth == 0)
			sum += due(s, x);
	return sum;
}

/* The place of the model that has slot `slot` of the cycle: by bisection, so
 * that there is nothing to remember between two turns. (A step of the golden
 * section through the slots is simpler and exact too, but was up to 12 behind
 * for weights of 500 : 500.) */
static size_t
holder(const struct tier *t, uint64_t slot)
{
	uint64_t low = 0, high = 2 * SCALE, mid, sum;
	const struct seat *s;

	while (high - low > 1) {
		mid = (low + high) / 2;
		if (all_due(t, mid) > slot)
			high = mid;
		else
			low = mid;
	}
	sum = all_due(t, low);
	for (s = t->seats; s < t->seats + t->n; s++)
		if (s->nth == 0 &&
		    (sum += due(s, high) - due(s, low)) > slot)
			return s->place;
	return 0;
}

/* Each model has as many slots of a cycle as its weight, evenly spread, so
 * the shares are exact over a cycle. The next tries: the heavier first. */
static void
weighted(struct tier *t)
{
	uint64_t sum = all_due(t, 2 * SCALE);
	struct seat *s;
	size_t first;

	if (sum == 0)
		return;
	first = holder(t, t->ask->turn % sum);
	for (s = t->seats; s < t->seats + t->n; s++) {
		s->rank[0] = turned(s->nth, s->of, t->ask->turn / sum);
		s->rank[1] = s->place != first;
		s->rank[2] = UINT64_MAX - (uint64_t)s->model->weight;
		s->rank[3] = turned(s->place, t->models, t->ask->turn);
	}
}

/* The shortest time to the first content. One that nobody has tried yet goes
 * first, but last while its first request is under way: a burst must not all
 * go to what may be slow. */
static void
fastest(struct tier *t)
{
	struct seat *s;

	for (s = t->seats; s < t->seats + t->n; s++) {
		if (s->view != NULL)
			s->rank[0] = s->view->first_ms > 0 ?
			    (uint64_t)s->view->first_ms :
			    s->view->inflight > 0 ? UINT64_MAX : 0;
		s->rank[1] = turned(s->place, t->models, t->ask->turn);
		s->rank[2] = turned(s->nth, s->of, t->ask->turn / t->models);
	}
}

/* How many abilities a seat would waste: those that the request does not need
 * and most models of the tier lack. */
static uint64_t
spare(const struct tier *t, const struct seat *s)
{
	static const unsigned bits[] = { CONFIG_CAN_TOOLS, CONFIG_CAN_VISION,
	    CONFIG_CAN_JSON, CONFIG_CAN_AUDIO };
	const struct seat *o;
	uint64_t n = 0;
	size_t i, have;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (!(s->model->can & bits[i]) || (t->ask->needs & bits[i]))
			continue;
		have = 0;
		for (o = t->seats; o < t->seats + t->n; o++)
			have += o->nth == 0 && (o->model->can & bits[i]);
		n += 2 * have < t->models;
	}
	return n;
}

/* What lapses soonest unused goes first (to the minute: windows that end
 * together are weighed by how full they are); models that can what few can
 * are kept for those who need it. */
static void
headroom(struct tier *t)
{
	uint64_t waste = 0;
	struct seat *s;

	for (s = t->seats; s < t->seats + t->n; s++) {
		if (s->nth == 0)
			waste = spare(t, s);
		s->rank[0] = waste;
		if (s->view != NULL) {
			s->rank[1] = s->view->unused != 0 ?
			    (uint64_t)(s->view->resets / 60000) : UINT64_MAX;
			s->rank[2] = s->view->pressure > 0 ?
			    (uint64_t)(s->view->pressure * 1000000) : 0;
		}
		s->rank[3] = turned(s->place, t->models, t->ask->turn) *
		    s->of + turned(s->nth, s->of, t->ask->turn / t->models);
	}
}

static const struct {
	void	(*rank)(struct tier *);
	bool	 looks;			/* at views */
} strategies[CONFIG_STRATEGIES] = {
	[CONFIG_ROUND_ROBIN] = { round_robin, false },
	[CONFIG_RANDOM] = { by_chance, false },
	[CONFIG_LEAST_USED] = { least_used, true },
	[CONFIG_WEIGHTED] = { weighted, false },
	[CONFIG_FASTEST] = { fastest, true },
	[CONFIG_HEADROOM] = { headroom, true },
};

bool
route_needs_view(const struct config *c, const struct config_alias *a)
{
	return strategies[c->routes[a->route].strategy].looks;
}

/* ---- filters ---- */

bool
route_allowed(char *const *patterns, const char *name)
{
	if (patterns == NULL)
		return true;
	for (; *patterns != NULL; patterns++)
		if (fnmatch(*patterns, name, 0) == 0)
			return true;
	return false;
}

/* Why a model does not come into question, QUOTA_OPEN if it does. */
static enum quota_reason
unfit(const struct route_ask *ask, const struct config_model *m)
{
	if (m->off != NULL || !route_allowed(ask->allowed, m->name))
		return QUOTA_OFF;
	if (ask->needs & ~m->can & ~(unsigned)CONFIG_CAN_REASONING)
		return QUOTA_CANNOT;
	if (m->context > 0 && ask->tokens > m->context)
		return QUOTA_CONTEXT;
	return QUOTA_OPEN;
}

/* ---- the order ---- */

/* Number the models of a tier and the lanes of each model. */
static void
number(struct tier *t)
{
	size_t i, k, end;

	t->models = 0;
	for (i = 0; i < t->n; i = end) {
		for (end = i; end < t->n &&
		    t->seats[end].model == t->seats[i].model; end++)
			;
		for (k = i; k < end; k++) {
			t->seats[k].place = (uint16_t)t->models;
			t->seats[k].nth = (uint16_t)(k - i);
			t->seats[k].of = (uint16_t)(end - i);
		}
		t->models++;
	}
}

/* The same conversation goes to the same model, and there to the same key,
 * while that is open (a warm prompt cache; one voice); and when it is not, no
 * other conversation moves: rendezvous hashing (Thaler, Ravishankar 1998). */
static void
stick(struct tier *t)
{
	uint64_t model, key, most = 0, most_key = 0;
	size_t i, best = 0;
	struct seat s;

	for (i = 0; i < t->n; i++) {
		model = mix(mix(t->ask->thread) ^ text_hash(TEXT_HASH,
		    t->seats[i].model->name, strlen(t->seats[i].model->name)));
		key = mix(model + t->seats[i].key);
		if (model > most || (model == most && key > most_key)) {
			most = model;
			most_key = key;
			best = i;
		}
	}
	s = t->seats[best];
	memmove(t->seats + 1, t->seats, best * sizeof(s));
	t->seats[0] = s;
}

/* The open seats, in their order: lower tiers first, whatever the strategy. */
static void
order(const struct config_route *route, const struct route_ask *ask,
    struct seat *seats, size_t n)
{
	struct tier t = { .ask = ask };
	size_t i, end;

	for (i = 0; i < n; i++)
		seats[i].rank[0] = (uint64_t)((int64_t)seats[i].model->tier -
		    INT32_MIN);
	sort(seats, n);
	for (i = 0; i < n; i = end) {
		for (end = i; end < n &&
		    seats[end].model->tier == seats[i].model->tier; end++)
			seats[end].rank[0] = 0;
		t.seats = seats + i;
		t.n = end - i;
		number(&t);
		strategies[route->strategy].rank(&t);
		sort(t.seats, t.n);
		if (i == 0 && route->sticky && ask->thread != 0)
			stick(&t);
	}
}

static void
seat(struct seat *s, const struct config *c, const struct route_ask *ask,
    const struct quota_view *views, size_t i)
{
	const struct config_lane *l = &c->lanes[ask->alias->lanes[i]];
	enum quota_reason why;

	memset(s, 0, sizeof(*s));
	s->at = (uint16_t)i;
	s->key = l->key;
	s->model = &c->models[l->model];
	s->view = views != NULL ? &views[i] : NULL;
	why = unfit(ask, s->model);
	if (why != QUOTA_OPEN)
		s->answer = (struct quota_answer){ why, INT64_MAX, 0 };
	else if (views != NULL && views[i].answer.reason != QUOTA_OPEN)
		s->answer = views[i].answer;
}

size_t
route_order(const struct config *c, const struct route_ask *ask,
    const struct quota_view *views, struct route_pick *picks)
{
	const struct config_alias *a = ask->alias;
	size_t n = a->nlanes < ROUTE_LANES ? a->nlanes : ROUTE_LANES;
	struct seat seats[ROUTE_LANES], s;
	size_t i, open = 0, shut = n;

	for (i = 0; i < n; i++) {
		seat(&s, c, ask, views, i);
		s.rank[0] = (uint64_t)s.answer.until;
		seats[s.answer.reason == QUOTA_OPEN ? open++ : --shut] = s;
	}
	order(&c->routes[a->route], ask, seats, open);
	sort(seats + shut, n - shut);
	for (i = 0; i < n; i++)
		picks[i] = (struct route_pick){ a->lanes[seats[i].at],
		    seats[i].answer };
	for (; i < a->nlanes; i++)
		picks[i] = (struct route_pick){ a->lanes[i],
		    { QUOTA_OFF, INT64_MAX, 0 } };
	return open;
}
