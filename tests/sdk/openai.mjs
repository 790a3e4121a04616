// The OpenAI SDK.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { cases } from './cases.mjs';
import {
	failure, five, hi, joined, model, requests, seen, until, web,
} from './kit.mjs';
import { openaiLike } from './speak.mjs';

const sdk = { ...openaiLike(OpenAI, '/v1'), bad: { max_tokens: -1 },
	day: 'day1', patience: 'asked once', asks: 1 };

cases('openai', sdk);

for (const base of ['/v1', '/v1/', '/openai/v1', '/api/v1'])
	test(`openai: base URL ${base}`, async () => {
		const m = await model();

		assert.equal((await sdk.ask(m, { base })).text, five);
		assert.equal((await sdk.stream(m, { base })).text, five);
		const list = await sdk.client({ base }).models.list();
		assert.ok(list.data.some((o) => o.id === `p1/s1`));
	});

test('openai: models.list and models.retrieve', async () => {
	const client = sdk.client({});
	const ids = [];

	for await (const m of client.models.list()) {
		assert.equal(m.object, 'model');
		assert.ok(Number.isInteger(m.created));
		assert.ok(m.owned_by);
		ids.push(m.id);
	}
	assert.ok(ids.includes('vendor/org/m'));
	assert.equal(new Set(ids).size, ids.length);
	/* The SDK sends the slashes as %2F. */
	assert.equal((await client.models.retrieve('vendor/org/m')).id,
		'vendor/org/m');
	const e = await failure(client.models.retrieve('nosuch'));
	assert.ok(e instanceof OpenAI.NotFoundError);
	assert.equal(e.code, 'model_not_found');
});

test('openai: what answered is in the head, and so is the request id',
	async () => {
		const m = await model();
		const { data, response } = await sdk.client({}).chat
			.completions.create({ model: m, messages: hi })
			.withResponse();

		assert.equal(response.headers.get('x-relevo-model'), m);
		assert.match(data._request_id, /^req_/);
		const e = await failure(sdk.ask('nosuch'));
		assert.match(e.requestID, /^req_/);
		assert.equal(e.param, 'model');
		assert.equal(e.type, 'not_found_error');
	});

test('openai: chat.completions.stream() puts an answer together',
	async () => {
		const s = sdk.client({}).chat.completions.stream({
			model: await model('tools=2'), messages: hi });
		const r = await s.finalChatCompletion();

		assert.equal(r.choices[0].message.tool_calls.length, 2);
		assert.equal(r.choices[0].finish_reason, 'tool_calls');
	});

test('openai: chat.completions.stream() tells a broken stream', async () => {
	for (const script of ['error=2', 'cut=2', 'nofinish']) {
		const s = sdk.client({}).chat.completions.stream({
			model: await model(script), messages: hi });

		assert.ok(await failure(s.finalChatCompletion()) instanceof
			OpenAI.OpenAIError, script);
	}
});

test('openai: chat.completions.parse() with a zod schema', async () => {
	const m = await model('text={"city":"Oslo"}');
	const r = await sdk.client({}).chat.completions.parse({
		model: m, messages: hi, response_format: zodResponseFormat(
			z.object({ city: z.string() }), 'weather') });

	assert.deepEqual(r.choices[0].message.parsed, { city: 'Oslo' });
	assert.equal(JSON.parse(await seen(m)).response_format.type,
		'json_schema');
});

test('openai: what relevo does not have is a 404 that says so', async () => {
	const client = sdk.client({});

	for (const ask of [
		() => client.embeddings.create({ model: 'x', input: 'x' }),
		() => client.responses.create({ model: 'x', input: 'x' }),
		() => client.moderations.create({ input: 'x' }),
	]) {
		const e = await failure(ask());

		assert.ok(e instanceof OpenAI.NotFoundError, e.stack);
		assert.equal(e.code, 'unknown_url');
	}
});

test('openai: a body beyond max-body is a 413', async () => {
	const e = await failure(sdk.ask(await model(), { messages: [
		{ role: 'user', content: 'x'.repeat(9 << 20) }] }));

	assert.equal(e.status, 413);
	assert.equal(e.code, 'body_too_large');
});

test('openai: a client that sets a time limit of its own', async (t) => {
	const m = await model('gatehead=never');
	const real = globalThis.setTimeout;
	let over;

	/* Its clock is ours: the limit is over once the provider was asked. */
	globalThis.setTimeout = (f, ms, ...args) => {
		if (ms !== 300)
			return real(f, ms, ...args);
		over = f;
		return real(() => {}, 0);
	};
	t.after(() => { globalThis.setTimeout = real; });
	const log = await requests(1, async () => {
		const end = failure(sdk.client({ retries: 0 }).chat.completions
			.create({ model: m, messages: hi }, { timeout: 300 }));

		await until(m, 'requests');
		over();
		assert.ok(await end instanceof
			OpenAI.APIConnectionTimeoutError);
	});

	assert.equal(log.length, 1);
	await until(m, 'aborted');
});

test('openai: 30 streams at once on kept connections', async () => {
	const m = await model('tokens=5,pace=5');
	const client = sdk.client({});
	const one = async () => {
		const s = await client.chat.completions.create(
			{ model: m, messages: hi, stream: true });

		return joined((async function* () {
			for await (const c of s)
				yield c.choices[0]?.delta.content ?? '';
		})());
	};

	assert.deepEqual(await Promise.all(Array.from({ length: 30 }, one)),
		Array(30).fill(five));
});

test('openai: /chat speaks to it as well, by a path of one\'s own',
	async () => {
		const r = await sdk.client({ base: '' }).post('/chat', {
			body: { model: await model(), messages: hi,
				stream: false } });

		assert.equal(r.choices[0].message.content, five);
		assert.ok(web.url.startsWith('http://127.0.0.1:'));
	});

test('openai: the README\'s example runs', async () => {
	const text = readFileSync(
		new URL('../../README.md', import.meta.url), 'utf8');
	const code = /```javascript\n(import OpenAI[^]*?)```/.exec(text)[1]
		.replace('http://127.0.0.1:3000', web.url)
		.replace('"rlv-..."', JSON.stringify(web.token))
		.replace('"auto"', JSON.stringify(await model()));
	const { stdout, stderr } = await promisify(execFile)(process.execPath,
		['--input-type=module', '--eval', code],
		{ cwd: new URL('.', import.meta.url) });

	assert.equal(stdout, five);
	assert.equal(stderr, '');
});
