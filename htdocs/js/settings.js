/* settings: the dialog with the language and the access token. */

import * as store from "./store.js";
import { languages, say, speak } from "./i18n.js";
import { el } from "./dom.js";

/* changed(): the token is another one now. Returns open(), which shows the
 * dialog, with the cursor on the token if asked. */
export function settings(dialog, changed) {
	const form = dialog.querySelector("form");
	const token = form.elements.token;
	const language = form.elements.language;
	const show = form.elements.show;
	const bad = dialog.querySelector("#token-bad");

	language.append(say(el("option", { value: "" }), "set.language.auto"),
	    ...Object.entries(languages).map(([value, name]) =>
	    el("option", { value, lang: value }, name)));
	language.value = store.get("language");
	language.addEventListener("change", () => {
		store.set("language", language.value);
		speak(language.value);
	});
	show.addEventListener("change", () => {
		token.type = show.checked ? "text" : "password";
	});
	/* A header takes no other characters (RFC 6750, b64token, and what
	 * else people may have chosen). */
	const valid = () => /^[\x21-\x7e]*$/.test(token.value.trim());
	token.addEventListener("input", () => {
		bad.hidden = valid();
		token.setAttribute("aria-invalid", String(!valid()));
	});
	form.addEventListener("submit", (e) => {
		e.preventDefault();
		if (!valid()) {
			token.focus();
			return;
		}
		const had = store.get("token");
		store.set("token", token.value.trim());
		dialog.close();
		if (had !== store.get("token"))
			changed();
	});
	form.elements.forget.addEventListener("click", () => {
		token.value = "";
		bad.hidden = true;
		form.requestSubmit();
	});
	form.elements.close.addEventListener("click", () => dialog.close());
	/* a click beside it */
	dialog.addEventListener("click", (e) => {
		if (e.target === dialog)
			dialog.close();
	});
	return (atToken = false) => {
		token.value = store.get("token");
		token.type = "password";
		show.checked = false;
		bad.hidden = true;
		token.removeAttribute("aria-invalid");
		dialog.showModal();
		if (atToken)
			token.focus();
	};
}
