#include "cmd.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "chat.h"
#include "client.h"
#include "config.h"
#include "doctor.h"
#include "env.h"
#include "explain.h"
#include "fetch.h"
#include "json.h"
#include "ledger.h"
#include "probe.h"
#include "report.h"
#include "text.h"
#include "top.h"
#include "url.h"
#include "version.h"

#define CMD_OUT		(16 * 1024 * 1024)

struct command {
	const char	*name;
	const char	*args;
	const char	*what;
	int		(*run)(const char *file, int argc, char **argv);
};

static int	help(const char *file, int argc, char **argv);

struct config *
cmd_config(const char *file)
{
	struct buf errors;
	struct config *cfg;

	buf_init(&errors, 256 * 1024);
	(void)env_restore();
	cfg = config_load(file, &errors, NULL);
	fputs(buf_str(&errors), stderr);
	if (cfg == NULL && errors.len == 0)
		fprintf(stderr, "%s: could not be read\n", file);
	buf_release(&errors);
	return cfg;
}

static bool
has(int argc, char **argv, const char *word)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

static int
check(const char *file, int argc, char **argv)
{
	struct buf errors, warnings, out;
	struct config *cfg;
	int rc = 2;

	buf_init(&errors, 256 * 1024);
	buf_init(&warnings, 256 * 1024);
	buf_init(&out, CMD_OUT);
	cfg = config_load(file, &errors, &warnings);
	fputs(buf_str(&warnings), stderr);
	fputs(buf_str(&errors), stderr);
	if (cfg == NULL)
		goto out;
	if (has(argc, argv, "--print"))
		(void)config_print(cfg, &out);
	else
		(void)buf_printf(&out, "%s: ok, %zu of %zu model%s can be "
		    "asked\n", file, config_models_on(cfg),
		    cfg->nmodels, cfg->nmodels == 1 ? "" : "s");
	fputs(buf_str(&out), stdout);
	rc = out.failed ? 1 : 0;
out:
	config_free(cfg);
	buf_release(&errors);
	buf_release(&warnings);
	buf_release(&out);
	return rc;
}

/* Config and ledger, as most commands need them. 0, or the exit status. */
static int
open_all(const char *file, struct config **cfg, struct ledger **l,
    struct text_time *now)
{
	*cfg = cmd_config(file);
	if (*cfg == NULL)
		return 2;
	text_clock(now);
	*l = ledger_open(*cfg, now);
	if (*l == NULL) {
		fprintf(stderr, "relevo: out of memory\n");
		config_free(*cfg);
		return 1;
	}
	if (ledger_health(*l) != NULL)
		fprintf(stderr, "relevo: %s\n", ledger_health(*l));
	return 0;
}

static const char *
when(int64_t wall, const struct text_time *now, char out[32])
{
	if (wall <= now->wall || wall == INT64_MAX)
		return "-";
	text_ago(out, wall - now->wall);
	return out;
}

static void
models_table(const struct config *cfg, struct ledger *l,
    const struct text_time *now)
{
	printf("%-52s %-16s %-18s %s\n", "MODEL", "KEY", "STATE",
	    "AGAIN IN");
	for (size_t i = 0; i < cfg->nmodels; i++) {
		const struct config_model *m = &cfg->models[i];
		const char *off = config_off(cfg, m);

		if (off != NULL)
			printf("%-52s %-16s %s\n", m->name, "-", off);
	}
	for (size_t i = 0; i < cfg->nlanes; i++) {
		uint16_t lane = (uint16_t)i;
		struct quota_view v;
		char in[32];

		ledger_view(l, now, &lane, 1, LEDGER_NOBODY, 1, &v);
		printf("%-52s %-16s %-18s %s\n",
		    cfg->models[cfg->lanes[i].model].name,
		    cfg->providers[cfg->lanes[i].provider].keys[
		    cfg->lanes[i].key].name,
		    v.answer.reason == QUOTA_OPEN ? "open" :
		    quota_word(v.answer.reason), when(v.answer.until, now, in));
	}
}

static void
scope_table(struct ledger *l, const struct text_time *now,
    enum ledger_kind kind, size_t index, const char *name)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	size_t n = ledger_report(l, now, kind, index, &c, rows);
	char in[32];

	for (size_t i = 0; i < n; i++) {
		if (rows[i].max < 0)
			continue;	/* no limit: --json has its count */
		printf("%-48s %-11s %10lld %8lld %10lld %10lld  %s\n", name,
		    config_limit_word[rows[i].limit], (long long)rows[i].used,
		    (long long)rows[i].reserved, (long long)rows[i].max,
		    (long long)rows[i].remaining,
		    when(rows[i].reset, now, in));
		name = "";
	}
}

static void
usage_table(const struct config *cfg, struct ledger *l,
    const struct text_time *now)
{
	printf("%-48s %-11s %10s %8s %10s %10s  %s\n", "SCOPE", "WINDOW",
	    "USED", "RESERVED", "LIMIT", "LEFT", "RESETS IN");
	for (size_t i = 0; i < cfg->nproviders; i++)
		if (cfg->providers[i].off == NULL)
			scope_table(l, now, LEDGER_K_ACCOUNT, i,
			    cfg->providers[i].name);
	for (size_t i = 0; i < cfg->nlanes; i++)
		scope_table(l, now, LEDGER_K_LANE, i,
		    cfg->models[cfg->lanes[i].model].name);
	for (size_t i = 0; i < cfg->nclients; i++)
		scope_table(l, now, LEDGER_K_CLIENT, i, cfg->clients[i].name);
}

/* `models` and `usage`: a table for people, the API's own JSON for programs. */
static int
view(const char *file, bool json,
    int (*report)(const struct report *, struct buf *),
    void (*table)(const struct config *, struct ledger *,
    const struct text_time *))
{
	struct config *cfg;
	struct ledger *l;
	struct text_time now;
	struct buf out;
	int rc = open_all(file, &cfg, &l, &now);

	if (rc != 0)
		return rc;
	buf_init(&out, CMD_OUT);
	if (json) {
		struct report r = { .cfg = cfg, .ledger = l,
		    .now = &now };

		rc = report(&r, &out) == 0 ? 0 : 1;
		puts(buf_str(&out));
	} else {
		table(cfg, l, &now);
	}
	buf_release(&out);
	ledger_close(l);
	config_free(cfg);
	return rc;
}

static int
models(const char *file, int argc, char **argv)
{
	return view(file, has(argc, argv, "--json"), report_models,
	    models_table);
}

static int
usage(const char *file, int argc, char **argv)
{
	return view(file, has(argc, argv, "--json"), report_usage,
	    usage_table);
}

/* explain [MODEL] [--tokens N] [--json] */
static int
explain(const char *file, int argc, char **argv)
{
	const char *model = "";
	uint64_t tokens = 0;
	struct config *cfg;
	struct ledger *l;
	struct text_time now;
	struct explain e;
	struct chat chat;
	struct buf out;
	int rc;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--tokens") == 0 && i + 1 < argc &&
		    text_uint(argv[i + 1], strlen(argv[i + 1]), UINT32_MAX,
		    &tokens) == 0)
			i++;
		else if (argv[i][0] != '-')
			model = argv[i];
		else if (strcmp(argv[i], "--json") != 0)
			return help(file, argc, argv);
	}
	rc = open_all(file, &cfg, &l, &now);
	if (rc != 0)
		return rc;
	buf_init(&out, CMD_OUT);
	explain_plain(&chat, model, (int64_t)tokens);
	e = (struct explain){ cfg, l, config_find(cfg, model), &chat,
	    LEDGER_NOBODY, &now, (uint64_t)now.mono };
	if (e.alias == NULL)
		fprintf(stderr, "relevo: there is no model %s\n", model);
	rc = e.alias == NULL || (has(argc, argv, "--json") ?
	    explain_json : explain_text)(&e, &out) != 0;
	fputs(buf_str(&out), stdout);
	if (has(argc, argv, "--json"))
		putchar('\n');
	buf_release(&out);
	ledger_close(l);
	config_free(cfg);
	return rc;
}

static int
state(const char *file, int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	struct config *cfg;
	struct ledger *l;
	struct text_time now;
	struct buf out;
	int rc;

	if (strcmp(what, "path") == 0) {
		cfg = cmd_config(file);
		if (cfg == NULL)
			return 2;
		puts(cfg->state);
		config_free(cfg);
		return 0;
	}
	if (strcmp(what, "dump") != 0 && strcmp(what, "verify") != 0 &&
	    strcmp(what, "reset") != 0)
		return help(file, argc, argv);
	rc = open_all(file, &cfg, &l, &now);
	if (rc != 0)
		return rc;
	buf_init(&out, CMD_OUT);
	/* A ledger in memory has nothing to tell of the file. */
	if (ledger_health(l) != NULL)
		rc = 1;
	else if (what[0] == 'd')
		rc = ledger_dump(l, &now, &out) == 0 ? 0 : 1;
	else if (what[0] == 'v')
		rc = ledger_verify(l, &now, &out) == 0 ? 0 : 1;
	else
		rc = ledger_reset(l, &now, argc > 3 ? argv[3] : NULL, &out) ==
		    0 ? 0 : 1;
	if (out.len > 0)
		puts(buf_str(&out));
	else if (rc == 0)
		puts("ok");
	buf_release(&out);
	ledger_close(l);
	config_free(cfg);
	return rc;
}

static int
top(const char *file, int argc, char **argv)
{
	struct config *cfg = cmd_config(file);
	int rc;

	if (cfg == NULL)
		return 2;
	rc = top_run(cfg, argc, argv);
	config_free(cfg);
	return rc < 0 ? help(file, argc, argv) : rc;
}

static int
client(const char *file, int argc, char **argv)
{
	char token[48], hash[80];

	if (argc != 4 || strcmp(argv[2], "new") != 0)
		return help(file, argc, argv);
	client_token(token, hash);
	printf("The token of %s, shown only now:\n\n    %s\n\n"
	    "Put this into the configuration (%s), then reload:\n\n"
	    "    client %s {\n        token = \"%s\"\n    }\n", argv[3], token,
	    file, argv[3], hash);
	return 0;
}

/* doctor [--socket PATH] [URL] */
static int
examine(const char *file, int argc, char **argv)
{
	struct doctor d = { .token = getenv("RELEVO_TOKEN") };
	struct config *cfg;
	char *url = NULL;
	int rc = 1;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			d.socket = argv[++i];
		else if (argv[i][0] != '-' && url == NULL)
			url = argv[i];
		else
			return help(file, argc, argv);
	}
	if (url != NULL && url_wrong(url, true) != NULL) {
		fprintf(stderr, "relevo: the url %s\n", url_wrong(url, true));
		return 2;
	}
	cfg = cmd_config(file);
	if (cfg == NULL)
		return 2;
	for (size_t n = url != NULL ? strlen(url) : 0; n > 0 &&
	    url[n - 1] == '/'; n--)
		url[n - 1] = '\0';
	d.url = url;
	d.cfg = cfg;
	d.probes = probes_new();
	if (d.probes != NULL)
		rc = doctor(&d);
	probes_free(d.probes);
	config_free(cfg);
	return rc;
}

static int
version(const char *file, int argc, char **argv)
{
	(void)file;
	(void)argc;
	(void)argv;
	printf("relevo " VERSION "\nlibcurl %s\ncJSON %s\nlibsodium %s\n",
	    fetch_version(), json_version(), sodium_version_string());
	return 0;
}

static const struct command table[] = {
	{ "serve", "--socket PATH [--mode 0660]",
	  "serve FastCGI on a private unix socket", NULL },
	{ "check", "[--print]",
	  "check the configuration; print what was understood", check },
	{ "models", "[--json]", "which models can be asked now", models },
	{ "usage", "[--json]", "every window against its limit", usage },
	{ "explain", "[MODEL] [--tokens N] [--json]",
	  "who would answer now, and why not the others", explain },
	{ "top", "[-d SECONDS] [-n COUNT] [--once]",
	  "requests and quotas as they move", top },
	{ "state", "dump|verify|reset [NAME]|path",
	  "look into the state file, or forget counts", state },
	{ "doctor", "[--socket PATH] [URL]",
	  "what may stand in the way: keys, clock, files, the web server",
	  examine },
	{ "client", "new NAME", "make a token for a client", client },
	{ "version", "", "versions of relevo and its libraries", version },
	{ "help", "", "this", help },
};

static int
help(const char *file, int argc, char **argv)
{
	bool asked = argc > 1 && (strcmp(argv[1], "help") == 0 ||
	    strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
	FILE *to = asked ? stdout : stderr;

	(void)file;
	fputs("relevo: one dependable endpoint of many LLM providers' free "
	    "tiers\n\nusage: relevo [--config FILE] COMMAND\n\n", to);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s %s", table[i].name,
		    table[i].args);
		fprintf(to, "  %-38s %s\n", line, table[i].what);
	}
	fputs("\nWithout a command it serves: FastCGI when a listening socket "
	    "is on descriptor 0\nor in LISTEN_FDS, CGI when the environment "
	    "says so. The configuration is\n--config, else RELEVO_CONFIG, else "
	    "relevo.conf beside the binary, else\nrelevo/relevo.conf in a "
	    "folder above it, else /etc/relevo/relevo.conf.\n",
	    to);
	return asked ? 0 : 2;
}

/* A full disk must not pass for a token, a dump or a configuration. */
static int
said(int rc)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	fprintf(stderr, "relevo: stdout: %s\n", strerror(errno));
	return 1;
}

int
cmd_run(const char *file, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		word = "version";
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(word, table[i].name) == 0 && table[i].run != NULL)
			return said(table[i].run(file, argc, argv));
	if (word[0] != '\0' && word[0] != '-' && strcmp(word, "serve") != 0)
		fprintf(stderr, "relevo: there is no command %s\n\n", word);
	return help(file, argc, argv);
}
