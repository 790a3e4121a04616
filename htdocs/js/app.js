/* app: puts the page together. */

import * as api from "./api.js";
import * as store from "./store.js";
import { Chat } from "./chat.js";
import { say, start } from "./i18n.js";
import { Notes } from "./notes.js";
import { fill } from "./picker.js";
import { settings } from "./settings.js";

const STALE = 30000;		/* ms after which the models are asked again */

const $ = (id) => document.getElementById(id);
const form = $("composer");
const box = $("message");
const model = $("model");
const notes = new Notes($("notes"));
let asked = -Infinity;

start(store.get("language"));

/* ---- what the gateway can do ---- */

async function loadHealth() {
	try {
		const h = await api.health(store.get("token"));

		notes.set("unreachable", false);
		notes.set("demo", h.demo === true);
		notes.set("notready", h.ready === false);
		notes.set("degraded", h.status === "degraded",
		    String(h.state ?? ""));
	} catch {
		notes.set("unreachable", true);
	}
}

async function loadModels() {
	const wanted = () => store.get("model") || "auto";

	asked = performance.now();
	try {
		const list = await api.models(store.get("token"));

		notes.set("token", false);
		/* an open list must not change under the hand */
		if (document.activeElement !== model ||
		    model.options.length < 2)
			fill(model, list, wanted());
	} catch (e) {
		if (model.options.length === 0)
			fill(model, { models: [], aliases: [] }, wanted());
		notes.set("token", e.status === 401, "",
		    () => openSettings(true));
	}
}

function load() {
	loadHealth();
	loadModels();
}

model.addEventListener("change", () => store.set("model", model.value));
document.addEventListener("visibilitychange", () => {
	if (!document.hidden && performance.now() - asked > STALE)
		load();
});

const openSettings = settings($("settings"), load);
$("open-settings").addEventListener("click", () => openSettings());

/* ---- the conversation ---- */

const chat = new Chat({
	log: $("log"), scroller: $("scroller"), live: $("live"),
	ask: () => ({ model: model.value || "auto",
	    token: store.get("token") }),
	on: {
		busy(now) {
			form.classList.toggle("busy", now);
			paintButton();
			/* the button that was pressed may be gone */
			if (now)
				focusBox();
		},
		stuck(now) {
			$("latest").hidden = now;
		},
		settled(failure) {
			focusBox();
			if (failure?.code === "network")
				loadHealth();
			loadModels();
		},
		token: () => openSettings(true),
		size: (n) => $("hello").hidden = n > 0,
	},
});

/* On a touch screen the focus would open the keyboard over the answer. */
function focusBox() {
	const at = document.activeElement;

	if (matchMedia("(pointer: fine)").matches && (at === null ||
	    at === document.body || at === $("send")))
		box.focus({ preventScroll: true });
}

function paintButton() {
	const key = chat.busy ? "box.stop" : "box.send";

	say($("send"), key, {}, "aria-label");
	say($("send"), key, {}, "title");
	$("send").disabled = !chat.busy && box.value.trim() === "";
}

/* The mirror behind the box has its text, and so its height. */
function typed() {
	$("mirror").textContent = box.value + "\u200b";
	paintButton();
}

box.addEventListener("input", typed);
box.addEventListener("keydown", (e) => {
	/* Enter may also end a word of an input method (229: Safari). */
	if (e.key !== "Enter" || e.shiftKey || e.isComposing ||
	    e.keyCode === 229)
		return;
	e.preventDefault();
	if (!chat.busy)
		form.requestSubmit();
});
form.addEventListener("submit", (e) => {
	e.preventDefault();
	if (chat.busy) {
		chat.stop();
	} else if (box.value.trim() !== "") {
		const text = box.value;

		box.value = "";
		typed();
		chat.send(text);
	}
	focusBox();
});

function newChat() {
	chat.clear();
	focusBox();
}

$("new-chat").addEventListener("click", () => {
	newChat();
	box.focus();
});
$("latest").addEventListener("click", () => {
	chat.toEnd();
	focusBox();
});
for (const button of document.querySelectorAll("#hello button"))
	button.addEventListener("click", () => chat.send(button.textContent));

document.addEventListener("keydown", (e) => {
	if (e.key === "Escape" && chat.busy && !$("settings").open) {
		chat.stop();
	} else if (e.key.toLowerCase() === "o" && e.shiftKey &&
	    (e.ctrlKey || e.metaKey)) {
		e.preventDefault();
		newChat();
	}
});

typed();
focusBox();
load();
