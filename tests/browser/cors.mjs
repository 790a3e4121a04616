// Pages of other origins in a real browser: what the configured one may read,
// and that no other may. The pages are on ports and under names of their own;
// Chromium takes every name below .localhost for this machine.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { close, done, forget, open, sameDay, script, serve } from './kit.mjs';

let pages, ours, foreign, server, open_to_all;

before(async () => {
	pages = createServer((_, response) => {
		response.setHeader('Content-Type', 'text/html');
		response.setHeader('Connection', 'close');
		response.end('<!doctype html><link rel="icon" href="data:,">');
	});
	await new Promise((up) => pages.listen(0, '127.0.0.1', up));
	const { port } = pages.address();
	ours = `http://page.localhost:${port}`;
	foreign = [`http://evil.localhost:${port}`,
		`http://sub.page.localhost:${port}`,
		`http://page.localhost.evil.localhost:${port}`,
		`http://127.0.0.1:${port}`];
	server = await serve('token', { ORIGINS: ours });
	open_to_all = await serve('token', { ORIGINS: '*' });
});
beforeEach(() => forget(server));
after(async () => {
	await close();
	await new Promise((down) => pages.close(down));
});

// What Chromium says of a refusal, and of an error's status.
const allow = [/^request to /, /CORS policy/, /Failed to load resource/];

async function visit(origin) {
	const page = await open(server, { load: false, allow });

	await page.goto(origin);
	return page;
}

/* fetch in the page: { status, headers, text }, or { blocked } with the name of
 * the error that the page gets in its stead. */
const call = (frame, url, init = {}) => frame.evaluate(async ([u, i]) => {
	try {
		const r = await fetch(u, i);

		return { status: r.status, text: await r.text(),
			headers: Object.fromEntries(r.headers) };
	} catch (e) {
		return { blocked: e.name };
	}
}, [url, init]);

// As OpenAI's SDK asks from a browser.
const asked = (model, { token = server.token, more = {} } = {}) => ({
	method: 'POST',
	headers: {
		'Authorization': `Bearer ${token}`,
		'Content-Type': 'application/json',
		'X-Stainless-Arch': 'unknown', 'X-Stainless-Lang': 'js',
		'X-Stainless-OS': 'Unknown', 'X-Stainless-Runtime': 'browser:chrome',
		'X-Stainless-Runtime-Version': '120.0.0',
		'X-Stainless-Package-Version': '5.0.0',
		'X-Stainless-Retry-Count': '0', 'X-Stainless-Timeout': '600',
	},
	body: JSON.stringify({ model,
		messages: [{ role: 'user', content: 'hi' }], ...more }),
});
const CHAT = '/v1/chat/completions';

test('the configured origin: a plain GET, and one with a token', async () => {
	const page = await visit(ours);
	const health = await call(page, `${server.url}/health`);

	assert.equal(health.status, 200);
	assert.equal(JSON.parse(health.text).status, 'ok');
	assert.match(health.headers['x-request-id'], /^req_/);
	for (const headers of [{ 'X-Api-Key': server.token },
		{ Authorization: `Bearer ${server.token}` }]) {
		const usage = await call(page, `${server.url}/usage`, { headers });

		assert.equal(usage.status, 200);
		assert.ok(usage.headers.etag);
		assert.ok(JSON.parse(usage.text).usage.length > 0);
	}
	await done(page);
});

test('a chat as the SDKs ask it, and the headers that tell who answered',
	async () => {
		const page = await visit(ours);
		const r = await call(page, server.url + CHAT, asked('groq/llama'));

		assert.equal(r.status, 200);
		assert.equal(JSON.parse(r.text).object, 'chat.completion');
		assert.equal(r.headers['x-relevo-provider'], 'groq');
		assert.equal(r.headers['x-relevo-model'], 'llama');
		assert.equal(r.headers['x-relevo-attempts'], 'groq:ok');
		assert.match(r.headers['x-request-id'], /^req_/);
		await done(page);
	});

test('a stream is read as it is made', async () => {
	const page = await visit(ours);

	await script(server, 'llama', 'text=Hello there from the mock,gate=a');
	await fetch(`${server.mock}/_mock/gate?name=a&n=2`, { method: 'POST' });
	await page.evaluate(async ([url, init]) => {
		const reader = (await fetch(url, init)).body
			.pipeThrough(new TextDecoderStream()).getReader();

		globalThis.heard = '';
		globalThis.until = async (word) => {
			for (;;) {
				if (globalThis.heard.includes(word))
					return true;
				const { value, done: end } = await reader.read();

				if (end)
					return false;
				globalThis.heard += value;
			}
		};
	}, [server.url + CHAT, asked('groq/llama', { more: { stream: true } })]);
	assert.ok(await page.evaluate(() => globalThis.until('there')));
	assert.doesNotMatch(await page.evaluate(() => globalThis.heard), /mock"/);
	await fetch(`${server.mock}/_mock/gate?name=a&n=99`, { method: 'POST' });
	assert.ok(await page.evaluate(() => globalThis.until('[DONE]')));
	await done(page);
});

test('errors can be read: 401, 404, 415, 429 with what to do, 503', async () => {
	const page = await visit(ours);
	const wrong = async (path, init, status, code) => {
		const r = await call(page, server.url + path, init);

		assert.equal(r.status, status, JSON.stringify(r));
		assert.equal(JSON.parse(r.text).error.code, code);
		assert.match(r.headers['x-request-id'], /^req_/);
		return r;
	};

	await wrong('/usage', {}, 401, 'invalid_api_key');
	await wrong(CHAT, asked('groq/llama', { token: 'rlv-wrong' }), 401,
		'invalid_api_key');
	await wrong('/v1/nothing', {}, 404, 'unknown_url');
	await wrong(CHAT, asked('no/such'), 404, 'model_not_found');
	await wrong(CHAT, { method: 'POST', body: 'hi',
		headers: { 'X-Api-Key': server.token } }, 415,
	'unsupported_media_type');
	for (let i = 0; i < 2; i++)
		assert.equal((await call(page, server.url + CHAT,
			asked('gemini/rare'))).status, 200);
	const full = await wrong(CHAT, asked('gemini/rare'), 429,
		'rate_limit_exceeded');

	assert.ok(Number(full.headers['retry-after']) > 0);
	assert.ok(Number(full.headers['retry-after-ms']) > 0);
	for (const model of ['light', 'dark'])
		await script(server, model, 'status=500');
	const down = await wrong(CHAT, asked('broken'), 503, 'all_failed');

	assert.equal(down.headers['x-relevo-attempts'],
		'cutlight:500,cutdark:500');
	await sameDay();
	await call(page, server.url + CHAT, asked('gemini/once'));
	const day = await wrong(CHAT, asked('gemini/once'), 429,
		'insufficient_quota');

	assert.equal(day.headers['x-should-retry'], 'false');
	await done(page);
});

test('any other origin: nothing can be read, no chat is asked', async () => {
	for (const origin of foreign) {
		const page = await visit(origin);

		for (const [path, init] of [['/health'], ['/usage'],
			[CHAT, asked('cerebras/gpt-oss')],
			['/usage', { headers: { 'X-Api-Key': server.token } }]])
			assert.deepEqual(await call(page, server.url + path, init),
				{ blocked: 'TypeError' }, `${origin} ${path}`);
		// Without a preflight: it is sent, and refused for its type.
		assert.deepEqual(await call(page, server.url + CHAT,
			{ method: 'POST', body: asked('cerebras/gpt-oss').body }),
		{ blocked: 'TypeError' });
		await done(page);
	}
	const stats = await fetch(`${server.mock}/_mock/stats`);

	assert.equal((await stats.json()).models['gpt-oss'], undefined);
});

/* A page without an origin of its own, which sends "null". */
async function nowhere(page) {
	await page.setContent('<iframe sandbox="allow-scripts" ' +
		'srcdoc="<p>nowhere</p>"></iframe>');
	const frame = page.frames().find((f) => f !== page.mainFrame());

	await frame.waitForSelector('p');
	assert.equal(await frame.evaluate(() => origin), 'null');
	return frame;
}

test('a sandboxed frame is no origin, also on the page that is', async () => {
	const page = await visit(ours);
	const frame = await nowhere(page);

	for (const [path, init] of [['/health'], [CHAT, asked('groq/llama')]])
		assert.deepEqual(await call(frame, server.url + path, init),
			{ blocked: 'TypeError' });
	await done(page);
});

test('"*": every origin, none with what the browser knows of the user',
	async () => {
		for (const origin of [ours, foreign[0], null]) {
			const page = await visit(origin ?? ours);
			const frame = origin ? page : await nowhere(page);
			const url = open_to_all.url;

			assert.equal((await call(frame, `${url}/health`)).status, 200);
			assert.equal((await call(frame, url + CHAT, asked('groq/llama',
				{ token: open_to_all.token }))).status, 200);
			assert.equal((await call(frame, `${url}/usage`)).status, 401);
			assert.deepEqual(await call(frame, `${url}/health`,
				{ credentials: 'include' }), { blocked: 'TypeError' });
			await done(page);
		}
	});
