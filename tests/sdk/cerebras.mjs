// Cerebras' SDK, whose base URL has no path, and which opens a connection by
// GET /v1/tcp_warming when it is made. Its bodies are printed with blanks.
import assert from 'node:assert/strict';
import test from 'node:test';
import Cerebras from '@cerebras/cerebras_cloud_sdk';
import { cases } from './cases.mjs';
import { failure, five, hi, model, requests, seen, web } from './kit.mjs';
import { openaiLike } from './speak.mjs';

const path = '/v1/chat/completions';
/* It loses the words of an error inside a stream, whoever sends it. */
const told = /^Connection error/;
const sdk = { ...openaiLike(Cerebras, '', { warmTCPConnection: false }),
	bad: { max_tokens: -1 }, told,
	day: 'day3', patience: 'asked once', asks: 1 };

cases('cerebras', sdk, path);

test('cerebras: CEREBRAS_BASE_URL and its key, and the warming call',
	async () => {
		process.env.CEREBRAS_BASE_URL = web.url;
		process.env.CEREBRAS_API_KEY = web.token;
		const m = await model();
		const log = await requests(2, async () => {
			const r = await new Cerebras().chat.completions.create({
				model: m, messages: hi });

			assert.equal(r.choices[0].message.content, five);
		});

		assert.deepEqual(log.sort(), ['GET /v1/tcp_warming 200',
			`POST ${path} 200`]);
		assert.match(await seen(m), /\n  "model": "s/);
	});

test('cerebras: models.list and models.retrieve', async () => {
	const client = sdk.client({});
	const { data } = await client.models.list();

	assert.ok(data.some((m) => m.id === 'vendor/org/m'));
	assert.ok(await failure(client.models.retrieve('nosuch')) instanceof
		Cerebras.NotFoundError);
});
