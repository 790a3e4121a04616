#include "cmd_own.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "buf.h"
#include "chat.h"
#include "cmd.h"
#include "config.h"
#include "explain.h"
#include "ledger.h"
#include "report.h"
#include "text.h"

/* Whether there is no state file, and it was said. It is made by who serves, as
 * that user: made by root it would shut the service out. */
static bool
not_there(const struct config *cfg)
{
	if (access(cfg->state, F_OK) == 0 || errno != ENOENT)
		return false;
	fprintf(stderr, "relevo: nothing was counted yet: there is no %s\n",
	    cfg->state);
	return true;
}

/* Config and what the state file holds, for who only looks: any user who may
 * read both. 0, or the exit status. */
static int
look(const char *file, struct config **cfg, struct ledger **l,
    struct text_time *now)
{
	const char *why = NULL;

	*cfg = cmd_config(file);
	if (*cfg == NULL)
		return 2;
	text_clock(now);
	*l = ledger_snapshot(*cfg, now);
	if (*l == NULL)
		why = "out of memory";
	else if (!not_there(*cfg))
		why = ledger_health(*l);
	if (why == NULL)
		return 0;
	/* Counts of nothing would look as if nothing were used. */
	fprintf(stderr, "relevo: %s\n", why);
	ledger_close(*l);
	config_free(*cfg);
	return 1;
}

/* The same with the ledger that is shared, to be changed or verified. */
static int
attach(const char *file, struct config **cfg, struct ledger **l,
    struct text_time *now)
{
	const char *why;

	*l = NULL;
	*cfg = cmd_config(file);
	if (*cfg == NULL)
		return 2;
	text_clock(now);
	if (not_there(*cfg))
		goto out;
	*l = ledger_open(*cfg, now);
	why = *l != NULL ? ledger_health(*l) : "out of memory";
	if (why == NULL)
		return 0;
	fprintf(stderr, "relevo: %s\n", why);
out:
	ledger_close(*l);
	config_free(*cfg);
	return 1;
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
	int rc = look(file, &cfg, &l, &now);

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

int
cmd_models(const char *file, const struct args *a)
{
	return view(file, args_value(a, "--json") != NULL, report_models,
	    models_table);
}

int
cmd_usage(const char *file, const struct args *a)
{
	return view(file, args_value(a, "--json") != NULL, report_usage,
	    usage_table);
}

int
cmd_explain(const char *file, const struct args *a)
{
	const char *model = a->operand != NULL ? a->operand : "";
	const char *number = args_value(a, "--tokens");
	bool json = args_value(a, "--json") != NULL;
	uint64_t tokens = 0;
	struct config *cfg;
	struct ledger *l;
	struct text_time now;
	struct explain e;
	struct chat chat;
	struct buf out;
	int rc;

	if (number != NULL && text_uint(number, strlen(number), UINT32_MAX,
	    &tokens) != 0)
		return cmd_wrong(a->row, "--tokens %s: a number is wanted",
		    number);
	rc = look(file, &cfg, &l, &now);
	if (rc != 0)
		return rc;
	buf_init(&out, CMD_OUT);
	explain_plain(&chat, model, (int64_t)tokens);
	e = (struct explain){ cfg, l, config_find(cfg, model), &chat,
	    LEDGER_NOBODY, &now, (uint64_t)now.mono };
	rc = 1;
	if (e.alias == NULL)
		fprintf(stderr, "relevo: there is no model or alias \"%s\": "
		    "`relevo models` names the models\n", model);
	else
		rc = (json ? explain_json : explain_text)(&e, &out) != 0;
	if (out.len > 0)
		(void)buf_puts(&out, json ? "\n" : "");
	fputs(buf_str(&out), stdout);
	buf_release(&out);
	ledger_close(l);
	config_free(cfg);
	return rc;
}

int
cmd_state_path(const char *file, const struct args *a)
{
	struct config *cfg = cmd_config(file);

	(void)a;
	if (cfg == NULL)
		return 2;
	puts(cfg->state);
	config_free(cfg);
	return 0;
}

static int
dump(struct ledger *l, const struct text_time *now, const char *name,
    struct buf *out)
{
	(void)name;
	return ledger_dump(l, now, out);
}

static int
verify(struct ledger *l, const struct text_time *now, const char *name,
    struct buf *out)
{
	(void)name;
	return ledger_verify(l, now, out);
}

/* What the others do with the file. Why it failed goes to stderr; what verify
 * found is its answer, good or bad. */
static int
state(const char *file, const struct args *a,
    int (*what)(struct ledger *, const struct text_time *, const char *name,
    struct buf *))
{
	struct config *cfg;
	struct ledger *l;
	struct text_time now;
	struct buf out;
	int rc = attach(file, &cfg, &l, &now);

	if (rc != 0)
		return rc;
	buf_init(&out, CMD_OUT);
	rc = what(l, &now, a->operand, &out) != 0;
	if (out.len > 0 && out.data[out.len - 1] != '\n')
		(void)buf_puts(&out, "\n");
	fputs(buf_str(&out), rc == 0 || what == verify ? stdout : stderr);
	buf_release(&out);
	ledger_close(l);
	config_free(cfg);
	return rc;
}

int
cmd_state_dump(const char *file, const struct args *a)
{
	return state(file, a, dump);
}

int
cmd_state_verify(const char *file, const struct args *a)
{
	return state(file, a, verify);
}

int
cmd_state_reset(const char *file, const struct args *a)
{
	return state(file, a, ledger_reset);
}
