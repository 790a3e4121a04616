/* dom: elements without markup. Text becomes text nodes only: nothing that
 * comes from a model or a server is ever parsed as HTML. */

/* el("button", {type: "button", class: "x", onclick: f}, child, ...): false
 * and null leave an attribute or a child out. */
export function el(tag, attrs = {}, ...children) {
	const node = document.createElement(tag);

	for (const [name, value] of Object.entries(attrs)) {
		if (value === null || value === undefined || value === false)
			continue;
		if (typeof value === "function")
			node.addEventListener(name.replace(/^on/, ""), value);
		else
			node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.filter((c) => c !== null &&
	    c !== undefined && c !== false));
	return node;
}

/* One of the symbols in index.html. */
export function icon(name) {
	const ns = "http://www.w3.org/2000/svg";
	const svg = document.createElementNS(ns, "svg");
	const use = document.createElementNS(ns, "use");

	svg.setAttribute("class", "icon");
	svg.setAttribute("aria-hidden", "true");
	use.setAttribute("href", "#i-" + name);
	svg.append(use);
	return svg;
}

/* Write text into node, if it is another one: what did not change is not
 * touched. */
export function put(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

const kept = new WeakMap();	/* parent -> Map of key -> view */

/* The children of parent are one for each item, in this order: views {node,
 * set(item)} made by make(item) and kept under keyOf(item). */
export function keep(parent, items, keyOf, make) {
	const had = kept.get(parent) ?? new Map();
	const now = new Map();

	for (const item of items) {
		const key = keyOf(item);
		const view = had.get(key) ?? now.get(key) ?? make(item);

		view.set(item);
		now.set(key, view);
	}
	for (const [key, view] of had)
		if (!now.has(key))
			view.node.remove();
	let at = parent.firstChild;
	for (const { node } of now.values())
		if (node === at)
			at = at.nextSibling;
		else
			parent.insertBefore(node, at);
	kept.set(parent, now);
}

/* True if text is on the clipboard now. navigator.clipboard is there on https
 * and localhost only; a gateway in a home network has neither. */
export async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		const area = el("textarea", { class: "offscreen",
		    "aria-hidden": "true" });
		const had = document.activeElement;

		area.value = text;
		document.body.append(area);
		area.select();
		const done = document.execCommand("copy");
		area.remove();
		had?.focus?.({ preventScroll: true });
		return done;
	}
}
