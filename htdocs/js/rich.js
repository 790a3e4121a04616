/* rich: an answer's text in the document, as it grows: paragraphs, inline code,
 * bold, and code blocks with a button that copies them. */

import { Fences, inline } from "./fences.js";
import { copy, el, icon } from "./dom.js";
import { say } from "./i18n.js";

/* A button that copies text(), and says for a moment that it did. small: no
 * label to be seen. */
export function copyButton(label, text, small = false) {
	const button = el("button", { type: "button", class: "quiet" },
	    icon("copy"));
	const name = el("span", { class: small && "offscreen" });
	let timer = 0;

	say(name, label);
	say(button, label, {}, "title");
	button.append(name);
	button.addEventListener("click", async () => {
		if (!await copy(text()))
			return;
		clearTimeout(timer);
		button.classList.add("done");
		button.firstChild.replaceWith(icon("check"));
		say(name, "answer.copied");
		timer = setTimeout(() => {
			button.classList.remove("done");
			button.firstChild.replaceWith(icon("copy"));
			say(name, label);
		}, 1600);
	});
	return button;
}

export class Rich {
	constructor(root) {
		this.root = root;
		this.node = null;	/* the text node that grows */
		this.block = null;
		this.isCode = false;
		this.fences = new Fences(this);
	}

	push(text) {
		this.fences.push(text);
	}

	end() {
		this.fences.end();
	}

	/* what Fences tells */

	open() {
		this.node = document.createTextNode("");
		this.block = el("p", {}, this.node);
		this.isCode = false;
		this.root.append(this.block);
	}

	text(s) {
		this.node.appendData(s);
	}

	openCode(lang) {
		const node = document.createTextNode("");
		const name = el("span", { class: "lang" });
		const pre = el("pre", { tabindex: "0", role: "region" },
		    el("code", {}, node));

		if (lang !== "")
			name.textContent = lang;
		else
			say(name, "code.label");
		say(pre, "code.label", {}, "aria-label");
		this.node = node;
		this.block = el("div", { class: "code" },
		    el("div", { class: "code-head" }, name,
			copyButton("code.copy", () => node.data)), pre);
		this.isCode = true;
		this.root.append(this.block);
	}

	code(s) {
		this.node.appendData(s);
	}

	/* Only a whole paragraph can tell its marks from stray ones. */
	close() {
		if (!this.isCode) {
			const parts = inline(this.node.data);

			if (parts.some((p) => p.kind !== "text"))
				this.block.replaceChildren(...parts.map((p) =>
				    p.kind === "text" ? p.text :
				    el(p.kind, {}, p.text)));
		}
		this.node = this.block = null;
	}
}
