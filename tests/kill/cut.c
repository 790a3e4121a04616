/* A process is cut at every single store that it makes to the state file. The
 * next one to open the file finds all of the change or nothing of it, and the
 * file in order.
 *
 *	cut
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static long cut_at, cut_n;
#define IMAGE_STORE_HOOK()						\
	do {								\
		if (cut_at > 0 && ++cut_n == cut_at)			\
			_exit(9);					\
	} while (0)

#include "../../src/latch.c"
#include "../../src/image.c"
#include "../../src/ledger.c"

#define T0	1795219200000LL

static char dir[64], origin[96], path[96];
static struct config cfg;
static struct config_provider provider;
static struct config_key key[2];
static struct config_model model[40];
static struct config_lane lane[40];
static struct config_alias alias[2];
static struct config_client client;

static struct config_limits
none(void)
{
	struct config_limits l;
	int i;

	for (i = 0; i < CONFIG_LIMITS; i++)
		l.max[i] = CONFIG_NONE;
	return l;
}

static void
configure(void)
{
	static char ids[40][8];
	int i;

	provider = (struct config_provider){ .name = "p", .keys = key,
	    .nkeys = 2, .limits = none(), .key_limits = none() };
	strcpy(key[0].name, "k-0");
	strcpy(key[1].name, "k-1");
	for (i = 0; i < 40; i++) {
		snprintf(ids[i], sizeof(ids[i]), "m%d", i);
		model[i] = (struct config_model){ .id = ids[i],
		    .limits = none() };
		lane[i] = (struct config_lane){ 0, (uint16_t)i,
		    (uint16_t)(i % 2) };
	}
	alias[0].name = "auto";
	alias[1].name = "new";
	client = (struct config_client){ .name = "bot", .limits = none() };
	cfg = (struct config){ .state = path, .providers = &provider,
	    .nproviders = 1, .models = model, .nmodels = 40, .lanes = lane,
	    .nlanes = 2, .aliases = alias, .naliases = 1,
	    .clients = &client, .nclients = 1 };
}

static struct text_time
at(int64_t ms)
{
	return (struct text_time){ T0 + ms, 1000000 + ms };
}

static struct ledger *
start(int64_t ms)
{
	struct text_time t = at(ms);
	struct ledger *l = ledger_open(&cfg, &t);

	if (l == NULL || ledger_health(l) != NULL) {
		fprintf(stderr, "open: %s\n", l ? ledger_health(l) : "-");
		_exit(8);
	}
	return l;
}

/* The changes. Each begins with a ledger that holds some use and a lease. */

static const struct ledger_end end_good = { .counted = true, .prompt = 30,
    .completion = 4000, .first_ms = 12, .raw = 20 };

static uint64_t held, probe;

static void
do_take(struct ledger *l)
{
	struct text_time t = at(90000);
	struct quota_answer why;
	uint64_t id;

	ledger_take(l, &t, 0, 0, 100, &id, &why);
}

static void
do_more(struct ledger *l)
{
	struct text_time t = at(90000);
	struct quota_answer why;
	uint64_t id;

	if (ledger_more(l, &t, 0, 0, 100, false, &id, &why) != 0)
		_exit(8);
}

static void
do_dare(struct ledger *l)
{
	struct text_time t = at(4000);
	struct quota_answer why;

	if (ledger_dare(l, &t, 1, LEDGER_NOBODY, 100, &probe, &why) != 0)
		_exit(8);
}

static void
do_good(struct ledger *l)
{
	struct text_time t = at(4000);

	if (!ledger_probes(probe))
		_exit(8);
	ledger_good(l, &t, probe);
}

static void
do_settle(struct ledger *l)
{
	struct text_time t = at(4000);

	ledger_settle(l, &t, held, &end_good);
}

static void
do_observe(struct ledger *l)
{
	struct quota_seen seen[2] = {
	    { CONFIG_RPD, QUOTA_SRC_HEADER, 100, 10, T0 + 90000 },
	    { CONFIG_TPM, QUOTA_SRC_HEADER, 500, 3, T0 + 9000 } };
	struct text_time t = at(4000);

	ledger_observe(l, &t, 0, LEDGER_LANE, seen, 2);
}

static void
do_bar(struct ledger *l)
{
	struct text_time t = at(4000);

	ledger_bar(l, &t, 1, LEDGER_ACCOUNT,
	    &(struct quota_ban){ QUOTA_DOWN, T0 + 9000, false });
}

static void
do_reset(struct ledger *l)
{
	struct text_time t = at(4000);
	struct buf b;

	buf_init(&b, 4096);
	ledger_reset(l, &t, "client/bot", &b);
	buf_release(&b);
}

static const struct {
	const char *name;
	void (*run)(struct ledger *l);
	void (*first)(struct ledger *l);	/* whole, before it */
} changes[] = {
	{ "take", do_take, NULL }, { "dare", do_dare, NULL },
	{ "good", do_good, do_dare }, { "settle", do_settle, NULL },
	{ "more", do_more, do_settle },
	{ "observe", do_observe, NULL }, { "bar", do_bar, NULL },
	{ "reset", do_reset, NULL },
};

/* Everything but what names a process. */
static void
image(const struct ledger *l, struct buf *b)
{
	const struct slot_head *h = slot_head(&l->b.t);
	struct slot_lease lease;
	uint32_t i;

	buf_clear(b);
	buf_put(b, h, sizeof(*h));
	for (i = 0; i < 8; i++) {
		lease = *slot_lease(&l->b.t, i);
		lease.owner = lease.owner != 0;
		lease.owner_gen = 0;
		buf_put(b, &lease, sizeof(lease));
	}
	for (i = 0; i < SLOT_HOURS; i++)
		buf_put(b, slot_cell(&l->b.t, SLOT_BY_HOUR, i),
		    sizeof(struct slot_cell));
	for (i = 0; i < SLOT_DAYS; i++)
		buf_put(b, slot_cell(&l->b.t, SLOT_BY_DAY, i),
		    sizeof(struct slot_cell));
	for (i = 0; i < h->nslots; i++)
		buf_put(b, slot_index(&l->b.t, i), sizeof(struct quota_slot));
}

static void
copy_file(const char *from, const char *to)
{
	static char data[4 << 20];
	FILE *f = fopen(from, "rb"), *o;
	size_t n = fread(data, 1, sizeof(data), f);

	fclose(f);
	unlink(to);
	umask(077);
	o = fopen(to, "wb");
	fwrite(data, 1, n, o);
	fclose(o);
}

/* Run change c cut at its n-th store (0: not at all, and nothing is done at
 * -1); whether it came to its end. */
static bool
run(int c, long n, long again)
{
	struct ledger *l;
	pid_t pid;
	int st;

	copy_file(origin, path);
	if ((pid = fork()) == 0) {
		struct text_time t = at(1000);
		struct quota_answer why;

		l = start(1000);
		ledger_take(l, &t, 0, 0, 70, &held, &why);
		ledger_bar(l, &t, 1, LEDGER_LANE, &(struct quota_ban){
		    QUOTA_DOWN, T0 + 90000, true });
		if (changes[c].first != NULL)
			changes[c].first(l);
		cut_n = 0;
		cut_at = n;
		if (n >= 0)
			changes[c].run(l);
		_exit(0);
	}
	waitpid(pid, &st, 0);
	if (WIFEXITED(st) && WEXITSTATUS(st) == 8)
		exit(1);
	if (again == 0)
		return WIFEXITED(st) && WEXITSTATUS(st) == 0;
	/* The one who repairs is cut, too. */
	if ((pid = fork()) == 0) {
		cut_at = again;
		start(2000);
		_exit(0);
	}
	waitpid(pid, &st, 0);
	return false;
}

static int
sound(struct ledger *l)
{
	struct text_time t = at(100000);
	struct buf b;
	int r;

	buf_init(&b, 1 << 16);
	ledger_tick(l, &t);
	r = ledger_verify(l, &t, &b);
	if (r < 0)
		printf("%s", buf_str(&b));
	if (slot_head(&l->b.t)->taken != slot_head(&l->b.t)->settled +
	    slot_head(&l->b.t)->abandoned)
		r = -1;
	buf_release(&b);
	return r;
}

static int
inspect(struct buf *b)
{
	struct ledger *l = start(5000);
	int r;

	image(l, b);
	r = sound(l);
	ledger_close(l);
	return r;
}

static bool
equal(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* All cuts of one change. The number of cuts, or -1. */
static long
all_cuts(int c, unsigned *seed)
{
	struct buf before, after, is;
	bool whole = false, seen_after = false;
	long n, again = 0, bad = 0;

	buf_init(&before, 4 << 20);
	buf_init(&after, 4 << 20);
	buf_init(&is, 4 << 20);
	run(c, -1, 0);
	bad |= inspect(&before);
	run(c, 0, 0);
	bad |= inspect(&after);
	bad |= equal(&before, &after);
	for (n = 1; !whole && bad == 0; n++) {
		whole = run(c, n, again);
		bad |= inspect(&is);
		if (equal(&is, &after))
			seen_after = true;
		else if (!equal(&is, &before) || (seen_after && again == 0))
			bad = 1;
		/* once more, with the repair cut somewhere */
		if (again == 0 && seen_after && !whole && n % 5 == 0) {
			again = 1 + rand_r(seed) % 60;
			n--;
		} else
			again = 0;
	}
	buf_release(&before);
	buf_release(&after);
	buf_release(&is);
	if (bad != 0)
		printf("cut: FAILED: %s at store %ld\n", changes[c].name,
		    n - 1);
	return bad != 0 ? -1 : n - 2;
}

/* Making the file, making slots for a larger config, growing: cut at every
 * `step`-th store; the next process gets a sound file with what there was. */
static long
openings(bool fresh, size_t nlanes, long step)
{
	struct config was = cfg;
	struct ledger *l;
	long n, cuts = 0;
	pid_t pid;
	int st = 0;
	bool done = false;

	for (n = 1; !done; n += step, cuts++) {
		if (fresh)
			unlink(path);
		else
			copy_file(origin, path);
		cfg.nlanes = nlanes;
		cfg.naliases = 2;
		if ((pid = fork()) == 0) {
			cut_at = n;
			start(1000);
			_exit(0);
		}
		waitpid(pid, &st, 0);
		done = WIFEXITED(st) && WEXITSTATUS(st) == 0;
		cfg = was;
		l = start(2000);
		if (sound(l) < 0 || (!fresh &&
		    slot_look(&l->b.t, l->b.t.lanes)->requests != 1)) {
			printf("cut: FAILED: opening at store %ld\n", n);
			return -1;
		}
		ledger_close(l);
	}
	return cuts;
}

int
main(void)
{
	struct text_time t = at(0);
	struct quota_answer why;
	struct ledger *l;
	uint64_t id;
	unsigned seed = 1;
	long n, cuts = 0;
	size_t i;
	char cmd[96];

	strcpy(dir, access("/dev/shm", W_OK) == 0 ?
	    "/dev/shm/relevo_cutXXXXXX" : "/tmp/relevo_cutXXXXXX");
	if (mkdtemp(dir) == NULL)
		return 2;
	snprintf(origin, sizeof(origin), "%s/origin", dir);
	snprintf(path, sizeof(path), "%s/origin", dir);
	configure();
	l = start(0);
	ledger_take(l, &t, 0, 0, 50, &id, &why);
	ledger_settle(l, &t, id, &end_good);
	ledger_close(l);
	snprintf(path, sizeof(path), "%s/state", dir);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if ((n = all_cuts((int)i, &seed)) < 0)
			return 1;
		cuts += n;
	}
	if ((n = openings(true, 2, 5)) < 0)
		return 1;
	cuts += n;
	if ((n = openings(false, 40, 23)) < 0)
		return 1;
	cuts += n;
	printf("cut: ok: %ld cuts, each all or nothing\n", cuts);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) != 0;
}
