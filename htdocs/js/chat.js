/* chat: the conversation on the page: its turns, the one request under way,
 * what is announced, and where the view stands. */

import * as api from "./api.js";
import { t } from "./i18n.js";
import { Turn } from "./turn.js";

/* Turns as the API wants them. A question that got no answer is joined to the
 * next one: some providers refuse two user messages in a row. */
export function messagesOf(turns) {
	const out = [];

	for (const { question, a } of turns) {
		if (out.at(-1)?.role === "user")
			out.at(-1).content += "\n\n" + question;
		else
			out.push({ role: "user", content: question });
		if (a.over && a.text !== "")
			out.push({ role: "assistant", content: a.text });
	}
	return out;
}

export class Chat {
	/* log: the list; scroller: what scrolls; live: the element that screen
	 * readers read; ask(): {model, token} now; on: {busy(bool),
	 * stuck(bool), settled(failure or null), token(), size(n)}. */
	constructor({ log, scroller, live, ask, on }) {
		this.log = log;
		this.scroller = scroller;
		this.live = live;
		this.ask = ask;
		this.on = on;
		this.turns = [];
		this.abort = null;	/* of the request under way */
		this.stuck = true;	/* the view follows the end */
		scroller.addEventListener("scroll", () => this.scrolled(),
		    { passive: true });
		new ResizeObserver(() => this.follow()).observe(scroller);
	}

	get busy() {
		return this.abort !== null;
	}

	send(question) {
		if (this.busy || question.trim() === "")
			return;
		const turn = new Turn(question.trim(), {
			again: (which) => this.again(which),
			token: () => this.on.token(),
			grown: () => this.follow(),
		});
		this.turns.push(turn);
		this.log.append(turn.node);
		this.run(turn);
	}

	/* Only the last answer can be made anew: the later ones stand on it. */
	again(turn) {
		if (this.busy || turn !== this.turns.at(-1))
			return;
		turn.begin();
		this.run(turn);
	}

	stop() {
		this.abort?.abort();
	}

	clear() {
		this.stop();
		for (const turn of this.turns)
			turn.drop();
		this.turns = [];
		this.log.replaceChildren();
		this.live.textContent = "";
		this.toEnd();
		this.on.size(0);
	}

	async run(turn) {
		const abort = this.abort = new AbortController();
		let how = null;

		this.on.size(this.turns.length);
		this.on.busy(true);
		this.toEnd();
		try {
			for await (const s of api.chat({ ...this.ask(),
			    messages: messagesOf(this.turns),
			    signal: abort.signal }))
				turn.step(s);
		} catch (e) {
			how = abort.signal.aborted ? "stopped" :
			    e instanceof api.Failure ? e :
			    new api.Failure("page", String(e));
		}
		if (this.abort === abort) {
			this.abort = null;
			this.on.busy(false);
		}
		if (!this.turns.includes(turn))
			return;		/* a new chat was begun meanwhile */
		turn.end(how);
		this.announce(turn, how);
		this.on.settled(how instanceof api.Failure ? how : null);
	}

	/* Whole messages only: read token by token, a stream is noise. */
	announce(turn, how) {
		const text = how === "stopped" ? t("say.stopped") :
		    how !== null ? t("say.failed", { text: turn.told }) :
		    t("say.answer", { who: turn.a.provider ?? "relevo",
			text: turn.a.text });

		this.live.textContent = text;
		clearTimeout(this.hush);
		/* else it would be found a second time below the page */
		this.hush = setTimeout(() => this.live.textContent = "", 10000);
	}

	scrolled() {
		const s = this.scroller;

		this.stuck = s.scrollHeight - s.scrollTop - s.clientHeight < 40;
		this.on.stuck(this.stuck);
	}

	follow() {
		if (this.stuck)
			this.scroller.scrollTop = this.scroller.scrollHeight;
	}

	toEnd() {
		this.stuck = true;
		this.on.stuck(true);
		this.follow();
	}
}
