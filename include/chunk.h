/* chunk: what one chat.completion.chunk, or one chat.completion, holds of
 * what the gateway acts on, as offsets. Pure; never blocks. */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct json;

struct chunk_span {
	size_t	at, len;		/* len 0: it is not there */
};

/* One of choices[]. delta stands for message too. */
struct chunk_choice {
	int64_t		 index;		/* as told, else its place */
	struct chunk_span finish;	/* the value of finish_reason */
	bool		 finished;	/* it is a string that is not empty */
	bool		 blank;		/* it is "" */
	bool		 error;		/* it is "error" (OpenRouter's streaming
					 * guide, read 2026-11-20) */
	bool		 spent;		/* it is "length" or "content_filter":
					 * an answer, even without a word */
	struct chunk_span delta;	/* the value of delta, or of message */
	bool		 message;	/* it was called message */
	bool		 null;		/* delta is null */
	struct chunk_span role;		/* member role with one comma, if it is
					 * "" */
	struct chunk_span text;		/* the value of delta.content when it is
					 * a string or an array */
	struct chunk_span tools;	/* the array delta.tool_calls */
	bool		 said;		/* text, reasoning, a tool call, a
					 * picture: anything but form */
	int64_t		 bytes;		/* of text, reasoning and arguments */
};

struct chunk {
	bool		 object;	/* it is an object, or an array whose
					 * first element is one */
	bool		 choices;	/* choices is there and an array */
	size_t		 count;		/* how many */
	struct chunk_span top;		/* that object */
	struct chunk_span id, created, model;	/* values, quotes included */
	struct chunk_span usage;	/* the object usage at the top */
	int64_t		 prompt;	/* tokens by it or x_groq.usage; -1 */
	int64_t		 completion;	/* reasoning included; -1 */
	struct chunk_span error;	/* error, unless null, false or "" */
	struct chunk_span message;	/* its text, without the quotes */
	int		 status;	/* HTTP status that it names, or 0 */
	size_t		 bad;		/* when it is not JSON: where ... */
	const char	*why;		/* ... and why */
};

/* Hears of each choice, in order, before the text is known to be valid. */
typedef void chunk_fn(void *arg, const struct chunk_choice *choice);

/* Scan p[0..n). -1: it is not strict JSON. */
int	chunk_scan(struct chunk *c, const char *p, size_t n, chunk_fn *fn,
	    void *arg);

/* How many bytes the last string of a scan has, its escapes resolved. */
int64_t	chunk_length(const struct json *j);

/* ---- the shape of events that differ in their text alone ---- */

#define CHUNK_SHAPE	360	/* bytes of head and tail */

struct chunk_shape {
	uint16_t	 head, tail;	/* bytes before and after the text, its
					 * quotes included; head 0: no shape */
	char		 bytes[CHUNK_SHAPE + 8]; /* as it stands in a stream */
};

/* Learn the shape of the valid JSON p[0..n) around the string at text. One
 * that is too long or has a line break is not learned. */
void	chunk_shape(struct chunk_shape *s, const char *p, size_t n,
	    struct chunk_span text);

/* Whether p[0..n) is that shape around another JSON string that is valid and
 * not empty: then all else in it is the same. *bytes: how long the text is,
 * escapes resolved. */
bool	chunk_fits(const struct chunk_shape *s, const char *p, size_t n,
	    struct chunk_span *text, int64_t *bytes);

/* The same of the event stream p[0..n): how many of its bytes are events that
 * follow each other, each the line "data: " with an object of that shape and an
 * empty line, LF at their ends, and no longer than `most`. The lengths of the
 * texts are added to *bytes. */
size_t	chunk_leads(const struct chunk_shape *s, const char *p, size_t n,
	    size_t most, int64_t *bytes);

/* ---- changes ---- */

#define CHUNK_EDITS	40

struct chunk_edits {
	size_t		 n;
	struct chunk_edit {
		struct chunk_span	 what;	/* to be left out */
		const char		*with;	/* to come in its place */
	} edit[CHUNK_EDITS];		/* in order, none over another */
};

/* Add one. 0, or -1 when there are CHUNK_EDITS. */
int	chunk_edit(struct chunk_edits *e, struct chunk_span what,
	    const char *with);

/* Append p[0..n) with the changes, and behind the '{' at brace, if relevo is
 * not NULL, the member "relevo". Errors stick in out->failed. */
void	chunk_put(const char *p, size_t n, const struct chunk_edits *e,
	    size_t brace, const char *relevo, struct buf *out);

/* Make the JSON that out holds from byte `from` on fit one data line: a line
 * break can only stand between its tokens, where a space means the same. */
void	chunk_one_line(struct buf *out, size_t from);

/* ---- other forms ---- */

/* Append the text of a content value: the string, or those parts of an array
 * that are text and not thinking. Escapes are resolved. 0 or -1. */
int	chunk_text(const char *p, struct chunk_span text, struct buf *out);

/* Append the event stream, without [DONE], that says what the valid
 * chat.completion p[0..n) says: for each choice its message in one delta, then
 * its finish_reason; the usage chunk if usage. relevo: a JSON object for the
 * first chunk's member "relevo", or NULL. Errors stick in out->failed. */
void	chunk_split(const char *p, size_t n, bool usage, const char *relevo,
	    struct buf *out);

#endif
