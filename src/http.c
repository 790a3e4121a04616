#include "http.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "fault.h"
#include "text.h"

#define VARIABLES	256	/* more than a request has honest use for */
#define BYTES		(64 * 1024)	/* of all of them, as in FastCGI */
#define SLOTS		512	/* of the set of names: a power of two */

/* The variables that are read: a place in an array of values, which has NULL
 * for one that is not there. */
#define NAMES(F)							\
	F(REQUEST_METHOD, "REQUEST_METHOD")				\
	F(REQUEST_URI, "REQUEST_URI") F(SCRIPT_NAME, "SCRIPT_NAME")	\
	F(PATH_INFO, "PATH_INFO") F(QUERY_STRING, "QUERY_STRING")	\
	F(CONTENT_LENGTH, "CONTENT_LENGTH")				\
	F(CONTENT_TYPE, "CONTENT_TYPE") F(REMOTE_ADDR, "REMOTE_ADDR")	\
	F(AUTHORIZATION, "HTTP_AUTHORIZATION")				\
	F(X_API_KEY, "HTTP_X_API_KEY") F(API_KEY, "HTTP_API_KEY")	\
	F(ACCEPT, "HTTP_ACCEPT") F(ORIGIN, "HTTP_ORIGIN")		\
	F(CORS_METHOD, "HTTP_ACCESS_CONTROL_REQUEST_METHOD")		\
	F(CORS_HEADERS, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS")		\
	F(MAX_WAIT, "HTTP_X_RELEVO_MAX_WAIT")				\
	F(IF_NONE_MATCH, "HTTP_IF_NONE_MATCH") F(HOST, "HTTP_HOST")

enum var {
#define VAR(var, word)		var,
	NAMES(VAR)
	VARS
};

static const struct {
	const char	*name;
	size_t		 len;
} names[VARS] = {
#define NAME(var, word)		[var] = { word, sizeof(word) - 1 },
	NAMES(NAME)
};

/* ---- the environment ---- */

/* Whether the name must be unique: what a client's header turns into, which
 * no two spellings may reach, and what says how long the body is. Others are
 * the administrator's (nginx sends a fastcgi_param that is set twice, twice),
 * and do not come from the client. */
static bool
must_be_unique(const char *name)
{
	switch (*name) {
	case 'H':
		return strncmp(name, "HTTP_", 5) == 0;
	case 'C':
		return strncmp(name, "CONTENT_", 8) == 0;
	case 'R':
		return strncmp(name, "REQUEST_", 8) == 0;
	default:
		return false;
	}
}

/* Where a name is looked for first: by its length and its last bytes, in which
 * names differ. */
static size_t
place(const char *name, size_t n)
{
	uint64_t w = 0;
	size_t k = n < sizeof(w) ? n : sizeof(w);

	memcpy(&w, name + n - k, k);
	return (size_t)((w ^ n) * 0x9e3779b97f4a7c15ULL >> 32) % SLOTS;
}

/* Add variable number `index` to the set of names. False if its name is there.
 * Names are the client's and may be made to collide: with at most VARIABLES of
 * them that costs some 32,000 comparisons, less than a slow DNS answer. */
static bool
add(uint16_t *set, char *const *envp, size_t index, size_t n)
{
	const char *name = envp[index];
	size_t i = place(name, n);

	for (; set[i] != 0; i = (i + 1) % SLOTS)
		if (strncmp(envp[set[i] - 1], name, n + 1) == 0)
			return false;
	set[i] = (uint16_t)(index + 1);
	return true;
}

static void
store(const char **v, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < VARS; i++) {
		if (names[i].len == n && names[i].name[n - 1] == name[n - 1] &&
		    memcmp(names[i].name, name, n) == 0) {
			v[i] = name + n + 1;
			return;
		}
	}
}

static int
refuse(struct fault *f, enum fault_code code, const char *why)
{
	fault_set(f, code, NULL, "%s", why);
	return -1;
}

void
http_too_long(struct fault *f)
{
	fault_set(f, FAULT_HEADERS, NULL, "the headers of this request are "
	    "more than %d, or longer than %d bytes in all", VARIABLES, BYTES);
}

/* One pass over envp into v. 0, or -1 and f; v is filled then too, for the
 * refusal needs its CORS lines. */
static int
collect(const char **v, char *const *envp, struct fault *f)
{
	uint16_t set[SLOTS] = { 0 };
	const char *equals;
	size_t i, n, bytes = 0;
	int result = 0;

	for (i = 0; envp[i] != NULL; i++) {
		bytes += strlen(envp[i]);
		if (i == VARIABLES || bytes > BYTES) {
			http_too_long(f);
			return -1;
		}
		equals = strchr(envp[i], '=');
		if (equals == NULL || equals == envp[i])
			continue;
		n = (size_t)(equals - envp[i]);
		if (must_be_unique(envp[i]) && !add(set, envp, i, n))
			result = refuse(f, FAULT_DUPLICATE_HEADER,
			    "A header was sent twice, perhaps once with '-' "
			    "and once with '_' in its name.");
		store(v, envp[i], n);
	}
	return result;
}

/* ---- parts of struct http ---- */

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static const char *
or_null(const char *s)
{
	return s != NULL && *s != '\0' ? s : NULL;
}

static enum http_method
method(const char *name)
{
	static const char *const methods[] = {
		[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",
		[HTTP_POST] = "POST", [HTTP_OPTIONS] = "OPTIONS"
	};
	size_t i;

	for (i = 0; i < HTTP_OTHER; i++)
		if (strcmp(name, methods[i]) == 0)
			return (enum http_method)i;
	return HTTP_OTHER;
}

/* Absent, empty (nginx) and negative (Caddy, for a chunked body) mean that the
 * length is not known. More than 63 bits is still a number: whoever compares
 * it with the limit of a body refuses it. 0 or -1. */
static int
length(const char *s, int64_t *out)
{
	const char *digits = s + (*s == '-');
	size_t n = strlen(digits);
	uint64_t v = INT64_MAX;

	*out = -1;
	if (*s == '\0')
		return 0;
	if (n == 0 || strspn(digits, "0123456789") != n)
		return -1;
	if (*s == '-')
		return 0;
	(void)text_uint(digits, n, INT64_MAX, &v);
	*out = (int64_t)v;
	return 0;
}

/* RFC 6750 2.1, else the headers that other APIs use. X-Api-Key also gets
 * through Apache, which keeps Authorization from CGI. */
static const char *
token(const char *const *v)
{
	const char *a = or_empty(v[AUTHORIZATION]);

	if (strlen(a) > 7 && text_isi(a, 7, "Bearer ")) {
		a += 7;
		a += strspn(a, " ");
		if (*a != '\0')
			return a;
	}
	a = or_null(v[X_API_KEY]);
	return a != NULL ? a : or_null(v[API_KEY]);
}

/* ---- the path ---- */

/* Put p[0..n), decoded, into out without empty segments. 0; -1 when a segment
 * is ".." or a control byte is in it (nginx hands CR and LF of %0d%0a on). */
static int
normalise(const char *p, size_t n, char *out)
{
	size_t i = 0, start, len = 0;

	while (i < n) {
		if (p[i] == '/') {
			i++;
			continue;
		}
		out[len++] = '/';
		for (start = i; i < n && p[i] != '/'; i++) {
			if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
				return -1;
			out[len++] = p[i];
		}
		if (text_is(p + start, i - start, ".."))
			return -1;
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	return 0;
}

/* The request target (RFC 9112 3.2) without scheme and authority, if it had
 * them. NULL when it is neither form, nor "*". */
static const char *
origin_form(const char *uri)
{
	const char *p = strstr(uri, "://");
	size_t scheme = strcspn(uri, ":/?#");

	if (strcmp(uri, "*") == 0)
		return "/";
	if (p != NULL && scheme > 0 && uri + scheme == p) {
		p += 3;
		return p + strcspn(p, "/?#");
	}
	return *uri == '/' || *uri == '?' ? uri : NULL;
}

/* Put the path, decoded, into raw, and the query into h. The length of the
 * path, size when it is longer than raw, -1 when it does not decode. */
static int
target(struct http *h, const char *const *v, char *raw, size_t size)
{
	const char *uri = or_null(v[REQUEST_URI]);
	size_t n;

	if (uri == NULL) {
		h->query = or_empty(v[QUERY_STRING]);
		n = (size_t)snprintf(raw, size, "%s%s", h->script,
		    or_empty(v[PATH_INFO]));
		return (int)(n < size ? n : size);
	}
	uri = origin_form(uri);
	if (uri == NULL)
		return -1;
	n = strcspn(uri, "?#");
	if (uri[n] == '?')
		h->query = uri + n + 1;
	return n <= size ? text_percent(uri, n, raw) : (int)size;
}

static int
path(struct http *h, const char *const *v, struct fault *f)
{
	char raw[HTTP_PATH * 3];	/* each byte may be written as %XX */
	int n = target(h, v, raw, sizeof(raw));

	/* One byte for a '/' at the start, one for the NUL. */
	if (n > HTTP_PATH - 2)
		return refuse(f, FAULT_UNKNOWN_URL,
		    "Nothing here has so long a path.");
	if (n >= 0 && normalise(raw, (size_t)n, h->path) == 0)
		return 0;
	memcpy(h->path, "/", 2);	/* nothing half read is left there */
	return refuse(f, FAULT_INVALID_REQUEST,
	    "The path of the URL is not valid.");
}

int
http_read(struct http *h, char *const *envp, struct http_ids *ids,
    struct fault *f)
{
	const char *v[VARS] = { NULL };
	int result = collect(v, envp, f);

	*h = (struct http){ .path = "/", .query = "" };
	http_id(ids, h->id);
	h->method_name = or_empty(v[REQUEST_METHOD]);
	h->method = method(h->method_name);
	h->script = or_empty(v[SCRIPT_NAME]);
	h->type = or_empty(v[CONTENT_TYPE]);
	h->accept = or_empty(v[ACCEPT]);
	h->origin = or_null(v[ORIGIN]);
	h->cors_method = or_null(v[CORS_METHOD]);
	h->cors_headers = or_null(v[CORS_HEADERS]);
	h->token = token(v);
	h->auth_header = or_null(v[AUTHORIZATION]) != NULL;
	h->max_wait = or_null(v[MAX_WAIT]);
	h->etag = or_null(v[IF_NONE_MATCH]);
	h->host = or_empty(v[HOST]);
	h->remote = or_empty(v[REMOTE_ADDR]);
	h->length = -1;
	if (result < 0)
		return -1;
	if (*h->method_name == '\0')
		return refuse(f, FAULT_INVALID_REQUEST,
		    "The web server named no REQUEST_METHOD.");
	if (length(or_empty(v[CONTENT_LENGTH]), &h->length) < 0)
		return refuse(f, FAULT_INVALID_REQUEST,
		    "The Content-Length is not a number.");
	return path(h, v, f);
}

/* ---- Accept, Content-Type ---- */

/* Take the white space off both ends of *p, *n. */
static void
trim(const char **p, size_t *n)
{
	while (*n > 0 && (**p == ' ' || **p == '\t')) {
		(*p)++;
		(*n)--;
	}
	while (*n > 0 && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
		(*n)--;
}

/* Cut the next piece off *p, up to c or the end of the string; trimmed.
 * False when there is no more. */
static bool
piece(const char **p, const char *end, char c, const char **out, size_t *n)
{
	const char *to;

	if (*p == NULL)
		return false;
	to = memchr(*p, c, (size_t)(end - *p));
	*out = *p;
	*n = (size_t)((to != NULL ? to : end) - *p);
	*p = to != NULL ? to + 1 : NULL;
	trim(out, n);
	return true;
}

/* A weight (RFC 9110 12.4.2) in thousandths; what is none counts as 1. */
static int
weight(const char *p, size_t n)
{
	int v, scale = 100;
	size_t i;

	if (n == 0 || (*p != '0' && *p != '1') || (n > 1 && p[1] != '.'))
		return 1000;
	v = (*p - '0') * 1000;
	for (i = 2; i < n && i < 5; i++, scale /= 10) {
		if (p[i] < '0' || p[i] > '9')
			return 1000;
		v += (p[i] - '0') * scale;
	}
	return v > 1000 ? 1000 : v;
}

/* How well the range p[0..n) of an Accept header fits type: 3 as it is, 2 as
 * "text" + "/" + "*", 1 as any, 0 not. */
static int
fit(const char *p, size_t n, const char *type)
{
	size_t main = strcspn(type, "/") + 1;

	if (text_isi(p, n, type))
		return 3;
	if (text_is(p, n, "*/*"))
		return 1;
	if (n == main + 1 && p[main] == '*' && strncasecmp(p, type, main) == 0)
		return 2;
	return 0;
}

/* The weight that an Accept header gives to type; the range that fits best
 * decides (RFC 9110 12.5.1). Other parameters than q are passed over. */
static int
accepted(const char *accept, const char *type)
{
	const char *end = accept + strlen(accept), *rest = accept;
	const char *range, *parts, *p = accept, *range_end;
	int best = 0, result = 0, how, q;
	size_t n;

	while (piece(&rest, end, ',', &range, &n)) {
		range_end = range + n;
		parts = range;
		piece(&parts, range_end, ';', &p, &n);
		how = fit(p, n, type);
		for (q = 1000; piece(&parts, range_end, ';', &p, &n);)
			if (n > 2 && text_isi(p, 2, "q="))
				q = weight(p + 2, n - 2);
		if (how > best) {
			best = how;
			result = q;
		}
	}
	return result;
}

bool
http_prefers(const struct http *h, const char *type, const char *other)
{
	return accepted(h->accept, type) > accepted(h->accept, other);
}

bool
http_is_json(const struct http *h)
{
	const char *p = h->type;
	size_t n = strcspn(p, ";");

	trim(&p, &n);
	if (text_isi(p, n, "application/json"))
		return true;
	return n > 6 && memchr(p, '/', n - 6) != NULL &&
	    text_isi(p + n - 5, 5, "+json");
}

/* ---- heads ---- */

void
http_head(struct buf *out, const struct http *h, int status, const char *type)
{
	const char *phrase = fault_phrase(status);

	buf_puts(out, "Status: ");
	buf_int(out, status);
	if (*phrase != '\0')
		buf_put(out, " ", 1);
	buf_puts(out, phrase);
	buf_put(out, "\r\n", 2);
	if (type != NULL)
		http_header(out, "Content-Type", type);
	http_header(out, "X-Request-Id", h->id);
}

void
http_header(struct buf *out, const char *name, const char *value)
{
	size_t i, start;

	buf_puts(out, name);
	buf_put(out, ": ", 2);
	start = out->len;
	buf_puts(out, value);
	for (i = start; i < out->len; i++)
		if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f)
			out->data[i] = ' ';
	buf_put(out, "\r\n", 2);
}

void
http_end(struct buf *out)
{
	buf_put(out, "\r\n", 2);
}

/* Whether s is a list of header names (RFC 9110 5.1, 5.6.2): safe to repeat
 * in an answer. */
static bool
is_token_list(const char *s)
{
	static const char tchar[] = "!#$%&'*+-.^_`|~0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *end = s + strlen(s), *p;
	size_t n;

	while (piece(&s, end, ',', &p, &n))
		if (n == 0 || strspn(p, tchar) < n)
			return false;
	return true;
}

static const char *
allowed(const char *origin, char *const *origins)
{
	for (; *origins != NULL; origins++) {
		if (strcmp(*origins, "*") == 0)
			return "*";
		if (strcmp(*origins, origin) == 0)
			return origin;
	}
	return NULL;
}

bool
http_cors(struct buf *out, const struct http *h, char *const *origins)
{
	const char *origin;

	if (origins == NULL || *origins == NULL)
		return false;
	http_header(out, "Vary", "Origin");
	origin = h->origin != NULL ? allowed(h->origin, origins) : NULL;
	if (origin == NULL)
		return false;
	/* Never Access-Control-Allow-Credentials: there are no cookies. */
	http_header(out, "Access-Control-Allow-Origin", origin);
	if (h->method != HTTP_OPTIONS || h->cors_method == NULL) {
		http_header(out, "Access-Control-Expose-Headers",
		    "ETag, X-Request-Id, Retry-After, Retry-After-Ms, "
		    "X-Should-Retry, "
		    "X-Relevo-Provider, X-Relevo-Model, X-Relevo-Attempts, "
		    "X-RateLimit-Limit-Requests, "
		    "X-RateLimit-Remaining-Requests, "
		    "X-RateLimit-Reset-Requests, X-RateLimit-Limit-Tokens, "
		    "X-RateLimit-Remaining-Tokens, "
		    "X-RateLimit-Reset-Tokens");
		return true;
	}
	http_header(out, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
	if (h->cors_headers != NULL && is_token_list(h->cors_headers))
		http_header(out, "Access-Control-Allow-Headers",
		    h->cors_headers);
	http_header(out, "Access-Control-Max-Age", "600");
	return true;
}

const char *
http_find(const char *head, size_t head_len, const char *name, size_t *n)
{
	const char *p = head, *end = head + head_len, *eol, *value;
	size_t len = strlen(name), line;

	while (p < end) {
		eol = memchr(p, '\n', (size_t)(end - p));
		line = (size_t)((eol != NULL ? eol : end) - p);
		if (line > 0 && p[line - 1] == '\r')
			line--;
		if (line == 0)
			return NULL;	/* the blank line: the head is over */
		if (line > len && p[len] == ':' && text_isi(p, len, name)) {
			value = p + len + 1;
			*n = line - len - 1;
			trim(&value, n);
			return value;
		}
		p = eol != NULL ? eol + 1 : end;
	}
	return NULL;
}

int
http_query(const struct http *h, const char *name, char *out, size_t out_size)
{
	const char *rest = h->query, *end = rest + strlen(rest), *p;
	char raw[HTTP_PATH * 3];
	size_t n, len = strlen(name);
	int got;

	while (piece(&rest, end, '&', &p, &n)) {
		if (n < len || memcmp(p, name, len) != 0 ||
		    (n > len && p[len] != '='))
			continue;
		p += len + (n > len);
		n -= len + (n > len);
		got = n <= sizeof(raw) ? text_percent(p, n, raw) : -1;
		if (got < 0 || (size_t)got >= out_size)
			return -1;
		memcpy(out, raw, (size_t)got);
		out[got] = '\0';
		return 0;
	}
	return -1;
}
