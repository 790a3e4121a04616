#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/top_frame.c"
#include "loaded.h"

#define T0	1795262400000LL		/* 2026-11-21T12:00:00Z */

static void
text_is_made_harmless(void **state)
{
	static const struct {
		const char *in, *out;
	} texts[] = {
		{ "plain/name-1", "plain/name-1" },
		{ "\033[31mred\033]0;title\007", "?[31mred?]0;title?" },
		{ "a\nb\rc\td\bx\177y", "a?b?c?d?x?y" },
		{ "a\xc2\x9b" "31m", "a?31m" },		/* CSI in one */
		{ "a\xc2\x80\xc2\x9f\xc2\xa0", "a??\xc2\xa0" },
		{ "a\xe2\x80\xae" "b", "a?b" },		/* right to left */
		{ "a\xe2\x80\x8b\xe2\x80\x8f\xe2\x80\xa8\xe2\x81\xa6"
		    "\xef\xbb\xbf", "a?????" },
		{ "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf",
		    "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf" },
		{ "\x9b" "31m", "?31m" },		/* no UTF-8 */
		{ "\xc0\x9b\xed\xa0\x80\xf5", "??????" },
		{ "ma\xc3\xb1" "ana \xe2\x9c\x93",
		    "ma\xc3\xb1" "ana \xe2\x9c\x93" },
		{ "", "" },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		buf_clear(&b);
		put(&b, texts[i].in, SIZE_MAX);
		assert_string_equal(texts[i].out, buf_str(&b));
	}
	buf_release(&b);
}

static void
names_fill_their_columns(void **state)
{
	static const struct {
		const char *in;
		size_t	 columns;
		const char *out;
	} names[] = {
		{ "abc", 5, "abc  " }, { "abcde", 5, "abcde" },
		{ "abcdef", 5, "abcd~" }, { "", 2, "  " },
		{ "\xc3\xb1\xc3\xb1\xc3\xb1", 2, "\xc3\xb1~" },
		{ "\xc3\xb1", 3, "\xc3\xb1  " },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		buf_clear(&b);
		put_name(&b, names[i].in, names[i].columns);
		assert_string_equal(names[i].out, buf_str(&b));
	}
	buf_release(&b);
}

static void
windows_as_bars(void **state)
{
	static const struct {
		int64_t	 used, reserved, max;
		const char *out;
	} rows[] = {
		{ 0, 0, 30, "tpm [........] 0/30" },
		{ 1, 0, 8000, "tpm [#.......] 1/8000" },
		{ 7999, 0, 8000, "tpm [#######.] 7999/8000" },
		{ 8000, 0, 8000, "tpm [########] 8000/8000" },
		{ 9000, 0, 8000, "tpm [########] 9000/8000" },
		{ 4000, 2000, 8000, "tpm [####++..] 6000/8000" },
		{ 0, 1, 8000, "tpm [+.......] 1/8000" },
		{ 1, 1, 8000, "tpm [#.......] 2/8000" },
		{ 0, 8000, 8000, "tpm [++++++++] 8000/8000" },
		{ 0, 0, 0, "tpm [########] 0/0" },
		{ 99999, 0, 100000, "tpm [#######.] 99999/100k" },
		{ 5, 0, (int64_t)1 << 40, "tpm [#.......] 5/1099511M" },
		{ INT64_C(1) << 40, 0, (int64_t)1 << 40,
		    "tpm [########] 1099511M/1099511M" },
	};
	struct quota_row q;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		q = (struct quota_row){ .limit = CONFIG_TPM,
		    .used = rows[i].used, .reserved = rows[i].reserved,
		    .max = rows[i].max };
		buf_clear(&b);
		put_window(&b, &q);
		assert_string_equal(rows[i].out, buf_str(&b));
	}
	buf_release(&b);
}

/* ---- a whole picture ---- */

static const char text[] = ACCESS
    "provider p { url = https://p.example/v1 key = \"k1,k2\" rpm = 9 }\n"
    "provider q { url = https://q.example/v1 key = k3 key-rpd = 60 }\n"
    "model p/m1 { rpm = 3 tpm = 6000 tpd = 90000 rpd = 50 }\n"
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
look(struct fixture *f, size_t width, size_t rows)
{
	struct top_size size = { width, rows };

	buf_clear(&f->out);
	assert_int_equal(0, top_frame(f->at.c, f->l, &f->now, &size,
	    &f->out));
}

static void
says(struct fixture *f, const char *part)
{
	if (strstr(buf_str(&f->out), part) == NULL)
		fail_msg("no '%s' in:\n%s", part, buf_str(&f->out));
}

/* The number of lines; none is wider than that. */
static size_t
lines(struct fixture *f, size_t width)
{
	size_t n = 0, column = 0;
	const char *p;

	for (p = buf_str(&f->out); *p != '\0'; p++) {
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
		if (*p == '\n') {
			n++;
			column = 0;
		} else if (((unsigned char)*p & 0xc0) != 0x80 &&
		    ++column > width)
			fail_msg("wider than %zu:\n%s", width,
			    buf_str(&f->out));
	}
	assert_int_equal(0, column);
	return n;
}

static void
tells_who_runs(void **state)
{
	struct fixture f;
	struct quota_answer why;
	struct text_time was;
	uint64_t id[3];
	char line[200];

	(void)state;
	begin(&f);
	was = f.now;
	assert_int_equal(0, ledger_take(f.l, &was, 2, LEDGER_NOBODY, 70,
	    &id[0], &why));
	was.wall -= 65000;
	was.mono -= 65000;
	assert_int_equal(0, ledger_take(f.l, &was, 1, 0, 500, &id[1], &why));
	look(&f, 100, 0);
	says(&f, "3 of 3 lanes open, 2 in flight, 0 waiting\n");
	snprintf(line, sizeof(line), "%-12d %9s %7d  %-12s  p/m1 %s\n"
	    "%-12d %9s %7d  %-12s  q/m3\n", (int)getpid(), "1 min 5 s", 500,
	    "bot", f.at.c->providers[0].keys[1].name, (int)getpid(), "0 ms",
	    70, "-");
	says(&f, line);
	says(&f, "client bot");
	says(&f, "rpd [+.......] 1/30\n");
	/* A quarter of the terminal, and how many are not told. */
	look(&f, 100, 4);
	assert_int_equal(4, lines(&f, 100));
	look(&f, 100, 7);
	says(&f, "... and 1 more\n");
	assert_int_equal(7, lines(&f, 100));
	end(&f);
}

static void
tells_what_is_shut(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	ledger_bar(f.l, &f.now, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_RATE_DAY, T0 + 61000, false });
	ledger_bar(f.l, &f.now, 2, LEDGER_KEY,
	    &(struct quota_ban){ QUOTA_BAD_KEY, INT64_MAX, false });
	look(&f, 100, 0);
	says(&f, "1 of 3 lanes open");
	says(&f, "rate_day 1 min 1 s\n");
	says(&f, "bad_key\n");
	end(&f);
}

static void
fits_any_width(void **state)
{
	static const char *const names[] = { "short", "p/\033[2J\033[1;1H",
	    ("p/a-very-long-name-indeed-that-no-terminal-of-eighty-columns-"
	    "can-show-beside-its-figures-whatever-it-does") };
	struct fixture f;
	size_t i, width;
	char *keep;

	(void)state;
	begin(&f);
	keep = f.at.c->models[0].name;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		f.at.c->models[0].name = (char *)names[i];
		for (width = 1; width < 200; width += width < 30 ? 1 : 17) {
			look(&f, width, 0);
			assert_in_range(lines(&f, width), 10, 60);
		}
	}
	f.at.c->models[0].name = keep;
	/* As many windows in a line as there is room for. */
	look(&f, 56, 0);
	says(&f, "  rpm [........] 0/3        rpd [........] 0/50\n"
	    "  tpm [........] 0/6000     tpd [........] 0/90000\n");
	end(&f);
}

static void
a_full_buffer_is_a_failure(void **state)
{
	struct top_size size = { 80, 0 };
	struct fixture f;
	struct buf small;

	(void)state;
	begin(&f);
	buf_init(&small, 100);
	assert_int_equal(-1, top_frame(f.at.c, f.l, &f.now, &size, &small));
	buf_release(&small);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_made_harmless),
		cmocka_unit_test(names_fill_their_columns),
		cmocka_unit_test(windows_as_bars),
		cmocka_unit_test(tells_who_runs),
		cmocka_unit_test(tells_what_is_shut),
		cmocka_unit_test(fits_any_width),
		cmocka_unit_test(a_full_buffer_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
