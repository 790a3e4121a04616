#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/metrics.c"
#include "loaded.h"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */

static const char text[] = ACCESS
    "provider p { url = https://p.example/v1 key = \"k1,k2\" rpm = 9 }\n"
    "provider q { url = https://q.example/v1 key = k3 key-rpd = 60 }\n"
    "model p/m1 { rpm = 3 tpd = 6000 }\n"
    "model q/m3 { concurrency = 2 }\n"
    "client bot { token = \"blake2b:"
    "00000000000000000000000000000000000000000000000000000000000000aa\"\n"
    "  rpd = 30 }\n";

struct fixture {
	struct loaded	 at;
	struct ledger	*l;
	struct text_time now;
	struct buf	 out;
};

static void
begin(struct fixture *f)
{
	loaded_text(&f->at, text);
	assert_non_null(f->at.c);
	f->at.c->loaded = T0 - 250;
	f->now = (struct text_time){ T0, 1000000 };
	f->l = ledger_open(f->at.c, &f->now);
	assert_non_null(f->l);
	buf_init(&f->out, 1 << 20);
}

static void
end(struct fixture *f)
{
	ledger_close(f->l);
	buf_release(&f->out);
	loaded_free(&f->at);
}

static void
look(struct fixture *f)
{
	buf_clear(&f->out);
	assert_int_equal(0, metrics_put(f->at.c, f->l, &f->now, &f->out));
}

/* The whole line is there, once. */
static void
says(struct fixture *f, const char *line)
{
	const char *p = buf_str(&f->out), *hit = strstr(p, line);
	size_t n = strlen(line);

	if (hit == NULL || (hit > p && hit[-1] != '\n') || hit[n] != '\n' ||
	    strstr(hit + 1, line) != NULL)
		fail_msg("not once '%s' in:\n%s", line, p);
}

static void
silent(struct fixture *f, const char *part)
{
	if (strstr(buf_str(&f->out), part) != NULL)
		fail_msg("'%s' in:\n%s", part, buf_str(&f->out));
}

#define M1(key)	"provider=\"p\",model=\"p/m1\",key=\"" key "\""

static void
tells_what_was_used(void **state)
{
	static const struct ledger_end good = { .counted = true, .prompt = 40,
	    .completion = 20, .first_ms = 1250, .fallback = true };
	static const struct ledger_end bad = { .failed = true, .prompt = -1,
	    .completion = -1, .first_ms = -1 };
	struct fixture f;
	struct quota_answer why;
	uint64_t a, b, c;
	char line[300];
	const char *k1, *k2;

	(void)state;
	begin(&f);
	k1 = f.at.c->providers[0].keys[0].name;
	k2 = f.at.c->providers[0].keys[1].name;
	assert_int_equal(0, ledger_take(f.l, &f.now, 0, 0, 100, &a, &why));
	assert_int_equal(0, ledger_take(f.l, &f.now, 0, 0, 100, &b, &why));
	assert_int_equal(0, ledger_take(f.l, &f.now, 1, LEDGER_NOBODY, 70, &c,
	    &why));
	ledger_settle(f.l, &f.now, a, &good);
	ledger_settle(f.l, &f.now, b, &bad);
	look(&f);
	says(&f, "relevo_config_loaded_timestamp_seconds 1795219199.750");
	says(&f, "relevo_state_degraded 0");
	says(&f, "relevo_attempts_total 3");
	says(&f, "relevo_attempts_abandoned_total 0");
	says(&f, "relevo_fallbacks_total 1");
	says(&f, "relevo_waiting 0");
#define LINE(fmt, key)	(snprintf(line, sizeof(line), fmt, key), line)
	says(&f, LINE("relevo_requests_total{" M1("%s") "} 1", k1));
	says(&f, LINE("relevo_requests_total{" M1("%s") "} 0", k2));
	says(&f, LINE("relevo_tokens_total{" M1("%s") "} 60", k1));
	says(&f, LINE("relevo_failures_total{" M1("%s") "} 1", k1));
	says(&f, LINE("relevo_failures_in_a_row{" M1("%s") "} 1", k1));
	says(&f, LINE("relevo_in_flight{" M1("%s") "} 1", k2));
	says(&f, LINE("relevo_first_content_seconds{" M1("%s") "} 1.250", k1));
	silent(&f, LINE("relevo_first_content_seconds{" M1("%s"), k2));
	says(&f, LINE("relevo_open{" M1("%s") "} 1", k1));
	silent(&f, "relevo_shut_until_timestamp_seconds{");
	says(&f, "relevo_client_requests_total{client=\"bot\"} 1");
	says(&f, "relevo_client_failures_total{client=\"bot\"} 1");
	says(&f, "relevo_client_in_flight{client=\"bot\"} 0");
#define WINDOW(what, k, l)						\
	"relevo_window_" what "{scope=\"model\"," M1(k) ",window=\"" l "\"}"
	says(&f, LINE(WINDOW("limit", "%s", "rpm") " 3", k1));
	says(&f, LINE(WINDOW("used", "%s", "rpm") " 1", k1));
	says(&f, LINE(WINDOW("used", "%s", "tpd") " 60", k1));
	says(&f, LINE(WINDOW("reserved", "%s", "tpd") " 70", k2));
	says(&f, LINE(WINDOW("remaining", "%s", "tpd") " 5940", k1));
	says(&f, LINE(WINDOW("reset_timestamp_seconds", "%s", "tpd")
	    " 1795305600", k1));
	/* Without a limit there is nothing to watch. */
	silent(&f, LINE(WINDOW("used", "%s", "rpd"), k1));
	says(&f, "relevo_window_remaining{scope=\"account\",provider=\"p\","
	    "window=\"rpm\"} 7");
	says(&f, "relevo_window_limit{scope=\"client\",client=\"bot\","
	    "window=\"rpd\"} 30");
	says(&f, LINE("relevo_window_limit{scope=\"key\",provider=\"q\","
	    "key=\"%s\",window=\"rpd\"} 60",
	    f.at.c->providers[1].keys[0].name));
	ledger_settle(f.l, &f.now, c, &good);
	end(&f);
}

static void
tells_why_a_lane_is_shut(void **state)
{
	struct fixture f;
	char line[300];
	const char *k1;

	(void)state;
	begin(&f);
	k1 = f.at.c->providers[0].keys[0].name;
	ledger_bar(f.l, &f.now, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_RATE_DAY, T0 + 60000, false });
	/* Of the key: its lane is shut with it. */
	ledger_bar(f.l, &f.now, 2, LEDGER_KEY,
	    &(struct quota_ban){ QUOTA_BAD_KEY, INT64_MAX, false });
	look(&f);
	says(&f, LINE("relevo_open{" M1("%s") "} 0", k1));
	says(&f, LINE("relevo_shut_until_timestamp_seconds{" M1("%s")
	    ",reason=\"rate_day\"} 1795219260", k1));
	says(&f, LINE("relevo_shut_until_timestamp_seconds{provider=\"q\","
	    "model=\"q/m3\",key=\"%s\",reason=\"bad_key\"} +Inf",
	    f.at.c->providers[1].keys[0].name));
	end(&f);
}

/* The configuration admits no such names today; one would cost the whole
 * scrape. */
static void
names_cannot_break_a_line(void **state)
{
	static const struct {
		const char *name, *label;
	} names[] = {
		{ "a\"b", "a\\\"b" }, { "a\\", "a\\\\" }, { "a\nb", "a\\nb" },
		{ "\\n", "\\\\n" }, { "}", "}" }, { "a\tb", "a\tb" },
		{ "a\xff" "b", "a\xef\xbf\xbd" "b" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "ma\xc3\xb1", "ma\xc3\xb1" }, { "", "" },
	};
	struct fixture f;
	char line[100], *keep;
	size_t i;

	(void)state;
	begin(&f);
	keep = f.at.c->clients[0].name;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		f.at.c->clients[0].name = (char *)names[i].name;
		look(&f);
		says(&f, LINE("relevo_client_in_flight{client=\"%s\"} 0",
		    names[i].label));
	}
	f.at.c->clients[0].name = keep;
	end(&f);
}

static void
a_full_buffer_is_a_failure(void **state)
{
	struct fixture f;
	struct buf small;

	(void)state;
	begin(&f);
	buf_init(&small, 1000);
	assert_int_equal(-1, metrics_put(f.at.c, f.l, &f.now, &small));
	buf_release(&small);
	end(&f);
}

static void
tells_that_it_counts_in_memory(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	ledger_close(f.l);
	free(f.at.c->state);
	f.at.c->state = strdup("/nonexistent/state");
	f.l = ledger_open(f.at.c, &f.now);
	look(&f);
	says(&f, "relevo_state_degraded 1");
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_was_used),
		cmocka_unit_test(tells_why_a_lane_is_shut),
		cmocka_unit_test(names_cannot_break_a_line),
		cmocka_unit_test(a_full_buffer_is_a_failure),
		cmocka_unit_test(tells_that_it_counts_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
