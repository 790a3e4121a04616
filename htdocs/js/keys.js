/* keys: the keyboard shortcuts, and the dialog that lists them. */

import { el } from "./dom.js";
import { say } from "./i18n.js";

const mac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const mod = mac ? "⌘" : "Ctrl";

/* [what, keys as shown, does the event match]; no match: shown only. */
const table = [
	["send", ["Enter"]],
	["line", ["Shift", "Enter"]],
	["stop", ["Esc"], (e) => e.key === "Escape" && !e.defaultPrevented],
	["edit", ["↑"]],
	["new", [mod, "Shift", "O"], (e, k, m) => m && e.shiftKey && k === "o"],
	["search", [mod, "K"], (e, k, m) => m && !e.shiftKey && k === "k"],
	["side", [mod, "B"], (e, k, m) => m && !e.shiftKey && k === "b"],
	["model", [mod, "Shift", "M"], (e, k, m) => m && e.shiftKey &&
	    k === "m"],
	/* Not U: with that GTK and IBus begin a character by its number. */
	["board", [mod, "Shift", "G"], (e, k, m) => m && e.shiftKey &&
	    k === "g"],
	["help", [mod, "/"], (e, k, m) => m && (k === "/" || k === "?")],
];

/* does: a function for each that has a match; help is the dialog. */
export function shortcuts(dialog, does) {
	const acts = { ...does, help: () => dialog.showModal() };

	dialog.querySelector(".keys").append(...table.flatMap(([name, keys]) =>
	    [say(el("dt"), "keys." + name), el("dd", {}, ...keys.map((k) =>
		el("kbd", {}, k)))]));
	dialog.querySelector(".close").addEventListener("click",
	    () => dialog.close());
	dialog.addEventListener("mousedown", (e) => {
		if (e.target === dialog)
			dialog.close();
	});
	document.addEventListener("keydown", (e) => {
		const k = e.key.toLowerCase();
		const m = e.ctrlKey || e.metaKey;
		const busy = e.altKey || document.querySelector(
		    "dialog[open], :popover-open") !== null;
		const row = busy ? undefined : table.find(([, , fits]) =>
		    fits?.(e, k, m));

		if (row === undefined)
			return;
		if (row[0] !== "stop")
			e.preventDefault();
		acts[row[0]]();
	});
}
