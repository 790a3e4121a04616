/* chat: which conversation is shown, which ones are under way, what is
 * announced, and where the view stands. */

import * as talks from "./talks.js";
import { t } from "./i18n.js";
import { freshTalk, Talk } from "./talk.js";
import * as api from "./api.js";

export class Chat {
	/* log: the list; scroller: what scrolls; live: the element that screen
	 * readers read; ask(): {model, token, system, params} now; on:
	 * {busy(bool), stuck(bool), over(failure or null), token(), size(n),
	 * saved(head), shown(id), full()}. */
	constructor({ log, scroller, live, ask, on }) {
		this.log = log;
		this.scroller = scroller;
		this.live = live;
		this.ask = ask;
		this.on = on;
		this.stuck = true;	/* the view follows the end */
		this.running = new Map();	/* id -> Talk under way */
		this.talk = this.make(freshTalk());
		this.log.append(this.talk.node);
		scroller.addEventListener("scroll", () => this.scrolled(),
		    { passive: true });
		new ResizeObserver(() => this.follow()).observe(scroller);
		new ResizeObserver(() => this.follow()).observe(log);
	}

	get busy() {
		return this.talk.busy;
	}

	make(record) {
		return new Talk(record, this.ask, {
			save: (talk) => this.save(talk),
			busy: (talk) => this.changed(talk),
			over: (talk, turn, how) => this.over(talk, turn, how),
			grown: (talk) => talk === this.talk && this.follow(),
			token: () => this.on.token(),
			size: (talk) => talk === this.talk &&
			    this.on.size(talk.turns.length),
		});
	}

	/* Show the conversation id (null: a new one). False: there is none. */
	async open(id) {
		if (id !== null && id === this.talk.record.id)
			return true;
		const record = id === null || this.running.has(id) ? null :
		    await talks.get(id);

		if (id !== null && record === null && !this.running.has(id))
			return false;
		if (!this.talk.busy)
			this.talk.drop();
		this.talk = this.running.get(id) ??
		    this.make(record ?? freshTalk());
		this.log.replaceChildren(this.talk.node);
		this.live.textContent = "";
		this.on.size(this.talk.turns.length);
		this.on.busy(this.talk.busy);
		this.on.shown(id);
		this.toEnd();
		return true;
	}

	send(text, images) {
		this.talk.send(text, images);
		this.toEnd();
	}

	stop() {
		this.talk.stop();
	}

	/* The last question, to be edited. */
	edit() {
		if (!this.busy)
			this.talk.turns.at(-1)?.edit();
	}

	changed(talk) {
		const { id } = talk.record;

		if (talk.busy)
			this.running.set(id, talk);
		else
			this.running.delete(id);
		if (talk === this.talk) {
			this.on.busy(talk.busy);
			if (talk.busy)
				this.toEnd();
		}
	}

	async save(talk) {
		const { id, title, at } = talk.record;

		/* it was deleted meanwhile */
		if (talk.gone)
			return;
		this.on.saved({ id, title, at });
		if (!await talks.put(structuredClone(talk.record)))
			this.on.full();
	}

	async rename(id, title) {
		const talk = this.talk.record.id === id ? this.talk :
		    this.running.get(id);
		const record = talk?.record ?? await talks.get(id);

		if (record === null)
			return;
		record.title = title;
		record.named = true;
		await talks.put(structuredClone(record));
		this.on.saved({ id, title, at: record.at });
	}

	/* What it was, for those who want it back. */
	async remove(id) {
		const talk = this.running.get(id) ??
		    (this.talk.record.id === id ? this.talk : null);
		const record = talk?.record ?? await talks.get(id);

		if (talk !== null) {
			talk.gone = true;
			talk.drop();
			this.running.delete(id);
		}
		await talks.remove(id);
		if (this.talk === talk && talk !== null)
			await this.open(null);
		return record;
	}

	over(talk, turn, how) {
		if (talk.gone)
			return;
		if (talk === this.talk)
			this.announce(turn, how);
		this.on.over(how instanceof api.Failure ? how : null);
	}

	/* Whole messages only: read token by token, a stream is noise. */
	announce(turn, how) {
		const text = how === "stopped" ? t("say.stopped") :
		    how !== "whole" ? t("say.failed", { text: turn.told }) :
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
