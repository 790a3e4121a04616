// cases: what every SDK must see through relevo, by base URL alone.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
	failure, five, model, requests, sameDay, seen, spy, stats, until,
} from './kit.mjs';

const oslo = { name: 'get_weather', input: { city: 'Oslo' } };
const pair = ({ name, input }) => ({ name, input });
const odd = '\u00e9\u{1f680}"\\\n';
const post = (path, status, n) => Array(n).fill(`POST ${path} ${status}`);

/** How a stream breaks behind its first chunks, and what is heard of it. */
const breaks = {
	'an error event': ['error=2', 'w1 w2 '],
	'a reset': ['cut=2', 'w1 w2 '],
	'an end inside a chunk': ['fin=2', 'w1 w2 '],
	'an end without finish_reason': ['nofinish', five],
};

function answers(name, sdk) {
	test(`${name}: an answer`, async () => {
		const r = await sdk.ask(await model());

		assert.equal(r.text, five);
		assert.equal(r.finish, 'stop');
		assert.deepEqual(r.usage, { prompt: 7, completion: 5 });
	});

	test(`${name}: a stream, text by text`, async () => {
		const heard = [];
		const r = await sdk.stream(await model(),
			{ heard: (s) => heard.push(s) });

		assert.equal(r.text, five);
		assert.equal(r.finish, 'stop');
		assert.equal(heard.length, 5);
	});

	test(`${name}: a stream with its usage`, async () => {
		const r = await sdk.stream(await model('usage=12:34'),
			{ usage: true });

		assert.equal(r.text, five);
		assert.deepEqual(r.usage, { prompt: 12, completion: 34 });
	});

	test(`${name}: reasoning is no part of the text`, async () => {
		const r = await sdk.stream(await model('reasoning=2'));

		assert.equal(r.text, five);
	});

	test(`${name}: tool calls`, async () => {
		const m = await model('tools=2');
		const r = await sdk.ask(m, { tools: true });

		assert.deepEqual(r.calls.map(pair), [oslo, oslo]);
		assert.match(r.finish, /^tool.calls$/);
		const { tools } = JSON.parse(await seen(m));
		assert.equal(tools[0].function.name, 'get_weather');
	});

	test(`${name}: streamed tool calls`, async () => {
		const r = await sdk.stream(await model('tools=2'),
			{ tools: true });

		assert.deepEqual(r.calls.map(pair), [oslo, oslo]);
		assert.match(r.finish, /^tool.calls$/);
		assert.equal(r.text, '');
	});
}

function bodies(name, sdk) {
	test(`${name}: a picture and a schema arrive byte for byte`,
		async () => {
			const fetch = spy();
			const m = await model('text={"city":"Oslo"}');
			const r = await sdk.ask(m, { rich: true, fetch });

			assert.equal(r.text, '{"city":"Oslo"}');
			/* All that relevo puts in is what to assume. */
			assert.equal((await seen(m)).replace(
				/^{"stream":false,/, '{'), fetch.body);
			assert.match(fetch.body, /"type": ?"image_url"/);
			assert.match(fetch.body, /"type": ?"json_schema"/);
		});

	test(`${name}: so they do for a stream, but for stream_options`,
		async () => {
			const fetch = spy();
			const m = await model('text={"city":"Oslo"}');

			await sdk.stream(m, { rich: true, fetch });
			const got = JSON.parse(await seen(m));
			const sent = JSON.parse(fetch.body);
			assert.equal(got.stream_options.include_usage, true);
			delete got.stream_options;
			delete sent.stream_options;
			assert.deepEqual(got, sent);
		});

	test(`${name}: a conversation of 200 KB`, async () => {
		const m = await model();
		const messages = [];

		for (let n = 0; n < 200; n++)
			messages.push({ role: n % 2 ? 'assistant' : 'user',
				content: `${n} ${odd}`.padEnd(1000, 'ab ') });
		messages.push({ role: 'user', content: 'and now?' });
		const r = await sdk.stream(m, { messages });
		assert.equal(r.text, five);
		const got = JSON.parse(await seen(m)).messages;
		assert.equal(got.length, 201);
		for (const [n, { content }] of got.entries())
			assert.equal(content[0].text ?? content,
				messages[n].content);
	});
}

function errors(name, sdk, path) {
	const refused = (title, status, text, code, ask) =>
		test(`${name}: ${title} is its own error`, async () => {
			const log = await requests(1, async () => {
				const e = await failure(ask());
				const said = e.lastError ?? e;

				assert.equal(sdk.status(e), status, e.stack);
				assert.match(said.message, text);
				if (said.code !== undefined)
					assert.equal(said.code, code);
			});
			assert.deepEqual(log, post(path, status, 1));
		});

	test(`${name}: a provider's failure is a server error`, async () => {
		const e = await failure(sdk.ask(await model('status=500'),
			{ retries: 0 }));

		assert.ok([502, 503].includes(sdk.status(e)), e.stack);
	});

	const limit = /max_(completion_)?tokens must be/;

	refused('400', 400, limit, 'invalid_request', async () =>
		sdk.ask(await model(), { extra: sdk.bad }));
	refused('400 for a stream', 400, limit, 'invalid_request',
		async () => sdk.stream(await model(), { extra: sdk.bad }));
	refused('401', 401, /token is not known/, 'invalid_api_key',
		async () => sdk.ask(await model(), { token: 'rlv-wrong' }));
	refused('404', 404, /no model .?"nosuch/, 'model_not_found',
		() => sdk.ask('nosuch'));
	refused('404 for a stream', 404, /no model .?"nosuch/,
		'model_not_found', () => sdk.stream('nosuch'));
}

/** The SDKs that follow x-should-retry, and those that do not: all wait for
 * Retry-After (LangChain: its own delay) and ask three times. */
function retries(name, sdk, path) {
	test(`${name}: 429 is asked again after Retry-After`, async () => {
		const m = await model('status=429,retry-after=1');
		const start = Date.now();
		const log = await requests(3, async () => {
			const e = await failure(sdk.ask(m));

			assert.equal(sdk.status(e), 429, e.stack);
		});
		assert.deepEqual(log, post(path, 429, 3));
		assert.ok(Date.now() - start >= 1900, 'it waited for us');
	});

	test(`${name}: the answer to the second try is the answer`,
		async () => {
			const m = await model('status=429,retry-after=1', 1);
			const r = await sdk.ask(m);

			assert.equal(r.text, five);
			assert.equal((await stats(m)).requests, 2);
		});

	test(`${name}: a day's quota that is gone: ${sdk.patience}`,
		async () => {
			const m = sdk.day;

			await sameDay();
			await sdk.ask(m);
			const log = await requests(sdk.asks, async () => {
				const e = await failure(sdk.ask(m));

				assert.match((e.lastError ?? e).message,
					/reset|quota/);
			});
			assert.deepEqual(log, post(path, 429, sdk.asks));
			assert.equal((await stats(m)).requests, 1);
		});

	test(`${name}: what no model here can do: asked once`, async () => {
		const log = await requests(1, async () => {
			const e = await failure(
				sdk.ask('plain', { tools: true }));

			assert.equal(sdk.status(e), 400, e.stack);
		});
		assert.deepEqual(log, post(path, 400, 1));
		assert.equal((await stats('plain')).requests, 0);
	});
}

function streams(name, sdk) {
	for (const [title, [script, text]] of Object.entries(breaks))
		test(`${name}: ${title} in mid-stream raises`, async () => {
			let heard = '';
			const e = await failure(sdk.stream(await model(script),
				{ heard: (s) => { heard = s; } }));

			assert.ok(sdk.broken(e), e.stack);
			assert.match(e.message,
				sdk.told ?? /failing|broke off/);
			assert.equal(heard, text);
		});

	test(`${name}: an abort in mid-stream reaches the provider`,
		async () => {
			const m = await model('silence=2');
			const stop = new AbortController();

			/* Some raise, some end the loop: both are an end. */
			await sdk.stream(m, { signal: stop.signal,
				heard: (s) => s === 'w1 w2 ' && stop.abort(),
			}).catch(() => {});
			assert.ok(stop.signal.aborted);
			await until(m, 'aborted');
			assert.equal((await stats(m)).requests, 1);
		});

	test(`${name}: an abort before the first text does, too`,
		async () => {
			const m = await model('gatehead=never');
			const stop = new AbortController();
			const end = sdk.stream(m, { signal: stop.signal })
				.catch(() => {});

			await until(m, 'requests');
			stop.abort();
			await end;
			await until(m, 'aborted');
		});
}

export function cases(name, sdk, path = '/v1/chat/completions') {
	answers(name, sdk);
	bodies(name, sdk);
	errors(name, sdk, path);
	retries(name, sdk, path);
	streams(name, sdk);
}
