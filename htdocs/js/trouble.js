/* trouble: a failure in words, and the countdown to when waiting helps. */

import { needsToken } from "./api.js";
import { el, icon } from "./dom.js";
import { duration, has, say, t } from "./i18n.js";
import { pathText } from "./meta.js";

/* [key, vars] of a failure's headline. The server's own words stand below it:
 * they say more, but in English. */
export function headline(f) {
	if (f.code === "http")
		return f.status > 0 ? ["error.http", { status: String(f.status) }] :
		    [f.message !== "" ? "error.any" : "error.http.any", {}];
	return [has("error." + f.code) ? "error." + f.code : "error.any", {}];
}

/* Count down in node to due (of Date.now()); done() when it is over. Returns
 * what ends it early. */
function countdown(node, due, done) {
	let timer = 0;
	const tick = () => {
		const left = due - Date.now();

		if (left <= 0) {
			clearInterval(timer);
			say(node, "wait.over");
			done();
			return;
		}
		say(node, "wait.in", { time: duration(left) });
	};

	timer = setInterval(tick, 1000);
	tick();
	return () => clearInterval(timer);
}

/* The box of a failure f (an answer's). retry, more and token (these two may be
 * null) are what its buttons do; cut: there is text above that is not whole.
 * {node, text, stop}. */
export function trouble(f, { cut, retry, more, token }) {
	const [key, vars] = headline(f);
	const box = el("div", { class: cut ? "trouble cut" : "trouble" });
	const body = el("div", { class: "trouble-body" });
	const again = say(el("button", { type: "button", class: "button",
	    onclick: retry }), "answer.retry");
	let stop = () => {};

	box.append(icon(cut ? "warn" : "alert"), body);
	if (cut)
		body.append(say(el("p", { class: "strong" }), "answer.cut"));
	if (!cut || f.code !== "cut")
		body.append(say(el("p", { class: cut ? "" : "strong" }), key,
		    vars));
	if (f.message !== "")
		body.append(el("p", { class: "said" }, f.message));

	const facts = el("p", { class: "facts" });
	facts.append(el("code", {}, f.status > 0 ? f.status + " " + f.code :
	    f.code));
	if (f.attempts.length > 0)
		facts.append(el("span", {}, pathText(f.attempts)));
	if (f.requestId)
		facts.append(say(el("span", { class: "id" }), "meta.id",
		    { id: f.requestId }));
	body.append(facts);

	const row = el("div", { class: "row" }, again);
	if (token && needsToken(f)) {
		again.classList.add("second");
		row.prepend(say(el("button", { type: "button", class: "button",
		    onclick: token }), "note.token.enter"));
	}
	if (more)
		row.append(say(el("button", { type: "button",
		    class: "button second", onclick: more }), "answer.more"));
	if (f.retryAt > 0) {
		const wait = el("span", { class: "wait" });

		/* It may be pressed early all the same: another model may
		 * have room. */
		again.classList.add("second");
		row.append(wait);
		stop = countdown(wait, f.retryAt,
		    () => again.classList.remove("second"));
	}
	body.append(row);
	return { node: box, text: [t(key, vars), f.message].filter((s) =>
	    s !== "").join(". "), stop: () => stop() };
}
