/* turn: one question and its answers, in the document. Several answers are
 * versions of each other; one is shown.
 *
 * Text is collected and written once a frame: a fast model sends hundreds of
 * pieces a second, a screen shows sixty. */

import { copyButton } from "./code.js";
import { Rich } from "./rich.js";
import { el, icon } from "./dom.js";
import { say } from "./i18n.js";
import { paint } from "./meta.js";
import { trouble } from "./trouble.js";

/* end: "" under way, "whole", "stopped" by the user, "failed" (failure says
 * why; there may be text all the same: then it is cut). */
export function freshAnswer() {
	return { text: "", thought: "", provider: null, model: null,
	    attempts: [], usage: null, finish: null, end: "", failure: null,
	    firstMs: null, spanMs: 0, chars: 0 };
}

export function freshTurn(text, images = []) {
	return { text, images, at: Date.now(), answers: [freshAnswer()],
	    shown: 0 };
}

function tool(name, key, act, className = "") {
	return say(say(el("button", { type: "button",
	    class: "quiet " + className, onclick: act }, icon(name)),
	    key, {}, "title"), key, {}, "aria-label");
}

export class Turn {
	/* record: as freshTurn makes it, kept by the caller. does: {again(turn),
	 * more(turn), edit(turn, text), token(), curl(turn), show(turn, n),
	 * grown()}; grown is called after the height may have changed. */
	constructor(record, does) {
		this.record = record;
		this.does = does;
		this.frame = 0;
		this.stopCount = () => {};
		this.told = "";		/* the last failure, in words */
		this.question = say(el("article", { class: "question" }), "you",
		    {}, "aria-label");
		this.answer = say(el("article", { class: "answer" }), "answer",
		    {}, "aria-label");
		this.node = el("section", { class: "turn" }, this.question,
		    this.answer);
		this.paintQuestion();
		this.paintAnswer();
	}

	get a() {
		return this.record.answers[this.record.shown];
	}

	/* ---- the question ---- */

	paintQuestion() {
		const { text, images } = this.record;
		const asked = el("div", { class: "asked" });

		for (const src of images)
			asked.append(say(el("img", { src }), "image.yours", {},
			    "alt"));
		if (text !== "")
			asked.append(el("p", { dir: "auto" }, text));
		this.question.replaceChildren(asked,
		    el("div", { class: "tools" },
			copyButton("you.copy", () => text, true),
			tool("edit", "you.edit", () => this.edit())));
	}

	edit() {
		const box = say(el("textarea", { rows: "3", dir: "auto" }),
		    "you.edit", {}, "aria-label");
		const done = (text) => {
			this.paintQuestion();
			if (text === null)
				this.question.querySelector(
				    ".tools :last-child").focus();
			else
				this.does.edit(this, text);
		};
		const form = el("form", { class: "edit", onsubmit: (e) => {
			e.preventDefault();
			if (box.value.trim() !== "")
				done(box.value.trim());
		} }, box, say(el("p", { class: "help later" }), "you.edit.note"),
		el("div", { class: "row end" },
		    say(el("button", { type: "button", class: "button second",
			onclick: () => done(null) }), "cancel"),
		    say(el("button", { type: "submit", class: "button" }),
			"you.resend")));

		box.value = this.record.text;
		box.addEventListener("keydown", (e) => {
			if (e.isComposing || e.keyCode === 229)
				return;
			if (e.key === "Escape") {
				e.stopPropagation();
				done(null);
			} else if (e.key === "Enter" && !e.shiftKey) {
				e.preventDefault();
				form.requestSubmit();
			}
		});
		this.question.replaceChildren(form);
		box.focus();
		box.setSelectionRange(box.value.length, box.value.length);
	}

	/* ---- the answer ---- */

	/* The answer's parts, as the record has it. */
	paintAnswer() {
		this.drop();
		this.newText = this.newThought = "";
		this.think = this.wait = null;
		this.metaDue = false;
		this.told = "";
		this.prose = el("div", { class: "prose" });
		this.rich = new Rich(this.prose);
		this.meta = el("p", { class: "meta", hidden: true });
		this.tools = el("div", { class: "tools", hidden: true });
		this.foot = el("div", { class: "foot" }, this.meta, this.tools);
		this.answer.replaceChildren(this.prose, this.foot);
		this.newThought = this.a.thought;
		if (this.a.thought !== "")
			this.growThought();
		if (this.a.text !== "") {
			this.rich.push(this.a.text);
			if (this.a.end === "")
				this.rich.draw();
		}
		if (this.a.end === "")
			this.live();
		else
			this.finish();
	}

	live() {
		this.wait = say(el("div", { class: "waiting", role: "img" },
		    el("i"), el("i"), el("i")), "answer.waiting", {},
		    "aria-label");
		this.prose.after(this.wait);
		this.answer.classList.add("live");
		this.sentAt = performance.now();
		this.firstAt = null;
	}

	/* A version more; from: text that it goes on from. */
	begin(from = null) {
		const a = freshAnswer();

		if (from !== null) {
			a.text = from.text;
			a.thought = from.thought;
			a.chars = 0;
		}
		this.record.answers.push(a);
		this.record.shown = this.record.answers.length - 1;
		this.paintAnswer();
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
			const now = performance.now();
			this.firstAt ??= now;
			a.firstMs ??= now - this.sentAt;
			a.spanMs = now - this.firstAt;
			a.chars += s.text.length;
		}
		if (s.kind === "text") {
			a.text += s.text;
			this.newText += s.text;
		} else if (s.kind === "reasoning") {
			a.thought += s.text;
			this.newThought += s.text;
		} else if (s.kind === "served") {
			a.provider = s.provider ?? a.provider;
			a.model = s.model ?? a.model;
			/* the event knows the last attempt, the head may not */
			if (s.attempts.length >= a.attempts.length)
				a.attempts = s.attempts;
			this.metaDue = true;
		} else if (s.kind === "usage") {
			a.usage = { prompt: s.prompt, completion: s.completion };
		} else if (s.kind === "finish") {
			a.finish = s.reason;
		}
		this.soon();
	}

	soon() {
		if (this.frame === 0)
			this.frame = requestAnimationFrame(() => this.flush());
	}

	flush() {
		const first = this.wait !== null && this.firstAt !== null;

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
		if (!this.rich.draw())
			this.soon();
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

	/* The answer is over: "whole", "stopped", or a Failure. */
	end(how) {
		const a = this.a;

		cancelAnimationFrame(this.frame);
		this.flush();
		cancelAnimationFrame(this.frame);
		this.frame = 0;
		this.wait?.remove();
		this.wait = null;
		this.answer.classList.remove("live");
		if (typeof how === "string") {
			a.end = how;
		} else {
			a.end = "failed";
			a.failure = { code: how.code, status: how.status,
			    message: how.message, requestId: how.requestId,
			    attempts: how.attempts, retryAt:
			    how.retryMs > 0 ? Date.now() + how.retryMs : null };
			if (how.attempts.length > 0)
				a.attempts = how.attempts;
		}
		this.finish();
		this.does.grown();
	}

	/* What stands below an answer that is over. */
	finish() {
		this.rich.end();
		this.endThought();
		/* in its box below it stands already */
		if (this.a.end === "failed" && this.a.text === "" &&
		    this.a.thought === "")
			this.meta.hidden = true;
		else
			paint(this.meta, this.a);
		this.remarks();
		this.putTools();
	}

	remarks() {
		const a = this.a;
		const again = () => this.does.again(this);
		const more = () => this.does.more(this);
		const note = (key, act) => this.foot.before(el("p",
		    { class: "remark" }, say(el("span"), key),
		    act && say(el("button", { type: "button",
			class: "button second", onclick: act }),
			"answer.more")));
		const goesOn = a.text !== "" && more;

		if (a.end === "failed") {
			const box = trouble(a.failure, {
			    cut: a.text !== "" || a.thought !== "",
			    retry: again, more: goesOn,
			    token: () => this.does.token() });

			this.foot.before(box.node);
			this.stopCount = box.stop;
			this.told = box.text;
		} else if (a.end === "stopped") {
			note("answer.stopped", goesOn);
		} else if (a.finish === "length") {
			note("answer.length", goesOn);
		} else if (a.finish === "content_filter") {
			note("answer.filter", null);
		} else if (a.text === "") {
			note("answer.empty", null);
		}
	}

	putTools() {
		const n = this.record.answers.length;
		const at = this.record.shown;
		const show = (to) => () => this.does.show(this, to);

		if (n > 1) {
			const back = tool("left", "answer.back", show(at - 1));
			const next = tool("chevron", "answer.next",
			    show(at + 1));

			back.disabled = at === 0;
			next.disabled = at === n - 1;
			this.tools.append(el("span", { class: "versions" }, back,
			    el("span", {}, (at + 1) + "/" + n), next));
		}
		if (this.a.text !== "")
			this.tools.append(copyButton("answer.copy",
			    () => this.a.text, true));
		this.tools.append(copyButton("answer.curl",
		    () => this.does.curl(this), true, "terminal"));
		/* a failure's box has its own button for that */
		if (this.a.end !== "failed")
			this.tools.append(tool("again", "answer.again",
			    () => this.does.again(this), "again"));
		this.tools.hidden = false;
	}

	/* Another version. */
	show(n) {
		this.record.shown = n;
		this.paintAnswer();
	}
}
