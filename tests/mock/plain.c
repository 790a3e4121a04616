#include "plain.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Shapes and words as OpenAI documents them (platform.openai.com/docs,
 * "Error codes"), with the few statuses that only other providers send. */
static const struct status {
	int	 status;
	const char *reason, *type, *code, *message;
} statuses[] = {
	{ 200, "OK", "", "", "" },
	{ 302, "Found", "", "", "" },
	{ 400, "Bad Request", "invalid_request_error", "invalid_value",
	    "mock: the request is not valid" },
	{ 401, "Unauthorized", "invalid_request_error", "invalid_api_key",
	    "mock: incorrect API key provided" },
	{ 402, "Payment Required", "insufficient_quota",
	    "insufficient_quota", "mock: insufficient credits" },
	{ 403, "Forbidden", "permission_error", "forbidden",
	    "mock: access denied" },
	{ 404, "Not Found", "invalid_request_error", "model_not_found",
	    "mock: the model does not exist" },
	{ 405, "Method Not Allowed", "invalid_request_error",
	    "method_not_allowed", "mock: no such method here" },
	{ 408, "Request Timeout", "timeout_error", "timeout",
	    "mock: timed out" },
	{ 410, "Gone", "invalid_request_error", "model_retired",
	    "mock: the model was retired" },
	{ 413, "Payload Too Large", "invalid_request_error",
	    "request_too_large", "mock: request too large" },
	{ 422, "Unprocessable Entity", "invalid_request_error",
	    "unprocessable", "mock: extra inputs are not permitted" },
	{ 429, "Too Many Requests", "rate_limit_error",
	    "rate_limit_exceeded", "mock: rate limit reached" },
	{ 500, "Internal Server Error", "server_error", "server_error",
	    "mock: the server had an error" },
	{ 502, "Bad Gateway", "server_error", "bad_gateway",
	    "mock: bad gateway" },
	{ 503, "Service Unavailable", "server_error", "unavailable",
	    "mock: overloaded, try again later" },
	{ 504, "Gateway Timeout", "server_error", "gateway_timeout",
	    "mock: gateway timeout" },
	{ 529, "Overloaded", "overloaded_error", "overloaded",
	    "mock: overloaded" },
};

static const struct status *
find_status(int64_t status)
{
	static const struct status other = { 0, "Status", "api_error",
	    "error", "mock: error" };
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return &other;
}

const char *
plain_reason(int64_t status)
{
	return find_status(status)->reason;
}

void
plain_string(struct blob *o, const char *name, const char *value)
{
	blob_fmt(o, "\"%s\":\"", name);
	blob_json(o, value, strlen(value));
	blob_str(o, "\"");
}

void
plain_error(struct blob *o, int64_t status, const struct script *s)
{
	const struct status *st = find_status(status);

	blob_str(o, "{\"error\":{");
	plain_string(o, "message", s->message ? s->message : st->message);
	blob_str(o, ",");
	plain_string(o, "type", s->type ? s->type : st->type);
	blob_str(o, ",\"param\":null,");
	plain_string(o, "code", s->code ? s->code : st->code);
	blob_str(o, "}}");
}

void
plain_answer(struct blob *o, int status, const char *type, const char *body,
    size_t n, bool keep)
{
	blob_fmt(o, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\n%s\r\n", status,
	    find_status(status)->reason, type, n,
	    keep ? "" : "Connection: close\r\n");
	blob_put(o, body, n);
}

void
plain_fixture(struct blob *o, const char *dir, const char *name)
{
	static const char *const suffix[] = { "", ".http" };
	static const char missing[] = "mock: no such fixture\n";
	char path[512];
	ssize_t got;
	int fd = -1;
	size_t i;

	for (i = 0; i < 2 && fd < 0 && dir && !strchr(name, '/'); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		plain_answer(o, 500, "text/plain", missing,
		    sizeof(missing) - 1, false);
		return;
	}
	while ((got = read(fd, blob_room(o, 65536), 65536)) > 0)
		o->n += (size_t)got;
	close(fd);
}
