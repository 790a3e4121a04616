/* picker: the list of models, fed by GET models. */

import { el } from "./dom.js";
import { has, moment, say, t } from "./i18n.js";

/* The gateway's words, or a sentence of its configuration. */
function reasonOf(m) {
	const word = String(m.reason ?? "none");
	const unset = /^(\w+) is not set$/.exec(word);

	if (unset !== null)
		return t("reason.unset", { name: unset[1] });
	if (word.startsWith("switched off"))
		return t("reason.off");
	return has("reason." + word) ? t("reason." + word) : word;
}

/* One that comes back by itself can be chosen: the gateway may wait for it. */
function optionOf(m) {
	/* a closed list shows no group: several providers have the same model */
	const name = (m.provider ? m.provider + " · " : "") +
	    (m.name || m.model || m.id);
	const node = el("option", { value: m.id });

	if (m.available !== false)
		node.textContent = name;
	else if (m.until)
		say(node, "picker.until", { name, reason: () => reasonOf(m),
		    until: () => moment(m.until) });
	else
		say(node, "picker.model", { name, reason: () => reasonOf(m) });
	node.disabled = m.available === false && !m.until;
	return node;
}

function group(label, options) {
	return el("optgroup", { label }, ...options);
}

function rotation(aliases) {
	const auto = say(el("option", { value: "auto" }), "picker.auto");
	const rest = aliases.filter((a) => a.name && a.name !== "auto")
	    .map((a) => {
		const n = a.models?.length ?? 0;

		return say(el("option", { value: a.name }), n === 1 ?
		    "picker.alias.one" : "picker.alias", { name: a.name, n });
	});

	return say(group("", [auto, ...rest]), "picker.rotation", {}, "label");
}

/* Fill select with list ({models, aliases}) and choose wanted. A wanted model
 * that is not there (any more) stays chosen and says so: another one must not
 * be asked in silence. */
export function fill(select, list, wanted) {
	const providers = new Map();
	const off = [];

	for (const m of list.models) {
		if (!m?.id)
			continue;
		if (m.available === false && !m.until) {
			off.push(m);
			continue;
		}
		const p = m.provider ?? "";
		if (!providers.has(p))
			providers.set(p, []);
		providers.get(p).push(m);
	}
	const groups = [rotation(list.aliases)];
	for (const [name, models] of providers)
		groups.push(group(name, models.map(optionOf)));
	if (off.length > 0)
		groups.push(say(group("", off.map(optionOf)), "picker.off", {},
		    "label"));
	select.replaceChildren(...groups);
	if (![...select.options].some((o) => o.value === wanted))
		select.append(say(el("option", { value: wanted }),
		    "picker.gone", { name: wanted }));
	select.value = wanted;
}
