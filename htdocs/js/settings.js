/* settings: the dialog: language, theme, access token, what is sent with every
 * question, and the conversations as a file. */

import * as store from "./store.js";
import { languages, say, speak } from "./i18n.js";
import { el } from "./dom.js";

/* Form field -> member of the request. An empty field is not sent. */
const NUMBERS = { temperature: "temperature", topp: "top_p",
    maxtokens: "max_tokens", presence: "presence_penalty", seed: "seed" };

/* What of the settings goes with a question: {system, params}. */
export function asked() {
	const params = {};

	for (const [field, member] of Object.entries(NUMBERS)) {
		const text = store.get(field);

		if (text !== "" && Number.isFinite(Number(text)))
			params[member] = Number(text);
	}
	if (store.get("effort") !== "")
		params.reasoning_effort = store.get("effort");
	return { system: store.get("system").trim(), params };
}

export function theme() {
	const chosen = store.get("theme");

	if (chosen === "")
		document.documentElement.removeAttribute("data-theme");
	else
		document.documentElement.dataset.theme = chosen;
}

/* A header takes no other characters (RFC 6750, b64token, and what else people
 * may have chosen). */
function valid(token) {
	return /^[\x21-\x7e]*$/.test(token);
}

/* does: {token(), asked(), exported(), imported(file), cleared(), keys()}: what
 * changed or is wanted. Returns open(), which shows the dialog, with the cursor on the
 * token if asked. */
export function settings(dialog, does) {
	const form = dialog.querySelector("form");
	const { token, language, show, file } = form.elements;
	const bad = dialog.querySelector("#token-bad");
	const kept = ["theme", "system", "effort", ...Object.keys(NUMBERS)];

	language.append(say(el("option", { value: "" }), "set.auto"),
	    ...Object.entries(languages).map(([value, name]) =>
	    el("option", { value, lang: value }, name)));
	language.addEventListener("change", () => {
		store.set("language", language.value);
		speak(language.value);
	});
	for (const name of kept)
		form.elements[name].addEventListener("change", (e) => {
			const ok = e.target.checkValidity();

			e.target.setAttribute("aria-invalid", String(!ok));
			if (!ok) {
				e.target.reportValidity();
				return;
			}
			store.set(name, e.target.value.trim());
			if (name === "theme")
				theme();
			else
				does.asked();
		});
	show.addEventListener("change", () => {
		token.type = show.checked ? "text" : "password";
	});
	const check = () => {
		const ok = valid(token.value.trim());

		bad.hidden = ok;
		token.setAttribute("aria-invalid", String(!ok));
		return ok;
	};
	const keepToken = () => {
		if (!check() || store.get("token") === token.value.trim())
			return;
		store.set("token", token.value.trim());
		does.token();
	};
	token.addEventListener("input", check);
	token.addEventListener("change", keepToken);
	form.addEventListener("submit", (e) => {
		e.preventDefault();
		if (!check())
			token.focus();
		else
			dialog.close();
	});
	dialog.addEventListener("close", keepToken);
	form.elements.forget.addEventListener("click", () => {
		token.value = "";
		keepToken();
	});
	form.elements.defaults.addEventListener("click", () => {
		for (const name of kept.filter((n) => n !== "theme")) {
			store.set(name, "");
			form.elements[name].value = "";
		}
		does.asked();
	});
	form.elements.export.addEventListener("click", does.exported);
	form.elements.import.addEventListener("click", () => file.click());
	file.addEventListener("change", () => {
		if (file.files.length > 0)
			does.imported(file.files[0]);
		file.value = "";
	});
	form.elements.keys.addEventListener("click", () => {
		dialog.close();
		does.keys();
	});
	form.elements.clear.addEventListener("click", does.cleared);
	for (const close of dialog.querySelectorAll(".close"))
		close.addEventListener("click", () => dialog.close());
	/* a click beside it */
	dialog.addEventListener("mousedown", (e) => {
		if (e.target === dialog)
			dialog.close();
	});
	return (atToken = false) => {
		token.value = store.get("token");
		token.type = "password";
		show.checked = false;
		bad.hidden = true;
		token.removeAttribute("aria-invalid");
		language.value = store.get("language");
		for (const name of kept)
			form.elements[name].value = store.get(name);
		dialog.showModal();
		if (atToken)
			token.focus();
	};
}
