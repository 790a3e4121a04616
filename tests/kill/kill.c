/* Eight processes take and settle against shared limits while they are killed
 * at random instants. At the end every lease is settled or abandoned exactly
 * once, a request that went on to another lane is one of its client's, no
 * window was ever above its limit, and the limits were used up.
 *
 *	kill [kills [seed]]
 *
 * Time runs 240 times as fast as real time, so a minute passes in 250 ms, and
 * stands still while none of the processes runs: on a machine that is stopped
 * for a while no limit can be used, and no lock is held too long. Each
 * admission is written down with the second under which the ledger counted it;
 * what was written is then checked against every position of each window. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static int still_gettime(clockid_t id, struct timespec *ts);

/* Its patience is by our clock. */
#define clock_gettime	still_gettime
#include "../../src/lock.c"
#undef clock_gettime

#include "../../src/ledger.c"

#define SPEED		240
#define STILL_US	5000		/* longer without us is no time */
#define PROCS		8
#define EVENTS		64000000	/* 2 million in 2,000 kills */
#define T0		1795219200000LL

/* FREE has no limit: it keeps the processes in the ledger's code, where the
 * kills are to land. */
enum { BY_REQUESTS, BY_TOKENS, BY_HOUR, AT_ONCE, FREE, LANES };

struct event {
	_Atomic uint32_t sec;		/* 0: not taken */
	_Atomic uint32_t tokens;
	uint32_t lane;
};

struct shared {
	_Atomic uint64_t events, taken, settled, more;
	_Atomic int64_t seen, us;	/* the clock when it was asked; ours */
	struct event event[EVENTS];
};

static struct shared *sh;
static struct config cfg;
static struct config_provider provider;
static struct config_key key;
static struct config_model model[LANES];
static struct config_lane lane[LANES];
static struct config_alias alias;
static struct config_client client = { .name = "bot" };

static void
configure(char *state)
{
	static char *ids[LANES] = { "requests", "tokens", "hour", "once",
	    "free" };
	int i, l;

	for (l = 0; l < CONFIG_LIMITS; l++) {
		client.limits.max[l] = CONFIG_NONE;
		provider.limits.max[l] = CONFIG_NONE;
		provider.key_limits.max[l] = CONFIG_NONE;
		for (i = 0; i < LANES; i++)
			model[i].limits.max[l] = CONFIG_NONE;
	}
	model[BY_REQUESTS].limits.max[CONFIG_RPM] = 30;
	model[BY_TOKENS].limits.max[CONFIG_TPM] = 6000;
	model[BY_HOUR].limits.max[CONFIG_RPH] = 900;
	model[BY_HOUR].limits.max[CONFIG_RPM] = 60;
	model[AT_ONCE].limits.max[CONFIG_CONCURRENCY] = 2;
	for (i = 0; i < LANES; i++) {
		model[i].id = ids[i];
		lane[i].model = (uint16_t)i;
	}
	strcpy(key.name, "k-0123456789ab");
	provider.name = "p";
	provider.keys = &key;
	provider.nkeys = 1;
	provider.day = CONFIG_DAY_ROLLING;
	alias.name = "auto";
	cfg.state = state;
	cfg.providers = &provider;
	cfg.nproviders = 1;
	cfg.models = model;
	cfg.nmodels = LANES;
	cfg.lanes = lane;
	cfg.nlanes = LANES;
	cfg.aliases = &alias;
	cfg.naliases = 1;
	cfg.clients = &client;
	cfg.nclients = 1;
}

static int64_t
steady_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Whoever asks moves it on. One that is killed between the two takes at most
 * STILL_US along. */
static int64_t
still_us(void)
{
	int64_t seen = atomic_load(&sh->seen), now = steady_us(), gone;

	gone = now - seen;
	if (gone > 0 && atomic_compare_exchange_strong(&sh->seen, &seen, now))
		atomic_fetch_add(&sh->us, gone < STILL_US ? gone : STILL_US);
	return atomic_load(&sh->us);
}

static int
still_gettime(clockid_t id, struct timespec *ts)
{
	int64_t us = still_us();

	(void)id;
	*ts = (struct timespec){ us / 1000000, us % 1000000 * 1000 };
	return 0;
}

static struct text_time
fast(void)
{
	int64_t ms = still_us() * SPEED / 1000;

	return (struct text_time){ T0 + ms, 1000000 + ms };
}

/* The same request of the client, on another lane. */
static void
go_on(struct ledger *l)
{
	const struct ledger_end e = { .counted = true, .prompt = 10,
	    .completion = 20, .first_ms = -1, .fallback = true };
	struct text_time t = fast();
	struct quota_answer why;
	uint64_t id;

	if (ledger_more(l, &t, FREE, 0, 50, false, &id, &why) < 0)
		return;
	atomic_fetch_add(&sh->more, 1);
	atomic_fetch_add(&sh->taken, 1);
	ledger_settle(l, &t, id, &e);
	atomic_fetch_add(&sh->settled, 1);
}

static void
chat(struct ledger *l, unsigned *seed)
{
	struct ledger_end e = { .counted = true, .first_ms = 5 };
	struct text_time t = fast();
	struct quota_answer why;
	struct event *ev;
	uint64_t id, i;
	size_t on = (size_t)rand_r(seed) % (LANES * 4);
	uint32_t tokens;

	if (on >= LANES)
		on = FREE;
	tokens = on == BY_TOKENS ? 100 : 10 + (uint32_t)rand_r(seed) % 500;
	if (ledger_take(l, &t, on, 0, tokens, &id, &why) < 0) {
		usleep(200);
		return;
	}
	i = atomic_fetch_add(&sh->events, 1);
	if (i >= EVENTS)
		_exit(3);
	ev = &sh->event[i];
	ev->lane = (uint32_t)on;
	ev->tokens = tokens;
	ev->sec = slot_lease(&l->b.t, id & (BOOK_PROBE - 1))->sec;
	atomic_fetch_add(&sh->taken, 1);
	if (on != FREE && rand_r(seed) % 4 == 0)
		usleep((unsigned)rand_r(seed) % 2000);
	if (on != BY_TOKENS)
		tokens = tokens / 2 + (uint32_t)rand_r(seed) % (tokens / 2);
	e.prompt = tokens / 2;
	e.completion = tokens - tokens / 2;
	ev->tokens = tokens;
	t = fast();
	ledger_settle(l, &t, id, &e);
	atomic_fetch_add(&sh->settled, 1);
	if (rand_r(seed) % 4 == 0)
		go_on(l);
}

static void
child(unsigned seed)
{
	struct text_time t = fast();
	struct ledger *l = ledger_open(&cfg, &t);
	int64_t ticked = 0;

	if (l == NULL || ledger_health(l) != NULL) {
		fprintf(stderr, "child: %s\n", l ? ledger_health(l) : "-");
		_exit(2);
	}
	for (;;) {
		chat(l, &seed);
		t = fast();
		if (t.mono - ticked > 12000) {
			ticked = t.mono;
			ledger_tick(l, &t);
			if (ledger_health(l) != NULL)
				_exit(4);
		}
	}
}

/* The most in any `span` consecutive seconds of one lane. */
static int64_t
peak(int on, uint32_t span, bool tokens, uint32_t lo, uint32_t hi)
{
	uint64_t n = atomic_load(&sh->events), i;
	int64_t *sum, run = 0, most = 0;
	uint32_t s;

	sum = calloc(hi - lo + 2, sizeof(*sum));
	for (i = 0; i < n; i++) {
		if ((int)sh->event[i].lane == on && sh->event[i].sec != 0)
			sum[sh->event[i].sec - lo] += tokens ?
			    sh->event[i].tokens : 1;
	}
	for (s = 0; s <= hi - lo; s++) {
		run += sum[s];
		if (s >= span)
			run -= sum[s - span];
		if (run > most)
			most = run;
	}
	free(sum);
	return most;
}

static int64_t
total(int on, bool tokens)
{
	uint64_t n = atomic_load(&sh->events), i;
	int64_t sum = 0;

	for (i = 0; i < n; i++) {
		if ((int)sh->event[i].lane == on && sh->event[i].sec != 0)
			sum += tokens ? sh->event[i].tokens : 1;
	}
	return sum;
}

/* What the days hold: each lease that ended, once. */
static uint64_t
in_days(const struct ledger *l)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < SLOT_DAYS; i++)
		n += slot_cell(&l->b.t, SLOT_BY_DAY, i)->requests;
	return n;
}

static int
judge(long kills, long odd, double seconds)
{
	struct text_time t = fast();
	struct ledger *l = ledger_open(&cfg, &t);
	const struct slot_head *h;
	uint64_t n = atomic_load(&sh->events), i, asked;
	uint32_t lo = UINT32_MAX, hi = 0;
	int64_t rpm, tpm, rph, hrpm;
	double minutes = seconds * SPEED / 60, used, usedt;
	double least = minutes >= 60 ? 0.95 : 0.80;
	struct buf b;
	int bad = 0;

	buf_init(&b, 1 << 20);
	ledger_tick(l, &t);
	for (i = 0; i < n; i++) {
		if (sh->event[i].sec == 0)
			continue;
		lo = sh->event[i].sec < lo ? sh->event[i].sec : lo;
		hi = sh->event[i].sec > hi ? sh->event[i].sec : hi;
	}
	/* Two uses in one window are at most its length apart, so their
	 * seconds differ by no more than its length. */
	rpm = peak(BY_REQUESTS, 61, false, lo, hi);
	tpm = peak(BY_TOKENS, 61, true, lo, hi);
	rph = peak(BY_HOUR, 3601, false, lo, hi);
	hrpm = peak(BY_HOUR, 61, false, lo, hi);
	/* The first minute is free of its past: one limit more. A short run is
	 * dominated by the minute that its end cuts. */
	used = (double)total(BY_REQUESTS, false) / (30 * (minutes + 1));
	usedt = (double)total(BY_TOKENS, true) / (6000 * (minutes + 1));
	h = slot_head(&l->b.t);
	bad |= ledger_verify(l, &t, &b) != 0;
	bad |= h->taken != h->settled + h->abandoned || n == 0;
	bad |= h->taken < sh->taken || h->taken > sh->taken +
	    (uint64_t)kills + PROCS;
	bad |= h->settled < sh->settled || h->settled > sh->settled +
	    (uint64_t)kills + PROCS;
	bad |= h->abandoned > (uint64_t)kills + PROCS;
	/* Each lease but those of a further attempt is one of the client's. */
	asked = slot_look(&l->b.t, l->b.t.clients)->requests;
	bad |= asked + sh->more > h->taken || asked + sh->more +
	    (uint64_t)kills + PROCS < h->taken;
	bad |= in_days(l) != h->settled + h->abandoned;
	bad |= rpm > 30 || tpm > 6000 || rph > 900 || hrpm > 60;
	bad |= used < least || usedt < least || odd != 0;
	printf("kill: %s: %ld kills in %.1f s, %llu leases = %llu settled + "
	    "%llu abandoned; peaks rpm %lld/30 tpm %lld/6000 rph %lld/900; "
	    "used %.1f %% rpm %.1f %% tpm; %ld ended by themselves\n",
	    bad ? "FAILED" : "ok", kills, seconds,
	    (unsigned long long)h->taken, (unsigned long long)h->settled,
	    (unsigned long long)h->abandoned, (long long)rpm, (long long)tpm,
	    (long long)rph, 100 * used, 100 * usedt, odd);
	if (bad)
		printf("%s", buf_str(&b));
	buf_release(&b);
	ledger_close(l);
	return bad;
}

static pid_t
spawn(unsigned seed)
{
	pid_t pid = fork();

	if (pid == 0)
		child(seed);
	return pid;
}

int
main(int argc, char **argv)
{
	long kills = argc > 1 ? atol(argv[1]) : 2000, i, odd = 0;
	unsigned seed = argc > 2 ? (unsigned)atol(argv[2]) :
	    (unsigned)time(NULL);
	char dir[] = "/tmp/relevo_killXXXXXX", path[64], cmd[96];
	pid_t pid[PROCS];
	double seconds;
	int st, bad;
	unsigned k;

	if (mkdtemp(dir) == NULL)
		return 2;
	snprintf(path, sizeof(path), "%s/state", dir);
	configure(path);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sh == MAP_FAILED)
		return 2;
	atomic_store(&sh->seen, steady_us());
	for (k = 0; k < PROCS; k++)
		pid[k] = spawn(seed + k);
	for (i = 0; i < kills; i++) {
		usleep(1000 + (unsigned)rand_r(&seed) % 18000);
		k = (unsigned)rand_r(&seed) % PROCS;
		kill(pid[k], SIGKILL);
		waitpid(pid[k], &st, 0);
		odd += !WIFSIGNALED(st) || WTERMSIG(st) != SIGKILL;
		pid[k] = spawn(seed + (unsigned)i);
	}
	for (k = 0; k < PROCS; k++) {
		kill(pid[k], SIGKILL);
		waitpid(pid[k], &st, 0);
		odd += !WIFSIGNALED(st) || WTERMSIG(st) != SIGKILL;
	}
	seconds = (double)(fast().mono - 1000000) / SPEED / 1000;
	bad = judge(kills, odd, seconds);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return bad | (system(cmd) != 0);
}
