// The page's main journeys in the engines that the other tests do not use:
// Firefox, and WebKit as WebKitGTK has it, Safari's nearest relative on Linux.
// Those named as arguments, else both.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync }
	from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { known, open } from './drive.mjs';
import { OUT, script, sent, serve, stop, until, value }
	from './servers.mjs';

// -- The page, watched --------------------------------------------------------

/* WebDriver does not tell what is on the console: the page that is served keeps
 * it, by a script before all others. */
const watch = () => {
	const keep = (text) => sessionStorage.setItem('wrong', JSON.stringify([
		...JSON.parse(sessionStorage.getItem('wrong') ?? '[]'), text]));

	for (const name of ['error', 'warn']) {
		const say = console[name];

		console[name] = (...args) => {
			keep(`console: ${args.join(' ')}`);
			say(...args);
		};
	}
	addEventListener('error', (e) => keep(`script: ${e.message ||
		e.target.src || e.target.href}`), true);
	addEventListener('unhandledrejection', (e) =>
		keep(`promise: ${e.reason}`));
	document.addEventListener('securitypolicyviolation', (e) =>
		keep(`policy: ${e.violatedDirective} ${e.blockedURI}`));
};

function watched() {
	const dir = mkdtempSync(join(tmpdir(), 'relevo-htdocs.'));
	const index = join(dir, 'index.html');

	cpSync(fileURLToPath(new URL('../../htdocs', import.meta.url)), dir,
		{ recursive: true });
	writeFileSync(join(dir, 'watch.js'), `(${watch})();\n`);
	writeFileSync(index, readFileSync(index, 'utf8').replace('<title>',
		'<script src="watch.js"></script>\n<title>'));
	return dir;
}

const htdocs = watched();
const opened = [];
let server;

async function leave() {
	for (const page of opened.splice(0))
		await page.close();
}

/* Of each journey its own: what a provider refuses, relevo remembers. */
beforeEach(async () => { server = await serve('', { HTDOCS: htdocs }); });
afterEach(async () => {
	await leave();
	await stop();
});
after(() => rmSync(htdocs, { recursive: true, force: true }));

/* A page of a fresh device at url, with the model chosen; allow: what it may
 * complain of. */
async function visit(engine, { url = server.url, path = '/', model = '',
	allow = [], ...o } = {}) {
	const page = await open(engine, o);

	opened.push(page);
	page.allow = allow;
	await page.go(`${url}/watch.js`);
	await page.eval((name) => localStorage.setItem('relevo:/:model', name),
		model);
	await page.go(url + path);
	await page.until(() => !document.querySelector('#model .name')
		.textContent.includes('/'));
	return page;
}

async function done(page) {
	const wrong = [...page.wrong, ...await page.eval(() =>
		JSON.parse(sessionStorage.getItem('wrong') ?? '[]'))];
	const { allow } = page;

	await leave();
	assert.deepEqual(wrong.filter((text) =>
		!allow.some((re) => re.test(text))), []);
}

const over = (page) => page.until(() => document.querySelector(
	'.turn:last-child .answer:not(.live) .tools:not([hidden])'));

async function ask(page, text) {
	await page.click('#message');
	await page.type(text);
	await page.press('Enter');
}

const LAST = '.turn:last-child .answer';
const gate = (name, n) => fetch(`${server.mock}/_mock/gate?name=${name}&n=${n}`,
	{ method: 'POST' });
const shot = (page, engine, name) => page.shot(join(OUT,
	`${engine}-${name}.png`));
const focused = (page) => page.eval(() => document.activeElement.id);

/* Until the conversations that the page keeps have the text, as JSON. */
const kept = (page, text) => page.until(async (want) => {
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

/* Nothing wider than the window. */
const fits = async (page, what) => assert.equal(await page.eval(() =>
	document.documentElement.scrollWidth > innerWidth), false, what);

/* The page's server, with a wire that can be cut. */
async function wire(to) {
	const { port } = new URL(to);
	const ends = new Set();
	const relay = createServer((near) => {
		const far = connect(port, '127.0.0.1');

		for (const [a, b] of [[near, far], [far, near]]) {
			ends.add(a);
			a.pipe(b);
			a.on('error', () => {});
			a.on('close', () => {
				ends.delete(a);
				b.destroy();
			});
		}
	});
	let own = 0;
	const mend = () => new Promise((up) => relay.listen(own, '127.0.0.1',
		up));

	await mend();
	own = relay.address().port;
	return { url: `http://127.0.0.1:${own}`, mend, cut: () => {
		relay.close();
		for (const socket of ends)
			socket.destroy();
	} };
}

const SAMPLE = `A list:

1. **Bold** and \`code\`
2. A [link](https://example.org/)
   - below

> A quotation

| window | limit |
|---|---:|
| minute | 30 |

\`\`\`python
def greet(name: str) -> str:
    return f"Hello, {name}!"
\`\`\`

${'long'.repeat(80)}

مرحبا بالعالم! هذا نص طويل.

- واحد
- اثنان

👩‍👩‍👧 ✅ That is all.
`;

// -- The journeys -------------------------------------------------------------

const journeys = {};

journeys['a first visit: ask, read as it comes, reload'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama' });

	await page.see('#hello', 'What shall we talk about?');
	await page.until(() => document.activeElement.id === 'message');
	await shot(page, engine, 'empty');
	await script(server, 'llama', `reasoning=3,gate=a,usage=12:34,text=${
		value(SAMPLE)}`);
	await page.type('Show me');
	await page.press('Enter');
	await page.see(`${LAST} .waiting`);
	await gate('a', 12);
	await page.see(`${LAST} .prose ol`, 'Bold');
	assert.equal(await page.eval(() => document.title),
		'Show me · relevo');
	await gate('a', 999);
	await over(page);
	await page.see('.hljs-keyword');
	for (const [tag, n] of [['strong', 1], ['table', 1], ['.code', 1],
		['blockquote', 1], ['li', 5]])
		assert.equal(await page.eval((s) => document.querySelectorAll(
			`.prose ${s}`).length, tag), n, tag);
	assert.match(await page.text(`${LAST} .meta`),
		/groq[^]*llama[^]*12 \+ 34/);
	await fits(page, 'an answer');
	await shot(page, engine, 'answer');
	await page.until(() => document.activeElement.id === 'message');
	await kept(page, '"end":"whole"');
	await page.reload();
	await page.see('.prose table');
	await page.see('#side .talk-open', 'Show me');
	await done(page);
};

journeys['stop, go on, answer again, the versions'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama' });

	await script(server, 'llama', 'text=half ,silence=1', 1);
	await page.until(() => document.activeElement.id === 'message');
	await page.type('Tell');
	await page.press('Enter');
	await page.see(`${LAST} .prose`, 'half');
	await page.press('Escape');
	await over(page);
	await page.see(`${LAST} .remark`, 'Stopped');
	await until(server, 'llama', 'aborted');
	await script(server, 'llama', 'text=and whole', 1);
	await page.click(`${LAST} .remark button`, 'Go on from here');
	await page.see(`${LAST} .prose`, 'half and whole');
	await over(page);
	await script(server, 'llama', 'text=all anew');
	await page.click(`${LAST} .tools button`, 'Answer again');
	await page.see(`${LAST} .versions`, '3/3');
	await over(page);
	await page.click(`${LAST} .tools button`, 'Previous answer');
	await page.see(`${LAST} .prose`, 'half and whole');
	await done(page);
};

journeys['a cut answer, and nobody who has room'] = async (engine) => {
	const page = await visit(engine, { model: 'duo', allow: [/429/] });

	for (const model of ['llama', 'gpt-oss'])
		await script(server, model, 'text=half of it,cut=2', 1);
	await ask(page, 'Cut');
	await page.see(`${LAST} .trouble.cut`, 'This answer is cut');
	await shot(page, engine, 'cut');
	for (const model of ['llama', 'gpt-oss'])
		await script(server, model, 'status=429,retry-after=300');
	await page.click(`${LAST} .trouble button`, 'Try again');
	await page.see(`${LAST} .trouble`, 'The limit is reached for now');
	await page.see(`${LAST} .wait`, 'Try again in');
	await fits(page, 'trouble');
	await shot(page, engine, '429');
	await done(page);
};

journeys['a wire that breaks in an answer, or before'] = async (engine) => {
	const line = await wire(server.url);
	const page = await visit(engine, { url: line.url, model: 'groq/llama',
		allow: [/./] });

	await script(server, 'llama', 'text=half ,silence=1', 1);
	await ask(page, 'One');
	await page.see(`${LAST} .prose`, 'half');
	line.cut();
	await page.see(`${LAST} .trouble.cut`, 'This answer is cut');
	await shot(page, engine, 'wire');
	await ask(page, 'Two');
	await page.see(`${LAST} .trouble`, 'The gateway cannot be reached');
	/* in the words of the page, none of the engine's */
	assert.equal(await page.eval(() =>
		document.querySelectorAll('.trouble .said').length), 0);
	await page.see('#notes', 'The gateway does not answer');
	await shot(page, engine, 'no-network');
	await line.mend();
	await script(server, 'llama', 'text=there again');
	await page.click(`${LAST} .trouble button`, 'Try again');
	await page.see(`${LAST} .prose`, 'there again');
	await page.until(() => document.querySelector('#notes .note') === null);
	await done(page);
	line.cut();
};

journeys['left in the middle of an answer'] = async (engine) => {
	const page = await visit(engine, { model: 'cutleft/left' });

	await script(server, 'left', 'text=a beginning and,silence=3', 1);
	await ask(page, 'Long');
	await page.see(`${LAST} .prose`, 'a beginning and');
	await kept(page, '"text":"Long"');
	await page.reload();
	await page.see(`${LAST} .trouble`, 'The page was left');
	await shot(page, engine, 'left');
	await done(page);
};

journeys['two tabs'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama' });
	const other = await page.tab();

	await other.go(server.url);
	await other.see('#hello');
	await page.eval(() => document.querySelector('#hello button').click());
	await over(page);
	await other.see('#side .talk-open', 'Explain how');
	await done(page);
};

journeys['an access token'] = async (engine) => {
	const guarded = await serve('token', { HTDOCS: htdocs });
	const page = await visit(engine, { url: guarded.url, allow: [/401/] });

	await page.see('#notes', 'asks for an access token');
	await shot(page, engine, 'token');
	await page.click('#notes button', 'Enter the token');
	await page.until(() => document.activeElement.name === 'token');
	await page.type('wrong');
	await page.press('Enter');
	await page.see('#notes', 'does not take this access token');
	await ask(page, 'Hi');
	await page.see(`${LAST} .trouble`,
		'The access token is missing or wrong');
	await shot(page, engine, 'token-wrong');
	await page.click(`${LAST} .trouble button`, 'Enter the token');
	await page.until(() => document.activeElement.name === 'token');
	await page.press('Control+A');
	await page.type(guarded.token);
	await page.press('Enter');
	await page.click(`${LAST} .trouble button`, 'Try again');
	await page.see(`${LAST} .prose`, 'w1 w2');
	await done(page);
};

journeys['the keyboard does it all'] = async (engine) => {
	const page = await visit(engine);

	await page.until(() => document.activeElement.id === 'message');
	await page.press('Control+Shift+M');
	await page.until(() => document.activeElement.matches('#picker input'));
	await shot(page, engine, 'picker');
	await page.type('llama');
	await page.press('Enter');
	/* what is typed next is the question */
	await page.until(() => document.activeElement.id === 'message');
	await page.type('a');
	await page.press('Shift+Enter');
	await page.type('b');
	await page.press('Enter');
	await over(page);
	assert.equal((await sent(server, 'llama')).messages[0].content, 'a\nb');
	await page.press('Control+/');
	await page.see('#keys[open]');
	await shot(page, engine, 'keys');
	await page.press('Escape');
	await page.until(() => !document.querySelector('#keys').open);
	await page.press('Control+B');
	await page.until(() => document.querySelector('.app.closed'));
	await page.press('Control+B');
	await page.press('Control+K');
	await page.until(() => document.activeElement.type === 'search');
	await page.type('nowhere');
	await page.see('#side .none', 'Nothing');
	await page.press('Escape');
	await page.see('#side .talk-open', 'a');
	await page.press('Control+Shift+G');
	await page.see('.provider', 'groq');
	await page.press('Control+Shift+G');
	await page.see('#chat');
	await page.press('Control+Shift+O');
	await page.see('#hello');
	assert.equal(await focused(page), 'message');
	/* where the focus is can be seen */
	for (let i = 0; i < 6; i++) {
		await page.press('Shift+Tab');
		assert.notEqual(await page.eval(() => getComputedStyle(
			document.activeElement).outlineStyle), 'none');
	}
	await shot(page, engine, 'focus');
	await done(page);
};

journeys['settings, and Spanish'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama' });

	await page.click('#open-settings');
	await page.see('#settings[open]');
	await page.click('[name=system]');
	await page.type('Be brief.');
	await page.click('[name=temperature]');
	await page.type('0.3');
	await shot(page, engine, 'settings');
	/* what stands side by side is equally high */
	const heights = await page.eval(() => [...document.querySelectorAll(
		'.fields select, .fields input')].map((n) =>
		Math.round(n.getBoundingClientRect().height)));
	assert.equal(new Set(heights).size, 1, heights.join());
	await page.click('#settings [type=submit]');
	await ask(page, 'Hi');
	await over(page);
	const body = await sent(server, 'llama');
	assert.equal(body.messages[0].content, 'Be brief.');
	assert.equal(body.temperature, 0.3);
	await page.eval(() => localStorage.setItem('relevo:/:language', 'es'));
	await page.reload();
	await page.until(() => document.documentElement.lang === 'es');
	await page.see(`${LAST} .meta`, 'al primer token');
	await done(page);
};

journeys['the dashboard'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama', height: 1400 });

	await ask(page, 'Hi');
	await over(page);
	await page.click('#to-board');
	await page.see('.provider', 'groq');
	await page.see('.plot canvas');
	await page.see('.order', 'groq/llama');
	await fits(page, 'the dashboard');
	await shot(page, engine, 'board');
	await done(page);
};

for (const theme of ['light', 'dark'])
	journeys[`the system's theme: ${theme}`] = async (engine) => {
		const page = await visit(engine, { theme,
			model: 'groq/llama' });
		const is = (name) => page.until((rgb) => getComputedStyle(
			document.body).backgroundColor === rgb,
		{ light: 'rgb(251, 251, 250)', dark: 'rgb(19, 21, 22)' }[name]);

		await is(theme);
		await script(server, 'llama', 'text=' + value(SAMPLE));
		await ask(page, 'Hi');
		await over(page);
		await shot(page, engine, `theme-${theme}`);
		const other = theme === 'light' ? 'dark' : 'light';
		await page.eval((name) => localStorage.setItem('relevo:/:theme',
			name), other);
		await page.reload();
		await is(other);
		await page.see('.prose table');
		await shot(page, engine, `theme-${theme}-${other}`);
		await done(page);
	};

for (const [what, o] of [['a phone', { width: 360, height: 740 }],
	['a zoom of 200 %', { width: 640, height: 410, zoom: 2 }]])
	journeys[`the width of ${what}`] = async (engine) => {
		const name = what.split(' ')[1];
		const page = await visit(engine, { ...o, model: 'groq/llama' });

		await shot(page, engine, `${name}-empty`);
		await script(server, 'llama', 'text=' + value(SAMPLE));
		await ask(page, 'Show me');
		await over(page);
		await fits(page, 'an answer');
		await shot(page, engine, `${name}-answer`);
		await page.click('#open-side');
		await page.see('#side .talk-open', 'Show me');
		await shot(page, engine, `${name}-side`);
		await page.click('#close-side');
		await page.click('#model');
		await page.see('#picker .option');
		assert.equal(await page.eval(() => {
			const r = document.querySelector('#picker')
				.getBoundingClientRect();

			return r.left >= 0 && r.right <= innerWidth &&
				r.bottom <= innerHeight;
		}), true);
		await shot(page, engine, `${name}-picker`);
		await page.press('Escape');
		await page.click('#open-settings');
		await fits(page, 'settings');
		await shot(page, engine, `${name}-settings`);
		await page.press('Escape');
		await page.click('#to-board');
		await page.see('.provider', 'groq');
		await page.see('.plot canvas');
		await fits(page, 'the dashboard');
		await shot(page, engine, `${name}-board`);
		await done(page);
	};

journeys['less motion where it is wished'] = async (engine) => {
	const page = await visit(engine, { motion: 'reduce',
		model: 'groq/llama' });

	await script(server, 'llama', 'text=x,gate=d');
	await ask(page, 'Hi');
	await page.see(`${LAST} .waiting`);
	assert.equal(await page.eval(() => getComputedStyle(
		document.querySelector('.waiting i')).animationName), 'none');
	await page.press('Escape');
	await over(page);
	await done(page);
};

journeys['an answer of 200 KB'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama' });
	const part = (i) => `## Part ${i}\n\n${'Some **words** of a text. '
		.repeat(20)}\n\n\`\`\`js\nlet a = ${i};\n\`\`\`\n\n`;
	const text = Array.from({ length: 360 }, (_, i) => part(i)).join('');

	assert.ok(text.length > 190000);
	await script(server, 'llama', 'text=' + value(text));
	await ask(page, 'All of it');
	await over(page);
	/* no text is looked for: that would be most of the page's time */
	const whole = () => page.until(() =>
		document.querySelectorAll('.prose h2').length === 360);
	await whole();
	/* the view is at its end */
	await page.until(() => {
		const s = document.querySelector('#scroller');

		return s.scrollHeight - s.scrollTop - s.clientHeight < 40;
	});
	await kept(page, '"end":"whole"');
	await page.reload();
	await whole();
	await done(page);
};

journeys['from right to left'] = async (engine) => {
	const page = await visit(engine, { model: 'groq/llama' });
	const way = (selector) => page.eval((s) => getComputedStyle(
		document.querySelector(s)).direction, selector);

	await script(server, 'llama', 'text=' + value(SAMPLE));
	await ask(page, 'مرحبا');
	await over(page);
	assert.equal(await way('.asked p'), 'rtl');
	assert.equal(await way('.prose > p:first-child'), 'ltr');
	assert.equal(await way('.prose > ul:last-of-type'), 'rtl');
	assert.equal(await way('.code pre'), 'ltr');
	await page.eval(() => document.querySelector('.prose > ul:last-of-type')
		.scrollIntoView());
	await shot(page, engine, 'rtl');
	await done(page);
};

const wanted = Object.keys(known).filter((e) =>
	process.argv.length < 3 || process.argv.includes(e));
const there = wanted.filter((e) => known[e].length === 0);

for (const engine of there)
	for (const [name, journey] of Object.entries(journeys))
		test(`${engine}: ${name}`, () => journey(engine));

/* What was not run has not passed. */
process.on('exit', () => {
	for (const engine of wanted.filter((e) => !there.includes(e))) {
		console.log(`NOT RUN: ${engine}: not installed: ` +
			known[engine].join(', '));
		process.exitCode = 1;
	}
	if (wanted.length === 0) {
		console.log(`NOT RUN: there are ${Object.keys(known)}`);
		process.exitCode = 1;
	}
});
