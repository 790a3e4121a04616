// The dashboard, the first run and the token in a real browser, against relevo
// behind lighttpd and the mock provider.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, answer, ask, clip, close, done, open, over, prose, real,
	sameDay, script, serve, shot } from './kit.mjs';

let server;

before(async () => { server = await serve(); });
after(close);

/* In the browser: a connection that node keeps would outlive the browser. */
const get = (page, path) => page.evaluate(async (p) =>
	(await fetch(p)).json(), path);
const digits = (text) => Number(text.replace(/[^0-9]/g, ''));

// A history as GET /usage?history=1 has it, the last hour and day last.
function history() {
	const hour = Math.floor(Date.now() / 3600000) * 3600000;
	const day = Math.floor(Date.now() / 86400000) * 86400000;
	const row = (at, i, size) => ({ at: new Date(at).toISOString(),
		requests: Math.round(size * (1 + Math.sin(i / 3)) *
			(1 + (i % 5) / 4)),
		tokens: Math.round(size * 900 * (1.2 + Math.sin(i / 4))),
		failures: i % 7 ? 0 : 3, fallbacks: i % 5 ? 0 : 2 });

	return { hours: Array.from({ length: 48 }, (_, i) =>
		row(hour - (47 - i) * 3600000, i, 20)),
	days: Array.from({ length: 62 }, (_, i) =>
		row(day - (61 - i) * 86400000, i, 300)) };
}

/* The real figures with a history. */
const withHistory = async (page) => {
	await page.route('**/usage?history=1', async (route) => {
		const response = await real(route);

		if (response === null)
			return;
		// A page that asks again has what did not change.
		if (response.status() === 304)
			return route.fulfill({ response });
		const body = await response.json();

		body.history = history();
		body.clients = [{ name: 'laptop', available: true, reason: null,
			until: null, localStats: { requestsToday: 41,
			tokensToday: 52310, failures: 0, inFlight: 0,
			firstMs: null }, windows: [{ window: 'rpd', used: 41,
			reserved: 0, limit: 200, remaining: 159,
			resetAt: new Date(Date.now() + 7200000).toISOString(),
			source: 'config' }] }];
		await route.fulfill({ response, json: body });
	});
};

test('the figures are those of /usage', async () => {
	await sameDay();
	const page = await open(server, { model: 'groq/llama' });

	await script(server, 'llama', 'tokens=9,usage=100:20');
	await ask(page, 'one');
	await ask(page, 'two');
	await script(server, 'gpt-oss', 'status=429,retry-after=120');
	await page.click('#to-board');
	await page.locator('.provider').first().waitFor();
	const figures = await get(page, 'usage');
	const tiles = await page.locator('.tile dd:first-of-type')
		.allInnerTexts();
	assert.equal(digits(tiles[0]), figures.totals.requestsToday);
	assert.equal(digits(tiles[1]), figures.totals.tokensToday);
	assert.equal(figures.totals.requestsToday, 2);
	assert.equal(figures.totals.tokensToday, 240);
	for (const lane of figures.usage) {
		const row = page.locator('.lane', { has: page.locator(
			'.row-name', { hasText: new RegExp(`^${lane.name}$`) }) });

		for (const w of lane.windows.filter((x) => x.limit !== null)) {
			const text = await row.locator(
				`[data-window=${w.window}] .bar-text`).innerText();

			assert.deepEqual(text.split('/').map(digits),
				[w.used, w.limit], lane.modelId + w.window);
		}
	}
	/* nothing settled but those two in the last hours */
	assert.equal(await page.locator('.history').isVisible(), true);
	assert.equal(digits((await page.locator('.history > .soft')
		.innerText()).split('requests')[0]), figures.totals.requests);
	await done(page);
});

test('who would answer now; a cooling model says until when', async () => {
	const page = await open(server, { model: 'cerebras/gpt-oss',
		allow: [/429/] });
	const router = page.locator('.router');

	await script(server, 'gpt-oss', 'status=429,retry-after=90');
	await ask(page, 'x');
	await page.goto(server.url + '/#usage');
	await router.waitFor();
	await router.locator('select').selectOption('duo');
	await page.waitForFunction(() =>
		document.querySelectorAll('.order li').length === 2);
	const want = await get(page, 'route?model=duo');
	assert.equal(want.order[0].model, 'groq/llama');
	assert.match(await router.locator('li').nth(0).innerText(),
		/groq\/llama[^]*this one[^]*open/);
	assert.match(await router.locator('li').nth(1).innerText(),
		/cerebras\/gpt-oss[^]*(limit|failing|overloaded)/);
	const pill = page.locator('.provider', { hasText: 'cerebras' })
		.locator('.pill.wait').last();
	const text = await pill.innerText();
	assert.match(text, /\d+ s|min/);
	await page.waitForFunction((had) => ![...document.querySelectorAll(
		'.provider .pill.wait')].some((n) => n.innerText === had), text);
	await router.locator('select').selectOption('cerebras/gpt-oss');
	await router.getByText('Nobody at the moment.').waitFor();
	await done(page);
});

for (const theme of ['light', 'dark'])
	test(`the dashboard with a history, axe, ${theme}`, async () => {
		const page = await open(server, { theme, path: '/#usage',
			height: 1500, init: withHistory });

		await page.locator('.plot canvas').nth(1).waitFor();
		const sum = history().hours.reduce((n, r) => n + r.requests, 0);
		assert.equal(digits((await page.locator('.history > .soft')
			.innerText()).split('requests')[0]), sum);
		await accessible(page, 'the dashboard');
		await shot(page, `board-${theme}`);
		await page.getByRole('button', { name: 'Days' }).click();
		await page.waitForTimeout(150);
		await page.locator('.history summary').click();
		const rows = page.locator('.history tbody tr');
		assert.equal(await rows.count(),
			history().days.length);
		assert.match(await rows.first().innerText(),
			new RegExp(String(history().days.at(-1).requests)));
		await accessible(page, 'the figures');
		await shot(page, `board-days-${theme}`);
		await done(page);
		const phone = await open(server, { theme, path: '/#usage',
			width: 390, height: 1800, touch: true,
			init: withHistory });
		await phone.locator('.plot canvas').nth(1).waitFor();
		assert.equal(await phone.evaluate(() =>
			document.documentElement.scrollWidth > innerWidth),
		false);
		await shot(phone, `phone-board-${theme}`);
		await done(phone);
	});

test('without uPlot the figures stand in a table', async () => {
	const page = await open(server, { path: '/#usage', allow: [/404/],
		init: async (p) => {
			await withHistory(p);
			await p.route('**/vendor/uplot*', (r) =>
				r.fulfill({ status: 404, body: '' }));
		} });

	await page.locator('.history tbody tr').first().waitFor();
	await done(page);
});

test('quiet: one small request, an ETag, nothing while it is hidden',
	async () => {
	let asked = [];
	const page = await open(server, { path: '/#usage', init: (p) =>
		p.route('**/usage?history=1', async (route) => {
			const tag = route.request().headers()['if-none-match'];

			asked.push(tag ?? '');
			if (tag === '"v1"')
				return route.fulfill({ status: 304 });
			const response = await real(route);

			if (response !== null)
				await route.fulfill({ response, headers: {
					'content-type': 'application/json',
					etag: '"v1"' } });
		}) });
	const others = [];
	/* when it asked, by its own clock: ours may have to wait */
	const times = () => page.evaluate(() => performance
		.getEntriesByType('resource').filter((e) =>
			e.name.endsWith('/usage?history=1'))
		.map((e) => e.startTime));
	/* until what was asked before has been heard of here */
	const heard = () => page.evaluate(async () =>
		(await fetch('health?heard')).text());

	await page.locator('.router').waitFor();
	await page.evaluate(() => {
		document.querySelector('.provider').dataset.same = 'yes';
	});
	page.on('request', (r) => others.push(new URL(r.url()).pathname));
	/* every five seconds; later on a busy machine, but never much sooner */
	while (asked.length < 2 || others.length === 0 ||
	    (await times()).length < 2)
		await page.waitForTimeout(20);
	assert.deepEqual(asked.slice(0, 2), ['', '"v1"']);
	const [first, second] = await times();
	assert.ok(second - first > 3000);
	assert.deepEqual([...new Set(others)], ['/usage']);
	assert.equal(await page.locator('[data-same=yes]').count(), 1);
	await page.click('#to-chat');
	await heard();
	asked = [];
	await page.waitForTimeout(5600);
	await heard();
	assert.deepEqual(asked, []);
	/* the same for a page in the background */
	await page.click('#to-board');
	/* what coming back asks has to be over */
	while (asked.length === 0)
		await page.waitForTimeout(20);
	await page.evaluate(() => {
		Object.defineProperty(document, 'hidden', { value: true,
			configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));
	});
	await heard();
	asked = [];
	await page.waitForTimeout(5600);
	await heard();
	assert.deepEqual(asked, []);
	const before = (await times()).length;
	await page.evaluate(() => {
		delete document.hidden;
		document.dispatchEvent(new Event('visibilitychange'));
	});
	while ((await times()).length === before)
		await page.waitForTimeout(20);
	await heard();
	const [once, ...more] = (await times()).slice(before);
	assert.ok(more.every((at) => at - once > 3000));
	await done(page);
});

test('a gateway without /route hides the panel', async () => {
	const page = await open(server, { path: '/#usage', allow: [/404/],
		init: (p) => p.route('**/route?*', (r) => r.fulfill({ status: 404,
			json: { error: { message: 'no', type: 'x', param: null,
				code: 'unknown_url' } } })) });

	await page.locator('.provider').first().waitFor();
	assert.equal(await page.locator('.router').isVisible(), false);
	await done(page);
});

test('a gateway that went away: the last figures stay', async () => {
	const page = await open(server, { path: '/#usage',
		allow: [/ERR_|Failed to load/] });

	await page.locator('.provider').first().waitFor();
	await page.route('**/usage?history=1', (r) => r.abort());
	await page.getByText('could not be refreshed').waitFor();
	assert.ok(await page.locator('.provider').count() > 0);
	await done(page);
});

test('no gateway: stopped, or not mounted; and there it is again', async () => {
	const page = await open(server, { allow: [/Failed to load|404/],
		load: false, model: 'groq/llama' });
	const notes = page.locator('#notes');

	for (const path of ['health', 'models'])
		await page.route(`${server.url}/${path}`, (r) => r.abort());
	await page.goto(server.url);
	await notes.getByText('The gateway does not answer').waitFor();
	/* An answer says that it is back. */
	await page.unrouteAll();
	await ask(page, 'hello');
	await notes.locator('.note').waitFor({ state: 'detached' });
	/* As a web server that has the page and no more. */
	for (const path of ['health', 'models', 'chat'])
		await page.route(`${server.url}/${path}`, (r) => r.fulfill({
			status: path === 'chat' ? 200 : 404,
			contentType: 'text/html', body: '<h1>It works!</h1>' }));
	await page.reload();
	await notes.getByText('its routes are not mounted').waitFor();
	assert.equal(await notes.locator('.note').count(), 1);
	await ask(page, 'hello');
	await answer(page).getByText('Something else than the gateway answered')
		.waitFor();
	assert.match(await answer(page).innerText(), /200 foreign/);
	await done(page);
});

test('a token is asked for, kept here only, and sent', async () => {
	const guarded = await serve('token');
	const page = await open(guarded, { allow: [/401/] });
	const heads = [];

	await page.locator('#notes').getByText('asks for an access token').waitFor();
	await shot(page, 'token');
	await page.click('#to-board');
	await page.locator('#board').getByRole('button',
		{ name: 'Enter the token' }).waitFor();
	await page.click('#to-chat');
	await page.locator('#notes').getByRole('button',
		{ name: 'Enter the token' }).click();
	await page.fill('[name=token]', 'wrong');
	await page.keyboard.press('Enter');
	await page.locator('#notes').getByText('does not take this access token')
		.waitFor();
	assert.equal(await page.locator('#notes .note').count(), 1);
	await ask(page, 'x');
	await answer(page).getByText('The access token is missing or wrong')
		.waitFor();
	await answer(page).getByRole('button', { name: 'Enter the token' })
		.click();
	page.on('request', (r) => heads.push([new URL(r.url()).pathname,
		r.headers().authorization ?? '']));
	await page.fill('[name=token]', guarded.token);
	await page.keyboard.press('Enter');
	await answer(page).getByRole('button', { name: 'Try again' }).click();
	await prose(page).getByText('w1').waitFor();
	await over(page);
	await page.locator('#notes .note').waitFor({ state: 'detached' });
	assert.ok(heads.some(([path]) => path === '/chat'));
	for (const [path, head] of heads)
		assert.equal(head, `Bearer ${guarded.token}`, path);
	assert.ok(!page.url().includes(guarded.token));
	await answer(page).getByRole('button', { name: 'Copy as curl' }).click();
	const curl = await clip(page, /^curl /);
	assert.ok(curl.includes('$RELEVO_TOKEN'));
	assert.ok(!curl.includes(guarded.token));
	const [file] = await (async () => {
		await page.click('#open-settings');
		return Promise.all([page.waitForEvent('download'),
			page.getByRole('button', { name: 'Export all' }).click()]);
	})();
	const { readFileSync } = await import('node:fs');
	assert.ok(!readFileSync(await file.path(), 'utf8')
		.includes(guarded.token));
	await page.getByRole('button', { name: 'Forget it' }).click();
	await page.keyboard.press('Escape');
	await page.locator('#notes').getByText('asks for an access token').waitFor();
	assert.equal(await page.evaluate((token) =>
		JSON.stringify(localStorage).includes(token), guarded.token), false);
	await done(page);
});

test('a first run without keys: a demo, and what to do next', async () => {
	const demo = await serve('demo');
	const page = await open(demo);

	await page.getByText('This is a demo').waitFor();
	assert.match(await page.locator('#notes .note').innerText(), /GROQ_API_KEY/);
	await ask(page, 'Hello demo', { wait: false });
	await prose(page).getByText('Hello demo').waitFor({ timeout: 30000 });
	await page.locator('.turn:last-child .answer:not(.live)')
		.waitFor({ timeout: 30000 });
	await accessible(page, 'demo');
	await shot(page, 'demo');
	await done(page);
	const es = await open(demo, { lang: 'es' });
	await es.getByText('Esto es una demo').waitFor();
	await shot(es, 'demo-es');
	await done(es);
});
