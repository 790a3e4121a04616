// The chat in a real browser, against relevo behind lighttpd and the mock
// provider.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { accessible, answer, ask, clip, close, done, forget, kept, open, over,
	pick, prose, real, script, sent, serve, shot, until, value } from './kit.mjs';

let server;

before(async () => { server = await serve(); });
beforeEach(() => forget(server));
after(close);

const LLAMA = { model: 'groq/llama' };

test('an answer streams, and says who, how fast, how many', async () => {
	const page = await open(server, LLAMA);

	await script(server, 'llama', 'text=Hello there from the mock,gate=a,' +
		'usage=12:34');
	await ask(page, 'Hi', { wait: false });
	await answer(page).locator('.waiting').waitFor();
	await fetch(`${server.mock}/_mock/gate?name=a&n=2`, { method: 'POST' });
	await prose(page).getByText('Hello there').waitFor();
	assert.equal(await page.title(), 'Hi · relevo');
	assert.equal(await page.locator('#send').getAttribute('aria-label'),
		'Stop');
	await new Promise((r) => setTimeout(r, 150));
	await fetch(`${server.mock}/_mock/gate?name=a&n=9`, { method: 'POST' });
	await over(page);
	assert.equal((await prose(page).innerText()).trim(),
		'Hello there from the mock');
	const meta = await answer(page).locator('.meta').innerText();
	for (const part of [/groq/, /llama/, /s to first token/, /tokens\/s/,
		/12 \+ 34 tokens/])
		assert.match(meta, part);
	assert.match(await page.locator('#live').innerText(),
		/Answer from groq: Hello there from the mock/);
	await done(page);
});

test('stop: the text stays, the provider is told, retry answers', async () => {
	const page = await open(server, LLAMA);

	await script(server, 'llama', 'text=one two three,gate=b', 1);
	await ask(page, 'Count', { wait: false });
	await fetch(`${server.mock}/_mock/gate?name=b&n=2`, { method: 'POST' });
	await prose(page).getByText('one two').waitFor();
	await page.keyboard.press('Escape');
	await over(page);
	assert.match(await answer(page).innerText(), /Stopped/);
	await until(server, 'llama', 'aborted');
	await script(server, 'llama', 'text=all of it');
	await answer(page).getByRole('button', { name: 'Answer again' }).click();
	await prose(page).getByText('all of it').waitFor();
	await over(page);
	await answer(page).getByText('2/2').waitFor();
	await answer(page).getByRole('button', { name: 'Previous answer' })
		.click();
	await prose(page).getByText('one two').waitFor();
	await done(page);
});

test('go on from a stopped answer', async () => {
	const page = await open(server, LLAMA);

	await script(server, 'llama', 'text=half ,silence=1', 1);
	await ask(page, 'Tell', { wait: false });
	await prose(page).getByText('half').waitFor();
	await page.keyboard.press('Escape');
	await over(page);
	await script(server, 'llama', 'text=and whole');
	await page.getByRole('button', { name: 'Go on from here' }).click();
	await prose(page).getByText('half and whole').waitFor();
	await over(page);
	const { messages } = await sent(server, 'llama');
	assert.deepEqual(messages.map((m) => m.role),
		['user', 'assistant', 'user']);
	assert.equal(messages[1].content.trim(), 'half');
	await done(page);
});

test('the path of an answer: groq 429, then cerebras', async () => {
	const page = await open(server, { model: 'duo' });

	await script(server, 'llama', 'status=429,retry-after=1');
	await script(server, 'gpt-oss', 'text=from the other');
	/* in turn: one of two begins with groq */
	for (let i = 0; i < 2; i++) {
		await ask(page, 'Who?');
		if (await answer(page).locator('.path').count() > 0)
			break;
	}
	assert.equal(await answer(page).locator('.path')
		.getAttribute('aria-label'), 'Tried: groq 429 → cerebras');
	await shot(page, 'chat-fallback');
	await done(page);
});

test('nobody has room: why, until when, counting down', async () => {
	const page = await open(server, { model: 'gemini/rare',
		allow: [/429/] });

	await ask(page, 'one');
	await ask(page, 'two');
	await ask(page, 'three');
	const box = answer(page).locator('.trouble');
	assert.match(await box.innerText(), /The limit is reached for now/);
	assert.match(await box.innerText(), /429 rate_limit_exceeded/);
	const left = await box.locator('.wait').innerText();
	assert.match(left, /^Try again in \d/);
	await page.waitForFunction((had) => document.querySelector(
		'.turn:last-child .wait').textContent !== had, left);
	await shot(page, 'chat-429');
	/* an earlier failure shows no buttons any more, its words stay */
	await kept(page, '"code":"rate_limit_exceeded"');
	await page.reload();
	await box.locator('.wait').waitFor();
	await done(page);
});

test('a short countdown ends, and retry then answers', async () => {
	const page = await open(server, { model: 'gemini/flash',
		allow: [/429/] });

	await script(server, 'flash', 'status=429,retry-after=2', 1);
	await ask(page, 'soon');
	await answer(page).getByText('You can try again now')
		.waitFor({ timeout: 30000 });
	await answer(page).getByRole('button', { name: 'Try again' }).click();
	await prose(page).getByText('w1').waitFor();
	await over(page);
	assert.equal(await answer(page).locator('.versions').count(), 0);
	await done(page);
});

test('a cut answer is marked as cut and made anew by retry', async () => {
	const page = await open(server, { model: 'duo' });

	await script(server, 'llama', 'text=half of it,cut=2');
	await script(server, 'gpt-oss', 'text=half of it,cut=2');
	await ask(page, 'Cut');
	assert.match(await answer(page).locator('.trouble.cut').innerText(),
		/This answer is cut/);
	await script(server, 'llama', 'text=now whole');
	await script(server, 'gpt-oss', 'text=now whole');
	await answer(page).getByRole('button', { name: 'Try again' }).click();
	await prose(page).getByText('now whole').waitFor();
	await over(page);
	await done(page);
});

test('edit and resend replaces what came after', async () => {
	const page = await open(server, LLAMA);

	await ask(page, 'first');
	await ask(page, 'second');
	const first = page.locator('.turn').first();
	await first.hover();
	await first.getByRole('button', { name: 'Edit' }).click();
	await first.locator('textarea').fill('first, better');
	await page.keyboard.press('Enter');
	await over(page);
	assert.equal(await page.locator('.turn').count(), 1);
	assert.deepEqual((await sent(server, 'llama')).messages,
		[{ role: 'user', content: 'first, better' }]);
	/* the arrow in an empty box edits the last one */
	await page.focus('#message');
	await page.keyboard.press('ArrowUp');
	await page.locator('.edit textarea').waitFor();
	await page.keyboard.press('Escape');
	assert.equal(await page.locator('.edit').count(), 0);
	await done(page);
});

test('settings are sent, and only those that are set', async () => {
	const page = await open(server, LLAMA);

	await page.click('#open-settings');
	await page.fill('[name=system]', 'Be brief.');
	await page.fill('[name=temperature]', '0.3');
	await page.fill('[name=maxtokens]', '77');
	await page.selectOption('[name=effort]', 'low');
	await shot(page, 'settings-light');
	await page.getByRole('button', { name: 'Done' }).click();
	await page.locator('#own').waitFor();
	await ask(page, 'Hi');
	const body = await sent(server, 'llama');
	assert.deepEqual(body.messages[0],
		{ role: 'system', content: 'Be brief.' });
	assert.equal(body.temperature, 0.3);
	assert.equal(body.max_tokens, 77);
	assert.equal(body.reasoning_effort, 'low');
	for (const name of ['top_p', 'seed', 'presence_penalty'])
		assert.ok(!(name in body), name);
	await done(page);
});

test('reload keeps the conversation; search, rename, delete, undo',
	async () => {
	const page = await open(server, LLAMA);
	const side = page.locator('#side');
	const names = () => side.locator('.talk-open .title').allInnerTexts();

	await script(server, 'llama', 'text=the word is xylophone', 1);
	await ask(page, 'First question');
	await kept(page, '"end":"whole"');
	await page.reload();
	await prose(page).getByText('xylophone').waitFor();
	assert.match(await answer(page).locator('.meta').innerText(), /groq/);
	await page.keyboard.press('Control+Shift+O');
	await page.locator('#hello').waitFor();
	await ask(page, 'Second question');
	assert.deepEqual(await names(), ['Second question', 'First question']);
	await page.keyboard.press('Control+k');
	await page.keyboard.type('xylo');
	await page.waitForFunction(() =>
		document.querySelectorAll('.talk-open').length === 1);
	assert.deepEqual(await names(), ['First question']);
	await page.keyboard.press('Escape');
	await side.getByText('First question').click();
	await prose(page).getByText('xylophone').waitFor();
	const item = side.locator('li', { hasText: 'First question' });
	await item.getByRole('button', { name: 'Rename' }).click();
	await page.keyboard.type('Music');
	await page.keyboard.press('Enter');
	await side.getByText('Music').waitFor();
	const music = side.locator('li', { hasText: 'Music' });
	await music.hover();
	await music.getByRole('button', { name: 'Delete' }).click();
	await page.locator('#hello').waitFor();
	await music.waitFor({ state: 'detached' });
	assert.deepEqual(await names(), ['Second question']);
	await page.getByRole('button', { name: 'Undo' }).click();
	await side.getByText('Music').waitFor();
	await done(page);
});

test('an answer under way goes on while another chat is shown', async () => {
	const page = await open(server, LLAMA);

	await script(server, 'llama', 'text=slow but sure,gate=c', 1);
	await ask(page, 'Slow one', { wait: false });
	await answer(page).locator('.waiting').waitFor();
	/* the script is for the first that comes */
	await until(server, 'llama', 'requests');
	await page.click('#new-chat');
	await page.locator('.pulse').waitFor();
	await ask(page, 'Quick one');
	await page.waitForFunction(() =>
		document.querySelectorAll('.pulse').length === 1);
	await fetch(`${server.mock}/_mock/gate?name=c&n=9`, { method: 'POST' });
	await page.waitForFunction(() =>
		document.querySelectorAll('.pulse').length === 0);
	await page.locator('#side').getByText('Slow one').click();
	await prose(page).getByText('slow but sure').waitFor();
	await done(page);
});

test('left in the middle: what was there is kept, and marked', async () => {
	const page = await open(server, { model: 'cutleft/left' });

	await script(server, 'left', 'text=a beginning and,silence=3', 1);
	await ask(page, 'Long', { wait: false });
	await prose(page).getByText('a beginning and').waitFor();
	await kept(page, '"text":"Long"');
	await page.reload();
	await answer(page).locator('.trouble').waitFor();
	assert.match(await answer(page).innerText(), /The page was left/);
	await done(page);
});

test('export and import', async () => {
	const page = await open(server, LLAMA);

	await ask(page, 'Keep me');
	await page.click('#open-settings');
	const [file] = await Promise.all([page.waitForEvent('download'),
		page.getByRole('button', { name: 'Export all' }).click()]);
	const path = await file.path();
	await page.keyboard.press('Escape');

	const other = await open(server, LLAMA);
	await other.click('#open-settings');
	await other.setInputFiles('[name=file]', path);
	await other.getByText('Conversations taken over: 1').waitFor();
	await other.setInputFiles('[name=file]', { name: 'x.json',
		mimeType: 'application/json', buffer: Buffer.from('{"kind":1}') });
	await other.getByText('That file has no conversations').waitFor();
	await other.keyboard.press('Escape');
	await other.locator('#side').getByText('Keep me').click();
	await prose(other).getByText('w1 w2').waitFor();
	await done(other);
	await done(page);
});

test('copy: the answer, the code, the request as curl', async () => {
	const page = await open(server, LLAMA);

	await script(server, 'llama', 'text=' + value(
		'Say "it\'s":\n\n```python\nprint("it\'s")\n```\n'));
	await ask(page, "it's me");
	await answer(page).getByRole('button', { name: 'Copy', exact: true })
		.click();
	await clip(page, /^print\("it's"\)\s*$/);
	await answer(page).getByRole('button', { name: 'Copy answer' }).click();
	await clip(page, /^Say "it's":\s+```python/);
	await answer(page).getByRole('button', { name: 'Copy as curl' }).click();
	const command = await clip(page, /^curl /);
	const { execFileSync } = await import('node:child_process');
	const got = execFileSync('sh', ['-c', command], { encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'ignore'] });
	assert.match(got, /data: \[DONE\]/);
	assert.equal((await sent(server, 'llama')).messages[0].content,
		"it's me");
	await done(page);
});

const PIXEL = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADU' +
	'lEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

test('a pasted picture goes to a model that sees, to no other', async () => {
	const page = await open(server, LLAMA);
	const paste = () => page.evaluate((bytes) => {
		const data = new DataTransfer();

		data.items.add(new File([Uint8Array.from(bytes)], 'p.png',
			{ type: 'image/png' }));
		document.querySelector('#message').dispatchEvent(
			new ClipboardEvent('paste', { clipboardData: data,
				bubbles: true, cancelable: true }));
	}, [...PIXEL]);

	await paste();
	await page.locator('.picture').waitFor();
	assert.match(await page.locator('#box-note').innerText(),
		/cannot see pictures/);
	await page.click('#model');
	await page.locator('#picker input:focus').waitFor();
	await page.keyboard.type('flash');
	await page.keyboard.press('Enter');
	await page.locator('#box-note').waitFor({ state: 'hidden' });
	await ask(page, 'What is it?');
	const { messages } = await sent(server, 'flash');
	assert.equal(messages[0].content[0].text, 'What is it?');
	assert.match(messages[0].content[1].image_url.url,
		/^data:image\/png;base64,iVBOR/);
	assert.equal(await page.locator('.asked img').count(), 1);
	await done(page);
});

test('reasoning is folded', async () => {
	const page = await open(server, { model: 'cerebras/gpt-oss' });

	await script(server, 'gpt-oss', 'reasoning=5,text=The answer');
	await ask(page, 'Think');
	const think = answer(page).locator('details.think');
	assert.equal(await think.getAttribute('open'), null);
	await think.locator('summary').click();
	assert.ok((await think.locator('.thought').innerText()).length > 5);
	assert.equal((await prose(page).innerText()).trim(), 'The answer');
	await done(page);
});

test('the picker: room, search, keyboard', async () => {
	const page = await open(server);

	await ask(page, 'Hi');
	await pick(page);
	const list = page.locator('#models');
	await list.getByText('requests left').first().waitFor();
	for (const name of ['auto', 'duo', 'llama', 'flash'])
		assert.ok(await list.locator('.option-name', { hasText: name })
			.count() > 0, name);
	await page.waitForTimeout(100);
	await shot(page, 'picker-light');
	await page.keyboard.type('sees');
	await page.keyboard.press('Control+a');
	await page.keyboard.type('duo');
	await page.keyboard.press('Enter');
	assert.equal(await page.locator('#model .name').innerText(), 'duo');
	/* what is typed next is the question */
	await page.locator('#message:focus').waitFor();
	await page.reload();
	await page.locator('#model .name', { hasText: /^duo$/ }).waitFor();
	await done(page);
});

test('Spanish by the browser, English by choice, and back', async () => {
	const page = await open(server, { ...LLAMA, lang: 'es-ES' });

	await page.getByText('¿De qué hablamos?').waitFor();
	assert.equal(await page.getAttribute('html', 'lang'), 'es');
	await ask(page, 'Hola');
	assert.match(await answer(page).locator('.meta').innerText(),
		/al primer token/);
	await page.click('#open-settings');
	await page.selectOption('[name=language]', 'en');
	await page.keyboard.press('Escape');
	assert.match(await answer(page).locator('.meta').innerText(),
		/to first token/);
	await page.reload();
	await page.getByPlaceholder('Write a message').waitFor();
	assert.equal(await page.getAttribute('html', 'lang'), 'en');
	await done(page);
});

test('below a path of its own', async () => {
	const page = await open(server, { load: false, model: '' });
	const seen = [];

	/* as a web server would that mounts all of it at /ai/ */
	await page.route('**/ai/**', async (route) => {
		const url = route.request().url().replace('/ai/', '/');

		seen.push(new URL(url).pathname);
		const response = await real(route, { url });

		if (response !== null)
			await route.fulfill({ response });
	});
	await page.goto(server.url + '/ai/');
	await page.waitForLoadState('networkidle');
	await ask(page, 'Hi');
	await prose(page).getByText('w1 w2').waitFor();
	for (const path of ['/chat', '/models', '/health', '/vendor/marked.js'])
		assert.ok(seen.includes(path), path);
	await done(page);
});

test('without the libraries it still works, plainly', async () => {
	const page = await open(server, { ...LLAMA, allow: [/404/],
		init: (p) => p.route('**/vendor/**', (r) =>
			r.fulfill({ status: 404, body: '' })) });

	await script(server, 'llama', 'text=' + value('Plain **bold** text' +
		'\n\n```c\nint x;\n```\n\nend'));
	await ask(page, 'Hi');
	assert.equal(await prose(page).locator('p').count(), 2);
	assert.equal(await prose(page).locator('strong').innerText(), 'bold');
	assert.equal((await prose(page).locator('.code pre').innerText())
		.trim(), 'int x;');
	await page.goto(server.url + '/#usage');
	await page.locator('.provider').first().waitFor();
	await done(page);
});

test('the keyboard does it all', async () => {
	const page = await open(server, LLAMA);
	const focused = () => page.evaluate(() =>
		document.activeElement.id || document.activeElement.className);

	assert.equal(await focused(), 'message');
	await page.keyboard.press('Control+/');
	await page.locator('#keys[open]').waitFor();
	await shot(page, 'keys-light');
	await page.keyboard.press('Escape');
	await page.keyboard.press('Control+b');
	assert.ok(await page.locator('.app.closed').count());
	await page.keyboard.press('Control+b');
	await page.keyboard.press('Control+Shift+G');
	await page.locator('#board').waitFor();
	await page.keyboard.press('Control+Shift+G');
	await page.locator('#chat').waitFor();
	await page.focus('#message');
	await page.keyboard.type('a');
	await page.keyboard.press('Shift+Enter');
	await page.keyboard.type('b');
	await page.keyboard.press('Enter');
	await over(page);
	assert.equal((await sent(server, 'llama')).messages[0].content, 'a\nb');
	/* all that can be pressed can be reached, and shows where the focus is */
	const seen = new Set();
	for (let i = 0; i < 40; i++) {
		await page.keyboard.press('Tab');
		seen.add(await page.evaluate(() => {
			const at = document.activeElement;

			return at.id || at.getAttribute('aria-label') ||
				at.className;
		}));
	}
	for (const name of ['new-chat', 'model', 'to-board', 'open-settings',
		'Copy answer', 'Copy as curl', 'Answer again', 'Edit', 'attach',
		'message'])
		assert.ok(seen.has(name) || seen.has('quiet'), name);
	await done(page);
});

const SAMPLE = `Here is what you asked for. A list first:

1. **Bold**, *emphasis* and \`code\`
2. A [link](https://example.org/)
   - a point below
   - [x] done

> A quotation of
> two lines

| window | limit | used |
|---|---:|---:|
| minute | 30 | 12 |
| day | 1,000 | 345 |

\`\`\`python
def greet(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}!"  # 42
\`\`\`

That is all.
`;

for (const theme of ['light', 'dark'])
	test(`axe finds nothing in the chat, ${theme}`, async () => {
		const page = await open(server, { ...LLAMA, theme,
			allow: [/429/] });

		await accessible(page, 'empty');
		await shot(page, `chat-empty-${theme}`);
		await script(server, 'llama', 'reasoning=6,pace=10,usage=40:210,' +
			'text=' + value(SAMPLE));
		await ask(page, 'Show me what you can write');
		await page.locator('.hljs-keyword').first().waitFor();
		await accessible(page, 'an answer');
		await page.locator('.question').hover();
		await shot(page, `chat-answer-${theme}`);
		await page.click('#model');
		await page.locator('.option').first().waitFor();
		await accessible(page, 'the picker');
		await shot(page, `picker-${theme}`);
		await page.keyboard.press('Escape');
		await page.click('#open-settings');
		await accessible(page, 'settings');
		await shot(page, `settings-${theme}`);
		await page.keyboard.press('Escape');
		await page.keyboard.press('Control+/');
		await accessible(page, 'keys');
		await page.keyboard.press('Escape');
		await script(server, theme, 'text=half of it,cut=2');
		await pick(page);
		await page.keyboard.type('cut' + theme);
		await page.keyboard.press('Enter');
		await ask(page, 'Cut');
		await accessible(page, 'cut');
		await shot(page, `chat-cut-${theme}`);
		await done(page);
	});

for (const theme of ['light', 'dark'])
	test(`on a phone, ${theme}`, async () => {
		const page = await open(server, { ...LLAMA, theme, width: 390,
			height: 780, touch: true });
		const wide = () => page.evaluate(() =>
			document.documentElement.scrollWidth > innerWidth);

		await shot(page, `phone-empty-${theme}`);
		await script(server, 'llama', 'text=' + value(SAMPLE));
		await ask(page, 'Show me what you can write');
		await page.locator('.hljs-keyword').first().waitFor();
		assert.equal(await wide(), false);
		await shot(page, `phone-answer-${theme}`);
		await page.click('#open-side');
		await page.locator('#side .talk-open').waitFor();
		await page.waitForTimeout(100);
		await accessible(page, 'the drawer');
		await shot(page, `phone-side-${theme}`);
		await page.keyboard.press('Control+b');
		await page.click('#open-settings');
		await shot(page, `phone-settings-${theme}`);
		assert.equal(await wide(), false);
		await done(page);
	});

test('less motion where it is wished', async () => {
	const page = await open(server, { ...LLAMA, motion: 'reduce' });

	await script(server, 'llama', 'text=x,gate=d');
	await ask(page, 'Hi', { wait: false });
	await answer(page).locator('.waiting').waitFor();
	assert.equal(await answer(page).locator('.waiting i').first()
		.evaluate((n) => getComputedStyle(n).animationName), 'none');
	await page.keyboard.press('Escape');
	await over(page);
	await done(page);
});
