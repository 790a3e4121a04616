// LangChain's ChatOpenAI, over the OpenAI SDK that it brings.
import assert from 'node:assert/strict';
import test from 'node:test';
import { cases } from './cases.mjs';
import { model, seen } from './kit.mjs';
import { langchain } from './speak.mjs';
import OpenAI from
	'./node_modules/@langchain/openai/node_modules/openai/index.mjs';

const sdk = { ...langchain(OpenAI), bad: { max_completion_tokens: -1 },
	day: 'day6', patience: 'as LangChain will', asks: 1 };

cases('langchain', sdk);

test('langchain: withStructuredOutput', async () => {
	const m = await model('text={"city":"Oslo"}');
	const r = await sdk.chat(m, {}).withStructuredOutput({
		title: 'weather', type: 'object',
		properties: { city: { type: 'string' } }, required: ['city'],
	}, { method: 'jsonSchema' }).invoke('Where?');

	assert.deepEqual(r, { city: 'Oslo' });
	assert.equal(JSON.parse(await seen(m)).response_format.type,
		'json_schema');
});
