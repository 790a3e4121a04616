#include "verdict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "text.h"

/* Where the rows are from, and when that was read. "live" is an answer quoted
 * in public bug reports; the providers' pages do not show these bodies.
 *
 *	[an] docs.anthropic.com/en/api/errors, 2026-08-22
 *	[cb] inference-docs.cerebras.ai/support/error, 2026-04-24, and live
 *	[cf] developers.cloudflare.com/workers-ai/platform/errors, 2026-08
 *	[co] docs.cohere.com/docs/rate-limits, 2026-08, and live
 *	[ge] ai.google.dev/gemini-api/docs/troubleshooting, 2026-08, and live
 *	[gh] github.blog changelog: GitHub Models retired, 2026-07-30
 *	[gr] console.groq.com/docs/errors, 2026-08-22, and live
 *	[ht] RFC 9110 15.5 and 15.6, RFC 6585 4
 *	[lc] ggml-org/llama.cpp tools/server/README.md, 2026-08
 *	[mi] docs.mistral.ai/api, 2026-06-30, and live 2026-07..09
 *	[nv] docs.api.nvidia.com/nim, 2026-08, and live 2026-08..09
 *	[ol] ollama.com/cloud, 2026-08, and live
 *	[op] platform.openai.com/docs/guides/error-codes, 2026-08
 *	[or] openrouter.ai/docs/api-reference/errors, 2026-08-22, and live
 *	[xa] docs.x.ai/docs/guides, 2026-08-18, and live
 *	[za] docs.z.ai/api-reference/api-code, 2026-08 */

/* The ways in which a prompt is told to be too long: OpenAI and vLLM; Groq;
 * Hugging Face; Gemini; xAI; Anthropic; llama.cpp; Z.ai; OpenAI's code; the
 * rest in general. */
#define TOO_LONG "maximum context length|reduce the length of the messages|" \
	"exceeds model's maximum context length|" \
	"exceeds the maximum number of tokens|maximum prompt length is|" \
	"prompt is too long|exceeds the available context size|" \
	"exceeds max length|context_length_exceeded|context window|" \
	"input is too long|too many input tokens"

/* OpenAI, Groq, Mistral (pydantic), Gemini ("Unknown name \"x\""), NVIDIA. */
#define UNSUPPORTED "extra_forbidden|is unsupported|unsupported parameter|" \
	"unrecognized request argument|unknown name \"|unsupported value|" \
	"unrecognized key|only supports single tool-calls"

#define GONE "model_decommissioned|model_not_found|not_found|" \
	"model_not_available|github_models_retirement_brownout|1211"

/* First match wins: a row stands before those that would hide it. */
static const struct verdict_row rows[] = {
	/* Keys. Texts are bound to the start of a message or to a reason:
	 * a 400 can quote the request, and a request must not be able to
	 * switch a key off. */
	{ "gem-key", "gemini", VERDICT_BAD_KEY, "400|403", NULL,
	  "\nreason:api_key_invalid\n|\nmessage:api key not valid|"
	  "\nmessage:api key expired|\nmessage:your api key was reported as "
	  "leaked", 0, 0, NULL },				/* [ge] */
	{ "xai-key", "xai", VERDICT_BAD_KEY, "400|401", NULL,
	  "\nerror:incorrect api key", 0, 0, NULL },		/* [xa] */
	/* The same bytes are sent for a used-up plan: ask again in an hour. */
	{ "mistral-401", "mistral", VERDICT_BAD_KEY, "401", NULL,
	  NULL, 3600, 0, NULL },				/* [mi] */
	{ "any-401", NULL, VERDICT_BAD_KEY, "401", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */

	/* Content. */
	{ "or-moderation", "openrouter", VERDICT_BLOCKED, "403", NULL,
	  "flagged", 0, 0, NULL },				/* [or] */
	{ "blocked-code", NULL, VERDICT_BLOCKED, "400|403|422",
	  "content_filter|content_policy_violation|1301",
	  NULL, 0, 0, NULL },					/* [op][za] */
	{ "zai-1301", "zai", VERDICT_BLOCKED, NULL, "1301",
	  NULL, 0, 0, NULL },					/* [za] */

	/* Money. In flight means: this minute's budget is reserved. */
	{ "or-inflight", "openrouter", VERDICT_RATE_MINUTE, "402", NULL,
	  "in-flight", 5, VERDICT_KEY, NULL },			/* [or] */
	{ "xai-credits", "xai", VERDICT_NO_CREDIT, "402|403|429", NULL,
	  "used all available credits|spending limit", 0, 0, NULL }, /* [xa] */
	{ "openai-quota", NULL, VERDICT_NO_CREDIT, "429|403",
	  "insufficient_quota|insufficient_balance",
	  NULL, 0, 0, NULL },					/* [op] */
	{ "zai-1113", "zai", VERDICT_NO_CREDIT, NULL, "1113",
	  NULL, 0, VERDICT_LANE, NULL },			/* [za] */
	{ "any-402", NULL, VERDICT_NO_CREDIT, "402", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */

	/* Models that this plan does not have. */
	{ "gem-zero", "gemini", VERDICT_NOT_ENTITLED, "429", NULL,
	  "limit: 0,", 0, 0, NULL },				/* [ge] */
	{ "ollama-sub", "ollama-cloud", VERDICT_NOT_ENTITLED, "403", NULL,
	  "requires a subscription", 0, 0, NULL },		/* [ol] */
	{ "cf-paid", "cloudflare", VERDICT_NOT_ENTITLED, "403|429|400",
	  "5035", NULL, 0, 0, NULL },				/* [cf] */
	{ "zai-1311", "zai", VERDICT_NOT_ENTITLED, NULL, "1311",
	  NULL, 0, 0, NULL },					/* [za] */
	{ "mistral-zero", "mistral", VERDICT_NOT_ENTITLED, "429", NULL,
	  NULL, 0, 0, "x-ratelimit-limit-req-minute" },		/* [mi] */
	{ "nv-function", "nvidia", VERDICT_NOT_ENTITLED, "404", NULL,
	  "not found for account", 0, 0, NULL },		/* [nv] */

	/* Switches of the account. */
	{ "or-policy", "openrouter", VERDICT_ACCOUNT_SETTING, "404|403",
	  NULL, "data policy|guardrail|privacy",
	  0, VERDICT_ACCOUNT, NULL },				/* [or] */
	{ "gem-region", "gemini", VERDICT_ACCOUNT_SETTING, "400|403", NULL,
	  "\nmessage:user location is not supported|"
	  "\nstatus:failed_precondition\n",
	  0, VERDICT_ACCOUNT, NULL },				/* [ge] */

	/* Models that are no more. */
	{ "decommissioned", NULL, VERDICT_MODEL_GONE, "400|404|410", GONE,
	  NULL, 0, 0, NULL },				/* [gr][gh][za] */
	{ "any-410", NULL, VERDICT_MODEL_GONE, "410", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */
	{ "any-404", NULL, VERDICT_MODEL_GONE, "404", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */

	/* Size. Groq's 413 with a 429's code: one request above the minute's
	 * tokens; no waiting mends that, and smaller ones still pass. */
	{ "groq-413", "groq", VERDICT_TOO_LARGE_QUOTA, "413",
	  "rate_limit_exceeded", NULL, 0, 0, NULL },		/* [gr] */
	{ "any-413", NULL, VERDICT_TOO_LARGE_CTX, "413", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */
	{ "ctx", NULL, VERDICT_TOO_LARGE_CTX, "400|413|422|500", NULL,
	  TOO_LONG, 0, 0, NULL },				/* [op] ... */

	/* The request and the model do not agree. */
	{ "groq-gen", "groq", VERDICT_GEN_FAILED, "400",
	  "tool_use_failed|json_validate_failed|output_parse_failed",
	  NULL, 0, 0, NULL },					/* [gr] */
	{ "nv-degraded", "nvidia", VERDICT_CAPACITY, "400", NULL,
	  "degraded function", 600, 0, NULL },			/* [nv] */
	{ "strip", NULL, VERDICT_UNSUPPORTED, "400|422", NULL,
	  UNSUPPORTED, 0, 0, NULL },			/* [op][mi][ge][nv] */
	{ "effort", NULL, VERDICT_UNSUPPORTED, "400|422", NULL,
	  "reasoning_effort|reasoning effort|effort level",
	  0, 0, NULL },						/* [gr][xa] */
	{ "mid-token-limit", "openrouter", VERDICT_BAD_REQUEST, "400", NULL,
	  "token limit reached", 0, 0, NULL },			/* [or] */

	/* Rates. Gemini's quotaId tells the window; its daily 429 carries a
	 * retryDelay of seconds, which is wrong. */
	{ "gem-day", "gemini", VERDICT_RATE_DAY, "429", NULL,
	  "perday", 0, 0, NULL },				/* [ge] */
	{ "gem-min", "gemini", VERDICT_RATE_MINUTE, "429", NULL,
	  NULL, 0, 0, NULL },					/* [ge] */
	{ "or-day", "openrouter", VERDICT_RATE_DAY, "429", NULL,
	  "free-models-per-day|openrouter_free_tier_daily",
	  0, 0, NULL },						/* [or] */
	{ "or-min", "openrouter", VERDICT_RATE_MINUTE, "429", NULL,
	  "free-models-per-min", 0, 0, NULL },			/* [or] */
	{ "or-upstream", "openrouter", VERDICT_CAPACITY, "429|403", NULL,
	  "rate-limited upstream|provider returned error|"
	  "upstream_provider_shared_pool", 0, 0, NULL },	/* [or] */
	{ "cb-queue", "cerebras", VERDICT_CAPACITY, "429",
	  "queue_exceeded", NULL, 0, 0, NULL },			/* [cb] */
	{ "cb-day", "cerebras", VERDICT_RATE_DAY, "429", NULL,
	  "per day limit", 0, 0, NULL },			/* [cb] */
	{ "cb-other", "cerebras", VERDICT_RATE_MINUTE, "429", NULL,
	  NULL, 0, 0, NULL },					/* [cb] */
	{ "groq-day", "groq", VERDICT_RATE_DAY, "429", NULL,
	  "(tpd)|(rpd)|per day", 0, 0, NULL },			/* [gr] */
	{ "mistral-cap", "mistral", VERDICT_CAPACITY, "429", "3505",
	  NULL, 0, 0, NULL },					/* [mi] */
	{ "cf-day", "cloudflare", VERDICT_RATE_DAY, "429", "3036|4006",
	  NULL, 0, 0, NULL },					/* [cf] */
	{ "cf-cap", "cloudflare", VERDICT_CAPACITY, "429", "3040",
	  NULL, 0, 0, NULL },					/* [cf] */
	{ "zai-day", "zai", VERDICT_RATE_DAY, NULL, "1304",
	  NULL, 0, 0, NULL },					/* [za] */
	{ "zai-usage", "zai", VERDICT_RATE_DAY, NULL, "1308|1310",
	  NULL, 0, 0, NULL },					/* [za] */
	{ "zai-cap", "zai", VERDICT_CAPACITY, NULL, "1305|1312",
	  NULL, 0, 0, NULL },					/* [za] */
	{ "zai-rate", "zai", VERDICT_RATE_MINUTE, NULL, "1302|1303",
	  NULL, 5, 0, NULL },					/* [za] */
	{ "cohere-month", "cohere", VERDICT_RATE_MONTH, "429", NULL,
	  "/ month", 0, 0, NULL },				/* [co] */
	{ "at-capacity", NULL, VERDICT_CAPACITY, "429", NULL,
	  "at capacity|overloaded|over capacity|high demand|high traffic",
	  0, 0, NULL },						/* [xa][gr] */
	{ "any-429", NULL, VERDICT_RATE_MINUTE, "429", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */

	/* Health. A page in HTML is from what stands before the model. */
	{ "loading", NULL, VERDICT_LOADING, "503", NULL,
	  "loading model", 0, 0, NULL },			/* [lc] */
	{ "flex", NULL, VERDICT_CAPACITY, "498", NULL,
	  NULL, 0, 0, NULL },					/* [gr] */
	{ "html-503", NULL, VERDICT_DOWN, "503", NULL,
	  "\nbody:<", 0, 0, NULL },				/* [ht] */
	{ "overload", NULL, VERDICT_CAPACITY, "503|529", NULL,
	  NULL, 0, 0, NULL },					/* [ht][an] */
	{ "timeouts", NULL, VERDICT_TIMEOUT, "408|504|522|524", NULL,
	  NULL, 0, 0, NULL },					/* [ht][cf] */
	{ "sse-code", NULL, VERDICT_CAPACITY, NULL,
	  "server_error|overloaded_error|service_unavailable|"
	  "provider_unavailable|provider_overloaded",
	  NULL, 0, 0, NULL },					/* [or][an] */
	{ "5xx", NULL, VERDICT_DOWN, "5xx", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */
	{ "any-403", NULL, VERDICT_KEY_REFUSED, "403", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */
	{ "any-4xx", NULL, VERDICT_BAD_REQUEST,
	  "400|405|406|409|411|414|415|416|422|424|425|426|428|431", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */

	/* Not followed: the key would go wherever the answer says. */
	{ "redirect", NULL, VERDICT_DOWN, "3xx", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */
	{ "odd", NULL, VERDICT_MALFORMED, "1xx|2xx|4xx", NULL,
	  NULL, 0, 0, NULL },					/* [ht] */
	/* An error in a stream that gives neither number nor known code. */
	{ "unknown", NULL, VERDICT_CAPACITY, NULL, NULL,
	  NULL, 0, 0, NULL },
};

static const struct { enum fault_code net; struct verdict_row row; } nets[] = {
	{ FAULT_UPSTREAM_REFUSED, { .id = "net", .class = VERDICT_NET } },
	{ FAULT_UPSTREAM_TIMEOUT, { .id = "timeout",
	  .class = VERDICT_TIMEOUT } },
	{ FAULT_UPSTREAM_CUT, { .id = "cut", .class = VERDICT_TRUNCATED } },
	{ FAULT_UPSTREAM_EMPTY, { .id = "empty", .class = VERDICT_EMPTY } },
	{ FAULT_UPSTREAM_MALFORMED, { .id = "malformed",
	  .class = VERDICT_MALFORMED } },
	/* a fault of ours is nobody else's */
	{ FAULT_NONE, { .id = "internal", .class = VERDICT_INTERNAL } },
};

const struct verdict_row *
verdict_net(enum fault_code net)
{
	size_t i;

	for (i = 0; nets[i].net != FAULT_NONE; i++)
		if (nets[i].net == net)
			break;
	return &nets[i].row;
}

/* The next alternative of a list; NULL at its end. */
static const char *
next(const char **list, size_t *n)
{
	const char *p = *list;

	if (*p == '\0')
		return NULL;
	*n = strcspn(p, "|");
	*list = p + *n + (p[*n] == '|');
	return p;
}

static bool
has_status(const char *list, int status)
{
	const char *p;
	size_t n;

	while ((p = next(&list, &n)) != NULL)
		if (p[0] - '0' == status / 100 && (p[1] == 'x' ||
		    strtol(p, NULL, 10) == status))
			return true;
	return false;
}

static bool
has_code(const char *list, const char *code)
{
	const char *p;
	size_t n;

	while ((p = next(&list, &n)) != NULL)
		if (text_is(p, n, code))
			return true;
	return false;
}

static bool
has_text(const char *list, const struct verdict_error *e)
{
	const char *p;
	size_t n;

	while ((p = next(&list, &n)) != NULL)
		if (memmem(e->text, e->text_len, p, n) != NULL)
			return true;
	return false;
}

static bool
has_zero(const char *name, const char *head, size_t head_len)
{
	const char *p;
	size_t n;

	if (head == NULL)
		return false;
	p = http_find(head, head_len, name, &n);
	return p != NULL && text_is(p, n, "0");
}

const struct verdict_row *
verdict_find(const char *kind, const struct verdict_error *e,
    const char *head, size_t head_len)
{
	const struct verdict_row *w;

	for (w = rows; w < rows + sizeof(rows) / sizeof(rows[0]) - 1; w++)
		if ((w->kind == NULL || strcmp(w->kind, kind) == 0) &&
		    (w->statuses == NULL ||
		    has_status(w->statuses, e->status)) &&
		    (w->codes == NULL || has_code(w->codes, e->code)) &&
		    (w->texts == NULL || has_text(w->texts, e)) &&
		    (w->head == NULL || has_zero(w->head, head, head_len)))
			break;
	return w;
}
