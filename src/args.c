#include "args.h"

#include <string.h>

#include "buf.h"

#define NEAR_MAX	24	/* bytes of a word that are compared */

static const struct args_option *
option_at(const struct args_row *row, size_t i)
{
	return i < ARGS_OPTIONS && row->options[i].word != NULL ?
	    &row->options[i] : NULL;
}

/* The row's option that the word begins with, and what stands behind it in the
 * same word, or NULL. */
static int
find(const struct args_row *row, const char *word, const char **rest)
{
	const struct args_option *o;

	for (int i = 0; (o = option_at(row, (size_t)i)) != NULL; i++) {
		size_t n = strlen(o->word);

		if (strncmp(word, o->word, n) != 0)
			continue;
		*rest = word[n] == '\0' ? NULL :
		    word + n + (o->word[1] == '-');
		if (word[n] == '\0' || (o->word[1] == '-' ? word[n] == '=' :
		    o->value != NULL))
			return i;
	}
	return -1;
}

static int
unknown(const struct args_row *row, const char *word, struct buf *why)
{
	const struct args_option *o;

	buf_printf(why, "%s has no option %s", row->name, word);
	for (size_t i = 0; (o = option_at(row, i)) != NULL; i++)
		if (args_near(word, o->word)) {
			buf_printf(why, "; is %s meant?", o->word);
			break;
		}
	return -1;
}

/* An option; *at is its index in argv, and moves on if its value is the next
 * word. */
static int
option(struct args *a, int n, char *const *word, int *at, struct buf *why)
{
	const char *rest = NULL;
	int i = find(a->row, word[*at], &rest);
	const struct args_option *o;

	if (i < 0)
		return unknown(a->row, word[*at], why);
	o = &a->row->options[i];
	if (o->value == NULL && rest != NULL) {
		buf_printf(why, "%s takes no value", o->word);
		return -1;
	}
	if (o->value != NULL && rest == NULL && *at + 1 < n)
		rest = word[++*at];
	if (o->value != NULL && (rest == NULL || *rest == '\0')) {
		buf_printf(why, "%s wants a value: %s %s", o->word, o->word,
		    o->value);
		return -1;
	}
	a->value[i] = o->value != NULL ? rest : "";
	return 0;
}

static int
operand(struct args *a, const char *word, struct buf *why)
{
	if (a->row->operand == NULL)
		buf_printf(why, "%s takes no argument, and \"%s\" is one",
		    a->row->name, word);
	else if (a->operand != NULL)
		buf_printf(why, "%s takes one argument, and \"%s\" is another",
		    a->row->name, word);
	else
		a->operand = word;
	return a->operand == word ? 0 : -1;
}

static int
complete(const struct args *a, struct buf *why)
{
	const struct args_option *o;

	for (size_t i = 0; (o = option_at(a->row, i)) != NULL; i++)
		if (o->needed && a->value[i] == NULL) {
			buf_printf(why, "%s wants %s %s", a->row->name,
			    o->word, o->value);
			return -1;
		}
	if (a->row->operand != NULL && a->row->operand[0] != '[' &&
	    a->operand == NULL) {
		buf_printf(why, "%s wants a %s", a->row->name,
		    a->row->operand);
		return -1;
	}
	return 0;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int
args_read(struct args *a, const struct args_row *row, int n, char *const *word,
    struct buf *why)
{
	bool plain = false;
	int rc = 0;

	*a = (struct args){ .row = row };
	for (int i = 0; i < n && strcmp(word[i], "--") != 0; i++)
		if (is_help(word[i])) {
			a->help = true;
			return 0;
		}
	for (int i = 0; i < n && rc == 0; i++) {
		if (!plain && strcmp(word[i], "--") == 0)
			plain = true;
		else if (!plain && word[i][0] == '-' && word[i][1] != '\0')
			rc = option(a, n, word, &i, why);
		else
			rc = operand(a, word[i], why);
	}
	return rc == 0 ? complete(a, why) : -1;
}

const char *
args_value(const struct args *a, const char *word)
{
	const struct args_option *o;

	for (size_t i = 0; (o = option_at(a->row, i)) != NULL; i++)
		if (strcmp(o->word, word) == 0)
			return a->value[i];
	return NULL;
}

void
args_usage(const struct args_row *row, struct buf *out)
{
	const struct args_option *o;

	buf_puts(out, row->name);
	for (size_t i = 0; (o = option_at(row, i)) != NULL; i++)
		buf_printf(out, " %s%s%s%s%s", o->needed ? "" : "[", o->word,
		    o->value != NULL ? " " : "",
		    o->value != NULL ? o->value : "", o->needed ? "" : "]");
	if (row->operand != NULL)
		buf_printf(out, " %s", row->operand);
}

static void
help_line(struct buf *out, const char *word, const char *value,
    const char *what)
{
	size_t n = strlen(word) + strlen(value);

	buf_printf(out, "  %s %s%*s%s\n", word, value, n < 15 ? (int)(16 - n) :
	    1, "", what);
}

void
args_help(const struct args_row *row, struct buf *out)
{
	const struct args_option *o;

	for (size_t i = 0; (o = option_at(row, i)) != NULL; i++)
		help_line(out, o->word, o->value != NULL ? o->value : "",
		    o->what);
	help_line(out, "--config", "FILE", "the configuration");
	help_line(out, "-h, --help", "", "this");
	if (row->more != NULL)
		buf_printf(out, "\n%s", row->more);
}

/* ---- words that are near ---- */

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The edits between two words: a letter more, less, another, or two that
 * changed places (Damerau 1964, no letter edited twice). */
static unsigned
distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned d[NEAR_MAX + 1][NEAR_MAX + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++)
		for (size_t j = 1; j <= nb; j++) {
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
			    d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j],
				    d[i - 2][j - 2] + 1);
		}
	return d[na][nb];
}

bool
args_near(const char *word, const char *meant)
{
	size_t n = strlen(word), m = strlen(meant);

	if (n < 3 || n > NEAR_MAX || m > NEAR_MAX)
		return false;
	if (strncmp(word, meant, n) == 0)
		return true;
	return distance(word, n, meant, m) <= (n < 6 ? 1 : n / 3);
}
