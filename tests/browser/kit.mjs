// kit: what the browser tests share: the servers (servers.mjs), a browser, and
// pages that fail their test by anything they should not do.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { OUT, stop } from './servers.mjs';

export * from './servers.mjs';

const axe = readFileSync(createRequire(import.meta.url)
	.resolve('axe-core/axe.min.js'), 'utf8');

// -- The browser --------------------------------------------------------------

const profile = mkdtempSync(join(tmpdir(), 'relevo-chromium.'));
let running = null;

async function browser() {
	running ??= await chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
			'--no-first-run', '--disable-background-networking',
			'--disable-component-update', '--disable-sync',
			`--disk-cache-dir=${profile}`],
	});
	return running;
}

/** The end of all. */
export async function close() {
	await running?.close();
	rmSync(profile, { recursive: true, force: true });
	await stop();
}

/** A page of a fresh device at server's path, with `wrong`: what went wrong in
 * it (errors on the console, of scripts, of the policy, requests elsewhere);
 * `allow` are patterns of errors that the test brings about. */
export async function open(server, { path = '/', theme = 'light', lang = 'en-US',
	width = 1280, height = 820, model = '', allow = [], init = null,
	touch = false, motion = 'no-preference', load = true } = {}) {
	const context = await (await browser()).newContext({
		viewport: { width, height }, locale: lang, colorScheme: theme,
		hasTouch: touch, reducedMotion: motion, acceptDownloads: true,
		permissions: ['clipboard-read', 'clipboard-write'],
		timezoneId: 'Europe/Madrid',
	});
	const page = await context.newPage();
	// Much longer than anything takes where nothing else runs.
	page.setDefaultTimeout(30000);
	const wrong = [];
	const tell = (text) => {
		if (!allow.some((re) => re.test(text)))
			wrong.push(text);
	};

	page.on('console', (m) => {
		if (m.type() === 'error' || m.type() === 'warning')
			tell(`${m.type()}: ${m.text()} ${m.location().url}`);
	});
	page.on('pageerror', (e) => tell(`script: ${e.stack}`));
	page.on('request', (r) => {
		if (!/^(data|blob):/.test(r.url()) &&
		    new URL(r.url()).origin !== server.url)
			tell(`request to ${r.url()}`);
	});
	page.on('response', async (r) => {
		if (/test-key-/.test(await r.text().catch(() => '')))
			tell(`a provider's key in ${r.url()}`);
	});
	await page.exposeBinding('__tell', (_, text) => tell(text));
	await page.addInitScript(([name]) => {
		document.addEventListener('securitypolicyviolation', (e) =>
			globalThis.__tell(`policy: ${e.violatedDirective} ` +
				`${e.blockedURI} ${e.sample}`));
		if (name !== '' && !localStorage.getItem('relevo:/:model'))
			localStorage.setItem('relevo:/:model', name);
	}, [model]);
	if (init)
		await init(page);
	page.wrong = wrong;
	if (load) {
		await page.goto(server.url + path);
		/* a model's name instead of its id: the models are known */
		await page.locator('#model .name', { hasNotText: '/' })
			.waitFor({ state: 'attached' });
		await page.waitForLoadState('networkidle');
		/* the last thing that a page does when it is opened */
		if (path === '/' && !touch)
			await page.locator('#message:focus').waitFor();
	}
	return page;
}

/** The end of a test's page. */
export async function done(page) {
	const { wrong } = page;

	// What a route of the test is at must not fail the test that is next.
	await page.unrouteAll({ behavior: 'ignoreErrors' });
	await page.context().close();
	assert.deepEqual(wrong, []);
}

/** What the server says to a request that a route of the test has stopped; null:
 * nothing, and so it is for the page. A connection that was kept may be closed
 * just then: asked again. */
export async function real(route, change = {}) {
	try {
		return await route.fetch({ maxRetries: 3, ...change });
	} catch {
		await route.abort();
		return null;
	}
}

/** Ask, and wait for the answer's end. */
export async function ask(page, text, { wait = true } = {}) {
	await page.fill('#message', text);
	await page.keyboard.press('Enter');
	if (wait)
		await over(page);
}

export const over = (page) =>
	page.locator('.turn:last-child .answer:not(.live) .tools')
		.waitFor({ state: 'attached' });

/* look(arg) in the page, again and again until it is true: waitForFunction takes
 * a promise for true. */
async function seen(page, look, arg) {
	const end = Date.now() + 30000;

	while (!await page.evaluate(look, arg)) {
		assert.ok(Date.now() < end, `not in time: ${arg}`);
		await page.waitForTimeout(20);
	}
}

/** Until the conversations that the page keeps have the text, as JSON. What is
 * shown is written a moment later; a page that is left before has it not. */
export const kept = (page, text) => seen(page, async (want) => {
	const result = (request) => new Promise((good, bad) => {
		request.onsuccess = () => good(request.result);
		request.onerror = () => bad(request.error);
	});
	const db = await result(indexedDB.open('relevo:/'));
	const all = await result(db.transaction('bodies')
		.objectStore('bodies').getAll());

	db.close();
	return JSON.stringify(all).includes(want);
}, text);

/** The clipboard, as soon as it is like that. */
export async function clip(page, like) {
	await seen(page, async (source) => new RegExp(source).test(
		await navigator.clipboard.readText()), like.source);
	return page.evaluate(() => navigator.clipboard.readText());
}

/** Opens the picker of models; it has the keyboard. */
export async function pick(page) {
	await page.keyboard.press('Control+Shift+M');
	await page.locator('#picker input:focus').waitFor();
}

/** What the page's scripts, layouts and so on cost from now on, in ms of the
 * processor, which a busy machine does not change: a function for the figures
 * so far. */
export async function costs(page) {
	const client = await page.context().newCDPSession(page);
	const metrics = async () => Object.fromEntries((await client.send(
		'Performance.getMetrics')).metrics.map((m) => [m.name, m.value]));

	await client.send('Performance.enable', { timeDomain: 'threadTicks' });
	const from = await metrics();

	return async () => {
		const to = await metrics();

		return (name) => Math.round((to[name] - from[name]) * 1000);
	};
}

/** Not across the end of a day, by which figures and limits begin anew. */
export async function sameDay() {
	const left = 86400000 - Date.now() % 86400000;

	if (left < 60000)
		await new Promise((later) => setTimeout(later, left));
}

export const answer = (page) => page.locator('.turn:last-child .answer');
export const prose = (page) => answer(page).locator('.prose');

/** No fault that axe finds. */
export async function accessible(page, what) {
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() =>
		globalThis.axe.run(document, { resultTypes: ['violations'] }));

	assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) =>
		`${n.target} ${n.failureSummary}`).join('; ')}`), [], what);
}

export const shot = (page, name) =>
	page.screenshot({ path: join(OUT, `${name}.png`) });
