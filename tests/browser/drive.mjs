// drive: Firefox over WebDriver BiDi and WebKit over WebDriver (both W3C), in
// the few calls that the journeys need. Each open() is a browser of its own,
// with a folder of its own.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

const FIREFOX = process.env.FIREFOX ?? 'firefox-esr';
const KEYS = { Shift: '\uE008', Control: '\uE009', Enter: '\uE007',
	Escape: '\uE00C', Tab: '\uE004' };

const there = (command) => {
	try {
		execFileSync('sh', ['-c', 'command -v "$1"', 'sh', command],
			{ stdio: 'ignore' });
		return true;
	} catch {
		return false;
	}
};

/* The first match of pattern in what the child says on a stream of it. */
async function said(stream, pattern) {
	for await (const line of createInterface({ input: stream })) {
		const m = pattern.exec(line);

		if (m !== null) {
			/* what else it says is nobody's, but must be read */
			stream.resume();
			return m[1];
		}
	}
	throw new Error(`a browser ended before it said ${pattern}`);
}

class Process {
	constructor(command, args, { env = {}, stdio }) {
		this.child = spawn(command, args, { stdio,
			env: { ...process.env, ...env } });
		this.ended = new Promise((done) => this.child.on('exit', done));
	}

	async stop() {
		this.child.kill('SIGTERM');
		await this.ended;
	}
}

/* A screen that nobody sees, and what is started on it believes that the person
 * before it is somebody new. */
class Screen {
	static async open(name) {
		const screen = new Screen();
		const home = mkdtempSync(join(tmpdir(), `relevo-${name}.`));

		screen.home = home;
		screen.own = new Process('Xvfb', ['-displayfd', '3', '-screen', '0',
			'1600x2400x24', '-nolisten', 'tcp'],
		{ stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
		screen.started = [];
		screen.env = { HOME: home, XDG_CONFIG_HOME: home,
			XDG_CACHE_HOME: home, XDG_DATA_HOME: home,
			XDG_RUNTIME_DIR: home, TZ: 'UTC', NO_AT_BRIDGE: '1',
			/* else WebKit's language is "C", which is none */
			LANG: 'en_US.UTF-8', LANGUAGE: '', LC_ALL: '',
			DBUS_SESSION_BUS_ADDRESS: 'disabled:',
			LIBGL_ALWAYS_SOFTWARE: '1', GDK_BACKEND: 'x11',
			MESA_SHADER_CACHE_DISABLE: 'true',
			DISPLAY: ':' + await said(screen.own.child.stdio[3],
				/(\d+)/) };
		return screen;
	}

	start(command, args, stdio) {
		const run = new Process(command, args, { env: this.env, stdio });

		this.started.push(run);
		return run;
	}

	/* No window manager gives a window the keyboard, so: */
	focus(name) {
		execFileSync('xdotool', ['search', '--sync', '--onlyvisible',
			'--classname', name, 'windowfocus', 'mousemove', '600',
			'500', 'click', '1', 'mousemove', '1599', '2399'],
		{ stdio: 'ignore', env: { ...process.env, ...this.env } });
	}

	async close() {
		for (const run of [...this.started, this.own])
			await run.stop();
		/* something may still be writing to its cache */
		rmSync(this.home, { recursive: true, force: true,
			maxRetries: 20 });
	}
}

/* A page: what both engines do alike, upon run(source, args), act(actions),
 * picture(), which are theirs. */
class Page {
	/* look(...args) in the page; args and the result are JSON. */
	async eval(look, ...args) {
		return JSON.parse(await this.run(String(look), args) ?? 'null');
	}

	/* Until look gives something, and what. */
	async until(look, ...args) {
		const end = Date.now() + 30000;

		for (;;) {
			const value = await this.eval(look, ...args);

			if (value)
				return value;
			assert.ok(Date.now() < end, `not in time: ${look} ` +
				JSON.stringify(args));
			await new Promise((r) => setTimeout(r, 40));
		}
	}

	/* Until an element that the selector names is shown; with that text. */
	see(selector, text = '') {
		return this.until((s, t) => [...document.querySelectorAll(s)]
			.some((n) => n.checkVisibility() &&
				n.innerText.includes(t)), selector, text);
	}

	/* Of the element that is there. */
	text(selector) {
		return this.eval((s) => document.querySelector(s).innerText,
			selector);
	}

	/* 'Control+Shift+M' */
	async press(chord) {
		const keys = chord.split('+').map((k) => KEYS[k] ??
			(chord.includes('Shift+') ? k : k.toLowerCase()));

		await this.act([{ type: 'key', id: 'keys', actions: [
			...keys.map((value) => ({ type: 'keyDown', value })),
			...keys.reverse().map((value) => ({ type: 'keyUp',
				value })) ] }]);
	}

	async type(text) {
		await this.act([{ type: 'key', id: 'keys', actions:
			[...text].flatMap((value) => [{ type: 'keyDown', value },
				{ type: 'keyUp', value }]) }]);
	}

	/* With the mouse, in the middle of the first that is shown and has the
	 * text, or that name; where nothing may cover it. */
	async click(selector, text = '') {
		const { x, y } = await this.until((s, t) => {
			const n = [...document.querySelectorAll(s)].find((m) =>
				m.checkVisibility() && (m.innerText.includes(t) ||
				m.getAttribute('aria-label') === t));

			if (!n)
				return null;
			n.scrollIntoView({ block: 'nearest' });
			const r = n.getBoundingClientRect();
			const at = { x: Math.round(r.x + r.width / 2),
				y: Math.round(r.y + r.height / 2) };

			return n.contains(document.elementFromPoint(at.x, at.y)) &&
				at;
		}, selector, text);

		await this.act([{ type: 'pointer', id: 'mouse',
			parameters: { pointerType: 'mouse' }, actions: [
				{ type: 'pointerMove', x, y, duration: 0 },
				{ type: 'pointerDown', button: 0 },
				{ type: 'pointerUp', button: 0 }] }]);
	}

	/* Of what is there now: WebKit has what it drew last. */
	async shot(path) {
		await this.eval(() => new Promise((drawn) =>
			requestAnimationFrame(() =>
				requestAnimationFrame(() => drawn()))));
		writeFileSync(path, Buffer.from(await this.picture(), 'base64'));
	}
}

// -- Firefox ------------------------------------------------------------------

/* Beside what Firefox itself sets when it is driven: no word to anybody. */
const PREFS = { 'browser.aboutwelcome.enabled': false,
	'browser.shell.checkDefaultBrowser': false,
	'browser.safebrowsing.update.enabled': false,
	'services.settings.server': 'data:,#remote-settings-dummy/v1' };

class Firefox extends Page {
	static async open(screen, o) {
		const { home } = screen;
		const prefs = { ...PREFS,
			'ui.systemUsesDarkTheme': Number(o.theme === 'dark'),
			'ui.prefersReducedMotion': Number(o.motion === 'reduce'),
			'layout.css.devPixelsPerPx': String(o.zoom) };

		writeFileSync(join(home, 'user.js'), Object.entries(prefs)
			.map(([name, value]) => `user_pref("${name}", ` +
				`${JSON.stringify(value)});\n`).join(''));
		const { child } = screen.start(FIREFOX, ['--no-remote',
			'--remote-debugging-port=0', '--profile', home],
		['ignore', 'ignore', 'pipe']);
		const url = await said(child.stderr, /BiDi.*(ws:\S+)/);
		const page = Object.assign(new Firefox(), { screen, wrong: [],
			calls: new Map(), ids: { last: 0 },
			socket: new WebSocket(`${url}/session`) });

		await new Promise((good, bad) => {
			page.socket.on('open', good);
			page.socket.on('error', bad);
		});
		page.socket.on('message', (data) => page.heard(JSON.parse(data)));
		await page.call('session.new', { capabilities: { alwaysMatch: {
			unhandledPromptBehavior: { default: 'accept' } } } });
		await page.call('session.subscribe',
			{ events: ['log.entryAdded'] });
		const { contexts } = await page.call('browsingContext.getTree', {});
		page.context = contexts[0].context;
		screen.focus('Navigator');
		await page.size(o.width, o.height);
		return page;
	}

	heard({ id, method, params, result, error, message }) {
		if (method === 'log.entryAdded' &&
		    /error|warn/.test(params.level))
			this.wrong.push(`${params.level}: ${params.text}`);
		const call = this.calls.get(id);
		this.calls.delete(id);
		if (error)
			call?.bad(new Error(`${error}: ${message}`));
		else
			call?.good(result);
	}

	call(method, params) {
		const id = ++this.ids.last;

		return new Promise((good, bad) => {
			this.calls.set(id, { good, bad });
			this.socket.send(JSON.stringify({ id, method, params }));
		});
	}

	async run(source, args) {
		const { exceptionDetails, result } = await this.call(
			'script.callFunction', { target: { context: this.context },
				awaitPromise: true, functionDeclaration:
			`async (s) => JSON.stringify(await (${source})(` +
				'...JSON.parse(s)))', arguments: [{ type: 'string',
					value: JSON.stringify(args) }] });

		assert.ok(!exceptionDetails, exceptionDetails?.text);
		return result.value;
	}

	act(actions) {
		return this.call('input.performActions', { context: this.context,
			actions });
	}

	go(url) {
		return this.call('browsingContext.navigate', { url,
			context: this.context, wait: 'complete' });
	}

	reload() {
		return this.call('browsingContext.reload',
			{ context: this.context, wait: 'complete' });
	}

	size(width, height) {
		return this.call('browsingContext.setViewport', { context:
			this.context, viewport: { width, height } });
	}

	async picture() {
		const { data } = await this.call(
			'browsingContext.captureScreenshot',
			{ context: this.context });

		return data;
	}

	/* A page more in the same browser. */
	async tab() {
		const page = Object.create(this);
		const { context } = await this.call('browsingContext.create',
			{ type: 'tab' });

		page.context = context;
		return page;
	}

	async close() {
		await this.call('browser.close', {}).catch(() => {});
		await this.screen.close();
	}
}

// -- WebKit -------------------------------------------------------------------

function freePort() {
	const server = createServer();

	return new Promise((done) => server.listen(0, '127.0.0.1', () => {
		const { port } = server.address();

		server.close(() => done(port));
	}));
}

class Webkit extends Page {
	static async open(screen, o) {
		const gtk = join(screen.home, 'gtk-3.0');

		mkdirSync(gtk);
		writeFileSync(join(gtk, 'settings.ini'), '[Settings]\n' +
			`gtk-enable-animations=${Number(o.motion !== 'reduce')}\n`);
		const port = await freePort();
		const { child } = screen.start('WebKitWebDriver',
			[`--port=${port}`], 'ignore');
		const page = Object.assign(new Webkit(), { screen, wrong: [],
			url: `http://127.0.0.1:${port}` });

		await page.up(child);
		const { sessionId } = await page.call('POST', '/session', {
			capabilities: { alwaysMatch: {
				unhandledPromptBehavior: 'accept',
				'webkitgtk:browserOptions': { args: ['--automation',
					...(o.theme === 'dark' ? ['--dark-mode'] :
						[])] } } } });
		page.url += `/session/${sessionId}`;
		page.handle = await page.call('GET', '/window');
		page.at = { handle: page.handle };
		screen.focus('MiniBrowser');
		await page.size(o.width, o.height);
		return page;
	}

	async up(child) {
		for (let ready = false; !ready; ) {
			await new Promise((r) => setTimeout(r, 50));
			assert.equal(child.exitCode, null,
				'WebKitWebDriver did not start');
			ready = await this.call('GET', '/status').then(() => true,
				() => false);
		}
	}

	async call(method, path, body) {
		const r = await fetch(this.url + path, { method,
			body: body && JSON.stringify(body) });
		const { value } = await r.json();

		assert.ok(r.ok, `${path}: ${value?.error}: ${value?.message}`);
		return value;
	}

	/* This page, not the one that was asked last. */
	async mine(method, path, body) {
		if (this.at.handle !== this.handle) {
			this.at.handle = this.handle;
			await this.call('POST', '/window', { handle: this.handle });
		}
		return this.call(method, path, body);
	}

	async run(source, args) {
		const { value, error } = await this.mine('POST', '/execute/async',
			{ args: [JSON.stringify(args)], script:
			'const [s, done] = arguments; (async () => JSON.stringify(' +
			`await (${source})(...JSON.parse(s))))().then((value) => ` +
			'done({ value }), (e) => done({ error: String(e) }));' });

		assert.ok(error === undefined, error);
		return value;
	}

	act(actions) {
		return this.mine('POST', '/actions', { actions });
	}

	go(url) {
		return this.mine('POST', '/url', { url });
	}

	reload() {
		return this.mine('POST', '/refresh', {});
	}

	/* The window has a bar above the page, and is never narrower than
	 * that. */
	async size(width, height) {
		await this.mine('POST', '/window/rect', { width, height });
		const inner = await this.eval(() => innerHeight);

		await this.mine('POST', '/window/rect',
			{ width, height: 2 * height - inner });
	}

	picture() {
		return this.mine('GET', '/screenshot');
	}

	async tab() {
		const page = Object.create(this);

		page.handle = (await this.call('POST', '/window/new',
			{ type: 'tab' })).handle;
		return page;
	}

	async close() {
		await this.call('DELETE', '').catch(() => {});
		await this.screen.close();
	}
}

const engines = {
	firefox: { open: Firefox.open, needs: [FIREFOX] },
	webkit: { open: Webkit.open, needs: ['WebKitWebDriver'] },
};

/** Name -> what of it is not installed. */
export const known = Object.fromEntries(Object.entries(engines)
	.map(([name, { needs }]) => [name, [...needs, 'Xvfb', 'xdotool']
		.filter((command) => !there(command))]));

export async function open(engine, { theme = 'light', motion = 'no-preference',
	width = 1280, height = 820, zoom = 1 } = {}) {
	const screen = await Screen.open(engine);

	try {
		return await engines[engine].open(screen, { theme, motion, width,
			height, zoom });
	} catch (e) {
		await screen.close();
		throw e;
	}
}
