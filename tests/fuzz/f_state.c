/* A state file that something else wrote to: it is used or set aside, and the
 * ledger works on. "A damaged file may miscount, never crash."
 *
 * The first byte says how: 0 patches of a sound file (offset, 4 bytes; length,
 * 1; bytes), 1 any bytes as the file, 2 a sound file of that length (4 bytes),
 * 3 patches of a checkpoint, as after a power cut. 4 and more: patches while it
 * is in use. What people and programs are shown of it keeps its form. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "json.h"
#include "ledger.h"
#include "metrics.h"
#include "report.h"
#include "share.h"
#include "text.h"
#include "top.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define T0	INT64_C(1795219200000)		/* 2026-11-21T00:00:00Z */

static char dir[128];
static struct config *cfg;
static struct buf image, saved;		/* a sound file, its checkpoint */

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static struct text_time
at(int64_t ms)
{
	return (struct text_time){ T0 + ms, 1000000 + ms };
}

static void
clear(void)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	must(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "state", 5) == 0)
			must(unlinkat(dirfd(d), e->d_name, 0) == 0);
	closedir(d);
}

static void
put(const char *name, const void *p, size_t n)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

/* The same file, still mapped by the ledger, with other bytes. */
static void
write_over(const struct buf *b)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/state", dir);
	fd = open(path, O_WRONLY);
	must(fd >= 0 && pwrite(fd, b->data, b->len, 0) == (ssize_t)b->len);
	close(fd);
}

static void
get(const char *name, struct buf *b)
{
	char path[160], chunk[65536];
	ssize_t k;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	must(fd >= 0);
	buf_init(b, 64 << 20);
	while ((k = read(fd, chunk, sizeof(chunk))) > 0)
		must(buf_put(b, chunk, (size_t)k) == 0);
	close(fd);
}

/* All that a worker does with its ledger. */
static void
use(struct ledger *l, int64_t ms)
{
	static const struct ledger_end good = { .counted = true, .prompt = 40,
	    .completion = 20, .first_ms = 100, .raw = 30 };
	struct ledger_counts counts;
	struct quota_row rows[CONFIG_LIMITS];
	struct quota_view views[8];
	struct quota_answer why;
	struct text_time t;
	uint64_t lease;
	uint16_t lanes[8];
	size_t i, n = cfg->nlanes < 8 ? cfg->nlanes : 8;

	for (i = 0; i < n; i++) {
		lanes[i] = (uint16_t)i;
		t = at(ms + (int64_t)i);
		if (ledger_take(l, &t, i, 0, 100, &lease, &why) == 0)
			ledger_settle(l, &t, lease, &good);
		else
			must(why.reason != QUOTA_OPEN);
		ledger_bar(l, &t, i, LEDGER_KEY,
		    &(struct quota_ban){ QUOTA_DOWN, t.wall + 1000, false });
		ledger_report(l, &t, LEDGER_K_LANE, i, &counts, rows);
		must(ledger_estimate(l, i, 100) >= 0);
	}
	t = at(ms + 1500);
	ledger_view(l, &t, lanes, n, 0, 100, views);
	ledger_turn(l, 0);
	ledger_tick(l, &t);
	ledger_report(l, &t, LEDGER_K_CLIENT, 0, &counts, rows);
	ledger_report(l, &t, LEDGER_K_ACCOUNT, 0, &counts, rows);
	(void)ledger_health(l);
}

static struct ledger *
begin(int64_t ms)
{
	struct text_time t = at(ms);
	struct ledger *l = ledger_open(cfg, &t);

	must(l != NULL);
	return l;
}

/* Lines without control bytes, each with its end. */
static void
check_lines(const struct buf *b)
{
	size_t i;

	for (i = 0; i < b->len; i++)
		must((unsigned char)b->data[i] >= 0x20 || b->data[i] == '\n');
	must(b->len > 0 && b->data[b->len - 1] == '\n');
}

/* /usage, /models, /metrics and top: all that reads the file to show it. */
static void
show(struct ledger *l, const struct text_time *t)
{
	static const struct top_size size = { 80, 24 };
	struct report r = { .cfg = cfg, .ledger = l, .now = t,
	    .history = true };
	const char *why;
	struct buf b;
	size_t at;

	buf_init(&b, 64 << 20);
	must(report_usage(&r, &b) == 0);
	must(json_check(b.data, b.len, &at, &why) == 0);
	buf_clear(&b);
	must(report_models(&r, &b) == 0);
	must(json_check(b.data, b.len, &at, &why) == 0);
	buf_clear(&b);
	must(metrics_put(cfg, l, t, &b) == 0);
	check_lines(&b);
	buf_clear(&b);
	must(top_frame(cfg, l, t, &size, &b) == 0);
	check_lines(&b);
	buf_release(&b);
}

/* One who only looks, at the file as it lies there. */
static void
look(int64_t ms, bool all)
{
	struct text_time t = at(ms);
	struct ledger *l = ledger_snapshot(cfg, &t);
	struct ledger_run runs[16];
	struct ledger_totals totals;
	struct ledger_counts counts;
	struct quota_row rows[CONFIG_LIMITS];
	struct quota_view view;
	uint16_t i;

	must(l != NULL);
	(void)ledger_health(l);
	ledger_totals(l, &t, &totals);
	must(ledger_running(l, &t, runs, 16) <= 4096);
	for (i = 0; i < cfg->nlanes; i++) {
		ledger_report(l, &t, LEDGER_K_LANE, i, &counts, rows);
		ledger_report(l, &t, LEDGER_K_KEY, i, &counts, rows);
		ledger_view(l, &t, &i, 1, 0, 100, &view);
	}
	if (all)
		show(l, &t);
	ledger_close(l);
}

static void
verify(struct ledger *l, int64_t ms, bool sound)
{
	struct text_time t = at(ms);
	struct buf out;

	buf_init(&out, 64 << 20);
	must(ledger_verify(l, &t, &out) == 0 || !sound);
	buf_clear(&out);
	(void)ledger_dump(l, &t, &out);
	buf_release(&out);
}

static void
clean(void)
{
	clear();
	rmdir(dir);
}

/* A folder, a configuration, a sound file. */
static void
prepare(void)
{
	static const char text[] = "server { state = state access = open }\n"
	    "provider p { url = https://p.example/v1 key = \"one,two\"\n"
	    "rpd = 1000 }\n"
	    "model p/a { rpm = 30 rpd = 50 tpm = 8000 tpd = 90000 }\n"
	    "model p/b { rpmonth = 90 concurrency = 3 }\n"
	    "client bot { token = \"blake2b:00000000000000000000000000000000"
	    "00000000000000000000000000000001\" rpd = 40 }\n";
	const char *tmp = getenv("TMPDIR");
	struct buf errors;
	struct ledger *l;
	char path[160];

	must(snprintf(dir, sizeof(dir), "%s/relevo-fuzz-XXXXXX",
	    tmp != NULL ? tmp : "/tmp") < (int)sizeof(dir));
	must(mkdtemp(dir) != NULL);
	atexit(clean);
	put("state.conf", text, sizeof(text) - 1);
	snprintf(path, sizeof(path), "%s/state.conf", dir);
	buf_init(&errors, 1 << 20);
	cfg = config_load(path, &errors, NULL);
	if (cfg == NULL)
		fputs(buf_str(&errors), stdout);
	must(cfg != NULL && cfg->nlanes == 4 && cfg->nclients == 1);
	buf_release(&errors);
	l = begin(0);
	must(ledger_health(l) == NULL);
	use(l, 0);
	use(l, 3000);
	verify(l, 5000, true);
	ledger_close(l);
	get("state", &image);
	get("state.0", &saved);
	must(image.len > 4096 && saved.len > 100);
}

static void
patch(struct buf *b, const uint8_t *p, size_t n)
{
	size_t len, part;
	uint32_t off;

	while (n > 5) {
		memcpy(&off, p, 4);
		off %= (uint32_t)b->len;
		len = p[4] < n - 5 ? p[4] : n - 5;
		part = len < b->len - off ? len : b->len - off;
		memcpy(b->data + off, p + 5, part);
		p += 5 + len;
		n -= 5 + len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf b;
	struct ledger *l;
	uint32_t len;
	int how;

	if (n < 1 || n > 4096)
		return 0;
	if (cfg == NULL)
		prepare();
	how = data[0];
	data++;
	n--;
	clear();
	buf_init(&b, 64 << 20);
	must(buf_put(&b, how == 3 ? saved.data : image.data,
	    how == 3 ? saved.len : image.len) == 0);
	if (how == 0 || how == 3)
		patch(&b, data, n);
	if (how == 1) {
		buf_clear(&b);
		(void)buf_put(&b, data, n);
	}
	if (how == 2 && n >= 4) {
		memcpy(&len, data, 4);
		b.len = len % b.len;
	}
	put(how == 3 ? "state.0" : "state", b.data, b.len);
	look(6000, share(data, n, 4));
	l = begin(6000);
	if (how > 3) {
		patch(&b, data, n);
		write_over(&b);
		look(6000, false);
	}
	/* Nothing was changed, or none of it believed: all is in order. */
	verify(l, 6000, how == 1 || how == 2 || n <= 5);
	use(l, 6000);
	verify(l, 8000, how == 1 || how == 2 || n <= 5);
	ledger_close(l);
	ledger_close(begin(9000));
	buf_release(&b);
	return 0;
}
