#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "text.h"

/* The words and types are OpenAI's where it has one: SDKs and agents branch on
 * them. The others follow its style. */
static const struct {
	int		 status;
	const char	*word;
	const char	*type;
} table[FAULT_CODES] = {
	[FAULT_NONE] = { 200, "none", "none" },
	[FAULT_INVALID_JSON] = { 400, "invalid_json",
	    "invalid_request_error" },
	[FAULT_INVALID_REQUEST] = { 400, "invalid_request",
	    "invalid_request_error" },
	[FAULT_DUPLICATE_HEADER] = { 400, "duplicate_header",
	    "invalid_request_error" },
	[FAULT_CONTEXT_LENGTH] = { 400, "context_length_exceeded",
	    "invalid_request_error" },
	[FAULT_CONTENT_BLOCKED] = { 400, "content_blocked",
	    "invalid_request_error" },
	[FAULT_UNAUTHORIZED] = { 401, "invalid_api_key",
	    "authentication_error" },
	[FAULT_FORBIDDEN] = { 403, "forbidden", "permission_error" },
	[FAULT_UNKNOWN_URL] = { 404, "unknown_url", "not_found_error" },
	[FAULT_MODEL_NOT_FOUND] = { 404, "model_not_found",
	    "not_found_error" },
	[FAULT_METHOD] = { 405, "method_not_allowed",
	    "invalid_request_error" },
	[FAULT_BODY_TIMEOUT] = { 408, "body_timeout",
	    "invalid_request_error" },
	[FAULT_BODY_TOO_LARGE] = { 413, "body_too_large",
	    "invalid_request_error" },
	[FAULT_MEDIA_TYPE] = { 415, "unsupported_media_type",
	    "invalid_request_error" },
	[FAULT_HOST] = { 421, "misdirected_request",
	    "invalid_request_error" },
	[FAULT_HEADERS] = { 431, "headers_too_large",
	    "invalid_request_error" },
	[FAULT_RATE_LIMITED] = { 429, "rate_limit_exceeded",
	    "rate_limit_error" },
	[FAULT_QUOTA] = { 429, "insufficient_quota", "insufficient_quota" },
	[FAULT_ATTEMPTS] = { 429, "too_many_attempts",
	    "authentication_error" },
	[FAULT_OVERLOADED] = { 503, "overloaded", "server_error" },
	[FAULT_NO_MODELS] = { 503, "no_models", "server_error" },
	[FAULT_UPSTREAM_REFUSED] = { 502, "upstream_refused",
	    "upstream_error" },
	[FAULT_UPSTREAM_TIMEOUT] = { 504, "upstream_timeout",
	    "upstream_error" },
	[FAULT_UPSTREAM_STATUS] = { 502, "upstream_status",
	    "upstream_error" },
	[FAULT_UPSTREAM_ERROR] = { 502, "upstream_error", "upstream_error" },
	[FAULT_UPSTREAM_EMPTY] = { 502, "upstream_empty", "upstream_error" },
	[FAULT_UPSTREAM_CUT] = { 502, "upstream_cut", "upstream_error" },
	[FAULT_UPSTREAM_MALFORMED] = { 502, "upstream_malformed",
	    "upstream_error" },
	[FAULT_ALL_FAILED] = { 503, "all_failed", "upstream_error" },
	[FAULT_INTERNAL] = { 500, "internal_error", "server_error" },
};

/* Own statuses, and those that a provider's answer may bring through. Some
 * SDKs show the phrase and nothing else, so it has to be the right one. */
static const struct {
	int		 status;
	const char	*phrase;
} phrases[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

/* A code out of the table can only be a slip of ours. */
static enum fault_code
known(enum fault_code code)
{
	return (unsigned)code < FAULT_CODES ? code : FAULT_INTERNAL;
}

/* End s, n bytes long, before a character that the cut went through. */
static void
trim(char *s, size_t n)
{
	size_t i;

	for (i = 1; i <= 3 && i <= n; i++) {
		unsigned char c = (unsigned char)s[n - i];

		if (c < 0x80)
			return;
		if (c >= 0xc0) {
			if (text_utf8(s + n - i, i) == 0)
				s[n - i] = '\0';
			return;
		}
	}
}

void
fault_set(struct fault *f, enum fault_code code, const char *param,
    const char *fmt, ...)
{
	va_list ap;
	int n;

	code = known(code);
	f->code = code;
	f->status = table[code].status;
	f->param = param;
	f->retry_ms = -1;
	va_start(ap, fmt);
	n = vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	if (n < 0)
		f->message[0] = '\0';
	else if ((size_t)n >= sizeof(f->message))
		trim(f->message, sizeof(f->message) - 1);
}

const char *
fault_word(enum fault_code code)
{
	return table[known(code)].word;
}

const char *
fault_type(enum fault_code code)
{
	return table[known(code)].type;
}

const char *
fault_phrase(int status)
{
	size_t i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

int
fault_put(const struct fault *f, struct buf *out)
{
	buf_puts(out, "{\"error\":{\"message\":");
	text_quote(out, f->message, strlen(f->message));
	buf_printf(out, ",\"type\":\"%s\",\"param\":", fault_type(f->code));
	if (f->param != NULL)
		text_quote(out, f->param, strlen(f->param));
	else
		buf_puts(out, "null");
	return buf_printf(out, ",\"code\":\"%s\"}}", fault_word(f->code));
}
