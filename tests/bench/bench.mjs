// bench: what relevo costs beside nginx's proxy_pass, in one run. README.md
// beside this file tells how to read what it prints.
//
//	node bench.mjs BUILD [BASE-BUILD BASE-NAME]	ROUNDS=5
//
// A round visits every target of every work once, so that what else the
// machine does meets all of them alike. Nothing fails because it is slow; a
// wrong answer ends the run.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import * as place from './place.mjs';
import { cpu, load, pss, tree } from './proc.mjs';
import { median, table } from './table.mjs';

const [build, baseBuild] = process.argv.slice(2, 4)
	.map((folder) => resolve(folder));
const baseName = process.argv[4];
const rounds = Number(process.env.ROUNDS ?? 5);
const asked = `${build}/bench/ask`;

const chat = (model, stream, size) => JSON.stringify({ model, stream,
	messages: [{ role: 'user', content: 'word '.repeat(size / 5) }] });

// What is asked: `n` questions over `c` connections on each target of `on`;
// those that relevo is a part of stand for the other build too. What is over
// in a moment is visited there and back in a round, the rest in turn.
const WORKS = {
	unary: { n: 8000, c: 32, tokens: 20, size: 2000, back: true,
		on: ['direct', 'proxy', 'floor', 'bare', 'keep', 'nginx',
			'lighttpd'] },
	cgi: { model: 'unary', n: 60, c: 2, tokens: 20, size: 2000,
		on: ['cgi'] },
	cgiTls: { model: 'tls-unary', n: 60, c: 2, tokens: 20, size: 2000,
		on: ['cgi'] },
	fast: { stream: true, n: 1000, c: 32, tokens: 200, size: 2000,
		back: true,
		on: ['direct', 'proxy', 'bare', 'keep', 'nginx',
			'lighttpd'] },
	big: { model: 'unary', n: 400, c: 8, tokens: 20, size: 200000,
		back: true,
		on: ['proxy', 'bare', 'keep', 'nginx', 'lighttpd'] },
	first: { stream: true, n: 400, c: 1, tokens: 5, size: 2000,
		on: ['direct', 'proxy', 'keep', 'nginx', 'lighttpd'] },
	leave: { stream: true, n: 100, c: 1, tokens: 1, size: 2000,
		on: ['proxy', 'keep', 'lighttpd'] },
	paced: { stream: true, n: 1000, c: 1000, ramp: 2000, tokens: 50,
		size: 400, fresh: true, on: ['proxy', 'keep', 'lighttpd'] },
	pacedTls: { model: 'tls-paced', stream: true, n: 250, c: 250,
		ramp: 1000, tokens: 30, size: 400, fresh: true, on: ['keep'] },
	start: { model: 'unary', n: 1, c: 1, tokens: 20, size: 2000,
		on: ['keep'] },
};

// -- The targets --------------------------------------------------------------

const targets = {};	// NAME or NAME@base: { port, front, relevo }
const builds = [{ mark: '', folder: build }];
let mock;

if (baseBuild)
	builds.push({ mark: '@base', folder: baseBuild });

async function startTargets() {
	mock = await place.startMock(`${build}/mock/mock`);
	const tls = await place.nginxTls(mock);
	const proxy = await place.nginxProxy(mock);

	targets.direct = { port: mock };
	targets.proxy = { port: proxy.port, front: proxy.pid };
	await addFloor('floor', '20');
	await addFloor('bare', `http://127.0.0.1:${mock}/v1/chat/completions`);
	for (const b of builds)
		await startBuild(b, tls.port);
}

async function addFloor(name, what) {
	const socket = `${place.dir}/${name}.sock`;
	const behind = await place.startFloor(name, `${build}/bench/floor`,
		socket, what);
	const { port, pid } = await place.nginxFastcgi(`${name}-nginx`, socket,
		true);

	targets[name] = { port, front: pid, behind };
}

async function startBuild(b, tls) {
	const name = `relevo${b.mark.replace('@', '-')}`;
	const program = `${b.folder}/relevo`;
	const add = (kind, { port, pid }, relevo) => {
		targets[kind + b.mark] = { port, front: pid, relevo,
			token: b.config.token };
	};

	Object.assign(b, { name, program, socket: `${place.dir}/${name}.sock`,
		config: place.writeConfig(program, name, mock, tls) });
	await restart(b);
	add('keep', await place.nginxFastcgi(`${name}-keep`, b.socket, true),
		b);
	add('nginx', await place.nginxFastcgi(`${name}-nginx`, b.socket, false),
		b);
	add('lighttpd', await place.lighttpdFastcgi(`${name}-lighttpd`,
		b.socket), b);
	add('cgi', await place.lighttpdCgi(`${name}-cgi`, program,
		b.config.file));
}

async function halt(b) {
	if (b.pid && !await place.stop(b.pid))
		throw new Error(`${b.name} did not stop in order`);
	b.pid = 0;
}

async function restart(b) {
	await halt(b);
	b.pid = place.startRelevo(b.name, b.program, b.config.file, b.socket);
	await place.up(b.name, { path: b.socket });
}

// -- Asking -------------------------------------------------------------------

/** Run the load and give what it found; it ends the run if an answer was
 * wrong. */
function ask(work, target, ...more) {
	const w = { model: work.name, ...work };
	const child = spawn('taskset', ['-c', place.LOAD_CPU, asked,
		'-n', w.n, '-c', w.c, '-r', w.ramp ?? 0,
		'-t', target.token ?? 'x', w.stream ? '-s' : '-u', w.tokens,
		...more, target.port,
		'/v1/chat/completions'].map(String),
		{ stdio: ['pipe', 'pipe', 'pipe'] });
	let out = '', err = '';

	child.stdout.on('data', (data) => { out += data; });
	child.stderr.on('data', (data) => { err += data; });
	child.stdin.end(chat(w.model, Boolean(w.stream), w.size));
	return new Promise((done, fail) => child.on('close', (code) => {
		if (code === 0)
			done(JSON.parse(out));
		else
			fail(new Error(`${work.name}: a wrong answer\n${err}${
				out}`));
	}));
}

const lost = async () => {
	const r = await fetch(`http://127.0.0.1:${mock}/_mock/stats`);

	return (await r.json()).models.leave?.aborted ?? 0;
};

/** One visit: microseconds of CPU for each question, of the web server and of
 * what is behind it, and what the load has seen. */
async function visit(work, target) {
	const { relevo } = target;
	const front = target.front ? tree(target.front) : [];
	const more = work.name === 'leave' ?
		['-a', mock, '-m', 'leave', '-f', await lost()] : [];

	if (work.fresh && relevo) {
		await restart(relevo);
		await ask({ ...WORKS.unary, name: 'unary', n: 1, c: 1 },
			target);
	}
	const behind = relevo ? tree(relevo.pid) :
		target.behind ? tree(target.behind) : [];
	const rest = pss(behind);
	const f = cpu(front), b = cpu(behind);
	const asking = ask(work, target, ...more);
	const peak = work.ramp ?
		sleep(work.ramp + 1500).then(() => pss(behind)) : 0;
	const seen = await asking;

	await sleep(50);	// what the last answers left to do
	return { ...seen, front: (cpu(front) - f) / work.n,
		behind: (cpu(behind) - b) / work.n,
		stream: (await peak - rest) / work.n };
}

/** Start relevo, alone of its kind, behind a web server that runs: how long
 * until its first answer. */
async function startOnce(work, target, libraries) {
	const { relevo: b } = target;

	await halt(b);
	rmSync(b.socket, { force: true });
	const asking = ask(work, target, '-w', b.socket);

	await sleep(20);	// the load is there, and waits
	const began = Number(process.hrtime.bigint() / 1000n);

	b.pid = place.startRelevo(b.name, b.program, b.config.file, b.socket,
		libraries);
	return (await asking).at - began;
}

/** The median of three starts, and what it weighs then: as it is, and with
 * libraries that no other process has mapped. */
async function visitStart(work, target) {
	const { relevo: b } = target;
	const times = [], weighs = [];

	b.libraries ??= place.copyLibraries(b.name, b.program);
	await Promise.all(builds.map(halt));
	while (times.length < 3)
		times.push(await startOnce(work, target));
	await sleep(100);
	weighs.push(pss(tree(b.pid)));
	await startOnce(work, target, b.libraries);
	await sleep(100);
	weighs.push(pss(tree(b.pid)));
	await Promise.all(builds.map(restart));
	return { start: median(times), idle: weighs[0], alone: weighs[1] };
}

// -- The run ------------------------------------------------------------------

const results = {};	// work, target: a list of what each visit found

async function round(number) {
	for (const [name, work] of Object.entries(WORKS)) {
		const on = Object.keys(targets)
			.filter((t) => work.on.includes(t.split('@')[0]));
		const back = [...on].reverse();
		const way = work.back ? [...on, ...back] :
			number % 2 ? on : back;

		for (const t of way) {
			const w = { name, ...work };
			const found = name === 'start' ?
				await visitStart(w, targets[t]) :
				await visit(w, targets[t]);

			((results[name] ??= {})[t] ??= []).push(found);
		}
	}
}

function sizes({ program }) {
	const bare = `${place.dir}/stripped`;

	execFileSync('strip', ['-o', bare, program]);
	return { size: statSync(program).size, stripped: statSync(bare).size };
}

const version = (command, flag, stream) =>
	/[\d.]+\d/.exec(spawnSync(command, [flag])[stream])[0];

function machine() {
	const now = load();

	return [
		`${new Date().toISOString().slice(0, 16)}Z, ${
			availableParallelism()} CPUs (${
			cpus()[0].model.trim()}), Linux ${release()}, nginx ${
			version('nginx', '-v', 'stderr')}, lighttpd ${
			version('lighttpd', '-v', 'stdout')}`,
		`load average ${before.average} before, ${now.average} ` +
			`after; tasks waited for a CPU ${Math.round(
				(now.waited - before.waited) /
				(Date.now() - began) / 10)} % of the time`,
	];
}

const before = load();
const began = Date.now();
let failed = 1;

for (const signal of ['SIGINT', 'SIGTERM'])
	process.once(signal, () => place.leave().then(() => process.exit(130)));
try {
	await startTargets();
	for (let i = 1; i <= rounds; i++) {
		process.stderr.write(`round ${i} of ${rounds}, ${
			Math.round((Date.now() - began) / 1000)} s\n`);
		await round(i);
	}
	for (const b of builds) {
		const lines = place.complaints(b.name);

		if (lines.length)
			throw new Error(`${b.name} says:\n${
				lines.slice(0, 10).join('\n')}`);
	}
	for (const b of builds)
		Object.assign(b, sizes(b));
	console.log(table(results, { builds, rounds, baseName,
		name: process.env.NAME ?? '', machine: machine(),
		seconds: (Date.now() - began) / 1000 }));
	if (process.env.RAW)
		writeFileSync(process.env.RAW, JSON.stringify(results));
	failed = 0;
} catch (e) {
	console.error(e.message);
} finally {
	await place.leave();
}
process.exitCode = failed;
