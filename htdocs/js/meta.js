/* meta: the line under an answer: who served it, after whom, how fast. */

import { el, icon } from "./dom.js";
import { say } from "./i18n.js";

const HUES = 6;

/* The same provider has the same colour everywhere; with this factor those that
 * are common have different ones. */
export function hueOf(name) {
	let h = 0;

	for (const c of name)
		h = (Math.imul(h, 1697) + c.codePointAt(0)) >>> 0;
	return "hue-" + (h >>> 8) % HUES;
}

/* "groq 429 → cerebras": what answered stands alone, what failed with why. */
export function pathText(attempts) {
	return attempts.map((a) => a.result === "ok" || a.result === "" ?
	    a.provider : a.provider + " " + a.result).join(" → ");
}

function path(attempts) {
	const line = el("span", { class: "path", role: "img" });

	attempts.forEach((a, i) => {
		const good = a.result === "ok" || a.result === "";

		if (i > 0)
			line.append(icon("arrow"));
		line.append(el("span", { class: good ? "hop ok" : "hop bad" },
		    a.provider, !good && el("b", {}, a.result)));
	});
	say(line, "meta.path", { path: pathText(attempts) }, "aria-label");
	say(line, "meta.path", { path: pathText(attempts) }, "title");
	return line;
}

/* Tokens a second while they came. Answers that arrive at once say nothing
 * about speed; without a usage count four characters are taken for a token. */
export function rateOf(a) {
	const s = a.spanMs / 1000;
	const counted = a.usage?.completion > 0;
	const tokens = counted ? a.usage.completion : a.chars / 4;

	if (!(s >= 0.1) || tokens < 2)
		return null;
	return { rate: tokens / s, about: !counted };
}

/* Paint what is known of the answer a into line. */
export function paint(line, a) {
	const parts = [];
	const add = (key, vars, title) => {
		const node = say(el("span", { class: "fact" }), key, vars);

		if (title)
			say(node, title, vars, "title");
		parts.push(node);
	};

	if (a.provider)
		parts.push(el("span", { class: "who " + hueOf(a.provider) },
		    a.provider));
	if (a.model)
		parts.push(el("span", { class: "model" }, a.model));
	if (a.attempts.length > 1 || (!a.provider && a.attempts.length > 0))
		parts.push(path(a.attempts));
	if (a.firstMs !== null)
		add("meta.first", { s: a.firstMs / 1000 });
	const r = a.end !== "" ? rateOf(a) : null;
	if (r !== null)
		add(r.about ? "meta.rate.about" : "meta.rate", { n: r.rate });
	if (Number.isFinite(a.usage?.prompt) &&
	    Number.isFinite(a.usage?.completion))
		add("meta.tokens", { in: a.usage.prompt,
		    out: a.usage.completion }, "meta.tokens.full");
	line.replaceChildren(...parts);
	line.hidden = parts.length === 0;
}
