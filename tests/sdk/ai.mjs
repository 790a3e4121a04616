// Vercel's AI SDK, by its provider for anything that speaks like OpenAI and by
// its OpenAI provider.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { cases } from './cases.mjs';
import { five, model } from './kit.mjs';
import { vercel } from './speak.mjs';

/* It does not know x-should-retry: three requests, whatever we say. */
const patience = { patience: 'asked three times', asks: 3 };

const compatible = { ...vercel((o) => createOpenAICompatible({ ...o,
	name: 'relevo', includeUsage: true, supportsStructuredOutputs: true })),
	bad: { providerOptions: { relevo: { max_completion_tokens: -1 } } },
	day: 'day4', ...patience };
const openai = { ...vercel((o) => createOpenAI(o).chat),
	bad: { providerOptions: { openai: { maxCompletionTokens: -1 } } },
	day: 'day5', ...patience };

cases('ai, openai-compatible', compatible);
cases('ai, openai', openai);

test('ai: OpenRouter\'s base, /api/v1', async () => {
	const r = await compatible.stream(await model(), { base: '/api/v1' });

	assert.equal(r.text, five);
});
