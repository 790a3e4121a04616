/* turn: one question and its answer, in the document.
 *
 * Text is collected and written once a frame: a fast model sends hundreds of
 * pieces a second, a screen shows sixty. */

import { copyButton, Rich } from "./rich.js";
import { el, icon } from "./dom.js";
import { say } from "./i18n.js";
import { paint } from "./meta.js";
import { trouble } from "./trouble.js";

function fresh() {
	return { provider: null, model: null, attempts: [], usage: null,
	    finish: null, sentAt: performance.now(), firstAt: null, lastAt: null,
	    text: "", chars: 0, over: false };
}

export class Turn {
	/* does: {again(turn), token(), grown()}; grown is called after the
	 * answer's height may have changed. */
	constructor(question, does) {
		this.question = question;
		this.does = does;
		this.frame = 0;
		this.stopCount = () => {};
		this.told = "";		/* the last failure, in words */
		this.answer = el("article", { class: "answer" });
		say(this.answer, "answer", {}, "aria-label");
		this.node = el("section", { class: "turn" },
		    say(el("article", { class: "question" },
			el("p", {}, question)), "you", {}, "aria-label"),
		    this.answer);
		this.begin();
	}

	/* An empty answer that is under way. */
	begin() {
		this.drop();
		this.a = fresh();
		this.newText = this.newThought = "";
		this.think = this.thinkNode = null;
		this.told = "";
		this.wait = say(el("div", { class: "waiting", role: "img" },
		    el("i"), el("i"), el("i")), "answer.waiting", {},
		    "aria-label");
		this.prose = el("div", { class: "prose" });
		this.rich = new Rich(this.prose);
		this.meta = el("p", { class: "meta", hidden: true });
		this.tools = el("div", { class: "tools", hidden: true });
		this.foot = el("div", { class: "foot" }, this.meta, this.tools);
		this.answer.replaceChildren(this.wait, this.prose, this.foot);
		this.answer.classList.add("live");
	}

	/* No more work of ours for this answer. */
	drop() {
		cancelAnimationFrame(this.frame);
		this.frame = 0;
		this.stopCount();
	}

	/* One step of api.chat. */
	step(s) {
		const a = this.a;

		if (s.kind === "text" || s.kind === "reasoning") {
			if (s.text === "")
				return;
			a.lastAt = performance.now();
			a.chars += s.text.length;
			if (a.firstAt === null)
				a.firstAt = a.lastAt;
		}
		if (s.kind === "text") {
			a.text += s.text;
			this.newText += s.text;
		} else if (s.kind === "reasoning") {
			this.newThought += s.text;
		} else if (s.kind === "served") {
			a.provider = s.provider ?? a.provider;
			a.model = s.model ?? a.model;
			/* the event knows the last attempt, the head may not */
			if (s.attempts.length >= a.attempts.length)
				a.attempts = s.attempts;
			this.metaDue = true;
		} else if (s.kind === "usage") {
			a.usage = s;
		} else if (s.kind === "finish") {
			a.finish = s.reason;
		}
		if (this.frame === 0)
			this.frame = requestAnimationFrame(() => this.flush());
	}

	flush() {
		const first = this.wait !== null && this.a.firstAt !== null;

		this.frame = 0;
		if (first) {
			this.wait.remove();
			this.wait = null;
		}
		if (this.newThought !== "")
			this.growThought();
		if (this.newText !== "") {
			this.endThought();
			this.rich.push(this.newText);
			this.newText = "";
		}
		if (first || this.metaDue) {
			paint(this.meta, this.a);
			this.metaDue = false;
		}
		this.does.grown();
	}

	growThought() {
		if (this.think === null) {
			this.thinkNode = document.createTextNode("");
			this.think = el("details", { class: "think live" },
			    el("summary", {}, icon("chevron"),
				say(el("span"), "think.now")),
			    el("div", { class: "thought" }, this.thinkNode));
			this.think.addEventListener("toggle",
			    () => this.does.grown());
			this.prose.before(this.think);
		}
		this.thinkNode.appendData(this.newThought);
		this.newThought = "";
	}

	endThought() {
		if (this.think?.classList.contains("live")) {
			this.think.classList.remove("live");
			say(this.think.querySelector("span"), "think.done");
		}
	}

	/* The answer is over: whole (null), stopped by the user ("stopped"), or
	 * with a Failure. */
	end(how) {
		const a = this.a;
		const bad = how !== null && how !== "stopped";

		cancelAnimationFrame(this.frame);
		this.wait?.remove();
		this.wait = null;
		a.over = true;
		if (bad && how.attempts.length > 0)
			a.attempts = how.attempts;
		this.flush();
		this.rich.end();
		this.endThought();
		this.answer.classList.remove("live");
		/* in its box below it stands already */
		if (bad && a.firstAt === null)
			this.meta.hidden = true;
		else
			paint(this.meta, a);
		this.remarks(how, bad);
		this.putTools(bad);
		this.does.grown();
	}

	remarks(how, bad) {
		const note = (key) => this.foot.before(
		    say(el("p", { class: "remark" }), key));

		if (bad) {
			const box = trouble(how, { cut: this.a.firstAt !== null,
			    retry: () => this.does.again(this),
			    token: () => this.does.token() });

			this.foot.before(box.node);
			this.stopCount = box.stop;
			this.told = box.text;
		} else if (how === "stopped") {
			note("answer.stopped");
		} else if (this.a.finish === "length") {
			note("answer.length");
		} else if (this.a.finish === "content_filter") {
			note("answer.filter");
		} else if (this.a.text === "") {
			note("answer.empty");
		}
	}

	putTools(bad) {
		if (this.a.text !== "")
			this.tools.append(copyButton("answer.copy",
			    () => this.a.text, true));
		/* a failure's box has its own button for that */
		if (!bad) {
			const again = el("button", { type: "button",
			    class: "quiet again",
			    onclick: () => this.does.again(this) },
			    icon("again"), say(el("span",
			    { class: "offscreen" }), "answer.again"));

			this.tools.append(say(again, "answer.again", {},
			    "title"));
		}
		this.tools.hidden = this.tools.childElementCount === 0;
	}
}
