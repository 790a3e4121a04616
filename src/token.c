#include "token.h"

#include <stdbool.h>
#include <string.h>

void
token_skip(struct token_reader *r)
{
	while (r->p < r->end && *r->p != '\n')
		r->p++;
}

/* Pass a comment. False when the text here is none, or one without an end. */
static bool
skip_comment(struct token_reader *r)
{
	const char *p;
	int line = r->line;

	if (*r->p == '#' || (r->end - r->p > 1 && r->p[0] == '/' &&
	    r->p[1] == '/')) {
		token_skip(r);
		return true;
	}
	if (r->end - r->p < 2 || r->p[0] != '/' || r->p[1] != '*')
		return false;
	for (p = r->p + 2; r->end - p >= 2; p++) {
		if (p[0] == '*' && p[1] == '/') {
			r->p = p + 2;
			r->line = line;
			return true;
		}
		if (*p == '\n')
			line++;
	}
	return false;
}

static void
skip_blank(struct token_reader *r)
{
	while (r->p < r->end) {
		if (*r->p == '\n')
			r->line++;
		else if (strchr(" \t\r", *r->p) == NULL) {
			if (!skip_comment(r))
				return;
			continue;
		}
		r->p++;
	}
}

/* Past the '}' of a "${"; NULL when the line ends first. */
static const char *
past_variable(const char *p, const char *end)
{
	while (p < end && *p != '\n' && *p != '}')
		p++;
	return p < end && *p == '}' ? p + 1 : NULL;
}

/* Past the closing quote of the string that begins at p, or NULL with *why.
 * A string ends on its line: libconfuse lets it run on, and one forgotten
 * quote then swallows half the file. Of its escapes only those pass that
 * cannot make a NUL or a control byte. */
static const char *
past_string(const char *p, const char *end, const char **why)
{
	char quote = *p++;

	for (*why = "a string is not closed on its line";
	    p < end && *p != '\n'; p++) {
		if (*p == quote)
			return p + 1;
		if (*p == '\\') {
			if (end - p < 2 || p[1] == '\n')
				return NULL;
			if (quote == '"' && strchr("\"'\\$", p[1]) == NULL) {
				*why = "only \\\" \\\\ \\' and \\$ may "
				    "follow a backslash in a string";
				return NULL;
			}
			p++;
		} else if (quote == '"' && *p == '$' && end - p > 1 &&
		    p[1] == '{') {
			p = past_variable(p, end);
			if (p == NULL) {
				*why = "a ${ is not closed on its line";
				return NULL;
			}
			p--;
		}
	}
	return NULL;
}

static bool
ends_word(const char *p, const char *end)
{
	return p == end || strchr(" \t\r\n={}(),", *p) != NULL;
}

static const char *
past_word(const char *p, const char *end, const char **why)
{
	for (; !ends_word(p, end); p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f ||
		    strchr("#\"'$*+", *p) != NULL) {
			*why = "this text must stand in quotes (it holds one "
			    "of # \" ' $ * + or a control byte)";
			return NULL;
		}
	}
	return p;
}

void
token_next(struct token_reader *r, struct token *t)
{
	static const char single[] = "{}=,()";
	static const enum token_kind kinds[] = { TOKEN_OPEN, TOKEN_CLOSE,
	    TOKEN_EQUAL, TOKEN_COMMA, TOKEN_LPAR, TOKEN_RPAR };
	const char *why = NULL, *past, *at;

	skip_blank(r);
	t->p = r->p;
	t->line = r->line;
	t->n = 0;
	t->kind = TOKEN_END;
	if (r->p == r->end)
		return;
	if ((at = strchr(single, *r->p)) != NULL) {
		t->kind = kinds[at - single];
		t->n = 1;
		r->p++;
		return;
	}
	t->kind = TOKEN_STRING;
	if (r->end - r->p > 1 && r->p[0] == '/' && r->p[1] == '*') {
		past = NULL;
		why = "a comment begins here and never ends";
	} else if (*r->p == '"' || *r->p == '\'') {
		past = past_string(r->p, r->end, &why);
	} else if (*r->p == '$' && r->end - r->p > 1 && r->p[1] == '{') {
		past = past_variable(r->p, r->end);
		why = "a ${ is not closed on its line";
	} else {
		t->kind = TOKEN_WORD;
		past = past_word(r->p, r->end, &why);
	}
	if (past != NULL && !ends_word(past, r->end)) {
		why = "put the whole value in one pair of quotes";
		past = NULL;
	}
	if (past == NULL) {
		t->kind = TOKEN_BAD;
		t->why = why;
		token_skip(r);
		return;
	}
	t->n = (size_t)(past - t->p);
	r->p = past;
}
