/* What the ledger costs: a take and its settle, and an attach as each CGI
 * process does it, with 30 and with 600 lanes. Medians; a child keeps the file
 * in use, as a running responder does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "ledger.h"
#include "log.h"
#include "text.h"

#define ROUNDS	9
#define TAKES	3000	/* in a second: a window's bucket counts 65,535 */
#define OPENS	50

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static struct config *
make_config(const char *dir, int models, int keys)
{
	char path[256];
	struct buf errors;
	struct config *c;
	FILE *f;

	snprintf(path, sizeof(path), "%s/relevo.conf", dir);
	f = fopen(path, "w");
	if (f == NULL)
		return NULL;
	fprintf(f, "server { state = \"%s/state\"\n access = open }\n", dir);
	fprintf(f, "provider p {\n url = http://127.0.0.1:9/v1\n"
	    " rpm = 100000000\n key = \"");
	for (int i = 0; i < keys; i++)
		fprintf(f, "%sbench-key-%d", i ? "," : "", i);
	fprintf(f, "\"\n}\n");
	for (int i = 0; i < models; i++)
		fprintf(f, "model p/m%d { rpm = 100000000\n rpd = 100000000\n "
		    "tpm = 1000000000\n tpd = 1000000000 }\n", i);
	fclose(f);
	(void)chmod(path, 0600);
	buf_init(&errors, 1 << 16);
	c = config_load(path, &errors, NULL);
	fputs(buf_str(&errors), stderr);
	buf_release(&errors);
	return c;
}

static double
take_cost(struct ledger *l, size_t lanes)
{
	static const struct ledger_end end = { .counted = true, .prompt = 10,
	    .completion = 20, .first_ms = 5 };
	double v[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		double start = now_us();

		for (size_t i = 0; i < TAKES; i++) {
			struct quota_answer why;
			struct text_time now;
			uint64_t lease;

			text_clock(&now);
			if (ledger_take(l, &now, i % lanes, LEDGER_NOBODY, 100,
			    &lease, &why) != 0) {
				fprintf(stderr, "refused: %s\n",
				    quota_word(why.reason));
				exit(1);
			}
			ledger_settle(l, &now, lease, &end);
		}
		v[r] = (now_us() - start) / TAKES;
	}
	return median(v, ROUNDS);
}

static double
attach_cost(const struct config *c)
{
	double v[OPENS];

	for (int i = 0; i < OPENS; i++) {
		struct text_time now;
		struct ledger *l;
		double start;

		text_clock(&now);
		start = now_us();
		l = ledger_open(c, &now);
		v[i] = now_us() - start;
		if (l == NULL || ledger_health(l) != NULL) {
			fprintf(stderr, "%s\n", l ? ledger_health(l) : "?");
			exit(1);
		}
		ledger_close(l);
	}
	return median(v, OPENS);
}

static void
bench(int models, int keys)
{
	char dir[] = "/tmp/relevo-bench.XXXXXX", cmd[300];
	struct config *c;
	struct text_time now;
	struct ledger *l;
	struct stat st;
	double take, attach;
	int hold[2];
	pid_t pid;

	if (mkdtemp(dir) == NULL || pipe(hold) != 0 ||
	    (c = make_config(dir, models, keys)) == NULL)
		exit(1);
	text_clock(&now);
	pid = fork();
	if (pid == 0) {
		char x;

		close(hold[1]);
		l = ledger_open(c, &now);
		_exit(l == NULL || read(hold[0], &x, 1) != 0);
	}
	close(hold[0]);
	l = ledger_open(c, &now);
	take = take_cost(l, c->nlanes);
	ledger_close(l);
	attach = attach_cost(c);
	snprintf(cmd, sizeof(cmd), "%s/state", dir);
	printf("%5zu lanes: take + settle %6.2f us, attach %6.1f us, file %lld "
	    "bytes\n", c->nlanes, take, attach,
	    stat(cmd, &st) == 0 ? (long long)st.st_size : -1LL);
	close(hold[1]);
	waitpid(pid, NULL, 0);
	config_free(c);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd) != 0)
		exit(1);
}

int
main(void)
{
	log_level(LOG_ERROR);
	bench(10, 3);
	bench(200, 3);
	return 0;
}
