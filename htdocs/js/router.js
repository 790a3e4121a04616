/* router: the panel "who would answer now?", fed by GET route. Hidden where the
 * gateway has no such route. */

import * as api from "./api.js";
import { pill } from "./bars.js";
import { el, keep } from "./dom.js";
import { duration, has, say, t } from "./i18n.js";
import { hueOf } from "./meta.js";

class Step {
	constructor(lane) {
		this.state = pill();
		this.first = say(el("span", { class: "chip" }), "router.first");
		this.speed = el("span", { class: "soft speed" });
		this.key = el("code", { class: "key" }, lane.key ?? "");
		this.node = el("li", {}, el("span", { class: "dot " +
		    hueOf(lane.provider ?? "") }),
		    el("span", { class: "row-name" }, lane.model), this.key,
		    this.first, this.speed, this.state.node);
	}

	set({ lane, first, several }) {
		this.key.hidden = !several;
		this.first.hidden = !first;
		this.speed.hidden = !(lane.firstMs > 0);
		say(this.speed, "meta.first", { s: (lane.firstMs ?? 0) / 1000 });
		this.state.set({ available: lane.open, reason: lane.reason,
		    until: lane.until });
	}
}

export class Router {
	constructor(does) {
		this.does = does;
		this.there = true;	/* until the gateway says otherwise */
		this.select = el("select", { id: "route-model" });
		this.how = el("p", { class: "soft" });
		this.order = say(el("ol", { class: "order", tabindex: "0" }),
		    "router.title", {}, "aria-label");
		this.none = el("p", { class: "help" });
		this.node = el("section", { class: "card router", hidden: true },
		    el("div", { class: "card-head" },
			say(el("h2"), "router.title"),
			el("label", { class: "pick" },
			    say(el("span", { class: "offscreen" }),
				"head.model"), this.select)),
		    this.how, this.order, this.none);
		this.select.addEventListener("change", () => this.refresh());
	}

	names() {
		const list = this.does.models();
		const aliases = this.does.aliases().map((a) => a.name);
		const all = [...new Set(["auto", ...aliases,
		    ...list.filter((m) => m.keys !== 0).map((m) => m.id)])];

		if (all.join() === [...this.select.options].map((o) =>
		    o.value).join())
			return;
		const had = this.select.value || "auto";
		this.select.replaceChildren(...all.map((value) =>
		    el("option", { value }, value)));
		this.select.value = all.includes(had) ? had : "auto";
	}

	async refresh() {
		if (!this.there)
			return;
		this.names();
		const model = this.select.value;
		const body = await api.route(this.does.token(), model);

		if (body === null) {
			this.there = false;
			return;
		}
		if (model !== this.select.value)
			return;		/* another one was chosen meanwhile */
		const order = body.order ?? [];
		const first = order.findIndex((l) => l.open);
		const several = (lane) => order.filter((l) =>
		    l.model === lane.model).length > 1;

		this.node.hidden = false;
		say(this.how, "router.how", { strategy: () =>
		    has("strategy." + body.strategy) ?
		    t("strategy." + body.strategy) : body.strategy ?? "" });
		this.how.hidden = !body.strategy;
		this.none.hidden = first >= 0;
		if (body.waitMs > 0)
			say(this.none, "router.wait",
			    { time: duration(body.waitMs) });
		else
			say(this.none, "router.none");
		keep(this.order, order.map((lane, i) => ({ lane,
		    first: i === first, several: several(lane) })),
		    ({ lane }) => lane.model + " " + lane.key,
		    ({ lane }) => new Step(lane));
	}
}
