/* A whole chat against a scripted provider, in simulated time: whatever heads,
 * events, cuts, silences and ends come, and however the client reads or leaves,
 * it ends once, tells the truth and leaves nothing open.
 *
 * The first byte is the question, each byte after it one thing that happens:
 * three bits for what, five for which (step(), below). Texts of the provider
 * are "<a00>", "<a01>", ...: the attempt's letter and a number, so that what
 * was lost, doubled or mixed shows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define text_clock fuzz_clock
#include "../../src/relay.c"
#include "../../src/relay_end.c"
#undef text_clock
#include "fetch.h"
#include "json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define KEY	"test-key-"
#define T0	INT64_C(1795262400000)		/* 2026-11-21T12:00:00Z */
#define LATER	(62 * INT64_C(86400000))	/* every window is over */
#define CHATS	1000				/* with one ledger */

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* ---- the loop and the clock, simulated ---- */

static int64_t now_ms;			/* since T0, and by the steady clock */
static struct loop_timer *timers[16];
static struct loop_task *tasks[16];
static size_t ntimers, ntasks;

void
fuzz_clock(struct text_time *t)
{
	*t = (struct text_time){ T0 + now_ms, now_ms };
}

int64_t
loop_now(const struct loop *l)
{
	(void)l;
	return now_ms;
}

int
loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due)
{
	loop_timer_cancel(l, t);
	must(ntimers < 16);
	timers[ntimers++] = t;
	t->place = ntimers;
	t->due = due;
	return 0;
}

void
loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	if (t->place == 0)
		return;
	must(t->place <= ntimers && timers[t->place - 1] == t);
	timers[t->place - 1] = timers[--ntimers];
	timers[t->place - 1]->place = t->place;
	t->place = 0;
}

void
loop_post(struct loop *l, struct loop_task *t)
{
	(void)l;
	if (t->queued)
		return;
	must(ntasks < 16);
	tasks[ntasks++] = t;
	t->queued = true;
}

void
loop_unpost(struct loop *l, struct loop_task *t)
{
	size_t i;

	(void)l;
	if (!t->queued)
		return;
	for (i = 0; tasks[i] != t; i++)
		must(i + 1 < ntasks);
	tasks[i] = tasks[--ntasks];
	t->queued = false;
}

static void
tasks_all(void)
{
	struct loop_task *t;

	while (ntasks > 0) {
		t = tasks[0];
		loop_unpost(NULL, t);
		t->run(t);
	}
}

static struct loop_timer *
soonest(void)
{
	struct loop_timer *t = NULL;
	size_t i;

	for (i = 0; i < ntimers; i++)
		if (t == NULL || timers[i]->due < t->due)
			t = timers[i];
	return t;
}

static void
pass(int64_t ms)
{
	int64_t end = now_ms + ms;
	struct loop_timer *t;
	int fired = 0;

	while ((t = soonest()) != NULL && t->due <= end) {
		/* One that sets itself to now for ever would hang the loop. */
		must(++fired < 100000);
		if (t->due > now_ms)
			now_ms = t->due;
		loop_timer_cancel(NULL, t);
		t->fire(t);
		tasks_all();
	}
	now_ms = end;
}

/* ---- the provider ---- */

struct fetch {
	const struct fetch_events *events;
	void		*arg;
	struct buf	 held;		/* came while it was paused */
	bool		 headed, paused, busy, dropped;
};

struct fetch_target {
	char	 key[32];		/* which the head shows */
};

static struct fetch *up;		/* the call under way */
static int attempt_no;
static unsigned number;			/* of the next text */
static unsigned before_end;		/* texts before it said "finished" */
static bool finished;
static bool open_end;			/* the last word ends no event */
static bool muddled;			/* no telling what was meant */
static size_t piece;			/* bytes given at once; 0: all */

struct fetcher *
fetcher_new(struct loop *l)
{
	(void)l;
	return malloc(1);
}

void
fetcher_free(struct fetcher *fr)
{
	free(fr);
}

static struct fetch_target targets[16];
static size_t ntargets;

struct fetch_target *
fetch_target(struct fetcher *fr, const struct fetch_spec *spec)
{
	struct fetch_target *t = &targets[ntargets++];
	const char *key = NULL;
	size_t i;

	must(fr != NULL && ntargets <= 16);
	must(strncmp(spec->url, "https://", 8) == 0);
	for (i = 0; spec->headers[i] != NULL; i++)
		if (strncmp(spec->headers[i], "Authorization: Bearer ", 22) ==
		    0)
			key = spec->headers[i] + 22;
	/* A provider is shown its own key and no other's. */
	must(key != NULL && strncmp(key, KEY, strlen(KEY)) == 0);
	must(key[strlen(KEY)] == spec->url[8]);
	snprintf(t->key, sizeof(t->key), "%s", key);
	return t;
}

static struct fetch_target *at;		/* of the call under way */

struct fetch *
fetch_start(struct fetcher *fr, struct fetch_target *t, const char *body,
    size_t n, const struct fetch_events *events, void *arg)
{
	const char *why;
	size_t where;

	must(fr != NULL && up == NULL && ++attempt_no <= 26);
	must(json_check(body, n, &where, &why) == 0);
	must(memmem(body, n, KEY, strlen(KEY)) == NULL);
	up = calloc(1, sizeof(*up));
	must(up != NULL);
	up->events = events;
	up->arg = arg;
	buf_init(&up->held, 1 << 20);
	at = t;
	number = before_end = 0;
	finished = open_end = false;
	return up;
}

static void
fetch_free(struct fetch *f)
{
	buf_release(&f->held);
	free(f);
}

void
fetch_cancel(struct fetch *f)
{
	must(f == up);
	up = NULL;
	if (f->busy)
		f->dropped = true;
	else
		fetch_free(f);
}

/* Bytes for f, in pieces, each a block of its own so that ASan sees its ends;
 * what a pause leaves over is held. */
static void
give(struct fetch *f, const char *p, size_t n)
{
	size_t k;
	char *copy;

	f->busy = true;
	for (; n > 0 && !f->paused && !f->dropped; p += k, n -= k) {
		k = piece == 0 || piece > n ? n : piece;
		copy = malloc(k);
		must(copy != NULL);
		memcpy(copy, p, k);
		f->paused = f->events->body(f->arg, copy, k);
		free(copy);
	}
	f->busy = false;
	if (f->dropped)
		fetch_free(f);
	else
		must(buf_put(&f->held, p, n) == 0);
}

void
fetch_resume(struct fetch *f)
{
	struct buf b = f->held;

	must(f == up && f->paused);
	f->paused = false;
	buf_init(&f->held, 1 << 20);
	give(f, b.data, b.len);
	buf_release(&b);
}

static void
say_head(unsigned which)
{
	static const char *const heads[] = {
		"200 OK\r\nContent-Type: text/event-stream\r\n",
		"200 OK\r\nContent-Type: application/json\r\n",
		"200 OK\r\nContent-Type: text/html\r\n",
		"200 OK\r\nContent-Type: text/event-stream\r\n"
		    "x-ratelimit-limit-requests: 100\r\n"
		    "x-ratelimit-remaining-requests: 0\r\n"
		    "x-ratelimit-reset-requests: 2m59.56s\r\n",
		"400 x\r\n", "401 x\r\n", "402 x\r\n", "403 x\r\n",
		"404 x\r\n", "408 x\r\n", "413 x\r\n", "422 x\r\n",
		"429 x\r\n", "429 x\r\nRetry-After: 1\r\n",
		"429 x\r\nRetry-After: 86400\r\n",
		"429 x\r\nretry-after-ms: 250\r\n"
		    "x-ratelimit-remaining-tokens: 0\r\n",
		"500 x\r\n", "502 x\r\n", "503 x\r\nRetry-After: soon\r\n",
		"504 x\r\n", "529 x\r\n", "302 x\r\nLocation: https://evil\r\n",
		"204 x\r\n", "418 x\r\n",
	};
	char head[512];
	struct fetch *f = up;
	int n;

	if (f == NULL || f->headed)
		return;
	f->headed = f->busy = true;
	n = snprintf(head, sizeof(head), "HTTP/1.1 %s",
	    heads[which % (sizeof(heads) / sizeof(heads[0]))]);
	f->events->head(f->arg, atoi(head + 9), head, (size_t)n);
	f->busy = false;
	if (f->dropped)
		fetch_free(f);
}

#define CHUNK(delta, finish) "data: {\"id\":\"c\",\"object\":" \
	"\"chat.completion.chunk\",\"created\":1,\"model\":\"m\"," \
	"\"choices\":[{\"index\":0,\"delta\":" delta "," \
	"\"finish_reason\":" finish "}]}\n\n"

/* %T the next text, %K the key, which no client may see, %F so much before it
 * that it stands where messages are cut. */
static const char *const words[] = {
	CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null"),
	CHUNK("{\"content\":\"%T\"}", "null"),
	CHUNK("{\"content\":\"%T\"}", "null"),
	CHUNK("{\"reasoning_content\":\"thinking\"}", "null"),
	CHUNK("{}", "\"stop\""),
	CHUNK("{\"content\":\"%T\"}", "\"length\""),
	"data: [DONE]\n\n",
	"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\""
	    ":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9,"
	    "\"total_tokens\":16}}\n\n",
	": a comment\n\n",
	"\n", "event: ping\ndata: {}\n\n", "data: \n\n",
	"data: {\"error\":{\"message\":\"bad key %K\",\"code\":500}}\n\n",
	"data: {\"error\":{\"message\":\"%F%K\"}}\n\n",
	"event: error\ndata: {\"message\":\"%K\"}\n\n",
	CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":"
	    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
	    "\"{}\"}}]}", "null"),
	CHUNK("{}", "\"tool_calls\""),
	"{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":"
	    "\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
	    "\"assistant\",\"content\":\"%T\"},\"finish_reason\":\"stop\"}],"
	    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9,"
	    "\"total_tokens\":16}}",
	"{\"error\":{\"message\":\"Incorrect API key provided: %K.\",\"type\":"
	    "\"x\",\"code\":\"invalid_api_key\"}}",
	"{\"error\":{\"message\":\"%F%K\"}}", "{\"message\":\"%F%K\"}",
	"{\"error\":\"%K\"}", "[{\"error\":{\"message\":\"%K\"}}]",
	"{\"detail\":\"%K\"}", "%K", "<html>%K</html>",
	"{\"error\":{\"message\":\"Unrecognized request argument: seed\","
	    "\"param\":\"seed\",\"code\":\"unknown_parameter\"}}",
	"{\"error\":{\"message\":\"maximum context length is 8192\","
	    "\"code\":\"context_length_exceeded\"}}",
	"data: {\"choices\":\n\n", "data: {\"a\":1}\n\n",
	"data: {\"error\":{\"message\":\"\\u0074est-key-\"}}\n\n", "{}",
};

static void
say_word(unsigned which)
{
	const char *p = words[which % (sizeof(words) / sizeof(words[0]))];
	struct buf b;

	if (up == NULL || !up->headed)
		return;
	buf_init(&b, 4096);
	for (; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'T')
			(void)buf_printf(&b, "<%c%02u>", 'a' + attempt_no - 1,
			    number++ % 100);
		else if (p[0] == '%' && p[1] == 'K')
			(void)buf_puts(&b, at->key);
		else if (p[0] == '%' && p[1] == 'F')
			(void)buf_printf(&b, "%*s", 280 + 4 * (int)piece, "-");
		else
			(void)buf_put(&b, p, 1);
		if (p[0] == '%')
			p++;
	}
	if (!finished) {
		finished = memmem(b.data, b.len, "\"stop\"", 6) != NULL ||
		    memmem(b.data, b.len, "\"length\"", 8) != NULL ||
		    memmem(b.data, b.len, "\"tool_calls\"}", 13) != NULL;
		before_end = number;
	}
	must(!b.failed);
	muddled |= open_end;
	open_end = b.data[b.len - 1] != '\n';
	if (up->paused)
		must(buf_put(&up->held, b.data, b.len) == 0);
	else
		give(up, b.data, b.len);
	buf_release(&b);
}

static void
hang_up(unsigned which)
{
	struct fetch *f = up;

	/* curl holds the end back, too. */
	if (f == NULL || f->paused)
		return;
	up = NULL;
	f->events->done(f->arg, (enum fetch_result)(which % 6), KEY "detail");
	fetch_free(f);
}

/* ---- the client ---- */

static struct buf heard;
static bool full;			/* the sink has enough */
static bool over, whole, gone;		/* it ended; well; the client left */
static struct relay *relay;

static bool
sink_put(struct sink *s, const char *p, size_t n)
{
	(void)s;
	must(!over && buf_put(&heard, p, n) == 0);
	return full;
}

static void
sink_end(struct sink *s, bool w)
{
	(void)s;
	must(!over);
	over = true;
	whole = w;
	relay = NULL;
}

static void
client(unsigned which)
{
	if (relay == NULL)
		return;
	if (which == 0) {
		relay_gone(relay);
		relay = NULL;
		over = gone = true;
	} else if (which == 2) {
		relay_stop(relay);
	} else if (which % 2 == 0) {
		full = true;
	} else {
		full = false;
		relay_drained(relay);
	}
}

static void
step(unsigned what, unsigned which, const uint8_t *rest, size_t n)
{
	static const int ms[] = { 1, 10, 900, 1000, 2000, 15000, 31000,
	    61000, 125000, 3600000 };

	switch (what) {
	case 0:
		say_head(which);
		break;
	case 1:
	case 2:
		say_word(which);
		break;
	case 3:			/* any bytes */
		if (which < n)
			n = which;
		if (up != NULL && up->headed && !up->paused && n > 0) {
			muddled = true;
			give(up, (const char *)rest, n);
		}
		break;
	case 4:
		piece = which;
		break;
	case 5:
		hang_up(which);
		break;
	case 6:
		pass(ms[which % (sizeof(ms) / sizeof(ms[0]))]);
		break;
	default:
		client(which);
	}
	tasks_all();
}

/* ---- what must be true ---- */

/* One attempt's texts, from the first, none missing, none twice. */
static void
check_texts(const char *p, size_t n, bool done)
{
	char letter = '\0';
	unsigned next = 0;

	for (; n >= 5; p++, n--) {
		if (p[0] != '<' || p[4] != '>')
			continue;
		must(letter == '\0' || letter == p[1]);
		letter = p[1];
		must((unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0') ==
		    next++ % 100);
	}
	if (done)
		must(next >= before_end && next <= number);
}

/* Events and comments; nothing after [DONE] or an error; whether it is done. */
static bool
check_stream(const char *p, size_t n)
{
	const char *end = p + n, *eol, *why;
	bool done = false, wrong = false;
	int finish = 0;
	size_t where;

	for (; p < end; p = eol + 2) {
		must(!done && !wrong);
		eol = memchr(p, '\n', (size_t)(end - p));
		must(eol != NULL && eol + 1 < end && eol[1] == '\n');
		if (*p == ':')
			continue;
		must(eol - p > 6 && memcmp(p, "data: ", 6) == 0);
		p += 6;
		done = eol - p == 6 && memcmp(p, "[DONE]", 6) == 0;
		must(done || json_check(p, (size_t)(eol - p), &where, &why) ==
		    0);
		wrong = eol - p > 9 && memcmp(p, "{\"error\":", 9) == 0;
		finish += memmem(p, (size_t)(eol - p), "\"finish_reason\":\"",
		    17) != NULL;
	}
	must(muddled || finish <= 1);
	must(muddled || finish == 1 || !done);
	/* The end is told, in one way or the other. */
	must(done || wrong);
	return done;
}

static void
check_answer(enum reply_mode mode)
{
	const char *p = buf_str(&heard), *body, *why;
	bool done = false;
	size_t n, where;
	int status;

	must(memcmp(p, "Status: ", 8) == 0);
	status = atoi(p + 8);
	body = strstr(p, "\r\n\r\n");
	must(body != NULL);
	body += 4;
	n = heard.len - (size_t)(body - p);
	if (strstr(p, "Content-Type: application/json") != NULL) {
		must(whole && n > 0 &&
		    json_check(body, n, &where, &why) == 0);
		done = status == 200;
		must(mode == REPLY_JSON || !done);
	} else if (mode == REPLY_SSE) {
		must(status == 200 && whole);
		done = check_stream(body, n);
	} else {
		must(status == 200 && mode == REPLY_TEXT);
		done = whole;
	}
	if (!muddled)
		check_texts(body, n, done);
}

/* ---- one chat ---- */

static struct config *cfg;

static void
prepare(void)
{
	static const char text[] =
	    "server { state = /nowhere/at/all/state access = open\n"
	    "heartbeat = 15s }\n"
	    "route { max-wait = 3s attempts = 4 }\n"
	    "provider a { url = https://a.example/v1 key = "
	    "\"test-key-a1111,test-key-a22/+=\" }\n"
	    "provider b { url = https://b.example/v1 key = test-key-b1111\n"
	    "drop = {user} }\n"
	    "provider c { url = https://c.example/v1 key = test-key-c1111\n"
	    "stream-usage = no }\n"
	    "model a/m { tier = 0 concurrency = 2 rpm = 30 tpm = 80000 }\n"
	    "model b/m { tier = 1 context = 8192 rpd = 50 }\n"
	    "model c/m { tier = 2 can = {tools, json} }\n";
	struct buf errors;
	char path[64];
	int fd = memfd_create("config", MFD_CLOEXEC);

	must(fd >= 0 && fchmod(fd, 0600) == 0);
	must(write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	buf_init(&errors, 1 << 20);
	cfg = config_load(path, &errors, NULL);
	if (cfg == NULL)
		puts(buf_str(&errors));
	must(cfg != NULL && cfg->nlanes == 4);
	buf_release(&errors);
	close(fd);
}

static void
play(struct relays *rs, const uint8_t *p, size_t n)
{
	static const char *const bodies[] = {
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
		    "\"stream\":true}",
		"{\"model\":\"auto\",\"messages\":[{\"role\":\"user\","
		    "\"content\":\"hi\"}],\"stream\":true,\"seed\":1,"
		    "\"stream_options\":{\"include_usage\":true}}",
		"{\"model\":\"a/m\",\"messages\":[{\"role\":\"user\","
		    "\"content\":\"hi\"}],\"user\":\"u\"}",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
		    "\"tools\":[{\"type\":\"function\",\"function\":"
		    "{\"name\":\"f\"}}],\"stream\":true}",
	};
	static const struct http http = { .method = HTTP_POST,
	    .method_name = "POST", .path = "/chat", .id = "req_fuzz" };
	struct sink sink = { sink_put, sink_end };
	struct relay_ask ask = { .http = &http, .route = "/chat",
	    .client = LEDGER_NOBODY, .text = (p[0] & 8) != 0,
	    .tell = (p[0] & 16) != 0 };
	enum reply_mode mode;
	struct fault f;
	int rounds = 0;
	size_t i;

	ask.body = strdup(bodies[p[0] % 4]);
	must(ask.body != NULL);
	ask.len = strlen(ask.body);
	must(chat_scan(&ask.chat, ask.body, ask.len, &f) == 0);
	if (ask.text)
		ask.chat.stream = true;
	mode = ask.text ? REPLY_TEXT : ask.chat.stream ? REPLY_SSE :
	    REPLY_JSON;
	ask.alias = config_find(cfg, ask.chat.model);
	must(ask.alias != NULL);
	relay = relay_start(rs, &ask, &sink);
	must(relay != NULL && !over);
	tasks_all();
	for (i = 1; i < n; i++) {
		step(p[i] >> 5, p[i] & 31, p + i + 1, n - i - 1);
		if (p[i] >> 5 == 3)
			i += p[i] & 31;
	}
	/* The client reads on, providers hang up, and time goes by. */
	full = false;
	while (!over) {
		must(++rounds < 1000);
		if (relay->answer.full)
			relay_drained(relay);
		else if (up != NULL)
			hang_up(FETCH_CUT);
		else
			pass(1000);
		tasks_all();
	}
	must(up == NULL && ntimers == 0 && ntasks == 0);
	must(memmem(buf_str(&heard), heard.len, KEY, strlen(KEY)) == NULL ||
	    muddled);
	if (!gone)
		check_answer(mode);
}

/* To open a ledger costs more than ten chats do. Each has a time of its own,
 * for which nothing of the one before counts; what is left of it (averages, the
 * turn) goes with the ledger. */
static struct ledger *
ledger(void)
{
	static struct ledger *l;
	static int chats;
	struct text_time now;

	if (chats++ % CHATS == 0) {
		ledger_close(l);
		now_ms = 0;
		fuzz_clock(&now);
		must((l = ledger_open(cfg, &now)) != NULL);
	}
	now_ms += LATER - now_ms % LATER;
	return l;
}

static void
check_ledger(struct ledger *l)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts counts;
	struct text_time now;
	size_t i;

	fuzz_clock(&now);
	for (i = 0; i < cfg->nlanes; i++) {
		ledger_report(l, &now, LEDGER_K_LANE, i, &counts, rows);
		must(counts.inflight == 0);
	}
	must(ledger_waiting(l) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct relays *rs;
	struct ledger *l;

	if (n < 1 || n > 2000)
		return 0;
	if (cfg == NULL)
		prepare();
	l = ledger();
	attempt_no = 0;
	ntargets = 0;
	piece = 0;
	muddled = full = over = whole = gone = false;
	buf_init(&heard, 16 << 20);
	must((rs = relays_new((struct loop *)&now_ms, cfg, l)) != NULL);
	rs->chance = 1;
	play(rs, data, n);
	must(relays_live(rs) == 0);
	check_ledger(l);
	relays_free(rs);
	buf_release(&heard);
	return 0;
}
