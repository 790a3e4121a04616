// speak: the SDKs behind one set of words, so that cases.mjs can say once what
// is expected of all. Each gives
//
//	ask(model, want)	-> { text, finish, usage, calls }
//	stream(model, want)	the same, streamed; want.heard(all the text so
//				far) for each new piece
//	status(error)		the HTTP status if it is the SDK's own error for
//				it, -1 if the class is wrong, 0 if it has none
//	broken(error)		whether a broken stream is told as the SDK does
//
// want: { tools, usage, rich, messages, signal, token, fetch, base, retries,
// extra }. usage is { prompt, completion }, calls is [{ name, input }].
import {
	APICallError, generateText, jsonSchema, Output, streamText, tool,
} from 'ai';
import { ChatOpenAI } from '@langchain/openai';
import { hi, pixel, weather, web } from './kit.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const format = {
	type: 'json_schema',
	json_schema: { name: 'weather', schema: weather, strict: true },
};
const get_weather = {
	type: 'function',
	function: { name: 'get_weather', description: 'Of "a" city',
		parameters: weather },
};
const look = [{ role: 'user', content: [
	{ type: 'text', text: 'What is this?\n\u{1f680} "\\"' },
	{ type: 'image_url', image_url: { url: pixel, detail: 'low' } },
] }];

const call = (c) => ({ name: c.function.name,
	input: JSON.parse(c.function.arguments) });

// -- The OpenAI client, and those that were made from the same generator ------

function body(model, want) {
	const b = { model, messages: want.rich ? look : want.messages ?? hi };

	if (want.tools)
		b.tools = [get_weather];
	if (want.rich)
		b.response_format = format;
	return { ...b, ...want.extra };
}

/** Put the parts of tool calls together, by index, as the SDKs' users do. */
function gather(calls, parts) {
	for (const p of parts ?? []) {
		const c = calls[p.index] ??= { id: '',
			function: { name: '', arguments: '' } };
		c.id += p.id ?? '';
		c.function.name += p.function?.name ?? '';
		c.function.arguments += p.function?.arguments ?? '';
	}
}

const figures = (u) => u && { prompt: u.prompt_tokens,
	completion: u.completion_tokens };

export function openaiLike(Client, base, more = {}) {
	const client = (want) => new Client({
		apiKey: want.token ?? web.token,
		baseURL: web.url + (want.base ?? base),
		maxRetries: want.retries ?? 2,
		fetch: want.fetch, ...more });
	const classes = { 400: Client.BadRequestError,
		401: Client.AuthenticationError, 404: Client.NotFoundError,
		429: Client.RateLimitError };

	return {
		client,
		async ask(model, want = {}) {
			const r = await client(want).chat.completions.create(
				body(model, want), { signal: want.signal });
			const [c] = r.choices;

			return { text: c.message.content,
				finish: c.finish_reason,
				usage: figures(r.usage),
				calls: c.message.tool_calls?.map(call) };
		},
		async stream(model, want = {}) {
			const got = { text: '', finish: null, calls: [] };
			const s = await client(want).chat.completions.create({
				...body(model, want), stream: true,
				...want.usage && { stream_options:
					{ include_usage: true } },
			}, { signal: want.signal });

			for await (const chunk of s) {
				const [c] = chunk.choices;

				got.usage = figures(chunk.usage) ?? got.usage;
				if (!c)
					continue;
				gather(got.calls, c.delta.tool_calls);
				got.finish = c.finish_reason ?? got.finish;
				if (c.delta.content) {
					got.text += c.delta.content;
					want.heard?.(got.text);
				}
			}
			got.calls = got.calls.map(call);
			return got;
		},
		status(e) {
			const is = classes[e.status] ?? Client.APIError;

			return e instanceof is ? e.status : -1;
		},
		broken: (e) => e instanceof Client.APIError,
	};
}

// -- Vercel's AI SDK ----------------------------------------------------------

/** make({ baseURL, apiKey, fetch }) gives model names a meaning. */
export function vercel(make) {
	function args(model, want) {
		const provider = make({
			apiKey: want.token ?? web.token, fetch: want.fetch,
			baseURL: web.url + (want.base ?? '/v1') });
		const a = { model: provider(model),
			messages: want.messages ?? hi,
			maxRetries: want.retries ?? 2,
			abortSignal: want.signal, ...want.extra };

		if (want.tools)
			a.tools = { get_weather: tool({
				description: 'Of "a" city',
				inputSchema: jsonSchema(weather) }) };
		if (want.rich) {
			a.output = Output.object(
				{ schema: jsonSchema(weather) });
			a.messages = [{ role: 'user', content: [
				{ type: 'text', text: 'What is this?\n"\\"' },
				{ type: 'image', image: pixel }] }];
		}
		return a;
	}
	const made = (c) => ({ name: c.toolName, input: c.input });
	const result = (text, finish, u, calls) => ({ text, finish,
		usage: u.inputTokens === undefined ? undefined :
			{ prompt: u.inputTokens, completion: u.outputTokens },
		calls });

	return {
		async ask(model, want = {}) {
			const r = await generateText(args(model, want));

			return result(r.text, r.finishReason, r.usage,
				r.toolCalls.map(made));
		},
		async stream(model, want = {}) {
			const calls = [];
			let text = '', end;

			const r = streamText({ ...args(model, want),
				onError() {} });

			for await (const p of r.fullStream) {
				if (p.type === 'error')
					throw p.error;
				if (p.type === 'abort')
					throw new Error('aborted');
				if (p.type === 'tool-call')
					calls.push(made(p));
				if (p.type === 'finish')
					end = p;
				if (p.type === 'text-delta') {
					text += p.text;
					want.heard?.(text);
				}
			}
			return result(text, end.finishReason, end.totalUsage,
				calls);
		},
		status(e) {
			const last = e.lastError ?? e;

			return APICallError.isInstance(last) ?
				last.statusCode : -1;
		},
		/* The error object of the event, as it came. */
		broken: (e) => /^upstream_/.test(e.code),
	};
}

// -- LangChain ----------------------------------------------------------------

export function langchain(OpenAI) {
	function chat(model, want) {
		const c = new ChatOpenAI({ model,
			apiKey: want.token ?? web.token,
			maxRetries: want.retries ?? 2,
			streamUsage: !!want.usage,
			modelKwargs: { ...want.extra,
				...want.rich && { response_format: format } },
			configuration: { fetch: want.fetch,
				baseURL: web.url + (want.base ?? '/v1') } });

		return want.tools ? c.bindTools([get_weather]) : c;
	}
	const messages = (want) => want.rich ? look : want.messages ?? hi;
	const result = (m) => ({ text: m.content,
		finish: m.response_metadata.finish_reason,
		usage: m.usage_metadata && {
			prompt: m.usage_metadata.input_tokens,
			completion: m.usage_metadata.output_tokens },
		calls: m.tool_calls.map((c) =>
			({ name: c.name, input: c.args })) });
	const classes = { 400: OpenAI.BadRequestError,
		401: OpenAI.AuthenticationError, 404: OpenAI.NotFoundError,
		429: OpenAI.RateLimitError };

	return {
		chat,
		async ask(model, want = {}) {
			return result(await chat(model, want).invoke(
				messages(want), { signal: want.signal }));
		},
		async stream(model, want = {}) {
			let all;

			const s = await chat(model, want).stream(
				messages(want), { signal: want.signal });

			for await (const chunk of s) {
				all = all ? all.concat(chunk) : chunk;
				if (chunk.content)
					want.heard?.(all.content);
			}
			return result(all);
		},
		status: (e) => e instanceof (classes[e.status] ??
			OpenAI.APIError) ? e.status : -1,
		broken: (e) => e instanceof OpenAI.APIError,
	};
}
