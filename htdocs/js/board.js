/* board: the dashboard: what every provider, key, model and client has used of
 * its windows, who would answer now, and what was used when. Figures are
 * written into the elements that stand; nothing flickers, nothing loses focus.
 *
 * One small request every few seconds while it is looked at, none else. */

import * as api from "./api.js";
import { keep, el, icon, put } from "./dom.js";
import { bars, due, limited, pill, ticking } from "./bars.js";
import { History } from "./chart.js";
import { Router } from "./router.js";
import { number, say } from "./i18n.js";
import { hueOf } from "./meta.js";
import { reasonOf } from "./picker.js";

const EVERY = 5000;		/* ms */

function figure(className, key) {
	const value = el("span", { class: "value" });

	return { node: el("span", { class: "figure " + className }, value,
	    say(el("span", { class: "unit" }), key)), value };
}

/* The figures of one row: today, ever, first token. */
class Stats {
	constructor() {
		this.parts = {
			requests: figure("", "board.requests"),
			tokens: figure("", "board.tokens"),
			failures: figure("bad", "board.failures"),
			flight: figure("", "board.flight"),
			first: figure("", "board.first"),
		};
		this.node = el("p", { class: "figures" },
		    ...Object.values(this.parts).map((f) => f.node));
	}

	set(s) {
		const show = (name, value, text) => {
			put(this.parts[name].value, text ?? number(value));
			this.parts[name].node.hidden = !(value > 0);
		};

		show("requests", s.requestsToday);
		show("tokens", s.tokensToday);
		show("failures", s.failures);
		show("flight", s.inFlight);
		show("first", s.firstMs, number((s.firstMs ?? 0) / 1000) +
		    " s");
		this.parts.requests.node.hidden = false;
	}
}

/* A lane, a key, an account or a client: its name, state, windows, figures. */
class Row {
	constructor(name, note) {
		this.name = el("span", { class: "row-name" }, name);
		this.state = pill();
		this.windows = el("div", { class: "windows" });
		this.stats = new Stats();
		this.node = el("li", { class: "lane" },
		    el("div", { class: "lane-head" }, this.name,
			note && el("code", { class: "key" }, note),
			this.state.node),
		    this.stats.node, this.windows);
	}

	set(row) {
		this.state.set(row);
		this.stats.set(row.localStats ?? {});
		bars(this.windows, row);
	}
}

/* A provider: its account, its keys, its models. */
class Provider {
	constructor(name) {
		this.state = pill();
		this.open = el("span", { class: "soft" });
		this.stats = new Stats();
		this.windows = el("div", { class: "windows" });
		this.keysTitle = say(el("h3", {}), "board.keys");
		this.keys = el("ul", { class: "lanes" });
		this.lanes = el("ul", { class: "lanes" });
		this.node = el("section", { class: "card provider" },
		    el("div", { class: "card-head" },
			el("h2", {}, el("span", { class: "dot " +
			    hueOf(name) }), name), this.open, this.state.node),
		    this.stats.node, this.windows,
		    this.keysTitle, this.keys,
		    say(el("h3", {}), "board.models"), this.lanes);
	}

	set({ account, keys, lanes }) {
		const open = lanes.filter((l) => l.available !== false).length;

		this.state.set(account);
		this.state.node.hidden = account.available !== false;
		this.stats.set(account.localStats ?? {});
		bars(this.windows, account);
		say(this.open, "board.open", { n: open, of: lanes.length });
		/* one key without limits of its own says nothing new */
		const tell = keys.length > 1 || keys.some((k) =>
		    k.available === false || limited(k).length > 0);
		this.keysTitle.hidden = this.keys.hidden = !tell;
		keep(this.keys, tell ? keys : [], (k) => k.key,
		    (k) => new Row(k.key));
		keep(this.lanes, lanes, (l) => l.modelId + " " + l.key,
		    (l) => new Row(l.name || l.modelId,
			keys.length > 1 ? l.key : null));
	}
}

/* Rows of /usage by provider, in the order of accounts. */
function byProvider(body) {
	const all = new Map();
	const of = (name) => {
		if (!all.has(name))
			all.set(name, { name, account: { available: true },
			    keys: [], lanes: [] });
		return all.get(name);
	};

	for (const a of body.accounts ?? [])
		of(a.name).account = a;
	for (const l of body.usage ?? [])
		of(l.provider).lanes.push(l);
	for (const k of body.keys ?? [])
		of(k.name).keys.push(k);
	/* no account of its own in the answer of an older gateway */
	for (const p of all.values())
		p.account.localStats ??= p.lanes.reduce((s, { localStats }) => {
			for (const [k, v] of Object.entries(localStats ?? {}))
				if (Number.isFinite(v) && k !== "firstMs")
					s[k] = (s[k] ?? 0) + v;
			return s;
		}, {});
	return [...all.values()].filter((p) => p.lanes.length > 0);
}

class Tile {
	constructor(key) {
		this.value = el("dd");
		this.note = el("dd", { class: "soft" });
		this.node = el("div", { class: "card tile" },
		    say(el("dt"), key), this.value, this.note);
	}

	set(value, noteKey = "", vars = {}) {
		put(this.value, value);
		this.note.hidden = noteKey === "";
		if (noteKey !== "")
			say(this.note, noteKey, vars);
	}
}

export class Board {
	/* root: the view; does: {token(): string, models(), aliases(): the
	 * lists of GET models, refused(): a token is to be entered}. */
	constructor(root, does) {
		this.root = root;
		this.does = does;
		this.timer = 0;
		this.etag = null;
		this.seen = false;	/* there are figures */
		this.tiles = { requests: new Tile("tile.requests"),
		    tokens: new Tile("tile.tokens"),
		    open: new Tile("tile.open"),
		    flight: new Tile("tile.flight"),
		    failures: new Tile("tile.failures") };
		this.why = el("p");
		this.enter = say(el("button", { type: "button",
		    class: "button", onclick: does.refused }),
		    "note.token.enter");
		this.wrong = el("div", { class: "note warn", role: "status",
		    hidden: true }, icon("warn"), el("div",
		    { class: "note-body" }, this.why, el("div", {},
			this.enter)));
		this.providers = el("div", { class: "providers" });
		this.clients = el("ul", { class: "lanes" });
		this.clientsBox = el("section", { class: "card" },
		    say(el("h2", {}), "board.clients"), this.clients);
		this.off = el("ul", { class: "off" });
		this.offBox = el("details", { class: "card offs" },
		    el("summary", {}, icon("chevron"),
			say(el("span"), "board.off")), this.off);
		this.router = new Router(does);
		this.history = new History();
		root.append(this.wrong, el("dl", { class: "tiles" },
		    ...Object.values(this.tiles).map((x) => x.node)),
		    this.router.node, this.history.node, this.providers,
		    this.clientsBox, this.offBox);
		document.addEventListener("visibilitychange",
		    () => this.shown && this.look());
	}

	/* Look at it (or away from it). */
	show(now) {
		this.shown = now;
		clearTimeout(this.timer);
		this.stopTicks?.();
		this.stopTicks = null;
		if (now)
			this.look();
	}

	async look() {
		clearTimeout(this.timer);
		this.stopTicks ??= ticking(this.root);
		if (document.hidden)
			return;
		await this.refresh();
		clearTimeout(this.timer);
		if (this.shown)
			this.timer = setTimeout(() => this.look(), EVERY);
	}

	async refresh() {
		const token = this.does.token();

		/* another token sees other figures */
		if (token !== this.token)
			this.etag = null;
		this.token = token;
		try {
			const { body, etag } = await api.usage(token,
			    this.etag);

			this.etag = etag;
			this.wrong.hidden = true;
			if (body !== null) {
				this.paint(body);
				await this.router.refresh();
			}
		} catch (e) {
			this.wrong.hidden = false;
			this.enter.hidden = !api.needsToken(e);
			say(this.why, api.needsToken(e) ? "note.token" :
			    this.seen ? "board.stale" : "note.unreachable");
		}
	}

	paint(body) {
		const { totals = {} } = body;
		const lanes = body.usage ?? [];
		const open = lanes.filter((l) => l.available !== false);
		const next = lanes.filter((l) => l.available === false &&
		    l.until).map((l) => Date.parse(l.until)).sort()[0];

		this.seen = true;
		for (const name of ["requests", "tokens"]) {
			const today = totals[name + "Today"] ?? 0;
			const ever = totals[name] ?? 0;

			/* what is under way counts today, not yet in all */
			this.tiles[name].set(number(today), ever < today ? "" :
			    "tile.ever", { n: ever });
		}
		this.tiles.open.set(number(open.length) + " / " +
		    number(lanes.length));
		due(this.tiles.open.note, "tile.next", next);
		this.tiles.flight.set(number(totals.inFlight ?? 0));
		this.tiles.failures.set(number(totals.failures ?? 0));
		keep(this.providers, byProvider(body), (p) => p.name,
		    (p) => new Provider(p.name));
		this.clientsBox.hidden = (body.clients ?? []).length === 0;
		keep(this.clients, body.clients ?? [], (c) => c.name,
		    (c) => new Row(c.name));
		this.paintOff();
		this.history.set(body.history);
	}

	/* The models are known now, or known better. */
	known() {
		if (this.seen)
			this.paintOff();
	}

	/* Models that are not set up: why, and how many. */
	paintOff() {
		const why = new Map();

		for (const m of this.does.models())
			if (m.available === false && !m.until && m.keys === 0)
				why.set(m.provider + "\n" + m.reason,
				    [...why.get(m.provider + "\n" +
				    m.reason) ?? [], m]);
		this.offBox.hidden = why.size === 0;
		keep(this.off, [...why], ([k]) => k, ([, [m]]) => {
			const text = el("span", { class: "soft" });

			return { node: el("li", {}, el("b", {}, m.provider),
			    " ", text), set: ([, models]) => say(text,
			    "board.off.why", { n: models.length,
			    reason: () => reasonOf(m.reason) }) };
		});
	}
}
