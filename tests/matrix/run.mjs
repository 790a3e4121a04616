// run: every cell of the fault matrix (table.mjs) against relevo, as TAP.
//
//	node tests/matrix/run.mjs [REGEXP]	the cells whose names match
//
// A cell is one request. It has a bad provider and model of its own and, but
// for those that are alone, a good model, so that no cell sees what another one
// did; the counts of all lanes are compared with what each cell must have
// left. The cells of a round share one configuration and one state file, which
// a FastCGI responder and CGI processes use at the same time. RELEVO and MOCK
// name other programs than those in build/. Node 18 or later.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve as absolute } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import * as peers from './peers.mjs';
import { rows } from './table.mjs';

const routes = [
	{ name: '/chat SSE', path: '/chat', form: 'sse', tell: true },
	{ name: '/chat text', path: '/chat', form: 'text',
		headers: { Accept: 'text/plain' } },
	{ name: '/chat JSON', path: '/chat', form: 'json', tell: true,
		body: { stream: false } },
	{ name: '/v1 SSE', path: '/v1/chat/completions', form: 'sse',
		body: { stream: true } },
	{ name: '/v1 JSON', path: '/v1/chat/completions', form: 'json' },
];
const fronts = { fastcgi: 'fcgi', cgi: 'cgi' };
// How many at once, and for how long one may take, which no cell comes near.
const width = { fastcgi: 12, cgi: 4 };
const deadline = 60000;
// Cells of a round: CGI reads a long configuration for each request.
const round = 240;
const good = 'g1 g2 g3 ';

// -- The cells ----------------------------------------------------------------

function* cells() {
	for (const [fault, at, how, end, more = {}] of rows)
		for (const route of routes) {
			if (more.only && !more.only.includes(route.form))
				continue;
			for (const front of Object.keys(fronts)) {
				const cell = { fault, at, how, end, more, route,
					front };

				yield { ...cell, alone: false };
				// The refusal is one for all routes.
				if (end.kind === 'next' && (front !== 'cgi' ||
					route.path !== '/chat'))
					yield { ...cell, alone: true };
			}
		}
}

const wanted = new RegExp(process.argv[2] ?? '');
const all = [...cells()].map((c, n) => ({ ...c, n, bad: `bad${n}/b${n}`,
	name: `${c.fault}/${c.at}: ${c.route.name}${c.alone ? ', alone' : ''}` +
		`, ${c.front}` })).filter((c) => wanted.test(c.name));

// The bad lanes, the good ones of one provider, and an alias for each cell.
function config(cells) {
	const lines = ['route {', 'max-wait = 0s', '}', 'provider ok {',
		'url = "@MOCK@/ok/v1"', 'key = test-key-ok', '}',
		'model "ok/ballast" {', '}'];

	for (const c of cells) {
		const url = c.peer?.url ?? c.how.url ?? '@MOCK@';

		lines.push(`provider bad${c.n} {`, `url = "${url}/v1"`,
			`key = test-key-bad${c.n}`, c.more.set ?? '', '}',
			`model "${c.bad}" {`, c.more.model ?? '', '}');
		if (!c.alone)
			lines.push(`model "ok/g${c.n}" {`, c.more.good ?? '',
				'}');
		lines.push(`alias c${c.n} {`, `models = {"${c.bad}"` +
			(c.alone ? '}' : `, "ok/g${c.n}"}`), '}');
	}
	return lines.join('\n');
}

// -- The servers --------------------------------------------------------------

let web;

// The servers for these cells, for as long as `use` takes.
async function serve(cells, use) {
	const folder = mkdtempSync(join(tmpdir(), 'rvm.'));

	for (const c of cells) {
		if (c.how.raw !== undefined)
			writeFileSync(join(folder, `raw${c.n}`), c.how.raw);
		if (c.how.peer !== undefined)
			c.peer = await peers.start(c.how.peer);
	}
	writeFileSync(join(folder, 'ca.pem'), peers.authority);
	writeFileSync(join(folder, 'conf'), config(cells));
	const child = spawn('bash',
		[fileURLToPath(new URL('serve.bash', import.meta.url)),
			folder], { stdio: ['pipe', 'pipe', 'inherit'] });
	const ended = new Promise((resolve) => child.on('exit', resolve));

	try {
		web = undefined;
		for await (const line of createInterface({
			input: child.stdout })) {
			web = JSON.parse(line);
			break;
		}
		assert.ok(web, 'serve.bash: the servers do not start');
		await use();
	} finally {
		child.stdin.end();
		const status = await ended;

		cells.forEach((c) => c.peer?.close());
		rmSync(folder, { recursive: true });
		assert.equal(status, 0, 'the servers stop in order');
	}
}

// -- Asking -------------------------------------------------------------------

// A whole answer: status, headers, body, and whether it was cut.
function ask(base, path, { method = 'POST', headers = {}, body = '' } = {}) {
	return new Promise((resolve, reject) => {
		const q = http.request(base + path, { method, agent: false,
			headers, timeout: deadline }, (r) => {
			const parts = [];
			const end = () => resolve({ status: r.statusCode,
				headers: r.headers, cut: !r.complete,
				body: Buffer.concat(parts).toString() });

			r.on('data', (d) => parts.push(d));
			r.on('end', end);
			r.on('error', end);
		});

		q.on('timeout', () => q.destroy(new Error('no end in time')));
		q.on('error', reject);
		q.end(body);
	});
}

const question = (base, route, model) => ask(base, route.path, {
	headers: { 'Content-Type': 'application/json', ...route.headers },
	body: JSON.stringify({ model, messages: [{ role: 'user',
		content: 'hi' }], ...route.body }) });

async function control(method, path, body) {
	const r = await ask(web.mock, `/_mock/${path}`, { method, body });

	assert.equal(r.status, 200, `mock: ${path}: ${r.body}`);
	return r.body;
}

// -- What an answer must be ---------------------------------------------------

// An event stream, byte for byte what relevo may write: the JSON of its events,
// and whether [DONE] is the last.
function events(body) {
	const parts = body.split('\n\n');

	assert.equal(parts.pop(), '', 'the last event is whole');
	const list = parts.filter((p) => p !== ': keepalive');
	const done = list.at(-1) === 'data: [DONE]';

	return { done, list: (done ? list.slice(0, -1) : list).map((p) => {
		assert.match(p, /^data: \{.*\}$/, 'an event is one line');
		return JSON.parse(p.slice(6));
	}) };
}

function text(list) {
	return list.map((e) => e.choices?.[0]?.delta.content ?? '').join('');
}

const finishes = (list) => list.flatMap((e) => e.choices ?? [])
	.map((c) => c.finish_reason).filter((f) => f != null);

// The error in the one shape that all have.
function error(value, code) {
	assert.deepEqual(Object.keys(value), ['error']);
	assert.deepEqual(Object.keys(value.error).sort(),
		['code', 'message', 'param', 'type']);
	assert.equal(value.error.code, code);
	assert.ok(value.error.message.length > 9);
}

const forbidden = ['set-cookie', 'x-accel-redirect', 'x-sendfile',
	'x-lighttpd-send-file', 'location', 'x-mock-1'];

function wholeAnswer(c, r, words, finish, trail, provider, model) {
	const { form, tell } = c.route;
	let who;

	assert.equal(r.status, 200);
	assert.equal(r.cut, false);
	assert.equal(r.headers['x-relevo-attempts'], trail);
	assert.equal(r.headers['x-relevo-provider'], provider);
	assert.equal(r.headers['x-relevo-model'], model);
	if (form === 'text') {
		assert.equal(r.body, words);
		return;
	}
	if (form === 'json') {
		const o = JSON.parse(r.body);

		assert.equal(o.choices.length, 1);
		assert.equal(o.choices[0].message.content, words);
		assert.equal(o.choices[0].finish_reason, finish);
		who = o.relevo;
	} else {
		const { list, done } = events(r.body);

		assert.ok(done, '[DONE] is last');
		assert.equal(text(list), words);
		assert.deepEqual(finishes(list), [finish]);
		assert.ok(list.every((e) => e.choices?.length === 1),
			'no event without a choice');
		assert.ok(list.filter((e) => e.choices[0].delta.role).length
			<= 1, 'one role');
		assert.equal(list.filter((e) => e.relevo).length, tell ? 1 : 0);
		who = list[0].relevo;
	}
	assert.deepEqual(who, tell ? { provider, model, attempts: trail } :
		undefined);
}

function refusal(c, r, status, code, trail) {
	assert.equal(r.status, status);
	assert.equal(r.cut, false);
	assert.equal(r.headers['content-type'], 'application/json');
	assert.equal(r.headers['x-relevo-attempts'], trail);
	error(JSON.parse(r.body), code);
}

function alone(c, r) {
	const { word, status, code, wait } = c.end;
	const told = r.headers['retry-after'];

	refusal(c, r, status, code, `bad${c.n}:${word}`);
	if (wait === null) {
		assert.equal(told, undefined, 'no Retry-After');
		assert.equal(r.headers['x-should-retry'],
			status >= 429 ? 'false' : undefined);
	} else {
		assert.match(told ?? '', /^[0-9]+$/, 'a Retry-After');
		assert.ok(+told >= wait[0] && +told <= wait[1],
			`Retry-After ${told} is within ${wait}`);
	}
}

function brokenOff(c, r) {
	const { code, text: words } = c.end;

	assert.equal(r.status, 200);
	assert.equal(r.headers['x-relevo-attempts'], `bad${c.n}:ok`);
	if (c.route.form === 'text') {
		// CGI has no other way to say so.
		const mark = '\n[relevo: the answer was cut short]\n';

		assert.equal(r.body, c.front === 'cgi' ? words + mark : words);
		assert.equal(r.cut, c.front !== 'cgi');
		return;
	}
	const { list, done } = events(r.body);

	assert.equal(r.cut, false, 'an error event is an orderly end');
	assert.equal(done, false, 'no [DONE]');
	error(list.pop(), code);
	assert.equal(text(list), words);
	assert.deepEqual(finishes(list), []);
	assert.ok(list.every((e) => !e.error), 'one error');
}

function brokenEvent(c, r) {
	const parts = r.body.split('\n\n');
	const [part, told] = parts.splice(-3, 2);

	assert.equal(r.cut, false);
	assert.throws(() => JSON.parse(part.slice(6)));
	error(JSON.parse(told.slice(6)), c.end.code);
	assert.equal(text(parts.slice(0, -1).map((p) =>
		JSON.parse(p.slice(6)))), 'w1 w2 ');
}

function check(c, r) {
	for (const name of forbidden)
		assert.equal(r.headers[name], undefined, name);
	if (c.end.kind === 'whole')
		wholeAnswer(c, r, c.end.text, c.end.finish, `bad${c.n}:ok`,
			`bad${c.n}`, `b${c.n}`);
	else if (c.end.kind === 'told')
		brokenOff(c, r);
	else if (c.end.kind === 'broken')
		brokenEvent(c, r);
	else if (c.end.kind === 'refuse')
		refusal(c, r, c.end.status, c.end.code,
			`bad${c.n}:${c.end.word}`);
	else if (c.alone)
		alone(c, r);
	else
		wholeAnswer(c, r, good, 'stop', `bad${c.n}:${c.end.word},ok:ok`,
			'ok', `g${c.n}`);
}

// -- What is left behind ------------------------------------------------------

// Of a 200 that came to nothing the provider has counted the question.
function begun(c) {
	return c.at !== 'before the head' && c.at !== 'in the head' &&
		['upstream_empty', 'upstream_cut', 'upstream_timeout']
			.includes(c.end.word);
}

// [requests, failures] of a cell's bad lane: what came to nothing is no
// request, for most providers do not count it, unless it began as a 200.
function account(c) {
	switch (c.end.kind) {
	case 'whole': return [1, 0];
	case 'told':
	case 'broken': return [1, 1];
	case 'refuse': return [0, 0];
	default: return [begun(c) ? 1 : 0, c.end.failure];
	}
}

function lane(usage, id, requests, failures, charged) {
	const s = usage.get(id).localStats;

	assert.deepEqual([s.requests, s.failures, s.inFlight],
		[requests, failures, 0], `requests, failures, in flight of ${id}`);
	if (charged !== undefined)
		assert.equal(s.tokens > 0, charged, `${s.tokens} tokens`);
}

function books(c, usage, stats) {
	const [requests, failures] = account(c);
	const second = c.end.kind === 'next' && !c.alone;
	const asked = (model) => stats.models[model]?.requests ?? 0;
	const times = c.peer?.asked ?? asked(`b${c.n}`);
	const due = c.more.asked ?? (c.how.url ? 0 : 1);
	const before = c.at === 'before the head';

	// What a status refused is free; what made content is not.
	lane(usage, c.bad, requests, failures, requests > 0 ? true :
		before && /^\d/.test(c.end.word ?? '') ? false : undefined);
	if (!c.alone)
		lane(usage, `ok/g${c.n}`, second ? 1 : 0, 0, second);
	assert.ok(times === due || (c.more.again && times > due),
		`asked ${times} times, not ${due}`);
	assert.equal(asked(`g${c.n}`), second ? 1 : 0, 'asked, if at all, once');
}

// -- Running ------------------------------------------------------------------

// Retries are a fifth of the traffic; a second provider is asked by every
// other cell here, so that plain requests have to come between.
async function ballast(base) {
	for (let i = 0; i < 4; i++)
		assert.equal((await question(base, routes[4], 'ok/ballast'))
			.status, 200, 'a request between');
}

async function run(c) {
	const base = web[fronts[c.front]];
	const script = typeof c.how === 'function' ? c.how() :
		c.how.raw !== undefined ? `body=raw${c.n}` :
		c.how.url || c.how.peer ? '' : c.how;

	try {
		await control('PUT', `script?model=b${c.n}`, script);
		if (c.front === 'fastcgi' && c.end.kind === 'next' && !c.alone)
			await ballast(base);
		c.answer = await question(base, c.route, `c${c.n}`);
		check(c, c.answer);
	} catch (e) {
		c.error = e;
	}
}

// The cells of a front, so many at once.
async function lanes(cells, front) {
	const todo = cells.filter((c) => c.front === front);

	await Promise.all(Array.from({ length: width[front] }, async () => {
		for (let c; (c = todo.shift()) !== undefined;)
			await run(c);
	}));
}

async function audit(cells) {
	const usage = JSON.parse((await ask(web.fcgi, '/usage',
		{ method: 'GET' })).body);
	const stats = JSON.parse(await control('GET', 'stats'));
	const ids = new Map(usage.usage.map((u) => [u.modelId, u]));

	for (const c of cells)
		try {
			books(c, ids, stats);
		} catch (e) {
			c.error ??= e;
		}
	assert.equal(usage.totals.inFlight, 0, 'nothing is in flight');
	assert.equal(usage.state, 'ok');
}

function comment(s) {
	console.log(s.replace(/^/gm, '# '));
}

let bad = 0, n = 0;

function tell(ok, name, e, answer) {
	console.log(`${ok ? 'ok' : 'not ok'} ${++n} - ${name}`);
	if (ok)
		return;
	bad++;
	comment(e.message);
	if (answer)
		comment(`${answer.status} ${JSON.stringify(answer.headers)}\n` +
			`${answer.body.slice(-1500)}`);
}

async function play(cells) {
	await control('PUT', 'script?model=ballast', 'tokens=1');
	for (const c of cells)
		if (!c.alone)
			await control('PUT', `script?model=g${c.n}`,
				`text=${good.replaceAll(' ', '+')}`);
	await Promise.all(Object.keys(fronts).map((f) => lanes(cells, f)));
	await audit(cells);
}

for (const name of ['RELEVO', 'MOCK'])
	if (process.env[name])
		process.env[name] = absolute(process.env[name]);
const rounds = Math.ceil(all.length / round);

console.log(`1..${all.length + rounds}`);
for (let i = 0; i < rounds; i++) {
	const cells = all.slice(i * round, (i + 1) * round);
	let trouble;

	try {
		await serve(cells, () => play(cells));
	} catch (e) {
		trouble = e;
	}
	for (const c of cells)
		tell(c.answer && !c.error, c.name,
			c.error ?? new Error('was not run'), c.answer);
	tell(!trouble, `round ${i + 1}: the servers, and the state that is left`,
		trouble);
}
comment(`${n - bad} of ${n} as they must be`);
process.exitCode = bad > 0 ? 1 : 0;
