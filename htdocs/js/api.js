/* api: the gateway as the page sees it: its few calls, and the reader of its
 * event streams. Knows nothing of the document, the language or the device. */

/* Beside this file's folder, so the page works below any path. */
function url(route) {
	return new URL("../" + route, import.meta.url);
}

/* A failure as the user hears it. code is the gateway's fixed word, or one of
 * ours: "network" (nobody answered), "cut" (the answer ended before its end),
 * "http" (an error without the gateway's error object: some server between),
 * "foreign" (no error, but nothing of the gateway's either: a page, say). */
export class Failure extends Error {
	constructor(code, message = "", more = {}) {
		super(message);
		this.code = code;
		this.status = 0;
		this.type = null;
		this.param = null;
		this.retryMs = null;		/* waiting helps after this */
		this.requestId = null;
		this.attempts = [];
		Object.assign(this, more);
	}
}

/* Whether a server answered that knows nothing of the gateway's routes. One
 * that only does not reach the gateway says 502 or 503. */
export function isForeign(e) {
	return e.code === "foreign" ||
	    (e.code === "http" && e.status >= 400 && e.status < 500);
}

/* Whether the user has to be asked for an access token. */
export function needsToken(e) {
	return e.status === 401 || e.code === "too_many_attempts";
}

/* Server-sent events out of bytes, however they are split (WHATWG HTML, 9.2.6).
 * More tolerant in one thing: end() gives an event whose blank line is
 * missing, since some servers leave the last one out. */
export class SseParser {
	constructor() {
		this.decoder = new TextDecoder();	/* drops the BOM */
		this.line = "";
		this.afterCr = false;
		this.reset();
	}

	reset() {
		this.event = "";
		this.data = null;
	}

	/* Bytes in, whole events out: [{event, data}]. */
	push(bytes) {
		return this.scan(this.decoder.decode(bytes, { stream: true }));
	}

	end() {
		const out = this.scan(this.decoder.decode());

		if (this.line !== "")
			this.take(this.line, out);
		this.take("", out);
		this.line = "";
		return out;
	}

	/* CR ends a line at once, and an LF behind it belongs to it: waiting
	 * for what follows a CR would hold an event back. */
	scan(text) {
		const out = [];
		let from = 0;

		if (this.afterCr && text !== "") {
			this.afterCr = false;
			if (text[0] === "\n")
				from = 1;
		}
		const ends = /\r\n|\r|\n/g;
		ends.lastIndex = from;
		for (let m; (m = ends.exec(text)) !== null; ) {
			this.take(this.line + text.slice(from, m.index), out);
			this.line = "";
			from = ends.lastIndex;
			this.afterCr = m[0] === "\r" && from === text.length;
		}
		this.line += text.slice(from);
		return out;
	}

	take(line, out) {
		if (line === "") {
			if (this.data !== null)
				out.push({ event: this.event || "message",
				    data: this.data });
			this.reset();
			return;
		}
		const colon = line.indexOf(":");
		const name = colon < 0 ? line : line.slice(0, colon);
		let value = colon < 0 ? "" : line.slice(colon + 1);
		if (value[0] === " ")
			value = value.slice(1);
		if (name === "data")
			this.data = this.data === null ? value :
			    this.data + "\n" + value;
		else if (name === "event")
			this.event = value;
		/* a comment has an empty name; id and retry serve nobody here */
	}
}

/* "groq:429,cerebras:ok" -> [{provider, result}]. */
export function parseAttempts(text) {
	return String(text ?? "").split(",").filter((s) => s.trim() !== "")
	    .map((s) => {
		const at = s.lastIndexOf(":");

		return at < 0 ? { provider: s.trim(), result: "" } :
		    { provider: s.slice(0, at).trim(),
		      result: s.slice(at + 1).trim() };
	});
}

/* Milliseconds to wait, by retry-after-ms, else Retry-After (seconds or a
 * date); null when neither says it. */
export function parseRetry(headers, now = Date.now()) {
	const ms = headers.get("retry-after-ms");
	const after = headers.get("retry-after");

	if (ms !== null && ms.trim() !== "" && Number(ms) >= 0)
		return Number(ms);
	if (after === null || after.trim() === "")
		return null;
	if (/^\s*\d+(\.\d+)?\s*$/.test(after))
		return Number(after) * 1000;
	const date = Date.parse(after);
	return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/* Text, or the list of parts that some providers send instead. */
function textOf(value) {
	if (typeof value === "string")
		return value;
	if (!Array.isArray(value))
		return "";
	return value.map((p) => typeof p === "string" ? p :
	    typeof p?.text === "string" ? p.text : "").join("");
}

function thoughtOf(part) {
	/* Providers that send both names send the same text in both. */
	const own = textOf(part.reasoning) || textOf(part.reasoning_content);

	if (own !== "" || !Array.isArray(part.content))
		return own;
	return part.content.map((p) => textOf(p?.thinking)).join("");
}

function parseJson(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

function failureOf(error, more) {
	const e = typeof error === "string" ? { message: error } : error;

	return new Failure(String(e.code || e.type || "error"),
	    typeof e.message === "string" ? e.message : "",
	    { type: e.type ?? null, param: e.param ?? null, ...more });
}

/* What an answer that is not 200 says. */
async function failureFrom(response) {
	const more = {
		status: response.status,
		retryMs: parseRetry(response.headers),
		requestId: response.headers.get("x-request-id"),
		attempts: parseAttempts(
		    response.headers.get("x-relevo-attempts")),
	};
	const body = parseJson(await response.text().catch(() => ""));

	if (body?.error)
		return failureOf(body.error, more);
	return new Failure("http", response.statusText, more);
}

function isAbort(e) {
	return e?.name === "AbortError";
}

/* The steps that one chunk tells. */
function* stepsOf(chunk) {
	if (chunk.relevo)
		yield { kind: "served", provider: chunk.relevo.provider ?? null,
		    model: chunk.relevo.model ?? null,
		    attempts: parseAttempts(chunk.relevo.attempts) };
	const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : null;
	const part = choice?.delta ?? choice?.message;
	if (part) {
		const thought = thoughtOf(part);
		const text = textOf(part.content) || textOf(part.refusal);

		if (thought !== "")
			yield { kind: "reasoning", text: thought };
		if (text !== "")
			yield { kind: "text", text };
	}
	if (choice?.finish_reason)
		yield { kind: "finish", reason: choice.finish_reason };
	if (chunk.usage)
		yield { kind: "usage", prompt: chunk.usage.prompt_tokens ?? null,
		    completion: chunk.usage.completion_tokens ?? null };
}

async function* bytesOf(response) {
	const reader = response.body.getReader();

	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done)
				return;
			yield value;
		}
	} finally {
		reader.cancel().catch(() => {});
	}
}

async function* readEvents(response) {
	const parser = new SseParser();
	let whole = false;

	function* steps(events) {
		for (const { data } of events) {
			if (whole)
				return;
			if (data.trim() === "[DONE]") {
				whole = true;
				return;
			}
			const chunk = parseJson(data);
			if (chunk?.error)
				throw failureOf(chunk.error, {});
			if (chunk !== null && typeof chunk === "object")
				yield* stepsOf(chunk);
		}
	}
	for await (const bytes of bytesOf(response)) {
		yield* steps(parser.push(bytes));
		if (whole)
			return;
	}
	yield* steps(parser.end());
	if (!whole)
		throw new Failure("cut");
}

/* `chat-format = text` in the gateway's configuration: nothing but text, and
 * a broken connection as the only sign of a cut. */
async function* readText(response) {
	const decoder = new TextDecoder();

	for await (const bytes of bytesOf(response))
		yield { kind: "text",
		    text: decoder.decode(bytes, { stream: true }) };
	yield { kind: "text", text: decoder.decode() };
}

/* The steps of an answer, as they come: {kind: "served", provider, model,
 * attempts}, "reasoning" and "text" {text}, "finish" {reason}, "usage"
 * {prompt, completion}. Returns only after a whole answer; throws a Failure,
 * or what the abort signal throws. */
export async function* readChat(response) {
	const type = response.headers.get("content-type") ?? "";
	const requestId = response.headers.get("x-request-id");

	if (!response.ok)
		throw await failureFrom(response);
	if (response.headers.has("x-relevo-provider"))
		yield { kind: "served",
		    provider: response.headers.get("x-relevo-provider"),
		    model: response.headers.get("x-relevo-model"),
		    attempts: parseAttempts(
			response.headers.get("x-relevo-attempts")) };
	try {
		if (/^application\/json\b/i.test(type)) {
			const body = parseJson(await response.text());

			if (body?.error)
				throw failureOf(body.error, {});
			if (body === null)
				throw new Failure("cut");
			yield* stepsOf(body);
		} else if (/^text\/plain\b/i.test(type)) {
			yield* readText(response);
		} else if (/^text\/event-stream\b/i.test(type)) {
			yield* readEvents(response);
		} else {
			throw new Failure("foreign", type,
			    { status: response.status });
		}
	} catch (e) {
		if (isAbort(e))
			throw e;
		/* A connection that broke in the middle is a cut answer. Each
		 * browser says so in other words, none of which say more. */
		const f = e instanceof Failure ? e : new Failure("cut");
		f.requestId ??= requestId;
		throw f;
	}
}

async function request(route, token, options) {
	const headers = { ...options.headers };

	if (token)
		headers.Authorization = "Bearer " + token;
	try {
		return await fetch(url(route), { cache: "no-store",
		    ...options, headers });
	} catch (e) {
		if (isAbort(e))
			throw e;
		throw new Failure("network");
	}
}

/* What is posted. params: sampling settings, sent as they are. */
export function question({ messages, model, params = {} }) {
	return { model, messages, ...params, stream: true,
	    stream_options: { include_usage: true } };
}

/* Ask; the steps of readChat. */
export async function* chat({ token, signal, ...asked }) {
	yield* readChat(await request("chat", token, { method: "POST", signal,
	    body: JSON.stringify(question(asked)),
	    headers: { "Content-Type": "application/json",
	    Accept: "text/event-stream" } }));
}

/* The same as a command of the shell. The token is not in it. */
export function curl(asked, token) {
	const quote = (s) => "'" + s.replaceAll("'", "'\\''") + "'";

	return ["curl -N " + quote(url("chat").href),
	    "-H 'Content-Type: application/json'",
	    ...(token ? ["-H \"Authorization: Bearer $RELEVO_TOKEN\""] : []),
	    "-d " + quote(JSON.stringify(question(asked)))].join(" \\\n  ");
}

async function getJson(route, token, anyStatus = false) {
	const response = await request(route, token,
	    { headers: { Accept: "application/json" } });

	if (!response.ok && !anyStatus)
		throw await failureFrom(response);
	return objectOf(response);
}

async function objectOf(response) {
	const body = parseJson(await response.text().catch(() => ""));

	if (body === null || typeof body !== "object")
		throw response.ok ? new Failure("foreign",
		    response.headers.get("content-type") ?? "",
		    { status: response.status }) :
		    new Failure("http", response.statusText,
		    { status: response.status });
	return body;
}

/* {models: [...], aliases: [...]}; both always lists. */
export async function models(token) {
	const body = await getJson("models", token);

	return { models: Array.isArray(body.models) ? body.models : [],
	    aliases: Array.isArray(body.aliases) ? body.aliases : [] };
}

/* {status, ready, state, demo, ...}, whatever the HTTP status. */
export function health(token) {
	return getJson("health", token, true);
}

/* {body, etag}; body is null when nothing changed since etag. */
export async function usage(token, etag = null) {
	const response = await request("usage?history=1", token, { headers: {
	    Accept: "application/json",
	    ...(etag === null ? {} : { "If-None-Match": etag }) } });

	if (response.status === 304)
		return { body: null, etag };
	if (!response.ok)
		throw await failureFrom(response);
	return { body: await objectOf(response),
	    etag: response.headers.get("etag") };
}

/* Who would answer a question to model now: {model, strategy, order}; null
 * from a gateway that does not tell. */
export async function route(token, model) {
	try {
		return await getJson("route?model=" + encodeURIComponent(model),
		    token);
	} catch (e) {
		if (e.status === 404 && e.code !== "model_not_found")
			return null;
		throw e;
	}
}
