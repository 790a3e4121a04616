/* picker: the button with the model's name and the list behind it, fed by GET
 * models: the rotations, then every model with its present room. */

import { el, icon } from "./dom.js";
import { has, moment, number, say, t } from "./i18n.js";
import { hueOf } from "./meta.js";

/* The gateway's words, or a sentence of its configuration. */
export function reasonOf(word) {
	const unset = /^(\w+) is not set$/.exec(String(word ?? "none"));

	if (unset !== null)
		return t("reason.unset", { name: unset[1] });
	if (String(word).startsWith("switched off"))
		return t("reason.off");
	return has("reason." + word) ? t("reason." + word) : String(word);
}

/* {text, share} of what a model has left: the share that is left, or null. */
function roomOf(m) {
	const r = m.rateLimit ?? {};
	const left = r.remainingRequests;

	if (m.available === false)
		return { text: reasonOf(m.reason) + (m.until ? " · " +
		    t("picker.until", { until: moment(m.until) }) : ""),
		    share: m.until ? 0 : null };
	if (!(r.limitRequests > 0) || !(left >= 0))
		return { text: "", share: null };
	return { text: t("picker.left", { n: number(left),
	    limit: number(r.limitRequests) }),
	    share: left / r.limitRequests };
}

/* A bar that is full when nothing is used; decoration, the text says it. */
function roomBar(share) {
	const bar = el("span", { class: "room" + (share < 0.15 ? " low" : "") },
	    el("i"));

	bar.firstChild.style.width = Math.round(share * 100) + "%";
	return bar;
}

function size(tokens) {
	return tokens >= 1e6 ? number(Math.round(tokens / 1e5) / 10) + "M" :
	    Math.round(tokens / 1000) + "K";
}

export class Picker {
	/* button and panel are in index.html; chosen(name) after a choice. */
	constructor(button, panel, chosen) {
		this.button = button;
		this.panel = panel;
		this.name = button.querySelector(".name");
		this.dot = button.querySelector(".dot");
		this.find = panel.querySelector("input");
		this.list = panel.querySelector("[role=listbox]");
		this.chosen = chosen;
		this.known = { models: [], aliases: [] };
		this.value = "auto";
		this.at = null;		/* the option that Enter takes */
		panel.addEventListener("toggle", (e) =>
		    e.newState === "open" ? this.opened() : this.closed());
		this.find.addEventListener("input", () => this.paint());
		this.find.addEventListener("keydown", (e) => this.key(e));
		this.list.addEventListener("click", (e) => {
			const option = e.target.closest("[role=option]");

			if (option !== null)
				this.take(option);
		});
		/* the focus stays in the field */
		this.list.addEventListener("mousedown", (e) =>
		    e.preventDefault());
	}

	/* The list of GET models, and which one is chosen. One that is not
	 * there (any more) stays chosen and says so: another one must not be
	 * asked in silence. */
	fill(known, value) {
		this.known = known;
		this.value = value;
		this.paintButton();
		if (this.panel.matches(":popover-open"))
			this.paint();
	}

	model(id) {
		return this.known.models.find((m) => m.id === id) ?? null;
	}

	alias(name) {
		return this.known.aliases.find((a) => a.name === name) ?? null;
	}

	/* Whether what is chosen can see pictures; true if nobody knows. */
	sees() {
		const one = this.model(this.value);
		const all = this.known.models;
		const able = (m) => m?.available !== false &&
		    (m?.can ?? []).includes("vision");

		if (all.length === 0)
			return true;
		if (one !== null)
			return able(one);
		const names = this.alias(this.value)?.models ?? [];
		return names.length === 0 ? all.some(able) :
		    names.some((id) => able(this.model(id)));
	}

	paintButton() {
		const m = this.model(this.value);

		this.dot.hidden = m === null;
		if (m !== null) {
			this.dot.className = "dot " + hueOf(m.provider ?? "");
			this.name.removeAttribute("data-said");
			this.name.textContent = m.name || m.id;
		} else if (this.value === "auto") {
			say(this.name, "picker.auto");
		} else {
			this.name.removeAttribute("data-said");
			this.name.textContent = this.value;
			if (this.alias(this.value) === null &&
			    this.known.models.length > 0)
				say(this.name, "picker.gone",
				    { name: this.value });
		}
	}

	opened() {
		const r = this.button.getBoundingClientRect();
		const width = Math.min(430, innerWidth - 16);

		this.panel.style.width = width + "px";
		this.panel.style.left = Math.max(8, Math.min(r.left,
		    innerWidth - width - 8)) + "px";
		this.panel.style.top = r.bottom + 6 + "px";
		this.button.setAttribute("aria-expanded", "true");
		this.find.value = "";
		this.paint();
		this.find.focus();
	}

	closed() {
		this.button.setAttribute("aria-expanded", "false");
	}

	close() {
		this.panel.hidePopover();
		this.button.focus();
	}

	/* ---- the list ---- */

	option({ value, name, note, dot, share, can, context, off }) {
		const node = el("div", { role: "option", id: "pick-" +
		    this.count++, class: "option", "data-value": value,
		    "aria-selected": String(value === this.value),
		    "aria-disabled": off ? "true" : null },
		    dot ? el("span", { class: "dot " + hueOf(dot) }) :
			icon("shuffle"),
		    el("span", { class: "option-main" },
			el("span", { class: "option-name" }, name),
			note !== "" && el("span", { class: "option-note" },
			    note)),
		    el("span", { class: "option-side" },
			el("span", { class: "chips" }, ...(can ?? []).map((c) =>
			    el("span", { class: "chip" }, t("can." + c)))),
			context ? el("span", { class: "chip" },
			    size(context)) : null,
			share !== null && share !== undefined && roomBar(share)),
		    value === this.value ? icon("check") : null);

		return node;
	}

	modelOption(m) {
		const { text, share } = roomOf(m);
		const can = (m.can ?? []).filter((c) =>
		    ["vision", "reasoning", "tools"].includes(c));

		return this.option({ value: m.id, name: m.name || m.id,
		    note: [m.provider, text].filter((s) => s).join(" · "),
		    dot: m.provider ?? "?", share, can, context: m.context,
		    off: m.available === false && !m.until });
	}

	group(label, options) {
		return options.length === 0 ? [] : [el("div", { role: "group",
		    "aria-label": label }, el("div", { class: "option-group",
		    "aria-hidden": "true" }, label), ...options)];
	}

	paint() {
		const words = this.find.value.toLowerCase().split(/\s+/)
		    .filter((w) => w !== "");
		const fits = (...texts) => words.every((w) =>
		    texts.join(" ").toLowerCase().includes(w));
		const { models, aliases } = this.known;
		const shown = models.filter((m) => m?.id && fits(m.id,
		    m.name ?? "", m.provider ?? "", (m.can ?? []).join(" ")));
		const off = (m) => m.available === false && !m.until;
		const top = this.list.scrollTop;
		this.count = 0;

		const rotations = [{ name: "auto", models: [] },
		    ...aliases.filter((a) => a.name && a.name !== "auto")]
		    .filter((a) => fits(a.name, t("picker.auto.note")));
		this.list.replaceChildren(
		    ...this.group(t("picker.rotation"), rotations.map((a) =>
			this.option({ value: a.name, name: a.name, note:
			    a.name === "auto" ? t("picker.auto.note") :
			    t(a.models?.length === 1 ? "picker.alias.one" :
			    "picker.alias", { n: a.models?.length ?? 0 }) }))),
		    ...this.group(t("picker.models"), shown.filter((m) =>
			!off(m)).map((m) => this.modelOption(m))),
		    ...this.group(t("picker.off"), shown.filter(off)
			.map((m) => this.modelOption(m))));
		if (this.list.childElementCount === 0)
			this.list.append(el("p", { class: "help" },
			    t("picker.none")));
		this.list.scrollTop = top;
		this.mark(words.length > 0 ? this.options()[0] :
		    this.options().find((o) =>
			o.dataset.value === this.value) ?? this.options()[0]);
	}

	options() {
		return [...this.list.querySelectorAll(
		    "[role=option]:not([aria-disabled])")];
	}

	mark(option) {
		this.at?.classList.remove("at");
		this.at = option ?? null;
		if (this.at === null) {
			this.find.removeAttribute("aria-activedescendant");
			return;
		}
		this.at.classList.add("at");
		this.at.scrollIntoView({ block: "nearest" });
		this.find.setAttribute("aria-activedescendant", this.at.id);
	}

	key(e) {
		const all = this.options();
		const i = all.indexOf(this.at);
		const to = { ArrowDown: i + 1, ArrowUp: i - 1, PageDown: i + 8,
		    PageUp: i - 8, Home: 0, End: all.length - 1 }[e.key];

		if (e.key === "Enter" && this.at !== null) {
			e.preventDefault();
			this.take(this.at);
		} else if (to !== undefined && all.length > 0 &&
		    (e.key.length < 6 ? this.find.value === "" : true)) {
			e.preventDefault();
			this.mark(all[Math.max(0, Math.min(to,
			    all.length - 1))]);
		}
	}

	take(option) {
		if (option.hasAttribute("aria-disabled"))
			return;
		this.value = option.dataset.value;
		this.paintButton();
		this.close();
		this.chosen(this.value);
	}
}
