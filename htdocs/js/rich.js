/* rich: an answer's text in the document, as it grows: by markdown.js if its
 * libraries are there, else paragraphs, code blocks, inline code and bold. */

import { Code } from "./code.js";
import { Fences, inline } from "./fences.js";
import { el } from "./dom.js";
import { Markdown } from "./markdown.js";
import { markdown } from "./vendor.js";

/* As fences.js finds it. */
class Plain {
	constructor(root) {
		this.root = root;
		this.node = null;	/* the text node that grows */
		this.block = null;
		this.box = null;	/* the code block that grows */
		this.fences = new Fences(this);
	}

	push(text) {
		this.fences.push(text);
	}

	draw() {
		return true;
	}

	end() {
		this.fences.end();
	}

	/* what Fences tells */

	open() {
		this.node = document.createTextNode("");
		this.block = el("p", { class: "plain", dir: "auto" },
		    this.node);
		this.root.append(this.block);
	}

	text(s) {
		this.node.appendData(s);
	}

	openCode(lang) {
		this.box = new Code(lang);
		this.root.append(this.box.node);
	}

	code(s) {
		this.box.append(s);
	}

	/* Only a whole paragraph can tell its marks from stray ones. */
	close() {
		if (this.box !== null) {
			this.box.close();
			this.box = null;
			return;
		}
		const parts = inline(this.node.data);

		if (parts.some((p) => p.kind !== "text"))
			this.block.replaceChildren(...parts.map((p) =>
			    p.kind === "text" ? p.text :
			    el(p.kind, {}, p.text)));
		this.node = this.block = null;
	}
}

let libs;	/* undefined: not known yet */

/* Once, before the first text: the libraries, or null. */
export async function ready() {
	libs ??= await markdown();
}

export class Rich {
	constructor(root) {
		this.root = root;
		this.how = libs ? new Markdown(this.root, libs) :
		    new Plain(this.root);
	}

	push(text) {
		this.how.push(text);
	}

	/* False: there is more to show, call again. */
	draw() {
		let shown = true;

		this.guarded(() => { shown = this.how.draw(); });
		return shown;
	}

	end() {
		if (!this.guarded(() => this.how.end()))
			this.how.end();
	}

	/* What the parser cannot take (ten thousand quotes in each other) is
	 * shown as it came. False if so. */
	guarded(work) {
		try {
			work();
			return true;
		} catch (e) {
			if (!(this.how instanceof Markdown))
				throw e;
			console.info("relevo: shown as plain text: " + e);
			const { all } = this.how;

			this.root.replaceChildren();
			this.how = new Plain(this.root);
			this.how.push(all);
			return false;
		}
	}
}
