/* notes: what stands above the conversation: the demo, a sick state file, a
 * token that is missing or wrong, a gateway that is away or not mounted. */

import { el, icon } from "./dom.js";
import { say } from "./i18n.js";

/* Free, and with no card: conf/env.example names all of them. */
const KEYS = [
	["Groq", "https://console.groq.com/keys"],
	["Gemini", "https://aistudio.google.com/apikey"],
	["OpenRouter", "https://openrouter.ai/settings/keys"],
];

function keyLinks() {
	return el("p", { class: "row" }, ...KEYS.map(([name, href]) =>
	    el("a", { href, target: "_blank", rel: "noopener noreferrer" },
		name)));
}

function askToken(key, act) {
	return { look: "warn", parts: [
		say(el("p", { class: "strong" }), key),
		el("p", { class: "row" }, say(el("button", { type: "button",
		    class: "button", onclick: act }), "note.token.enter")),
	] };
}

const kinds = {
	demo: () => ({ look: "info", parts: [
		say(el("p", { class: "strong" }), "note.demo"),
		say(el("p"), "note.demo.next",
		    { example: "GROQ_API_KEY=gsk_…" }),
		keyLinks(),
	] }),
	notready: () => ({ look: "warn", parts: [
		say(el("p", { class: "strong" }), "note.notready"), keyLinks(),
	] }),
	degraded: (state) => ({ look: "warn", parts: [
		say(el("p"), "note.degraded", { state }),
	] }),
	unreachable: () => ({ look: "warn", parts: [
		say(el("p", { class: "strong" }), "note.unreachable"),
	] }),
	unmounted: () => ({ look: "warn", parts: [
		say(el("p", { class: "strong" }), "note.unmounted"),
	] }),
	token: (unused, act) => askToken("note.token", act),
	refused: (unused, act) => askToken("note.refused", act),
};

export class Notes {
	constructor(root) {
		this.root = root;
		this.shown = new Map();		/* kind -> node */
		this.closed = new Set();
	}

	/* Whether it is said that there is no gateway. */
	away() {
		return this.shown.has("unreachable") ||
		    this.shown.has("unmounted");
	}

	/* Show (on) or take away the note of a kind. One that was closed stays
	 * away until its reason has been gone in between. */
	set(kind, on, detail = "", act = null) {
		if (!on) {
			this.shown.get(kind)?.remove();
			this.shown.delete(kind);
			this.closed.delete(kind);
			return;
		}
		if (this.shown.has(kind) || this.closed.has(kind))
			return;
		const { look, parts } = kinds[kind](detail, act);
		const close = el("button", { type: "button", class: "quiet",
		    onclick: () => {
			node.remove();
			this.shown.delete(kind);
			this.closed.add(kind);
		} }, icon("close"));
		const node = el("div", { class: "note " + look, role: "status" },
		    icon(look), el("div", { class: "note-body" }, ...parts),
		    say(close, "note.close", {}, "aria-label"));

		this.shown.set(kind, node);
		this.root.append(node);
	}
}
