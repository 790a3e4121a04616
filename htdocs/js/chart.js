/* chart: requests and tokens by hour and by day, drawn by uPlot when it is
 * there; the same figures stand in a table. Hidden when the gateway keeps no
 * history. */

import { el, icon } from "./dom.js";
import { number, say, t, when } from "./i18n.js";
import { plot } from "./vendor.js";

const SERIES = ["requests", "tokens", "failures", "fallbacks"];
const HEIGHT = 150;

/* A colour as the canvas takes it: light-dark() is for style sheets only. */
function ink(name) {
	const probe = el("span", { hidden: true });

	probe.style.color = "var(" + name + ")";
	document.body.append(probe);
	const rgb = getComputedStyle(probe).color;
	probe.remove();
	return rgb;
}

export class History {
	constructor() {
		this.unit = "hours";
		this.data = null;
		this.plots = [];
		this.drawn = "";
		this.requests = el("div", { class: "plot", role: "img" });
		this.tokens = el("div", { class: "plot", role: "img" });
		this.table = el("tbody");
		this.buttons = ["hours", "days"].map((unit) => say(el("button",
		    { type: "button", "aria-pressed": "false",
		    onclick: () => this.choose(unit) }), "history." + unit));
		this.facts = el("p", { class: "soft" });
		this.figures = el("details", {}, el("summary", {},
		    icon("chevron"), say(el("span"), "history.figures")),
		    el("div", { class: "table",
		    tabindex: "0", role: "region" }, el("table", {},
			el("thead", {}, el("tr", {},
			    say(el("th", { scope: "col" }), "history.at"),
			    ...SERIES.map((s) => say(el("th",
				{ scope: "col" }), "history." + s)))),
			this.table)));
		say(this.figures.lastChild, "history.figures", {},
		    "aria-label");
		this.charts = el("div", { class: "charts" },
		    el("div", {}, say(el("h3"), "history.requests"),
			this.requests),
		    el("div", {}, say(el("h3"), "history.tokens"),
			this.tokens));
		this.node = el("section", { class: "card history",
		    hidden: true }, el("div", { class: "card-head" },
			say(el("h2"), "history.title"),
			el("div", { class: "switch", role: "group" },
			    ...this.buttons)), this.facts,
		    this.charts, this.figures);
		new ResizeObserver(() => this.fit()).observe(this.charts);
		matchMedia("(prefers-color-scheme: dark)").addEventListener(
		    "change", () => this.redraw());
		new MutationObserver(() => this.redraw()).observe(
		    document.documentElement, { attributeFilter:
		    ["data-theme", "lang"] });
	}

	choose(unit) {
		this.unit = unit;
		this.paint();
	}

	/* history of GET usage: {hours: [{at, ...}], days: [...]}, or none. */
	set(history) {
		this.data = history ?? null;
		this.node.hidden = !(history?.hours?.length > 0 ||
		    history?.days?.length > 0);
		if (!this.node.hidden)
			this.paint();
	}

	redraw() {
		this.drawn = "";
		if (this.data !== null && !this.node.hidden)
			this.paint();
	}

	async paint() {
		const rows = [...this.data?.[this.unit] ?? []].sort((a, b) =>
		    Date.parse(a.at) - Date.parse(b.at));
		const drawn = this.unit + JSON.stringify(rows);

		for (const [i, unit] of ["hours", "days"].entries())
			this.buttons[i].setAttribute("aria-pressed",
			    String(unit === this.unit));
		if (drawn === this.drawn)
			return;
		this.drawn = drawn;
		const sum = (name) => rows.reduce((n, r) =>
		    n + (r[name] ?? 0), 0);

		say(this.facts, "history.sum", { requests: sum("requests"),
		    tokens: sum("tokens"), failures: sum("failures"),
		    fallbacks: sum("fallbacks") });
		for (const [node, name] of [[this.requests, "requests"],
		    [this.tokens, "tokens"]])
			say(node, "history.label", { what: () =>
			    t("history." + name), n: sum(name) }, "aria-label");
		this.table.replaceChildren(...rows.filter((r) =>
		    SERIES.some((s) => r[s] > 0)).reverse().map((r) =>
		    el("tr", {}, el("th", { scope: "row" },
			when(r.at, this.unit)), ...SERIES.map((s) =>
			el("td", {}, number(r[s] ?? 0))))));
		const uPlot = await plot();
		if (drawn !== this.drawn)
			return;
		this.charts.hidden = uPlot === null;
		if (uPlot === null) {
			this.figures.open = true;
			return;
		}
		for (const p of this.plots)
			p.destroy();
		this.plots = [this.draw(uPlot, this.requests, rows,
		    [["requests", "--accent"], ["failures", "--bad"]]),
		    this.draw(uPlot, this.tokens, rows,
		    [["tokens", "--hue-1"]])];
	}

	draw(uPlot, node, rows, series) {
		const step = this.unit === "hours" ? 3600 : 86400;
		const x = rows.map((r) => Date.parse(r.at) / 1000);
		const bar = uPlot.paths.bars({ size: [0.72, 28], radius: 0.25,
		    align: 1 });
		const axis = { stroke: ink("--soft"), font: "12px " +
		    getComputedStyle(document.body).fontFamily,
		    grid: { stroke: ink("--line"), width: 1 },
		    ticks: { show: false } };

		return new uPlot({
			width: Math.max(200, node.clientWidth), height: HEIGHT,
			legend: { show: false },
			cursor: { show: false },
			padding: [8, 42, 0, 0],
			scales: { x: { range: [x[0], x.at(-1) + step] },
			    y: { range: (u, min, max) => [0,
				Math.max(4, max * 1.1)] } },
			axes: [{ ...axis, grid: { show: false }, space: 80,
			    size: 26,
			    values: (u, at) => at.map((s) =>
				when(s * 1000, this.unit)) },
			    { ...axis, size: 46, space: 34,
				values: (u, at) => at.map((v) =>
				v % 1 === 0 ? number(v, true) : "") }],
			series: [{}, ...series.map(([name, hue]) => ({
			    paths: bar, points: { show: false }, width: 0,
			    fill: ink(hue), stroke: ink(hue) }))],
		}, [x, ...series.map(([name]) => rows.map((r) =>
		    r[name] ?? 0))], node);
	}

	fit() {
		for (const p of this.plots) {
			const width = p.root.parentNode?.clientWidth ?? 0;

			if (width > 0 && width !== p.width)
				p.setSize({ width, height: HEIGHT });
		}
	}
}
