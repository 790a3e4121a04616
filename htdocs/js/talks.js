/* talks: the conversations kept on this device (IndexedDB): heads {id, title,
 * at} apart from bodies, so that the list is quick. Without a database (private
 * windows, policies) they last as long as the page.
 *
 * Other pages of the same gateway hear of changes. */

const NAME = "relevo:" + new URL("../", import.meta.url).pathname;
const KIND = "relevo-conversations";

const memory = new Map();
const channel = globalThis.BroadcastChannel ? new BroadcastChannel(NAME) : null;
let opened = null;

function wait(request) {
	return new Promise((done, fail) => {
		request.onsuccess = () => done(request.result);
		request.onerror = () => fail(request.error);
	});
}

/* The database, or null. */
function open() {
	opened ??= (async () => {
		try {
			const request = indexedDB.open(NAME, 1);

			request.onupgradeneeded = () => {
				for (const name of ["heads", "bodies"])
					request.result.createObjectStore(name,
					    { keyPath: "id" });
			};
			return await wait(request);
		} catch {
			return null;
		}
	})();
	return opened;
}

/* work(heads, bodies) in one transaction; its result. */
async function within(mode, work) {
	const db = await open();

	if (db === null)
		return null;
	const tx = db.transaction(["heads", "bodies"], mode);
	const over = new Promise((done, fail) => {
		tx.oncomplete = () => done();
		tx.onabort = () => fail(tx.error);
	});
	const result = await work(tx.objectStore("heads"),
	    tx.objectStore("bodies"));
	await over;
	return result;
}

function headOf({ id, title, at }) {
	return { id, title, at };
}

/* heard(): another page changed something. */
export function listen(heard) {
	channel?.addEventListener("message", heard);
}

/* Newest first. */
export async function list() {
	const heads = await within("readonly", (h) => wait(h.getAll())) ??
	    [...memory.values()].map(headOf);

	return heads.sort((a, b) => b.at - a.at);
}

export async function get(id) {
	return memory.get(id) ??
	    await within("readonly", (h, b) => wait(b.get(id))) ?? null;
}

/* False if there is no room: then it is kept until the page is closed. */
export async function put(talk) {
	try {
		const done = await within("readwrite", (h, b) => {
			b.put(talk);
			return wait(h.put(headOf(talk)));
		});

		if (done === null)
			memory.set(talk.id, talk);
		channel?.postMessage("put");
		return true;
	} catch {
		memory.set(talk.id, talk);
		return false;
	}
}

export async function remove(id) {
	memory.delete(id);
	await within("readwrite", (h, b) => {
		b.delete(id);
		return wait(h.delete(id));
	});
	channel?.postMessage("remove");
}

function says(talk, words) {
	const text = (talk.title + "\n" + talk.turns.map((t) => t.text + "\n" +
	    t.answers.map((a) => a.text).join("\n")).join("\n")).toLowerCase();

	return words.every((w) => text.includes(w));
}

/* The ids of those that have all the words, in titles or in texts. */
export async function search(query) {
	const words = query.toLowerCase().split(/\s+/).filter((w) => w !== "");
	const found = new Set([...memory.values()].filter((t) =>
	    says(t, words)).map((t) => t.id));

	await within("readonly", (h, bodies) => new Promise((done, fail) => {
		const request = bodies.openCursor();

		request.onerror = () => fail(request.error);
		request.onsuccess = () => {
			const at = request.result;

			if (at === null) {
				done(true);
				return;
			}
			if (says(at.value, words))
				found.add(at.value.id);
			at.continue();
		};
	}));
	return found;
}

/* One, or all of them, as a JSON text. */
export async function exported(id = null) {
	const all = id !== null ? [await get(id)] : [
	    ...memory.values(),
	    ...await within("readonly", (h, b) => wait(b.getAll())) ?? []];

	return JSON.stringify({ kind: KIND, version: 1,
	    exported: new Date().toISOString(),
	    conversations: all.filter((t) => t !== null) }, null, 1);
}

const str = (v) => typeof v === "string" ? v : "";
const num = (v) => Number.isFinite(v) ? v : null;
const list0 = (v) => Array.isArray(v) ? v : [];

function attempts(v) {
	return list0(v).map((x) => ({ provider: str(x?.provider),
	    result: str(x?.result) }));
}

function cleanAnswer(a) {
	const ends = ["whole", "stopped", "failed"];
	const f = a?.failure;

	return { text: str(a?.text), thought: str(a?.thought),
	    provider: a?.provider ? str(a.provider) : null,
	    model: a?.model ? str(a.model) : null,
	    attempts: attempts(a?.attempts),
	    usage: a?.usage ? { prompt: num(a.usage.prompt),
		completion: num(a.usage.completion) } : null,
	    finish: a?.finish ? str(a.finish) : null,
	    end: ends.includes(a?.end) ? a.end : "stopped",
	    failure: a?.end !== "failed" ? null : { code: str(f?.code),
		status: num(f?.status) ?? 0, message: str(f?.message),
		requestId: f?.requestId ? str(f.requestId) : null,
		attempts: attempts(f?.attempts), retryAt: num(f?.retryAt) },
	    firstMs: num(a?.firstMs), spanMs: num(a?.spanMs) ?? 0,
	    chars: num(a?.chars) ?? 0 };
}

/* A conversation out of a file that anybody may have written: null if it is
 * none. Only what is known is taken over. */
export function clean(t) {
	const turns = list0(t?.turns).map((turn) => {
		const answers = list0(turn?.answers).map(cleanAnswer);
		const shown = num(turn?.shown) ?? 0;

		return { text: str(turn?.text), answers, at: num(turn?.at) ?? 0,
		    images: list0(turn?.images).filter((s) =>
			/^data:image\/(?:png|jpeg|webp|gif);base64,/
			    .test(str(s))),
		    shown: answers[shown] ? shown : 0 };
	}).filter((turn) => turn.answers.length > 0);

	if (!/^[\w-]{8,64}$/.test(str(t?.id)) || turns.length === 0)
		return null;
	return { id: t.id, title: str(t.title).slice(0, 200),
	    named: t.named === true, created: num(t.created) ?? Date.now(),
	    at: num(t.at) ?? Date.now(), turns };
}

/* Take over what exported() wrote; how many were. One that is here already is
 * replaced if the file's is newer. -1: not such a file. */
export async function imported(text) {
	let file;

	try {
		file = JSON.parse(text);
	} catch {
		return -1;
	}
	if (file?.kind !== KIND || !Array.isArray(file.conversations))
		return -1;
	let n = 0;
	for (const talk of file.conversations.map(clean)) {
		if (talk === null)
			continue;
		const had = await get(talk.id);
		if (had !== null && had.at > talk.at)
			continue;
		await put(talk);
		n++;
	}
	return n;
}
