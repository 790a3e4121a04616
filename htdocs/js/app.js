/* app: puts the page together. */

import * as api from "./api.js";
import * as store from "./store.js";
import * as talks from "./talks.js";
import { Board } from "./board.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { say, start, t } from "./i18n.js";
import { shortcuts } from "./keys.js";
import { Notes } from "./notes.js";
import { Picker } from "./picker.js";
import { ready } from "./rich.js";
import { asked, settings, theme } from "./settings.js";
import { download, Side } from "./side.js";

const STALE = 30000;		/* ms after which the models are asked again */

const $ = (id) => document.getElementById(id);
const app = $("app");
const notes = new Notes($("notes"));
const narrow = matchMedia("(max-width: 52rem)");
let askedAt = -Infinity;

theme();
start(store.get("language"));

/* A line at the edge that goes by itself; act: {key, work} of its button. */
function toast(key, vars = {}, act = null) {
	const node = el("div", { class: "toast" }, say(el("span"), key, vars));
	const timer = setTimeout(() => node.remove(), 8000);

	if (act !== null)
		node.append(say(el("button", { type: "button", class: "quiet",
		    onclick: () => {
			clearTimeout(timer);
			node.remove();
			act.work();
		} }), act.key));
	$("toasts").replaceChildren(node);
}

/* ---- what the gateway can do ---- */

const picker = new Picker($("model"), $("picker"), (value) => {
	store.set("model", value);
	composer.check();
	composer.focus($("model"));
});

async function loadHealth() {
	try {
		const h = await api.health(store.get("token"));

		notes.set("unreachable", false);
		notes.set("unmounted", false);
		notes.set("demo", h.demo === true);
		notes.set("notready", h.ready === false);
		notes.set("degraded", h.status === "degraded",
		    String(h.state ?? ""));
	} catch (e) {
		notes.set("unmounted", api.isForeign(e));
		notes.set("unreachable", !api.isForeign(e));
	}
}

async function loadModels() {
	const token = store.get("token");
	/* Which of the two it is, or neither. */
	const wanted = (kind) => {
		for (const k of ["token", "refused"])
			notes.set(k, k === kind, "", () => openSettings(true));
	};

	askedAt = performance.now();
	try {
		const list = await api.models(token);

		wanted("");
		picker.fill(list, store.get("model") || "auto");
		board.known();
	} catch (e) {
		picker.fill(picker.known, store.get("model") || "auto");
		wanted(!api.needsToken(e) ? "" : token ? "refused" : "token");
	}
}

function load() {
	loadHealth();
	return loadModels();
}

document.addEventListener("visibilitychange", () => {
	if (!document.hidden && performance.now() - askedAt > STALE)
		load();
});

/* ---- the conversation ---- */

const chat = new Chat({
	log: $("log"), scroller: $("scroller"), live: $("live"),
	ask: () => ({ model: picker.value, token: store.get("token"),
	    ...asked() }),
	on: {
		busy: (now) => composer.setBusy(now),
		stuck: (now) => { $("latest").hidden = now; },
		over(failure) {
			composer.focus();
			if (failure?.code === "network" || notes.away())
				loadHealth();
			loadModels();
		},
		token: () => openSettings(true),
		size: (n) => { $("hello").hidden = n > 0; },
		saved(head) {
			side.touch(head);
			if (chat.talk.record.id === head.id)
				atTalk(head.id);
		},
		shown: (id) => {
			atTalk(id);
			side.paint();
		},
		full: () => toast("side.full"),
	},
});

const composer = new Composer($("composer"), {
	send: (text, images) => chat.send(text, images),
	stop: () => chat.stop(),
	sees: () => picker.sees(),
	edit: () => chat.edit(),
});

/* The address names the conversation, so that a reload finds it; going back
 * and forth is for the views. */
function atTalk(id) {
	const hash = id === null ? "#" : "#" + id;

	title();
	if (location.hash !== hash && location.hash !== "#usage")
		history.replaceState(null, "", hash);
}

function title() {
	const name = $("board").hidden ? chat.talk.record.title :
	    t("page.board");

	document.title = (name ? name + " · " : "") + t("page.title");
}
document.addEventListener("spoken", title);

async function remove(id) {
	const record = await chat.remove(id);

	side.drop(id);
	if (record === null || record.turns.length === 0)
		return;
	toast("side.deleted", { title: record.title }, { key: "undo",
	    work: async () => {
		for (const a of record.turns.flatMap((turn) => turn.answers))
			a.end ||= "stopped";
		await talks.put(record);
		await side.load();
	} });
}

const side = new Side($("side"), {
	async open(id) {
		drawer(false);
		go("#" + id);
		if (!await chat.open(id))
			side.load();
		composer.focus();
	},
	current: () => chat.talk.record.id,
	live: (id) => chat.running.has(id),
	renamed: (id, name) => chat.rename(id, name),
	removed: remove,
});
talks.listen(() => side.load());

function newChat() {
	drawer(false);
	go("#");
	chat.open(null);
	composer.box.focus();
}

for (const id of ["new-chat", "new-here"])
	$(id).addEventListener("click", newChat);
$("latest").addEventListener("click", () => {
	chat.toEnd();
	composer.focus();
});
for (const button of document.querySelectorAll("#hello button"))
	button.addEventListener("click", () => chat.send(button.textContent,
	    []));

/* ---- the list at the side ---- */

/* Shown or not; on a narrow screen it lies over the page. null: the other. */
function drawer(open = null) {
	const now = open ?? app.classList.contains("closed");

	if (open === false && !narrow.matches)
		return;			/* it stands beside the page there */
	setDrawer(now);
	if (!narrow.matches)
		store.set("side", now ? "" : "closed");
	if (now && narrow.matches)
		$("close-side").focus();
}

function setDrawer(open) {
	const had = $("side").contains(document.activeElement);

	app.classList.toggle("closed", !open);
	$("side").inert = !open;
	$("page").inert = open && narrow.matches;
	$("open-side").setAttribute("aria-expanded", String(open));
	if (!open && had)
		$("open-side").focus();
}

function fitDrawer() {
	setDrawer(!narrow.matches && store.get("side") !== "closed");
}
narrow.addEventListener("change", fitDrawer);
$("open-side").addEventListener("click", () => drawer());
$("close-side").addEventListener("click", () => drawer());
$("shade").addEventListener("click", () => drawer());
fitDrawer();

/* ---- settings ---- */

function paintOwn() {
	const { system, params } = asked();

	$("own").hidden = system === "" && Object.keys(params).length === 0;
}

const openSettings = settings($("settings"), {
	token: load,
	asked: paintOwn,
	keys: () => $("keys").showModal(),
	async exported() {
		download("relevo-conversations.json", await talks.exported());
	},
	async imported(file) {
		const n = await talks.imported(await file.text());

		await side.load();
		toast(n < 0 ? "set.imported.bad" : "set.imported", { n });
	},
	async cleared() {
		if (!confirm(t("set.clear.sure")))
			return;
		for (const { id } of side.heads)
			await chat.remove(id);
		side.load();
	},
});
$("open-settings").addEventListener("click", () => openSettings());
$("own").addEventListener("click", () => openSettings());
paintOwn();

/* ---- the two views ---- */

const board = new Board($("board").firstElementChild, {
	token: () => store.get("token"),
	models: () => picker.known.models,
	aliases: () => picker.known.aliases,
	refused: () => openSettings(true),
});

function go(hash) {
	if (location.hash === "#usage")
		location.hash = hash;
}

/* By the address: #usage, or a conversation's id, or a new one. */
async function view() {
	const usage = location.hash === "#usage";
	const id = usage ? null : location.hash.slice(1) || null;

	$("chat").hidden = usage;
	$("board").hidden = !usage;
	$("to-board").hidden = usage;
	$("to-chat").hidden = !usage;
	$("skip").hidden = usage;
	$("model").hidden = usage;
	$("to-chat").href = "#" + (chat.talk.turns.length > 0 ?
	    chat.talk.record.id : "");
	title();
	board.show(usage);
	if (usage) {
		drawer(false);
		$("board").querySelector("h1").focus({ preventScroll: true });
	} else if (id !== null) {
		if (!await chat.open(id))
			atTalk(chat.talk.turns.length > 0 ?
			    chat.talk.record.id : null);
	}
}
addEventListener("hashchange", view);
$("skip").addEventListener("click", (e) => {
	e.preventDefault();
	composer.box.focus();
});

shortcuts($("keys"), {
	stop: () => chat.busy && chat.stop(),
	new: newChat,
	search() {
		setDrawer(true);
		side.find.focus();
		side.find.select();
	},
	side: () => drawer(),
	model: () => $("board").hidden && $("picker").togglePopover(),
	board() {
		location.hash = $("board").hidden ? "#usage" :
		    $("to-chat").getAttribute("href");
	},
});

/* A gateway that does not answer keeps nobody from the conversations. */
picker.fill(picker.known, store.get("model") || "auto");
load();
await Promise.all([ready(), side.load()]);
await view();
composer.focus();
