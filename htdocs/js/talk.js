/* talk: one conversation: its record, its turns in the document, and the one
 * request that may be under way in it. It goes on when another one is shown. */

import * as api from "./api.js";
import { freshTurn, Turn } from "./turn.js";

const GO_ON = "Continue exactly where your last message ended. Repeat " +
    "nothing and add no introduction.";
const SAVE = 1500;		/* ms between savings of a growing answer */

function contentOf({ text, images }) {
	if (images.length === 0)
		return text;
	return [...(text === "" ? [] : [{ type: "text", text }]),
	    ...images.map((url) => ({ type: "image_url",
		image_url: { url } }))];
}

function joined(a, b) {
	const parts = (c) => typeof c === "string" ?
	    [{ type: "text", text: c }] : c;

	return typeof a === "string" && typeof b === "string" ?
	    a + "\n\n" + b : [...parts(a), ...parts(b)];
}

/* Turns as the API wants them. A question that got no answer is joined to the
 * next one: some providers refuse two user messages in a row. */
export function messagesOf(turns, system = "") {
	const out = system === "" ? [] : [{ role: "system", content: system }];

	for (const turn of turns) {
		const a = turn.answers[turn.shown];

		if (out.at(-1)?.role === "user")
			out.at(-1).content = joined(out.at(-1).content,
			    contentOf(turn));
		else
			out.push({ role: "user", content: contentOf(turn) });
		if (a?.end && a.text !== "")
			out.push({ role: "assistant", content: a.text });
	}
	return out;
}

/* The beginning of the first question. */
export function titleOf(text) {
	const line = text.trim().split("\n", 1)[0].replace(/\s+/g, " ");

	return line.length > 60 ? line.slice(0, 57).trimEnd() + "…" : line;
}

export function freshTalk() {
	const now = Date.now();

	return { id: crypto.randomUUID?.() ?? now.toString(36) +
	    Math.random().toString(36).slice(2), title: "", named: false,
	    created: now, at: now, turns: [] };
}

export class Talk {
	/* record: as freshTalk makes it, or kept by talks.js. ask(): {model,
	 * token, system, params} now. on: {save(talk), busy(talk), over(talk,
	 * turn, how), grown(talk), token(), size(talk)}. */
	constructor(record, ask, on) {
		this.record = record;
		this.ask = ask;
		this.on = on;
		this.abort = null;
		this.savedAt = 0;
		this.node = document.createElement("div");
		this.turns = [];
		for (const turn of record.turns) {
			/* the page was left in the middle of it */
			for (const a of turn.answers)
				if (a.end === "")
					Object.assign(a, { end: "failed",
					    failure: new api.Failure("left") });
			this.add(turn);
		}
	}

	get busy() {
		return this.abort !== null;
	}

	add(record) {
		const turn = new Turn(record, {
			again: (t) => this.again(t),
			more: (t) => this.again(t, t.a),
			edit: (t, text) => this.edit(t, text),
			curl: (t) => this.curl(t),
			show: (t, n) => this.show(t, n),
			token: () => this.on.token(),
			grown: () => this.on.grown(this),
		});

		this.turns.push(turn);
		this.node.append(turn.node);
		return turn;
	}

	send(text, images = []) {
		const record = freshTurn(text, images);

		if (this.busy)
			return;
		if (!this.record.named && this.record.turns.length === 0)
			this.record.title = titleOf(text);
		this.record.turns.push(record);
		this.run(this.add(record));
	}

	/* Only the last answer can be made anew: the later ones stand on it.
	 * from: an answer that it goes on from. */
	again(turn, from = null) {
		if (this.busy || turn !== this.turns.at(-1))
			return;
		/* a failure without a word is no version to come back to */
		if (turn.a.end === "failed" && turn.a.text === "")
			turn.record.answers.splice(turn.record.shown, 1);
		turn.begin(from);
		this.run(turn, from);
	}

	edit(turn, text) {
		const at = this.turns.indexOf(turn);
		const { images } = turn.record;

		if (this.busy || at < 0)
			return;
		for (const t of this.turns.splice(at)) {
			t.drop();
			t.node.remove();
		}
		this.record.turns.length = at;
		this.send(text, images);
	}

	show(turn, n) {
		if (this.busy && turn === this.turns.at(-1))
			return;
		turn.show(n);
		this.on.save(this);
		this.on.grown(this);
	}

	stop() {
		this.abort?.abort();
	}

	drop() {
		this.stop();
		for (const turn of this.turns)
			turn.drop();
	}

	/* What is asked for the answer of the last of turns. */
	asked(turns, from) {
		const { token, system, ...rest } = this.ask();
		const messages = messagesOf(turns, system);

		if (from !== null && from.text !== "")
			messages.push({ role: "assistant", content: from.text },
			    { role: "user", content: GO_ON });
		return { ...rest, token, messages };
	}

	curl(turn) {
		const at = this.turns.indexOf(turn);
		const turns = this.record.turns.slice(0, at + 1);
		const { token, ...asked } = this.asked([...turns.slice(0, -1),
		    { ...turns.at(-1), answers: [] }], null);

		return api.curl(asked, token);
	}

	async run(turn, from = null) {
		const abort = this.abort = new AbortController();
		let how = "whole";
		/* Firefox breaks what is under way off as soon as a page is
		 * left, while its scripts still run: that is no cut. */
		let left = false;
		const leave = () => { left = true; };

		addEventListener("beforeunload", leave);
		this.node.classList.add("busy");
		this.on.size(this);
		this.on.busy(this);
		this.keep();
		try {
			for await (const s of api.chat({ ...this.asked(
			    this.record.turns, from), signal: abort.signal })) {
				left = false;
				turn.step(s);
				if (performance.now() - this.savedAt > SAVE)
					this.keep();
			}
		} catch (e) {
			how = abort.signal.aborted ? "stopped" :
			    left ? new api.Failure("left") :
			    e instanceof api.Failure ? e :
			    new api.Failure("page", String(e));
		}
		removeEventListener("beforeunload", leave);
		this.abort = null;
		this.node.classList.remove("busy");
		turn.end(how);
		this.on.busy(this);
		this.keep();
		this.on.over(this, turn, how);
	}

	keep() {
		this.savedAt = performance.now();
		this.record.at = Date.now();
		this.on.save(this);
	}
}
