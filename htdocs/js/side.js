/* side: the list of conversations beside the page: search, rename, delete,
 * export. */

import * as talks from "./talks.js";
import { el, icon } from "./dom.js";
import { day, say } from "./i18n.js";

/* Hand a text to the browser as a file. */
export function download(name, text) {
	const href = URL.createObjectURL(new Blob([text],
	    { type: "application/json" }));

	el("a", { href, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(href), 10000);
}

export function fileName(title) {
	const plain = title.normalize("NFKD").replace(/[^\w -]+/g, "").trim()
	    .replace(/\s+/g, "-").slice(0, 40);

	return "relevo-" + (plain || "chat") + ".json";
}

/* The key of the age that a conversation is listed under. */
function ageOf(at, now = new Date()) {
	const days = (Date.parse(day(now)) - Date.parse(day(new Date(at)))) /
	    86400000;

	return days <= 0 ? "side.today" : days <= 1 ? "side.yesterday" :
	    days <= 7 ? "side.week" : days <= 31 ? "side.month" : "side.older";
}

export class Side {
	/* does: {open(id), current(), live(id), renamed(id, title), removed(id,
	 * head), mark()}. */
	constructor(root, does) {
		this.does = does;
		this.list = root.querySelector(".talks");
		this.none = root.querySelector(".none");
		this.find = root.querySelector("input[type=search]");
		this.heads = [];
		this.found = null;	/* ids that the search gave */
		this.asked = 0;
		this.find.addEventListener("input", () => this.search());
		this.find.addEventListener("keydown", (e) => {
			if (e.key === "Escape" && this.find.value !== "") {
				e.stopPropagation();
				this.find.value = "";
				this.search();
			} else if (e.key === "Enter" || e.key === "ArrowDown") {
				e.preventDefault();
				this.list.querySelector(".talk-open")?.focus();
			}
		});
	}

	async load() {
		this.heads = await talks.list();
		this.paint();
	}

	async search() {
		const query = this.find.value.trim();
		const turn = ++this.asked;
		const found = query === "" ? null : await talks.search(query);

		if (turn !== this.asked)
			return;		/* a later one is under way */
		this.found = found;
		this.paint();
	}

	/* Changed, or new. */
	touch({ id, title, at }) {
		this.heads = [{ id, title, at },
		    ...this.heads.filter((h) => h.id !== id)]
		    .sort((a, b) => b.at - a.at);
		this.paint();
	}

	drop(id) {
		this.heads = this.heads.filter((h) => h.id !== id);
		this.paint();
	}

	paint() {
		/* not under the hand that renames one */
		if (this.list.querySelector("form") !== null)
			return;
		const had = document.activeElement?.closest?.("[data-id]");
		const focused = had && this.list.contains(had) ?
		    [had.dataset.id, document.activeElement.dataset.do] : null;
		const shown = this.heads.filter((h) => this.found === null ||
		    this.found.has(h.id));
		const groups = new Map();

		for (const h of shown) {
			const age = ageOf(h.at);

			if (!groups.has(age))
				groups.set(age, []);
			groups.get(age).push(h);
		}
		this.list.replaceChildren(...[...groups].map(([age, heads]) =>
		    el("section", {}, say(el("h2", {}), age),
			el("ul", {}, ...heads.map((h) => this.item(h))))));
		this.none.hidden = shown.length > 0;
		say(this.none, this.found === null ? "side.none" :
		    "side.nothing");
		if (focused !== null)
			this.itemOf(focused[0])?.querySelector("[data-do=\"" +
			    focused[1] + "\"]")?.focus();
	}

	itemOf(id) {
		return [...this.list.querySelectorAll("[data-id]")].find((n) =>
		    n.dataset.id === id);
	}

	item(h) {
		const title = el("span", { class: "title" });
		const node = el("li", { "data-id": h.id });
		const act = (name, symbol, key, work) => say(say(el("button",
		    { type: "button", class: "quiet", "data-do": name,
		    onclick: work }, icon(symbol)), key, {}, "title"), key, {},
		    "aria-label");
		const current = h.id === this.does.current();

		if (h.title !== "")
			title.textContent = h.title;
		else
			say(title, "side.untitled");
		node.append(
		    el("button", { type: "button", class: "talk-open",
			"data-do": "open", "aria-current": current && "page",
			onclick: () => this.does.open(h.id) }, title,
			this.does.live(h.id) && say(el("span",
			    { class: "pulse", role: "img" }), "side.live", {},
			    "aria-label")),
		    el("span", { class: "talk-tools" },
			act("rename", "edit", "side.rename",
			    () => this.rename(node, h)),
			act("export", "download", "side.export", async () =>
			    download(fileName(h.title),
				await talks.exported(h.id))),
			act("delete", "trash", "side.delete",
			    () => this.does.removed(h.id))));
		return node;
	}

	rename(node, h) {
		const box = say(el("input", { type: "text", maxlength: "200" }),
		    "side.rename", {}, "aria-label");
		let over = false;
		const done = async (keep, focus = true) => {
			const title = box.value.trim();

			if (over)
				return;
			over = true;
			form.remove();
			if (keep && title !== "" && title !== h.title)
				await this.does.renamed(h.id, title);
			this.paint();
			if (focus)
				this.itemOf(h.id)?.querySelector(".talk-open")
				    .focus();
		};
		const form = el("form", { onsubmit: (e) => {
			e.preventDefault();
			done(true);
		} }, box);

		box.value = h.title;
		box.addEventListener("blur", () => done(true, false));
		box.addEventListener("keydown", (e) => {
			if (e.key === "Escape") {
				e.stopPropagation();
				done(false);
			}
		});
		node.replaceChildren(form);
		box.focus();
		box.select();
	}
}
