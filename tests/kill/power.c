/* The power fails at random instants. What had not been synced is, sector by
 * sector of 512 bytes, old or new at random. After the reboot the state is
 * always readable, in order, and never older than the last checkpoint.
 *
 *	power [images [seed]]
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int power_sync(int fd);
#define fdatasync power_sync
static char boot_path[96];
#define MAP_BOOT_ID boot_path

#include "../../src/save.c"
/* One file of tests: these names are in both. */
#undef MAGIC
#define head map_file_head
#include "../../src/map.c"
#undef head
#include "../../src/ledger.c"

#define T0	1795219200000LL
#define SECTOR	512
#define FILES	3
#define BYTES	(2 << 20)

/* What is on the disk for certain, of the state and its two checkpoints. */
struct disk {
	unsigned char data[BYTES];
	size_t	 len;
};

static struct disk disk[FILES];
static char dir[64], path[96], path2[96];
static struct config cfg;
static struct config_provider provider;
static struct config_key key;
static struct config_model model[12];
static struct config_lane lane[12];
static struct config_alias alias;
static unsigned seed;
static long images, wanted, bad;
static int64_t clock_ms;
static uint64_t saving, saved;		/* requests settled, at checkpoints */
static struct ledger *ledger;

static void
name_of_file(char *out, size_t n, const char *base, int i)
{
	if (i == 0)
		snprintf(out, n, "%s", base);
	else
		snprintf(out, n, "%s.%d", base, i - 1);
}

static size_t
read_whole(const char *name, unsigned char *p)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = 0;

	if (fd < 0)
		return 0;
	n = read(fd, p, BYTES);
	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

/* A file after the cut: each sector as it is on the disk or as it was in
 * memory; a new length may have come through or not. */
static void
mix(int i)
{
	static unsigned char now[BYTES], out[BYTES];
	char name[128];
	size_t n, k, len, m;
	FILE *f;

	name_of_file(name, sizeof(name), path, i);
	n = read_whole(name, now);
	len = rand_r(&seed) % 2 ? n : disk[i].len;
	memset(out, 0, len);
	for (k = 0; k < len; k += SECTOR) {
		const unsigned char *from = rand_r(&seed) % 2 ? now :
		    disk[i].data;
		size_t have = from == now ? n : disk[i].len;

		m = len - k < SECTOR ? len - k : SECTOR;
		if (k < have)
			memcpy(out + k, from + k, have - k < m ? have - k : m);
	}
	name_of_file(name, sizeof(name), path2, i);
	unlink(name);
	if (len == 0)
		return;
	f = fopen(name, "wb");
	fwrite(out, 1, len, f);
	fclose(f);
}

static uint64_t
requests(const struct ledger *l)
{
	const struct quota_slot *s = slot_look(&l->b.t, 0);

	return s == NULL ? 0 : s->requests;
}

/* Every request is in some day. */
static uint64_t
in_days(const struct ledger *l)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < SLOT_DAYS; i++)
		n += slot_cell(&l->b.t, SLOT_BY_DAY, i)->requests;
	return n;
}

static void
set_boot(int n)
{
	FILE *f = fopen(boot_path, "w");

	fprintf(f, "boot-%d\n", n);
	fclose(f);
}

static void
cut(void)
{
	struct text_time t = { T0 + clock_ms + 20000, 5000 };
	struct ledger *l;
	struct buf b;
	uint64_t have;
	char *state = cfg.state;
	int i;

	images++;
	for (i = 0; i < FILES; i++)
		mix(i);
	set_boot(2);
	cfg.state = path2;
	l = ledger_open(&cfg, &t);
	cfg.state = state;
	set_boot(1);
	buf_init(&b, 1 << 16);
	have = requests(l);
	if (ledger_health(l) != NULL || ledger_verify(l, &t, &b) < 0 ||
	    have < saved || have > requests(ledger) || have != in_days(l)) {
		bad++;
		printf("image %ld: %s; %llu requests, checkpoint %llu, "
		    "memory %llu, days %llu\n%s", images,
		    ledger_health(l) != NULL ? ledger_health(l) : "open",
		    (unsigned long long)have,
		    (unsigned long long)saved,
		    (unsigned long long)requests(ledger),
		    (unsigned long long)in_days(l), buf_str(&b));
	}
	buf_release(&b);
	ledger_close(l);
}

/* In place of fdatasync: cut just before it, then the disk is what the file
 * is. Files of the second machine are none of our business. */
static int
power_sync(int fd)
{
	struct stat st, is;
	char name[128];
	int i;

	if (fstat(fd, &st) < 0)
		return -1;
	for (i = 0; i < FILES; i++) {
		name_of_file(name, sizeof(name), path, i);
		if (stat(name, &is) == 0 && is.st_ino == st.st_ino)
			break;
	}
	if (i == FILES)
		return 0;
	if (ledger != NULL && images < wanted)
		cut();
	disk[i].len = read_whole(name, disk[i].data);
	if (i > 0)
		saved = saving;
	return 0;
}

/* The kernel writes pages back when it likes. */
static void
write_back(void)
{
	static unsigned char now[BYTES];
	char name[128];
	size_t n, k;
	int i = (int)((unsigned)rand_r(&seed) % FILES);

	name_of_file(name, sizeof(name), path, i);
	n = read_whole(name, now);
	for (k = 0; k + SECTOR <= n && k + SECTOR <= disk[i].len; k += SECTOR)
		if (rand_r(&seed) % 8 == 0)
			memcpy(disk[i].data + k, now + k, SECTOR);
}

static void
work(void)
{
	struct ledger_end e = { .counted = true, .prompt = 10,
	    .completion = 90, .first_ms = 50 };
	struct text_time t = { T0 + clock_ms, 1000000 + clock_ms };
	struct quota_answer why;
	uint64_t id;

	clock_ms += 1 + rand_r(&seed) % 300;
	if (ledger_take(ledger, &t, (size_t)rand_r(&seed) % 12,
	    LEDGER_NOBODY, 100, &id, &why) == 0 && rand_r(&seed) % 16 != 0)
		ledger_settle(ledger, &t, id, &e);
	if (rand_r(&seed) % 12 == 0) {
		saving = requests(ledger);
		ledger_tick(ledger, &t);
	}
	if (rand_r(&seed) % 4 == 0)
		write_back();
}

static void
configure(void)
{
	static char ids[12][8];
	struct config_limits none;
	int i;

	for (i = 0; i < CONFIG_LIMITS; i++)
		none.max[i] = CONFIG_NONE;
	provider = (struct config_provider){ .name = "p", .keys = &key,
	    .nkeys = 1, .limits = none, .key_limits = none };
	strcpy(key.name, "k-0");
	for (i = 0; i < 12; i++) {
		snprintf(ids[i], sizeof(ids[i]), "m%d", i);
		model[i] = (struct config_model){ .id = ids[i],
		    .limits = none };
		model[i].limits.max[CONFIG_RPM] = 30;
		lane[i].model = (uint16_t)i;
	}
	alias.name = "auto";
	cfg = (struct config){ .state = path, .providers = &provider,
	    .nproviders = 1, .models = model, .nmodels = 12, .lanes = lane,
	    .nlanes = 12, .aliases = &alias, .naliases = 1 };
}

int
main(int argc, char **argv)
{
	struct text_time t = { T0, 1000000 };
	char cmd[96];

	wanted = argc > 1 ? atol(argv[1]) : 2000;
	seed = argc > 2 ? (unsigned)atol(argv[2]) : (unsigned)time(NULL);
	strcpy(dir, access("/dev/shm", W_OK) == 0 ?
	    "/dev/shm/relevo_powerXXXXXX" : "/tmp/relevo_powerXXXXXX");
	if (mkdtemp(dir) == NULL)
		return 2;
	umask(077);
	snprintf(path, sizeof(path), "%s/state", dir);
	snprintf(path2, sizeof(path2), "%s/after", dir);
	snprintf(boot_path, sizeof(boot_path), "%s/boot", dir);
	set_boot(1);
	configure();
	log_level(LOG_ERROR);
	ledger = ledger_open(&cfg, &t);
	while (images < wanted) {
		work();
		if (rand_r(&seed) % 8 == 0)
			cut();
	}
	printf("power: %s: %ld images, %ld bad; %llu requests in the last "
	    "checkpoint, %llu in memory\n", bad ? "FAILED" : "ok", images,
	    bad, (unsigned long long)saved,
	    (unsigned long long)requests(ledger));
	ledger_close(ledger);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return bad != 0 || system(cmd) != 0 || saved == 0;
}
