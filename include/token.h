/* token: the words of a configuration file, one after the other.
 *
 * No more than that passes which libconfuse (3.3) reads the way a person
 * does: a string ends on its line, its escapes are \" \\ \' \$, and a '#',
 * '*', '+' or quote inside a bare word is refused rather than taken for a
 * comment or dropped. Pure. */
#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>

enum token_kind {
	TOKEN_END, TOKEN_WORD,
	TOKEN_STRING,			/* "..." '...' ${...}, as written */
	TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUAL, TOKEN_COMMA, TOKEN_LPAR,
	TOKEN_RPAR,			/* { } = , ( ) */
	TOKEN_BAD			/* why says it; the line is skipped */
};

struct token {
	enum token_kind	 kind;
	const char	*p;
	size_t		 n;
	int		 line;
	const char	*why;
};

/* Where the reader is: set p, end and line, then call token_next. */
struct token_reader {
	const char	*p;
	const char	*end;
	int		 line;
};

/* The next one; comments (#, //, slash and star) and blanks are passed. */
void	token_next(struct token_reader *r, struct token *t);

/* Go to the end of the line. */
void	token_skip(struct token_reader *r);

#endif
