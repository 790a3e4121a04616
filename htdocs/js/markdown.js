/* markdown: a growing text into elements, by marked, and through DOMPurify
 * whatever it says. Blocks that are finished are never touched again: a frame
 * costs what is new in it, and the block that still grows. */

import { Code } from "./code.js";
import { el } from "./dom.js";
import { say } from "./i18n.js";

const SAFE = {
	ALLOWED_TAGS: ("p br hr h1 h2 h3 h4 h5 h6 strong em b i u s del ins " +
	    "mark small sub sup kbd code pre blockquote ul ol li a span " +
	    "table thead tbody tr th td wbr").split(" "),
	ALLOWED_ATTR: ["href", "title", "start", "align", "data-lang"],
	ALLOW_DATA_ATTR: false,
	ALLOW_ARIA_ATTR: false,
	/* the rule below is for addresses, but asked for these as well */
	ADD_URI_SAFE_ATTR: ["start", "align", "data-lang"],
	ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
	RETURN_DOM_FRAGMENT: true,
};

/* Tags of these alone and without attributes count as tags; all other HTML is
 * shown as the text that it is: a model that writes of <div> means to be read.
 * (DOMPurify sees all of it afterwards, that one does not replace the other.) */
const PLAIN_TAG = new RegExp("^</?(?:br|wbr|sub|sup|kbd|mark|u|ins|s|del|" +
    "b|i|small|em|strong) ?/?>$", "i");

/* The end of the text may be the beginning of a mark: for a moment it is not
 * shown, else "Text\n-" would be a heading until the rest of its item comes. */
const UNSURE = /^[ \t]*(?:[-=*_`~#+>|:]+|\d+[.)]?)[ \t]*$/;

/* Nor is a table's head before its second line. */
const HEAD = /(^|\n\n)\|[^\n]*(?:\n[|:\- \t]*)?$/;

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" };

function escape(s) {
	return s.replace(/[&<>"]/g, (c) => entities[c]);
}

function external(href) {
	return /^(?:https?:\/\/|mailto:)/i.test(href ?? "");
}

const renderer = {
	html({ text, block }) {
		if (PLAIN_TAG.test(text.trim()))
			return text;
		return block ? "<p>" + escape(text.trimEnd()) + "</p>" :
		    escape(text);
	},
	/* Only a click may fetch anything: an image's address could carry the
	 * conversation away. */
	image({ href, text }) {
		const label = "🖼 " + escape(text || href);

		return external(href) ? "<a href=\"" + escape(href) + "\">" +
		    label + "</a>" : label;
	},
	link({ href, title, tokens }) {
		const text = this.parser.parseInline(tokens);

		if (!external(href))
			return text;
		return "<a href=\"" + escape(href) + "\" title=\"" +
		    escape(title || href) + "\">" + text + "</a>";
	},
	code({ text, lang }) {
		return "<pre data-lang=\"" + escape(langOf(lang)) + "\">" +
		    escape(text) + "</pre>";
	},
	checkbox({ checked }) {
		return checked ? "☑ " : "☐ ";
	},
};

function langOf(info) {
	return String(info ?? "").trim().split(/[\s{,:]/, 1)[0];
}

let marked = null;	/* one parser serves all answers: it keeps nothing */

/* Blocks; at: which one. */
function lex(text) {
	const tokens = marked.lexer(text);

	tokens.forEach((t, i) => { t.at = i; });
	return tokens;
}

export class Markdown {
	/* libs: what vendor.markdown() gave. */
	constructor(root, libs) {
		marked ??= new libs.Marked({ gfm: true, breaks: true,
		    renderer });
		this.root = root;
		this.purify = libs.purify;
		this.tail = "";		/* the text of what may still change */
		this.live = [];		/* its elements */
		this.code = null;	/* the open code block among them */
		this.all = "";
		this.fresh = false;	/* a line has ended since the last cut */
		this.cost = 0;		/* ms of the last drawing ... */
		this.drawn = -Infinity;	/* ... and when it was */
	}

	push(text) {
		const s = text.replaceAll("\r", "");

		this.all += s;
		this.tail += s;
		this.fresh ||= s.includes("\n");
	}

	/* Show what came. False: not now, a long block shall not take more than
	 * a part of the time; ask again. */
	draw() {
		const now = performance.now();

		if (now - this.drawn < this.cost * 4)
			return false;
		this.freeze();
		const line = this.tail.lastIndexOf("\n") + 1;
		this.grow((this.tail.slice(0, line) +
		    this.tail.slice(line).replace(UNSURE, ""))
		    .replace(HEAD, "$1"));
		this.drawn = performance.now();
		this.cost = this.drawn - now;
		return true;
	}

	end() {
		/* A definition at the end changes what refers to it before. */
		if (/^ {0,3}\[[^\]]+\]:/m.test(this.all)) {
			this.root.replaceChildren();
			this.live = [];
			this.code = null;
			this.tail = this.all;
		}
		this.replaceLive(lex(this.tail).flatMap((t) =>
		    this.nodesOf(t, true)));
		this.live = [];
		this.tail = "";
	}

	/* All blocks of whole lines but the last are finished. */
	freeze() {
		if (!this.fresh)
			return;
		this.fresh = false;
		const lines = this.tail.slice(0,
		    this.tail.lastIndexOf("\n") + 1);
		const tokens = lex(lines);
		let last = tokens.length - 1;

		while (last >= 0 && tokens[last].type === "space")
			last--;
		if (last < 1)
			return;
		const done = tokens.slice(0, last);
		const nodes = done.flatMap((t) => this.nodesOf(t, true));

		this.replaceLive(nodes);
		this.live = [];
		this.code = null;
		this.tail = this.tail.slice(done.reduce((n, t) =>
		    n + t.raw.length, 0));
	}

	grow(text) {
		const tokens = lex(text);

		if (tokens[0]?.type !== "code")
			this.code = null;
		else
			this.code ??= new Code(langOf(tokens[0].lang));
		this.replaceLive(tokens.flatMap((t) => this.nodesOf(t, false)));
	}

	/* A node that stays is not touched: a reader may be in it. */
	replaceLive(nodes) {
		let same = 0;

		while (same < nodes.length && this.live[same] === nodes[same])
			same++;
		for (const node of this.live.slice(same))
			node.remove();
		this.root.append(...nodes.slice(same));
		this.live = nodes;
	}

	/* The elements of a block. whole: it will not change, so its code may
	 * be coloured. The open code block is the first of the tail. */
	nodesOf(token, whole) {
		if (token.type === "space" || token.type === "def")
			return [];
		if (token.type !== "code")
			return this.parse([token], whole);
		const code = token.at === 0 && this.code !== null ? this.code :
		    new Code(langOf(token.lang));

		code.set(token.text);
		if (whole)
			code.close();
		return [code.node];
	}

	parse(tokens, whole) {
		const part = this.purify.sanitize(marked.parser(tokens), SAFE);

		/* Written from the side of its first letter; what has a dir of
		 * its own would not count for the block around it (WHATWG HTML,
		 * 3.2.6.4). */
		for (const block of part.children)
			block.dir = "auto";
		for (const a of part.querySelectorAll("a")) {
			a.target = "_blank";
			a.rel = "noopener noreferrer nofollow";
		}
		for (const pre of part.querySelectorAll("pre")) {
			const code = new Code(pre.dataset.lang ?? "");

			code.append(pre.textContent);
			pre.replaceWith(code.node);
			if (whole)
				code.close();
		}
		for (const table of part.querySelectorAll("table")) {
			const box = el("div", { class: "table", tabindex: "0",
			    role: "region" });

			say(box, "table.label", {}, "aria-label");
			table.replaceWith(box);
			box.append(table);
		}
		return [...part.childNodes];
	}
}
