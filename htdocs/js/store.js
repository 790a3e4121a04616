/* store: the few words that the page keeps on this device, and nowhere else.
 * Named by the page's path, so two gateways on one host do not share a token.
 * Without storage (private windows, policies) they last as long as the page. */

const scope = "relevo:" + new URL("../", import.meta.url).pathname + ":";
const memory = new Map();

export function get(name) {
	try {
		return localStorage.getItem(scope + name) ??
		    memory.get(name) ?? "";
	} catch {
		return memory.get(name) ?? "";
	}
}

/* "" forgets. */
export function set(name, value) {
	if (value === "")
		memory.delete(name);
	else
		memory.set(name, value);
	try {
		if (value === "")
			localStorage.removeItem(scope + name);
		else
			localStorage.setItem(scope + name, value);
	} catch {
		/* kept in memory */
	}
}
