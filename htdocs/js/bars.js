/* bars: windows against their limits, states, and countdowns that one clock
 * moves. */

import { el, keep, put } from "./dom.js";
import { duration, has, moment, number, say, t } from "./i18n.js";
import { reasonOf } from "./picker.js";

/* Say key in node with {time}, the time left until ms (of Date.now()); nothing
 * without a time, or when it is over. */
export function due(node, key, ms) {
	if (!(ms > Date.now())) {
		node.hidden = true;
		node.removeAttribute("data-due");
		return;
	}
	node.dataset.due = ms;
	node.dataset.key = key;
	node.hidden = false;
	say(node, key, { time: duration(ms - Date.now()) });
}

/* Move the countdowns below root, once a second; returns what ends it. */
export function ticking(root) {
	const timer = setInterval(() => {
		if (!document.hidden)
			for (const node of root.querySelectorAll("[data-due]"))
				due(node, node.dataset.key,
				    Number(node.dataset.due));
	}, 1000);

	return () => clearInterval(timer);
}

/* The state of something: {available, reason, until}. */
export function pill() {
	const word = el("span");
	const left = el("span");
	const node = el("span", { class: "pill" }, word, left);

	return { node, set({ available, reason, until }) {
		const open = available !== false;
		const kind = open ? "good" : until ? "wait" : "bad";

		node.className = "pill " + kind;
		say(word, open ? "state.open" : "state.why",
		    { reason: () => reasonOf(reason) });
		due(left, "state.until", open || !until ? NaN :
		    Date.parse(until));
		node.title = open || !until ? "" : moment(until);
	} };
}

class Bar {
	constructor(w) {
		const name = () => has("window." + w.window) ?
		    t("window." + w.window) : w.window;

		this.name = say(el("span", { class: "bar-name" }),
		    "window.name", { name });
		this.text = el("span", { class: "bar-text" });
		this.used = el("i", { class: "used" });
		this.held = el("i", { class: "held" });
		this.reset = el("span", { class: "bar-reset" });
		this.node = el("div", { class: "bar-row", "data-window":
		    w.window }, this.name, el("span", { class: "meter",
		    "aria-hidden": "true" }, this.used, this.held), this.text,
		    this.reset);
	}

	set(w) {
		const share = w.limit > 0 ? Math.min(1, w.used / w.limit) : 1;
		const held = w.limit > 0 ? Math.min(1 - share,
		    (w.reserved ?? 0) / w.limit) : 0;

		this.used.style.width = share * 100 + "%";
		this.held.style.width = held * 100 + "%";
		this.node.dataset.level = share + held >= 1 ? "full" :
		    share + held > 0.8 ? "high" : "";
		put(this.text, number(w.used) + " / " + number(w.limit));
		this.node.title = t("window.title", { used: w.used,
		    reserved: w.reserved ?? 0,
		    left: w.remaining ?? "–", source: () =>
		    has("source." + w.source) ? t("source." + w.source) :
		    String(w.source ?? "") });
		due(this.reset, "window.reset", Date.parse(w.resetAt));
	}
}

/* Those that have a limit: the others are counted only. */
export function limited(row) {
	return (row.windows ?? []).filter((w) => w.limit >= 0 &&
	    w.limit !== null);
}

/* The windows of a row into node. */
export function bars(node, row) {
	const windows = limited(row);

	node.hidden = windows.length === 0;
	keep(node, windows, (w) => w.window, (w) => new Bar(w));
}
