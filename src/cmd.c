#include "cmd.h"
#include "cmd_own.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "buf.h"
#include "catalog.h"
#include "client.h"
#include "config.h"
#include "doctor.h"
#include "env.h"
#include "fetch.h"
#include "json.h"
#include "probe.h"
#include "text.h"
#include "top.h"
#include "url.h"
#include "version.h"

#define HELP_MAX	(64 * 1024)

struct command {
	struct args_row	 row;
	int		(*run)(const char *file, const struct args *a);
};

/* The first thing that a newcomer sees. */
static void
tell_errors(const char *file, struct buf *errors, bool failed)
{
	fputs(buf_str(errors), stderr);
	if (failed && errors->len == 0)
		fprintf(stderr, "%s: could not be read\n", file);
	if (failed && access(file, F_OK) != 0 && errno == ENOENT)
		fputs("relevo: name the configuration with --config FILE or "
		    "RELEVO_CONFIG; conf/relevo.conf is one to begin with\n",
		    stderr);
}

struct config *
cmd_config(const char *file)
{
	struct buf errors;
	struct config *cfg;

	buf_init(&errors, 256 * 1024);
	(void)env_restore();
	cfg = config_load(file, &errors, NULL);
	tell_errors(file, &errors, cfg == NULL);
	buf_release(&errors);
	return cfg;
}

static int
check(const char *file, const struct args *a)
{
	struct buf errors, warnings, out;
	struct config *cfg;
	int rc = 2;

	buf_init(&errors, 256 * 1024);
	buf_init(&warnings, 256 * 1024);
	buf_init(&out, CMD_OUT);
	cfg = config_load(file, &errors, &warnings);
	fputs(buf_str(&warnings), stderr);
	tell_errors(file, &errors, cfg == NULL);
	if (cfg == NULL)
		goto out;
	if (args_value(a, "--print") != NULL)
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

static int
top(const char *file, const struct args *a)
{
	const char *every = args_value(a, "-d"), *count = args_value(a, "-n");
	int64_t delay = 1000;
	uint64_t n = args_value(a, "--once") != NULL;
	struct config *cfg;
	int rc;

	if (every != NULL && (text_duration(every, strlen(every), 1000,
	    &delay) != 0 || delay < 100 || delay > 3600000))
		return cmd_wrong(a->row, "-d %s: seconds are wanted, 0.1 to "
		    "3600", every);
	if (count != NULL && (text_uint(count, strlen(count), 1000000,
	    &n) != 0 || n == 0))
		return cmd_wrong(a->row, "-n %s: a number from 1 to 1000000 "
		    "is wanted", count);
	cfg = cmd_config(file);
	if (cfg == NULL)
		return 2;
	rc = top_run(cfg, delay, n);
	config_free(cfg);
	return rc;
}

static int
client_new(const char *file, const struct args *a)
{
	const char *name = a->operand;
	char token[48], hash[80];

	if (!catalog_name(name, 64, ""))
		return cmd_wrong(a->row, "the name of a client is letters, "
		    "digits and . _ -, 64 at most");
	client_token(token, hash);
	printf("The token of %s, shown only now:\n\n    %s\n\n"
	    "Put this into the configuration (%s), then reload:\n\n"
	    "    client %s {\n        token = \"%s\"\n    }\n", name, token,
	    file, name, hash);
	return 0;
}

static int
examine(const char *file, const struct args *a)
{
	struct doctor d = { .token = getenv("RELEVO_TOKEN"),
	    .socket = args_value(a, "--socket") };
	char *url = a->operand != NULL ? strdup(a->operand) : NULL;
	struct config *cfg = NULL;
	int rc = 1;

	if (url != NULL && url_wrong(url, true) != NULL) {
		rc = cmd_wrong(a->row, "%s: the url %s", url,
		    url_wrong(url, true));
		goto out;
	}
	rc = 2;
	cfg = cmd_config(file);
	if (cfg == NULL)
		goto out;
	for (size_t n = url != NULL ? strlen(url) : 0; n > 0 &&
	    url[n - 1] == '/'; n--)
		url[n - 1] = '\0';
	d.url = url;
	d.cfg = cfg;
	d.probes = probes_new();
	rc = d.probes != NULL ? doctor(&d) : 1;
out:
	probes_free(d.probes);
	config_free(cfg);
	free(url);
	return rc;
}

static int
version(const char *file, const struct args *a)
{
	(void)file;
	(void)a;
	printf("relevo " VERSION "\nlibcurl %s\ncJSON %s\nlibsodium %s\n",
	    fetch_version(), json_version(), sodium_version_string());
	return 0;
}

#define LOOKS \
	"It only looks: any user may who can read the configuration and the " \
	"state.\n"
#define AS_SERVER \
	"Run it as the user that serves, with the same configuration and " \
	"environment.\n"

static const struct command table[] = {
	{ { "serve", NULL, "serve FastCGI on a private unix socket",
	  "A socket file that nobody listens on is replaced. Whoever can "
	  "connect is\ntrusted as a web server is. HUP reads the "
	  "configuration again, TERM ends it.\n",
	  { { "--socket", "PATH", "the socket", true },
	    { "--mode", "MODE", "its mode, octal (0660)", false } } }, NULL },
	{ { "check", NULL, "every error of the configuration, with its line",
	  "Status 2 if there is one.\n",
	  { { "--print", NULL, "what was understood, secrets hidden",
	    false } } }, check },
	{ { "models", NULL, "which models can be asked now, and why not",
	  LOOKS,
	  { { "--json", NULL, "what the API answers at /models", false } } },
	  cmd_models },
	{ { "usage", NULL, "every window against its limit", LOOKS,
	  { { "--json", NULL, "what the API answers at /usage", false } } },
	  cmd_usage },
	{ { "explain", "[MODEL]",
	  "who would answer now, and why not the others",
	  "MODEL is an alias, provider/model or a model's id (auto). Nothing "
	  "is asked and\nnothing counted.\n" LOOKS,
	  { { "--tokens", "N", "of the prompt (0)", false },
	    { "--json", NULL, "what the API answers at /route", false } } },
	  cmd_explain },
	{ { "top", NULL, "requests and quotas as they move",
	  "q ends it. Without a terminal it prints once.\n" LOOKS,
	  { { "-d", "SECONDS", "between two pictures (1)", false },
	    { "-n", "COUNT", "so many pictures, as plain lines", false },
	    { "--once", NULL, "the same as -n 1", false } } }, top },
	{ { "doctor", "[URL]", "what may stand in the way, and the mend",
	  "It asks each provider for its models with each key, compares the "
	  "clock and opens\nthe state; given the public URL it looks from "
	  "outside, too (one chat; with\naccess = token it takes the token "
	  "in RELEVO_TOKEN). Status 1 if there is\na fault.\n",
	  { { "--socket", "PATH", "look at this socket, too", false } } },
	  examine },
	{ { "state path", NULL, "the name of the state file", NULL,
	  { { 0 } } }, cmd_state_path },
	{ { "state dump", NULL, "all that is in it, as JSON", AS_SERVER,
	  { { 0 } } }, cmd_state_dump },
	{ { "state verify", NULL, "whether its invariants hold",
	  "Status 1 if one does not.\n" AS_SERVER,
	  { { 0 } } }, cmd_state_verify },
	{ { "state reset", "[NAME]", "forget counts and bars, of one or of all",
	  "NAME is a scope, as `relevo state dump` has it: provider/groq, "
	  "client/bot.\n" AS_SERVER,
	  { { 0 } } }, cmd_state_reset },
	{ { "client new", "NAME", "make a token for a client",
	  "It is shown once, with the section for the configuration, which "
	  "holds only its\nhash.\n",
	  { { 0 } } }, client_new },
	{ { "version", NULL, "versions of relevo and its libraries", NULL,
	  { { 0 } } }, version },
};

#define COMMANDS	(sizeof(table) / sizeof(*table))

/* Whether the words at word[0..n) begin with a row's name, and how many they
 * are: 1 or 2. */
static int
is_named(const struct args_row *row, int n, char *const *word)
{
	size_t first = strcspn(row->name, " ");

	if (n < 1 || strlen(word[0]) != first ||
	    strncmp(row->name, word[0], first) != 0)
		return 0;
	if (row->name[first] == '\0')
		return 1;
	return n > 1 && strcmp(row->name + first + 1, word[1]) == 0 ? 2 : 0;
}

static const struct command *
find(int n, char *const *word, int *used)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if ((*used = is_named(&table[i].row, n, word)) > 0)
			return &table[i];
	return NULL;
}

/* "relevo NAME ...", a line for each command whose name is the word or begins
 * with it. How many there are. */
static size_t
usage_lines(const char *word, struct buf *out)
{
	size_t n = strlen(word), found = 0;

	for (size_t i = 0; i < COMMANDS; i++) {
		const char *name = table[i].row.name;

		if (strncmp(name, word, n) != 0 ||
		    (name[n] != '\0' && name[n] != ' '))
			continue;
		buf_puts(out, found++ == 0 ? "usage: relevo " :
		    "       relevo ");
		args_usage(&table[i].row, out);
		buf_puts(out, "\n");
	}
	return found;
}

int
cmd_wrong(const struct args_row *row, const char *fmt, ...)
{
	struct buf out;
	va_list ap;

	buf_init(&out, HELP_MAX);
	(void)usage_lines(row->name, &out);
	fputs("relevo: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n%s", buf_str(&out));
	buf_release(&out);
	return 2;
}

static void
help_command(const struct args_row *row)
{
	struct buf out;

	buf_init(&out, HELP_MAX);
	(void)usage_lines(row->name, &out);
	buf_printf(&out, "\n%s\n\n", row->what);
	args_help(row, &out);
	fputs(buf_str(&out), stdout);
	buf_release(&out);
}

static void
help_all(FILE *to)
{
	fputs("relevo: one dependable endpoint of many LLM providers' free "
	    "tiers\n\nusage: relevo [--config FILE] COMMAND\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-13s %s\n", table[i].row.name,
		    table[i].row.what);
	fprintf(to, "  %-13s %s\n\n", "help", "this, or what a COMMAND "
	    "takes: as relevo COMMAND --help");
	fputs("Without a command it serves: FastCGI when a listening socket "
	    "is on descriptor 0\nor in LISTEN_FDS, CGI when the environment "
	    "says so. The configuration is\n--config, else RELEVO_CONFIG, else "
	    "relevo.conf beside the binary, else\nrelevo/relevo.conf in a "
	    "folder above it, else /etc/relevo/relevo.conf.\n", to);
}

static void
suggest(const char *word)
{
	static const char *const others[] = { "help", "--config", "--help",
	    "--version" };
	char first[16];
	const char *name;

	for (size_t i = 0; i < COMMANDS + sizeof(others) / sizeof(*others);
	    i++) {
		name = i < COMMANDS ? table[i].row.name :
		    others[i - COMMANDS];
		snprintf(first, sizeof(first), "%.*s",
		    (int)strcspn(name, " "), name);
		if (args_near(word, first)) {
			fprintf(stderr, "; is %s meant?", first);
			return;
		}
	}
}

/* No command is called so. */
static int
nobody(int n, char *const *word)
{
	struct buf out;

	buf_init(&out, HELP_MAX);
	if (usage_lines(word[0], &out) > 0) {
		if (n > 1)
			fprintf(stderr, "relevo: there is no command %s %s\n",
			    word[0], word[1]);
		else
			fprintf(stderr, "relevo: %s wants another word\n",
			    word[0]);
		fputs(buf_str(&out), stderr);
	} else {
		fprintf(stderr, "relevo: there is no %s \"%s\"",
		    word[0][0] == '-' ? "option" : "command", word[0]);
		suggest(word[0]);
		fputs("\n`relevo help` names all commands\n", stderr);
	}
	buf_release(&out);
	return 2;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
	    strcmp(word, "-h") == 0;
}

/* `help WORD...`, or the first word of a group and --help. */
static int
help(int n, char *const *word)
{
	const struct command *c;
	struct buf out;
	int used;

	while (n > 0 && is_help(word[0])) {
		n--;
		word++;
	}
	if (n == 0) {
		help_all(stdout);
		return 0;
	}
	if ((c = find(n, word, &used)) != NULL) {
		help_command(&c->row);
		return 0;
	}
	if (n > 1 && !is_help(word[1]))
		return nobody(n, word);
	buf_init(&out, HELP_MAX);
	used = usage_lines(word[0], &out) > 0;
	fputs(buf_str(&out), stdout);
	buf_release(&out);
	return used ? 0 : nobody(n, word);
}

static int
read_args(struct args *a, const struct command *c, int n, char *const *word)
{
	struct buf why;
	int rc;

	buf_init(&why, HELP_MAX);
	rc = args_read(a, &c->row, n, word, &why);
	if (rc != 0)
		(void)cmd_wrong(&c->row, "%s", buf_str(&why));
	else if (a->help)
		help_command(&c->row);
	buf_release(&why);
	return rc;
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
cmd_serve(int argc, char **argv, const char **path, const char **mode)
{
	struct args a;

	if (read_args(&a, &table[0], argc - 2, argv + 2) != 0)
		return 2;
	if (a.help)
		return said(0);
	*path = args_value(&a, "--socket");
	*mode = args_value(&a, "--mode");
	return -1;
}

int
cmd_run(const char *file, int argc, char **argv)
{
	char ask_version[] = "version";
	char **word = argv + 1;
	int n = argc - 1, used = 0;
	const struct command *c;
	struct args a;

	if (n == 0) {
		help_all(stderr);
		return 2;
	}
	if (strcmp(word[0], "--version") == 0 || strcmp(word[0], "-V") == 0)
		word[0] = ask_version;
	c = find(n, word, &used);
	if (is_help(word[0]) || (c == NULL && n > 1 && is_help(word[1])))
		return said(help(n, word));
	if (c == NULL)
		return nobody(n, word);
	if (read_args(&a, c, n - used, word + used) != 0)
		return 2;
	return said(a.help ? 0 : c->run(file, &a));
}
