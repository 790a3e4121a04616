/* Does the time that a token's refusal takes tell how near it was?
 *
 *	timing [MEASUREMENTS [ROUNDS]]	a million, three
 *
 * After Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?"
 * (DATE 2017): two classes of tokens in random order, each call measured in
 * cycles, Welch's t-test on the raw times and on those below rising
 * percentiles, because the slow ones are the machine's. |t| from 4.5 on is a
 * difference. The near token's hash shares 31 of 32 bytes with a stored one,
 * which is nearer than anybody can come who does not know it; the far one
 * shares none.
 *
 * A difference grows with every measurement and is there in each round; a
 * disturbance of the machine is not: the best of the rounds counts. So that the
 * measuring itself is known to work, the same is done to a comparison that
 * stops at the first wrong byte, which has to be found out in every round. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/client.c"

#define CROPS	20		/* percentiles, and the raw times */
#define LIMIT	4.5
#define TOKEN	48		/* bytes, with its NUL */
#define CLIENTS	16

/* rules.mk makes client.c a second time with this for sodium_memcmp. */
int	hasty(const void *a, const void *b, size_t n);
int	hasty_admit(const struct config *cfg, const struct http *h, int64_t now,
	    size_t *client, struct fault *f);

int
hasty(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *p = a, *q = b;
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != q[i])
			return -1;
	return 0;
}

struct sample {
	int	 class;
	int64_t	 took;
};

/* Mean and variance as they come (Welford 1962). */
struct moments {
	double	 n, mean, m2;
};

static int64_t
cycles(void)
{
#if defined(__x86_64__)
	unsigned lo, hi;

	/* lfence: nothing before it is still under way. */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) ::
	    "memory");
	return (int64_t)((uint64_t)hi << 32 | lo);
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(v) ::
	    "memory");
	return (int64_t)v;
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
#endif
}

static struct config_client clients[CLIENTS];
static const struct config cfg = { .clients = clients, .nclients = CLIENTS };
static char tokens[2][TOKEN];

/* The near token's hash stands in the first and the last client's place, but
 * for its last byte. */
static void
prepare(void)
{
	char ignored[80];
	size_t i;

	client_token(tokens[0], ignored);
	client_token(tokens[1], ignored);
	for (i = 0; i < CLIENTS; i++)
		randombytes_buf(clients[i].hash, 32);
	hash_of(tokens[0], clients[0].hash);
	clients[0].hash[31] ^= 1;
	memcpy(clients[CLIENTS - 1].hash, clients[0].hash, 32);
}

typedef int admit(const struct config *cfg, const struct http *h, int64_t now,
    size_t *client, struct fault *f);

static void
measure(admit *f, struct sample *s, size_t n)
{
	char token[TOKEN];
	struct http h = { .token = token };
	struct fault fault;
	size_t i, client;
	int64_t t;

	for (i = 0; i < n; i++)
		s[i].class = (int)(randombytes_random() & 1);
	for (i = 0; i < n; i++) {
		/* From one place, so that no cache knows the class. */
		memcpy(token, tokens[s[i].class], TOKEN);
		t = cycles();
		if (f(&cfg, &h, 1, &client, &fault) == 0)
			abort();
		s[i].took = cycles() - t;
	}
}

static int
order(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
add(struct moments *m, double x)
{
	double d = x - m->mean;

	m->n++;
	m->mean += d / m->n;
	m->m2 += d * (x - m->mean);
}

/* Welch's t of the two classes' times below `most`; 0 when too few are left. */
static double
welch(const struct sample *s, size_t n, int64_t most)
{
	struct moments m[2] = { { .n = 0 }, { .n = 0 } };
	double v;
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i].took <= most)
			add(&m[s[i].class], (double)s[i].took);
	if (m[0].n < 1000 || m[1].n < 1000)
		return 0;
	v = m[0].m2 / (m[0].n - 1) / m[0].n + m[1].m2 / (m[1].n - 1) / m[1].n;
	return v > 0 ? fabs(m[0].mean - m[1].mean) / sqrt(v) : 0;
}

/* The largest t of a round. The crops are those of dudect: close to each other
 * where most of the times are. */
static double
largest(const struct sample *s, size_t n)
{
	int64_t *sorted = malloc(n * sizeof(*sorted));
	double t, most = welch(s, n, INT64_MAX);
	size_t i;

	if (sorted == NULL)
		abort();
	for (i = 0; i < n; i++)
		sorted[i] = s[i].took;
	qsort(sorted, n, sizeof(*sorted), order);
	for (i = 1; i <= CROPS; i++) {
		t = welch(s, n, sorted[(size_t)((double)(n - 1) *
		    (1 - pow(0.5, 10.0 * (double)i / CROPS)))]);
		if (t > most)
			most = t;
	}
	free(sorted);
	return most;
}

/* The smallest of the rounds' largest t. */
static double
rounds(const char *name, admit *f, size_t n, int count)
{
	struct sample *s = malloc(n * sizeof(*s));
	double t, least = INFINITY;
	int i;

	if (s == NULL)
		abort();
	measure(f, s, n < 10000 ? n : 10000);
	for (i = 0; i < count; i++) {
		measure(f, s, n);
		t = largest(s, n);
		printf("%s: t %.2f of %zu measurements\n", name, t, n);
		if (t < least)
			least = t;
	}
	free(s);
	return least;
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	int count = argc > 2 ? atoi(argv[2]) : 3;

	if (sodium_init() < 0 || n < 10000 || count < 1)
		return 2;
	prepare();
	if (rounds("a comparison that stops early", hasty_admit, n, count) <
	    LIMIT) {
		puts("was not found out: nothing can be said here");
		return 1;
	}
	if (rounds("client_admit", client_admit, n, count) >= LIMIT) {
		puts("the time tells how near a token is");
		return 1;
	}
	puts("the time does not tell how near a token is");
	return 0;
}
