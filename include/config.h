/* config: the constant struct that everything else reads.
 *
 * config_load reads the file (libconfuse's block syntax), `.env` beside it and
 * the service manager's credentials once, checks every meaning, and gives a
 * struct that never changes; a reload is a new process with a new struct. Load
 * may block on files; nothing else here does. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* The windows that a scope may be limited in. 0 in a limits array means
 * nothing is admitted; CONFIG_NONE means no limit. */
enum config_limit {
	CONFIG_RPM, CONFIG_RPH, CONFIG_RPD, CONFIG_RPMONTH,	/* requests */
	CONFIG_TPM, CONFIG_TPH, CONFIG_TPD, CONFIG_TPMONTH,	/* tokens */
	CONFIG_CONCURRENCY,					/* in flight */
	CONFIG_LIMITS
};
#define CONFIG_NONE	(-1)

/* Providers, keys, lanes and clients together at most: each has a slot in the
 * state file. */
#define CONFIG_SCOPES	16000

/* "rpm", "rpd", ...: the word in the file, in /usage and in the log. */
extern const char *const config_limit_word[CONFIG_LIMITS];

struct config_limits {
	int64_t	max[CONFIG_LIMITS];	/* CONFIG_NONE or 0..2^40 */
};

/* When a day (and a month) begins for a provider. */
enum config_day { CONFIG_DAY_UTC, CONFIG_DAY_PACIFIC, CONFIG_DAY_ROLLING,
    CONFIG_DAY_FIRST_USE, CONFIG_DAYS };
extern const char *const config_day_word[CONFIG_DAYS];

enum config_strategy {
	CONFIG_ROUND_ROBIN, CONFIG_RANDOM, CONFIG_LEAST_USED, CONFIG_WEIGHTED,
	CONFIG_FASTEST, CONFIG_HEADROOM, CONFIG_STRATEGIES
};
extern const char *const config_strategy_word[CONFIG_STRATEGIES];

/* What a model can do; a request's needs are the same bits. */
#define CONFIG_CAN_TOOLS	0x01
#define CONFIG_CAN_VISION	0x02
#define CONFIG_CAN_JSON		0x04	/* response_format json_schema */
#define CONFIG_CAN_AUDIO	0x08
#define CONFIG_CAN_REASONING	0x10	/* shown, never required */
extern const char *const config_can_word[];	/* bit 0 first, NULL last */

struct config_key {
	char	*secret;		/* "" for a provider without keys */
	char	 name[24];		/* "k-" + 12 hex digits of its BLAKE2b:
					 * names it in the state and in /usage
					 * and cannot be turned back */
};

#define CONFIG_HEADERS	24		/* of a provider, and their bytes */
#define CONFIG_HEAD	(32 * 1024)

struct config_pair {
	char	*name;
	char	*value;
};

struct config_provider {
	char	*name;			/* "groq" */
	char	*title;			/* "Groq" */
	char	*url;			/* no slash at its end; "": demo */
	struct config_key *keys;
	size_t	 nkeys;			/* 0: off */
	char	*off;			/* why it is off, NULL when it is on */
	char	*needs;			/* off for want of this variable of
					 * the environment, or NULL */
	struct config_limits limits;	/* the account: all models together */
	struct config_limits key_limits; /* each key */
	enum config_day day;
	bool	 counts_failures;	/* refused ones use up requests */
	bool	 demo;			/* the built-in provider */
	bool	 disabled;		/* enabled = no */
	bool	 http2;
	bool	 stream_usage;		/* send stream_options.include_usage */
	bool	 insecure;		/* http:// beyond loopback is meant */
	bool	 keyless;		/* key-needed = no */
	int	 connect_ms, first_ms, idle_ms, total_ms;
	char	**drop;			/* members to leave out; NULL last */
	struct config_pair *rename;	/* members to rename; name NULL last */
	struct config_pair *headers;	/* added to each call; name NULL last */
	char	*file;			/* where it was defined; NULL: demo */
	int	 line;
};

struct config_model {
	char	*id;			/* as the provider knows it */
	char	*name;			/* "groq/openai/gpt-oss-120b" */
	char	*title;			/* for people; the id by default */
	uint16_t provider;		/* index */
	struct config_limits limits;	/* on each key */
	int64_t	 context;		/* tokens; 0 unknown */
	int64_t	 output;		/* most output tokens; 0 unknown */
	unsigned can;			/* CONFIG_CAN_* */
	int	 weight;		/* 1..1000, for `weighted` */
	int	 tier;			/* 0 first: used up before 1 */
	bool	 slow;			/* first event may take 120 s */
	char	*off;			/* `enabled = no`, else NULL */
};

/* A lane: one model by one key, the thing that a request is sent down. Lanes
 * of one model stand together, models in the order of the file. */
struct config_lane {
	uint16_t provider, model, key;	/* indices; key is within provider */
};

struct config_route {
	char	*name;			/* "default" for the untitled one */
	enum config_strategy strategy;
	bool	 fallback;
	int	 attempts;		/* 1..16 */
	int	 max_wait_ms;
	bool	 sticky;
};

struct config_alias {
	char	*name;
	uint16_t *lanes;		/* in the order that the alias gives */
	size_t	 nlanes;		/* 0: known, but nothing of it is on */
	char	**models;		/* the patterns; NULL for implicit */
	uint16_t route;			/* index */
	bool	 retired;		/* an old id: used with a warning */
	bool	 implicit;		/* not in the file: "provider/id", a
					 * bare id, or the built-in "auto" */
};

struct config_client {
	char	*name;
	unsigned char hash[32];		/* BLAKE2b-256 of its token */
	struct config_limits limits;
	char	**models;		/* patterns it may use; NULL: all */
	int64_t	 expires;		/* wall ms; 0 never */
	bool	 sees_all;		/* usage = all: other clients' too */
};

struct config {
	char	*file;			/* as given */
	int64_t	 loaded;		/* wall ms: when it was read */
	char	*state;			/* path of the state file */
	bool	 open;			/* access = open */
	bool	 chat_text;		/* chat-format = text */
	char	**origins;		/* CORS; NULL last */
	char	**hosts;		/* allowed-hosts; NULL last; or NULL */
	char	*prefix;		/* mount prefix or "" */
	size_t	 max_body;		/* bytes */
	int	 workers;
	int	 heartbeat_ms;		/* 0: none */
	int	 stall_ms;		/* a client that does not read */
	int	 body_ms;		/* a client that does not send */
	int	 drain_ms;
	int	 linger_ms;		/* of a CGI's responder; 0: none */
	char	*ca_path;		/* "": found by itself */
	char	*proxy;			/* "": none */
	bool	 sandbox;
	bool	 debug;

	struct config_provider *providers;	size_t nproviders;
	struct config_model *models;		size_t nmodels;
	struct config_lane *lanes;		size_t nlanes;
	struct config_alias *aliases;		size_t naliases;
	struct config_route *routes;		size_t nroutes;
	struct config_client *clients;		size_t nclients;
	/* aliases[0] is "auto": every lane that is on, unless the file has an
	 * alias of that name. Then those of the file in its order, then the
	 * implicit ones. routes[0] is "default". */
	struct config_alias **index;	/* all aliases by name: config_find */
};

/* Read path and what it includes; before it the credentials (env_folder) and
 * `.env` beside it: the environment wins over both, a credential over `.env`.
 * NULL when anything is wrong: errors then holds one line for each error,
 * "file:line: what is wrong" (line 0: the file itself). Warnings (a provider
 * without a key is none) are appended to warnings, if not NULL, also when it
 * loads. The caller frees by config_free. Every key is made known to
 * log_secret; tokens are not in the file, only their hashes.
 *
 * With no provider on, and with `provider demo { }`, the built-in provider
 * "demo" is there with its models echo and tortoise; without any other lane
 * the aliases of the file that would be empty lead to it.
 *
 * A file that holds a secret as such (a key, a header that is a credential, a
 * proxy's password; ${NAME} is none) must be closed to others as file_exposed()
 * says; `.env` always. */
struct config *config_load(const char *path, struct buf *errors,
    struct buf *warnings);
void	config_free(struct config *c);	/* takes NULL */

/* What was understood, in the file's own syntax, and loads again to the same
 * struct but for the secrets: a key shows as "***" and the digits of its name,
 * a token's hash as its first four bytes and "***"; both load, with a warning,
 * and open nothing. 0 or -1. */
int	config_print(const struct config *c, struct buf *out);

/* Why a model is off, itself or its provider; NULL: it can be asked. */
const char *config_off(const struct config *c, const struct config_model *m);

/* How many models can be asked. */
size_t	config_models_on(const struct config *c);

/* Whether this lane is the first that uses its key. */
bool	config_key_first(const struct config *c, size_t lane);

/* The alias that a request's `model` names: an alias, "provider/id", a bare
 * id (of every provider that has it), "auto" or "", or "provider/" before the
 * name of a retired alias. NULL: no such model. The result belongs to c. */
const struct config_alias *config_find(const struct config *c,
    const char *name);

#endif
