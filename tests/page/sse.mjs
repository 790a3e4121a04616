/* The reader of event streams and the page's other pure parts, by node --test
 * (no browser, nothing to install). The modules are copied: they are ES modules
 * named .js for the browser, which older nodes take for CommonJS. */

import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const top = new URL("../../", import.meta.url);
const copy = await mkdtemp(join(tmpdir(), "relevo-page."));

await cp(new URL("htdocs/js/", top), copy, { recursive: true });
await writeFile(join(copy, "package.json"), "{\"type\":\"module\"}");
after(() => rm(copy, { recursive: true }));

const load = (name) => import(pathToFileURL(join(copy, name)));

const { Failure, SseParser, curl, isForeign, parseAttempts, parseRetry,
    readChat } =
    await load("api.js");
const { Fences, inline } = await load("fences.js");
const { messagesOf, titleOf } = await load("talk.js");
const { words } = await load("words.js");

const bytes = (text) => new TextEncoder().encode(text);

/* All events of the pieces, and of the end. */
function events(pieces) {
	const p = new SseParser();

	return [...pieces.flatMap((b) => p.push(b)), ...p.end()];
}

const data = (...list) => list.map((d) => ({ event: "message", data: d }));

const NASTY = "\ufeff: keepalive\n\ndata: {\"a\":\"ñ€🎉\"}\r\n\r\n" +
    "event: x\rdata: one\rdata:two\r\rdata\n\n:\n\nid: 7\nretry: 5\n\n" +
    "data: 1\r\ndata: 2\r\n\r\n" +
    "data:  two spaces\nnonsense\nfoo: bar\n\n\n\ndata: [DONE]\r\n\r\n";
const NASTY_EVENTS = [
	...data("{\"a\":\"ñ€🎉\"}"),
	{ event: "x", data: "one\ntwo" },
	...data("", "1\n2", " two spaces", "[DONE]"),
];

test("every line end, comments, empty data, unknown fields", () => {
	assert.deepEqual(events([bytes(NASTY)]), NASTY_EVENTS);
});

test("byte by byte", () => {
	assert.deepEqual(events([...bytes(NASTY)].map((b) =>
	    Uint8Array.of(b))), NASTY_EVENTS);
});

test("every split into two, inside characters too", () => {
	const all = bytes(NASTY);

	for (let i = 0; i <= all.length; i++)
		assert.deepEqual(events([all.subarray(0, i), all.subarray(i)]),
		    NASTY_EVENTS, "at " + i);
});

test("every split into three", () => {
	const all = bytes("data: é\r\n\r\ndata: €\n\n");

	for (let i = 0; i <= all.length; i++)
		for (let k = i; k <= all.length; k++)
			assert.deepEqual(events([all.subarray(0, i),
			    all.subarray(i, k), all.subarray(k)]),
			    data("é", "€"), i + ", " + k);
});

test("an event goes out with its blank line, not later", () => {
	const p = new SseParser();

	assert.deepEqual(p.push(bytes("data: a\r\n")), []);
	assert.deepEqual(p.push(bytes("\r")), data("a"));
	assert.deepEqual(p.push(bytes("\n")), []);
	assert.deepEqual(p.end(), []);
});

test("the last event without its blank line, and without its line end", () => {
	assert.deepEqual(events([bytes("data: a\n")]), data("a"));
	assert.deepEqual(events([bytes("data: [DONE]")]), data("[DONE]"));
	assert.deepEqual(events([bytes("event: x\n")]), []);
	assert.deepEqual(events([]), []);
});

test("bytes that are not UTF-8 end nothing", () => {
	assert.deepEqual(events([Uint8Array.of(100, 97, 116, 97, 58, 0xff, 10,
	    10), bytes("data: b\n\n")]), data("\ufffd", "b"));
});

/* ---- answers ---- */

const CHUNK = (delta, more = {}) => "data: " + JSON.stringify({ choices:
    [{ index: 0, delta, finish_reason: null }], ...more }) + "\n\n";
const FINISH = "data: {\"choices\":[{\"index\":0,\"delta\":{}," +
    "\"finish_reason\":\"stop\"}]}\n\n";
const DONE = "data: [DONE]\n\n";

function answer(text, { status = 200, type = "text/event-stream",
    headers = {}, broken = false } = {}) {
	const body = new ReadableStream({
		start(c) {
			c.enqueue(bytes(text));
			if (!broken)
				c.close();
		},
		pull(c) {
			if (broken)
				c.error(new TypeError("network error"));
		},
	});

	return new Response(body, { status, headers: { "Content-Type": type,
	    ...headers } });
}

/* {steps, failure} of an answer. */
async function read(response) {
	const steps = [];

	try {
		for await (const s of readChat(response))
			steps.push(s);
	} catch (failure) {
		return { steps, failure };
	}
	return { steps, failure: null };
}

const textIn = (steps, kind = "text") => steps.filter((s) =>
    s.kind === kind).map((s) => s.text).join("");

test("a whole answer: who, reasoning, text, finish, usage", async () => {
	const { steps, failure } = await read(answer(": keepalive\n\n" +
	    CHUNK({ role: "assistant", content: "" }, { relevo: { provider:
	    "cerebras", model: "m", attempts: "groq:429,cerebras:ok" } }) +
	    CHUNK({ reasoning: "hm", reasoning_content: "hm" }) +
	    CHUNK({ content: "¡Ho" }) + CHUNK({ content: "la!" }) + FINISH +
	    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3," +
	    "\"completion_tokens\":5}}\n\n" + DONE));

	assert.equal(failure, null);
	assert.deepEqual(steps, [
		{ kind: "served", provider: "cerebras", model: "m", attempts: [
		    { provider: "groq", result: "429" },
		    { provider: "cerebras", result: "ok" }] },
		{ kind: "reasoning", text: "hm" },
		{ kind: "text", text: "¡Ho" }, { kind: "text", text: "la!" },
		{ kind: "finish", reason: "stop" },
		{ kind: "usage", prompt: 3, completion: 5 },
	]);
});

test("content as a list of parts", async () => {
	const { steps } = await read(answer(CHUNK({ content: [
	    { type: "thinking", thinking: [{ type: "text", text: "so" }] },
	    { type: "text", text: "a" }, { type: "text", text: "b" }] }) +
	    DONE));

	assert.equal(textIn(steps, "reasoning"), "so");
	assert.equal(textIn(steps), "ab");
});

test("no [DONE] is a cut, even after finish_reason", async () => {
	for (const end of ["", FINISH, FINISH + "data: [DON"]) {
		const { steps, failure } = await read(answer(
		    CHUNK({ content: "half" }) + end,
		    { headers: { "X-Request-Id": "r1" } }));

		assert.equal(textIn(steps), "half");
		assert.ok(failure instanceof Failure);
		assert.equal(failure.code, "cut");
		assert.equal(failure.requestId, "r1");
	}
});

test("a page in place of the answer is not the gateway's", async () => {
	for (const type of ["text/html; charset=utf-8", "text/event-streams",
	    "application/octet-stream"]) {
		const { steps, failure } = await read(answer(
		    "<h1>It works!</h1>", { type }));

		assert.deepEqual(steps, []);
		assert.equal(failure.code, "foreign");
		assert.equal(failure.message, type);
		assert.ok(isForeign(failure));
	}
	for (const [code, status, is] of [["http", 404, true],
	    ["http", 405, true], ["http", 502, false], ["network", 0, false],
	    ["model_not_found", 404, false], ["cut", 200, false]])
		assert.equal(isForeign(new Failure(code, "", { status })), is,
		    code + status);
});

test("a connection that breaks is a cut", async () => {
	const { steps, failure } = await read(answer(
	    CHUNK({ content: "half" }), { broken: true }));

	assert.equal(textIn(steps), "half");
	assert.equal(failure.code, "cut");
	assert.equal(failure.message, "");
});

test("an error event after content", async () => {
	const { steps, failure } = await read(answer(
	    CHUNK({ content: "half" }) + "data: {\"error\":{\"message\":" +
	    "\"gone\",\"type\":\"upstream_error\",\"param\":null,\"code\":" +
	    "\"upstream_cut\"}}\n\n" + CHUNK({ content: "never" }) + DONE));

	assert.equal(textIn(steps), "half");
	assert.equal(failure.code, "upstream_cut");
	assert.equal(failure.message, "gone");
});

test("what is not JSON, or not a chunk, is passed over", async () => {
	const { steps, failure } = await read(answer("data: {\"cho\n\n" +
	    "data: null\n\ndata: 7\n\ndata: []\n\ndata: {\"choices\":null}" +
	    "\n\ndata: {\"choices\":[null]}\n\n" + CHUNK(null) +
	    CHUNK({ content: "ok" }) + DONE + CHUNK({ content: "after" })));

	assert.equal(failure, null);
	assert.deepEqual(steps, [{ kind: "text", text: "ok" }]);
});

test("an error with its status, hint, path and id", async () => {
	const { steps, failure } = await read(answer("{\"error\":{\"message\":" +
	    "\"wait\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":" +
	    "\"rate_limit_exceeded\"}}", { status: 429,
	    type: "application/json", headers: { "Retry-After": "8",
	    "Retry-After-Ms": "7250", "X-Request-Id": "r2",
	    "X-Relevo-Attempts": "groq:429" } }));

	assert.deepEqual(steps, []);
	assert.equal(failure.code, "rate_limit_exceeded");
	assert.equal(failure.status, 429);
	assert.equal(failure.retryMs, 7250);
	assert.equal(failure.requestId, "r2");
	assert.deepEqual(failure.attempts,
	    [{ provider: "groq", result: "429" }]);
});

test("an error page of some server between", async () => {
	const { failure } = await read(answer("<h1>502</h1>",
	    { status: 502, type: "text/html" }));

	assert.equal(failure.code, "http");
	assert.equal(failure.status, 502);
	assert.equal(failure.retryMs, null);
});

test("one JSON object, and bare text", async () => {
	const one = await read(answer("{\"choices\":[{\"message\":{\"content\":" +
	    "\"hi\"},\"finish_reason\":\"stop\"}]}",
	    { type: "application/json; charset=utf-8" }));
	const text = await read(answer("ñandú", { type: "text/plain" }));

	assert.equal(one.failure, null);
	assert.equal(textIn(one.steps), "hi");
	assert.equal(text.failure, null);
	assert.equal(textIn(text.steps), "ñandú");
});

test("attempts", () => {
	assert.deepEqual(parseAttempts("groq:429,cerebras:ok"), [
		{ provider: "groq", result: "429" },
		{ provider: "cerebras", result: "ok" },
	]);
	assert.deepEqual(parseAttempts("a:b:timeout, c"), [
		{ provider: "a:b", result: "timeout" },
		{ provider: "c", result: "" },
	]);
	assert.deepEqual(parseAttempts(null), []);
	assert.deepEqual(parseAttempts(""), []);
});

test("when to try again", () => {
	const now = Date.UTC(2026, 10, 21, 12, 0, 0);
	const at = (h) => parseRetry(new Headers(h), now);

	assert.equal(at({}), null);
	assert.equal(at({ "Retry-After": "12" }), 12000);
	assert.equal(at({ "Retry-After": "12", "Retry-After-Ms": "11500" }),
	    11500);
	assert.equal(at({ "Retry-After": "12", "Retry-After-Ms": "soon" }),
	    12000);
	assert.equal(at({ "Retry-After": "Sat, 21 Nov 2026 12:00:30 GMT" }),
	    30000);
	assert.equal(at({ "Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT" }), 0);
	assert.equal(at({ "Retry-After": "later" }), null);
	assert.equal(at({ "Retry-After": "-3x" }), null);
});

/* ---- text ---- */

/* Blocks as [kind, text]; "p" or "code LANG". */
function blocks(pieces) {
	const out = [];
	let open = null;
	const begin = (kind) => {
		assert.equal(open, null, "a block in a block");
		out.push(open = [kind, ""]);
	};
	const grow = (prefix) => (s) => {
		assert.ok(open[0].startsWith(prefix));
		open[1] += s;
	};
	const f = new Fences({
		open: () => begin("p"), text: grow("p"),
		openCode: (lang) => begin("code " + lang), code: grow("code"),
		close: () => { open = null; },
	});

	for (const s of pieces)
		f.push(s);
	f.end();
	assert.equal(open, null, "a block left open");
	return out;
}

const TEXT = "\n\nOne\ntwo  \n\n \t\n- a ``` b\n  - c\n```py x=1\n" +
    "\n  if a:\r\n    ``\n  ```` no\n\n```  \nafter\n\n~~~\n```\n~~~~\n" +
    "  ```c\n  int x;\n    y;\n  ```\nend `x`\n\n```\nopen\n";
const BLOCKS = [
	["p", "One\ntwo"], ["p", "- a ``` b\n  - c"],
	["code py", "\n  if a:\n    ``\n  ```` no\n"], ["p", "after"],
	["code ", "```"], ["code c", "int x;\n  y;"], ["p", "end `x`"],
	["code ", "open"],
];

test("paragraphs and fenced code", () => {
	assert.deepEqual(blocks([TEXT]), BLOCKS);
	assert.deepEqual(blocks([]), []);
	assert.deepEqual(blocks(["   \n\n"]), []);
	assert.deepEqual(blocks(["```"]), [["code ", ""]]);
	assert.deepEqual(blocks(["``` a`b"]), [["p", "``` a`b"]]);
});

test("the same however the text is split", () => {
	assert.deepEqual(blocks([...TEXT]), BLOCKS);
	for (let i = 0; i <= TEXT.length; i++)
		for (let k = i; k <= TEXT.length; k++)
			assert.deepEqual(blocks([TEXT.slice(0, i),
			    TEXT.slice(i, k), TEXT.slice(k)]), BLOCKS,
			    i + ", " + k);
});

test("inline code and bold", () => {
	assert.deepEqual(inline("a `b*` **c d** 2 ** 3 ``x`` `"), [
		{ kind: "text", text: "a " }, { kind: "code", text: "b*" },
		{ kind: "text", text: " " }, { kind: "strong", text: "c d" },
		{ kind: "text", text: " 2 ** 3 " },
		{ kind: "code", text: "x" }, { kind: "text", text: " `" },
	]);
	assert.deepEqual(inline(""), []);
});

test("long runs of marks cost no more than their length", () => {
	/* the processor's time: a busy machine takes longer */
	const before = process.cpuUsage();

	inline("`".repeat(50000));
	inline("**a".repeat(20000));
	blocks(["`".repeat(50000) + "\n" + " ".repeat(50000) + "x"]);
	blocks(["```\n" + " ".repeat(50000) + "` x"]);
	const { user, system } = process.cpuUsage(before);
	assert.ok(user + system < 1000000);
});

/* ---- words ---- */

test("both languages say the same things", () => {
	const names = (s) => (s.match(/\{\w+\}/g) ?? []).sort();

	assert.deepEqual(Object.keys(words.es), Object.keys(words.en));
	for (const [key, text] of Object.entries(words.en)) {
		assert.notEqual(words.es[key].trim(), "", key);
		assert.deepEqual(names(words.es[key]), names(text), key);
	}
});

test("every phrase that the page asks for is there, and is asked for",
    async () => {
	const files = (await readdir(copy)).filter((f) => f.endsWith(".js") &&
	    !["en.js", "es.js"].includes(f));
	const text = (await Promise.all([...files.map((f) =>
	    readFile(join(copy, f), "utf8")),
	    readFile(new URL("htdocs/index.html", top), "utf8")])).join("\n");
	const made = new RegExp("^(error|reason|window|source|strategy|can|" +
	    "keys|history)\\.");

	for (const [, key] of text.matchAll(/data-t[a-z-]*="(\w+\.[\w.]+)"/g))
		assert.ok(Object.hasOwn(words.en, key), key);
	for (const [, key] of text.matchAll(
	    /\b(?:say|t|note|tell|toast)\((?:[^"()]*, )?"([a-z]+\.[\w.]+)"/g))
		assert.ok(Object.hasOwn(words.en, key), key);
	for (const key of Object.keys(words.en))
		assert.ok(made.test(key) || text.includes("\"" + key + "\""),
		    key + " is used nowhere");
});

/* ---- what is asked ---- */

const turn = (text, answer, images = []) => ({ text, images, shown: 0,
    answers: answer === null ? [] : [{ end: "whole", text: answer }] });

test("turns as messages", () => {
	assert.deepEqual(messagesOf([turn("a", "b"), turn("c", null)], "s"), [
		{ role: "system", content: "s" }, { role: "user", content: "a" },
		{ role: "assistant", content: "b" },
		{ role: "user", content: "c" } ]);
	/* no two users in a row, whatever they carry */
	assert.deepEqual(messagesOf([turn("a", ""), turn("b", null)]),
	    [{ role: "user", content: "a\n\nb" }]);
	assert.deepEqual(messagesOf([turn("a", ""),
	    turn("", null, ["data:x"])]), [{ role: "user", content: [
		{ type: "text", text: "a" },
		{ type: "image_url", image_url: { url: "data:x" } } ] }]);
	/* one that is under way is not part of the question */
	assert.deepEqual(messagesOf([{ ...turn("a", "half"), answers:
	    [{ end: "", text: "half" }] }]), [{ role: "user", content: "a" }]);
});

test("titles", () => {
	assert.equal(titleOf("  one\ttwo\nthree"), "one two");
	assert.equal(titleOf("x".repeat(99)).length, 58);
	assert.equal(titleOf(""), "");
});

test("curl: a shell reads it as it was meant, and sees no token", () => {
	const text = curl({ model: "m", messages: [{ role: "user",
	    content: "it's $HOME `x`" }], params: { seed: 1 } }, "secret");

	assert.ok(!text.includes("secret"));
	assert.ok(text.includes("$RELEVO_TOKEN"));
	assert.ok(text.includes("it'\\''s $HOME `x`"));
	assert.ok(text.includes("\"seed\":1"));
});

test("the page and the web server name the same policy", async () => {
	const page = await readFile(new URL("htdocs/index.html", top), "utf8");
	const conf = await readFile(new URL("conf/lighttpd.conf", top), "utf8");
	const [, meta] = /Security-Policy" content="([^"]+)"/.exec(page);
	const [, header] = /Security-Policy" => "([^"]+)"/.exec(conf);

	/* a page cannot say this of itself */
	assert.equal(header.replace(" frame-ancestors 'none';", ""), meta);
	assert.ok(header.includes("frame-ancestors 'none'"));
	assert.doesNotMatch(page, /<script>|<style|\son\w+=|\sstyle=|https?:/);
});
