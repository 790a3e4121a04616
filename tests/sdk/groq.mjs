// Groq's SDK, whose base URL has no path: it adds /openai/v1 by itself.
import assert from 'node:assert/strict';
import test from 'node:test';
import Groq from 'groq-sdk';
import { cases } from './cases.mjs';
import { failure, five, model, requests, web } from './kit.mjs';
import { openaiLike } from './speak.mjs';

const path = '/openai/v1/chat/completions';
const sdk = { ...openaiLike(Groq, ''), bad: { max_tokens: -1 },
	day: 'day2', patience: 'asked once', asks: 1 };

cases('groq', sdk, path);

test('groq: GROQ_BASE_URL and GROQ_API_KEY are all it needs', async () => {
	process.env.GROQ_BASE_URL = web.url;
	process.env.GROQ_API_KEY = web.token;
	const m = await model();
	const log = await requests(1, async () => {
		const r = await new Groq().chat.completions.create({ model: m,
			messages: [{ role: 'user', content: 'hi' }] });

		assert.equal(r.choices[0].message.content, five);
	});

	assert.deepEqual(log, [`POST ${path} 200`]);
});

test('groq: models.list and models.retrieve', async () => {
	const client = sdk.client({});
	const { data } = await client.models.list();

	assert.ok(data.some((m) => m.id === 'vendor/org/m'));
	assert.equal((await client.models.retrieve('vendor/org/m')).id,
		'vendor/org/m');
	assert.ok(await failure(client.models.retrieve('nosuch')) instanceof
		Groq.NotFoundError);
});
