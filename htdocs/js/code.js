/* code: a block of code: its language, a button that copies it, and colours
 * once it is whole. */

import { copy, el, icon } from "./dom.js";
import { say } from "./i18n.js";
import { highlight, markdown } from "./vendor.js";

/* What models write behind the fence -> a file of vendor/highlight. */
const LANGS = new Map(Object.entries({
	bash: "bash sh shell zsh console shell-session", c: "c h",
	cpp: "cpp c++ cc cxx hpp", csharp: "csharp cs c#", css: "css",
	diff: "diff patch", dockerfile: "dockerfile docker",
	go: "go golang", ini: "ini toml conf cfg properties env",
	java: "java", javascript: "javascript js jsx mjs node",
	json: "json json5 jsonc jsonl", kotlin: "kotlin kt", lua: "lua",
	makefile: "makefile make mk", markdown: "markdown md",
	nginx: "nginx", perl: "perl pl", php: "php",
	powershell: "powershell ps1 pwsh", python: "python py python3 pycon",
	r: "r", ruby: "ruby rb", rust: "rust rs", scala: "scala",
	sql: "sql postgresql mysql sqlite", swift: "swift",
	typescript: "typescript ts tsx",
	xml: "xml html svg xhtml vue", yaml: "yaml yml",
}).flatMap(([file, names]) => names.split(" ").map((n) => [n, file])));

const LARGE = 60000;	/* characters: colours would take too long */

/* A button that copies text(), and says for a moment that it did. small: no
 * label to be seen. */
export function copyButton(label, text, small = false, symbol = "copy") {
	const button = el("button", { type: "button", class: "quiet" },
	    icon(symbol));
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
			button.firstChild.replaceWith(icon(symbol));
			say(name, label);
		}, 1600);
	});
	return button;
}

function whenIdle(work) {
	if (globalThis.requestIdleCallback)
		requestIdleCallback(work, { timeout: 500 });
	else
		setTimeout(work, 50);
}

export class Code {
	constructor(lang) {
		const name = el("span", { class: "lang" });

		this.lang = lang.toLowerCase();
		this.text = document.createTextNode("");
		this.code = el("code", {}, this.text);
		const pre = el("pre", { tabindex: "0", role: "region" },
		    this.code);
		if (lang !== "")
			name.textContent = lang;
		else
			say(name, "code.label");
		say(pre, "code.label", {}, "aria-label");
		/* copied is what came, not what the colours made of it */
		this.node = el("div", { class: "code" },
		    el("div", { class: "code-head" }, name,
			copyButton("code.copy", () => this.text.data)), pre);
	}

	append(s) {
		this.text.appendData(s);
	}

	/* The whole text anew; cheap when it only grew. */
	set(s) {
		const had = this.text.data;

		if (s.startsWith(had))
			this.text.appendData(s.slice(had.length));
		else
			this.text.data = s;
	}

	/* Nothing more comes. */
	close() {
		const file = LANGS.get(this.lang);
		const source = this.text.data;

		if (file === undefined || source.length > LARGE)
			return;
		whenIdle(async () => {
			const [hl, libs] = await Promise.all([highlight(file),
			    markdown()]);

			if (hl === null || libs === null ||
			    this.text.data !== source)
				return;
			const { value } = hl.highlight(source,
			    { language: file, ignoreIllegals: true });
			this.code.replaceChildren(libs.purify.sanitize(value, {
				ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"],
				ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false,
				RETURN_DOM_FRAGMENT: true,
			}));
		});
	}
}
