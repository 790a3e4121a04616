// kit: what the SDK tests share: the servers, and words to the mock provider.
//
// The servers are started once, by serve.bash, and stop when this process
// ends, however it ends: they wait on a pipe from it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

const child = spawn('bash',
	[fileURLToPath(new URL('serve.bash', import.meta.url))],
	{ stdio: ['pipe', 'pipe', 'inherit'] });
const ended = new Promise((done) => child.on('exit', done));

async function started() {
	for await (const line of createInterface({ input: child.stdout }))
		return JSON.parse(line);
	throw new Error('serve.bash: no servers');
}

/** { url, mock, token, access }: see serve.bash. */
export const web = await started();

after(async () => {
	child.stdin.end();
	assert.equal(await ended, 0, 'relevo and its servers stop in order');
});

// -- The mock provider --------------------------------------------------------

async function control(method, path, body) {
	const r = await fetch(`${web.mock}/_mock/${path}`, { method, body });
	const text = await r.text();

	assert.ok(r.ok, `mock: ${path}: ${r.status} ${text}`);
	return text;
}

let models = 0;

/** A model that no test had before, and that does as the script says, always
 * or that many times. */
export async function model(script = '', times = 0) {
	const name = `s${++models}`;

	if (script)
		await control('PUT', `script?model=${name}` +
			(times ? `&times=${times}` : ''), script);
	return name;
}

/** Until the counter `what` of the model is `count`; fails after 30 s. */
export const until = (name, what, count = 1) => control('GET',
	`wait?model=${name}&what=${what}&count=${count}&ms=30000`);

export const stats = async (name) =>
	JSON.parse(await control('GET', 'stats')).models[name] ??
	{ requests: 0 };

/** The body of the last request for the model, byte for byte. */
export async function seen(name) {
	const last = await control('GET', `last?model=${name}`);

	return last.slice(last.indexOf('\r\n\r\n') + 4);
}

// -- What the web server saw --------------------------------------------------

const lines = () => readFileSync(web.access, 'utf8').split('\n').slice(0, -1);

let marks = 0;

/** Until the web server has written down all that came before now; the number
 * of lines up to there. It does one thing after the other, so a request of ours
 * is behind the others. */
async function written() {
	const mark = `/.up?mark=${++marks}`;
	let at;

	await (await fetch(web.url + mark)).text();
	while ((at = lines().findIndex((s) => s.includes(`${mark} `))) < 0)
		await sleep(10);
	return at + 1;
}

/** Run act; then the requests that reached the web server meanwhile, as
 * "POST /v1/chat/completions 200". It writes a line once a request is done, so
 * there is a wait for as many as are expected, and a look for more. */
export async function requests(expected, act) {
	const before = await written();

	await act();
	for (let n = 0; n < 3000 && lines().length < before + expected; n++)
		await sleep(10);
	const end = await written();
	return lines().slice(before, end - 1).map((s) =>
		s.replace(/^.*"(\w+ \S+) HTTP\/1\.1" (\d+).*$/, '$1 $2'));
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Not across the end of a day, by which its limits begin anew. */
export async function sameDay() {
	const left = 86400000 - Date.now() % 86400000;

	if (left < 60000)
		await sleep(left);
}

// -- What is asked ------------------------------------------------------------

export const hi = [{ role: 'user', content: 'hi' }];
export const five = 'w1 w2 w3 w4 w5 ';

export const weather = {
	type: 'object',
	properties: {
		city: { type: 'string', description: 'a "city" \u00e9' },
	},
	required: ['city'],
	additionalProperties: false,
};

/** A picture of one pixel. */
export const pixel = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABC' +
	'AYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** fetch, which remembers the last body sent through it. */
export function spy() {
	const f = (url, init) => {
		f.body = init?.body;
		return fetch(url, init);
	};
	return f;
}

/** What promise rejects with; fails if it does not. */
export async function failure(promise) {
	let value;

	try {
		value = await promise;
	} catch (e) {
		assert.doesNotMatch(inspect(e, { depth: 9 }), /test-key-/);
		return e;
	}
	assert.fail(`no error but ${JSON.stringify(value)}`);
}

/** The text of a stream of texts. */
export async function joined(stream) {
	let all = '';

	for await (const s of stream)
		all += s;
	return all;
}
