// servers: relevo behind lighttpd and the mock provider, for the tests of every
// browser.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const OUT = here('out');
mkdirSync(OUT, { recursive: true });

const servers = [];

/** serve.bash in a mode, until stop(): { url, mock, token }. env: variables
 * for it. */
export async function serve(mode = '', env = {}) {
	const child = spawn('bash', [here('serve.bash'), mode],
		{ stdio: ['pipe', 'pipe', 'inherit'],
			env: { ...process.env, ...env } });
	const ended = new Promise((done) => child.on('exit', done));

	servers.push({ child, ended });
	for await (const line of createInterface({ input: child.stdout }))
		return JSON.parse(line);
	throw new Error('serve.bash: no servers');
}

async function control(server, method, path, body) {
	const r = await fetch(`${server.mock}/_mock/${path}`, { method, body });
	const text = await r.text();

	assert.ok(r.ok, `mock: ${path}: ${r.status} ${text}`);
	return text;
}

/** How the mock answers for a model from now on, or that many times. */
export const script = (server, model, text, times = 0) =>
	control(server, 'PUT', `script?model=${model}` +
		(times ? `&times=${times}` : ''), text);

export const forget = (server) => control(server, 'POST', 'reset');

/** Until the counter `what` of the model is `count`, in the mock. */
export const until = (server, model, what, count = 1) => control(server, 'GET',
	`wait?model=${model}&what=${what}&count=${count}&ms=30000`);

/** A text as a script's value. */
export const value = (text) => text.replaceAll('%', '%25')
	.replaceAll(',', '%2C').replaceAll('+', '%2B').replaceAll(' ', '+')
	.replaceAll('\n', '%0A').replaceAll('=', '%3D');

/** The last body that the model was sent. */
export async function sent(server, model) {
	const raw = await control(server, 'GET', `last?model=${model}`);

	return JSON.parse(raw.slice(raw.indexOf('\r\n\r\n') + 4));
}

/** The end of all of them. */
export async function stop() {
	for (const { child, ended } of servers.splice(0)) {
		child.stdin.end();
		assert.equal(await ended, 0, 'relevo and its servers stop in order');
	}
}
