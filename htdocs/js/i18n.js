/* i18n: the page's language: its phrases (words.js), and how it writes numbers,
 * times and durations. Loads without a document too. */

import { words } from "./words.js";

export const languages = { en: "English", es: "Español" };

let lang = "en";
const bound = new WeakMap();	/* node -> Map of attribute -> [key, vars] */

/* The first of the wanted tags that is spoken here, else English. */
export function choose(wanted) {
	for (const tag of wanted) {
		const base = String(tag).toLowerCase().split("-")[0];

		if (Object.hasOwn(words, base))
			return base;
	}
	return "en";
}

export function has(key) {
	return Object.hasOwn(words[lang], key);
}

function written(value) {
	return typeof value === "number" ? number(value) :
	    typeof value === "function" ? value() : String(value);
}

/* The phrase, its {names} filled in from vars: numbers are written as the
 * language does, functions are called (they may speak it too). */
export function t(key, vars = {}) {
	const phrase = words[lang][key] ?? words.en[key] ?? key;

	return phrase.replace(/\{(\w+)\}/g, (all, name) =>
	    Object.hasOwn(vars, name) ? written(vars[name]) : all);
}

/* short: 12K for 12,000. */
export function number(n, short = false) {
	return new Intl.NumberFormat(lang, { maximumFractionDigits:
	    Math.abs(n) < 10 ? 2 : Math.abs(n) < 100 ? 1 : 0,
	    notation: short && Math.abs(n) >= 10000 ? "compact" :
	    "standard" }).format(n);
}

/* The local day, 2026-11-21. */
export function day(date) {
	const two = (n) => String(n).padStart(2, "0");

	return date.getFullYear() + "-" + two(date.getMonth() + 1) + "-" +
	    two(date.getDate());
}

/* The hour, or the day (days are those of UTC: the gateway counts so). */
export function when(at, unit) {
	const d = new Date(at);

	if (unit === "days")
		return new Intl.DateTimeFormat(lang, { month: "short",
		    day: "numeric", timeZone: "UTC" }).format(d);
	return new Intl.DateTimeFormat(lang, { weekday: "short",
	    hour: "numeric", minute: "2-digit" }).format(d);
}

/* 14:32 today, else with the day. */
export function moment(iso) {
	const d = new Date(iso);

	if (Number.isNaN(d.getTime()))
		return String(iso);
	const today = d.toDateString() === new Date().toDateString();
	return new Intl.DateTimeFormat(lang, today ? { timeStyle: "short" } :
	    { month: "short", day: "numeric", hour: "2-digit",
	    minute: "2-digit" }).format(d);
}

/* "9 s", "2 min 05 s", "3 h 20 min": the same in both languages. */
export function duration(ms) {
	const s = Math.ceil(ms / 1000);
	const two = (n) => String(n).padStart(2, "0");

	if (s < 60)
		return s + " s";
	if (s < 3600)
		return Math.floor(s / 60) + " min " + two(s % 60) + " s";
	if (s < 86400)
		return Math.floor(s / 3600) + " h " +
		    two(Math.floor(s % 3600 / 60)) + " min";
	return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) +
	    " h";
}

function put(node, attr, key, vars) {
	const text = t(key, vars);

	if (attr !== "")
		node.setAttribute(attr, text);
	else if (node.textContent !== text)
		node.textContent = text;
}

/* Say key in node (its text, or the attribute attr), now and after every
 * change of language. Returns node. */
export function say(node, key, vars = {}, attr = "") {
	if (!bound.has(node))
		bound.set(node, new Map());
	bound.get(node).set(attr, [key, vars]);
	node.setAttribute("data-said", "");
	put(node, attr, key, vars);
	return node;
}

/* The markup's own texts: data-t="key", data-t-ATTRIBUTE="key". */
function adopt(root) {
	for (const node of root.querySelectorAll("*"))
		for (const { name, value } of [...node.attributes])
			if (name === "data-t")
				say(node, value);
			else if (name.startsWith("data-t-"))
				say(node, value, {}, name.slice(7));
}

/* Speak l ("": what the browser wants) in the whole document. */
export function speak(l) {
	lang = Object.hasOwn(words, l) ? l : choose(navigator.languages ?? []);
	document.documentElement.lang = lang;
	for (const node of document.querySelectorAll("[data-said]"))
		for (const [attr, [key, vars]] of bound.get(node) ?? [])
			put(node, attr, key, vars);
	document.dispatchEvent(new Event("spoken"));
}

export function start(l) {
	adopt(document);
	speak(l);
}
