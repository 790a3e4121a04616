/* http: a request as CGI tells it (RFC 3875), response heads, CORS.
 *
 * Every string of a struct http points into the environment that http_read
 * was given and lives as long as that. Pure; never blocks. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct fault;

enum http_method {
	HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_OTHER
};

#define HTTP_ID		24	/* bytes of an id, with its NUL */
#define HTTP_PATH	1024	/* bytes of a decoded path; longer is 404 */

struct http {
	enum http_method method;
	const char	*method_name;
	char		 path[HTTP_PATH]; /* decoded, no query, "/" at start,
					   * doubled and trailing slashes
					   * removed */
	const char	*script;	/* SCRIPT_NAME or "" */
	const char	*query;		/* "" if none */
	const char	*type;		/* Content-Type or "" */
	const char	*accept;	/* or "" */
	const char	*origin;	/* NULL if none */
	const char	*cors_method;	/* Access-Control-Request-Method */
	const char	*cors_headers;	/* Access-Control-Request-Headers */
	const char	*token;		/* what the client showed, or NULL */
	bool		 auth_header;	/* it sent an Authorization header */
	const char	*max_wait;	/* X-Relevo-Max-Wait or NULL */
	const char	*etag;		/* If-None-Match or NULL */
	const char	*remote;	/* REMOTE_ADDR or "" */
	const char	*host;		/* Host, with its port, or "" */
	int64_t		 length;	/* CONTENT_LENGTH; -1: not known */
	char		 id[HTTP_ID];	/* X-Request-Id of the answer, ours */
};

/* Random bytes for ids, fetched many at once: one for each process, begun as
 * zeros after the last fork. */
struct http_ids {
	unsigned char	 bytes[256];
	size_t		 left;
};

/* Read envp ("NAME=value", NULL last) into h. -1 and f: a variable that must
 * be unique stands there twice (two header spellings that the web server
 * merged: header smuggling), more than 256 variables or 64 KB of them, no
 * REQUEST_METHOD, a CONTENT_LENGTH that is no number, a path that does not
 * decode, climbs ("..") or has control bytes. Every member is valid in every
 * case: a refusal needs its id and its CORS lines. A length of more than 63
 * bits reads as INT64_MAX. The path comes from REQUEST_URI, for SCRIPT_NAME and
 * PATH_INFO differ in every web server; without it SCRIPT_NAME + PATH_INFO are
 * used. ids is where the id comes from; NULL: from the system, for one
 * request. */
int	http_read(struct http *h, char *const *envp, struct http_ids *ids,
	    struct fault *f);

/* A new id: "req_" and 16 letters. ids as above. */
void	http_id(struct http_ids *ids, char id[HTTP_ID]);

/* The fault of headers that are too long (431, RFC 6585 section 5). */
void	http_too_long(struct fault *f);

/* Whether media type `type` is named by the Accept header with more weight
 * than `other`; false without one. */
bool	http_prefers(const struct http *h, const char *type, const char *other);

/* Whether the Content-Type is JSON: application/json or +json. */
bool	http_is_json(const struct http *h);

/* Append "Status: 200 OK", Content-Type (NULL: none) and X-Request-Id, no
 * blank line. More header lines may follow; http_end puts the blank line. */
void	http_head(struct buf *out, const struct http *h, int status,
	    const char *type);
void	http_header(struct buf *out, const char *name, const char *value);
			/* control bytes in value become spaces */
void	http_end(struct buf *out);

/* Append the CORS lines for h (Fetch standard 3.2). origins: the allowed ones,
 * NULL last, "*" for any; none: nothing is appended and false returned. A
 * match is exact. The requested headers are reflected, for `*` does not cover
 * Authorization. Vary: Origin goes out whenever any origin is configured.
 * Whether the origin of h is allowed. */
bool	http_cors(struct buf *out, const struct http *h,
	    char *const *origins);

/* The value of a header in a raw head (lines ended by CRLF or LF), trimmed;
 * the first if there are several. NULL if none; *n is its length. */
const char *http_find(const char *head, size_t head_len, const char *name,
	    size_t *n);

/* The value of a query parameter, percent-decoded into out (out_size bytes,
 * NUL-ended). 0, or -1 when it is absent, broken or too long. */
int	http_query(const struct http *h, const char *name, char *out,
	    size_t out_size);

#endif
