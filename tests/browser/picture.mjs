// The picture in the README: `make picture` asks a real relevo, whose
// providers are the mock, and photographs the page.
import { ask, close, done, open, script, serve, value } from './kit.mjs';

const TEXT = `A free tier has several windows at once, and the **fullest** one \
decides:

| window | limit | used |
|---|--:|--:|
| requests / minute | 30 | 12 |
| requests / day | 1,000 | 345 |
| tokens / minute | 6,000 | 4,210 |

Ask relevo which model would answer now, and why the others would not:

\`\`\`sh
curl -s https://ai.example.org/route?model=auto | jq '.order[].reason'
\`\`\`
`;

const server = await serve();
const page = await open(server, { allow: [/429/] });

await script(server, 'llama', 'status=429,retry-after=40');
await script(server, 'gpt-oss', 'reasoning=9,pace=6,usage=64:188,text=' +
	value(TEXT));
for (const model of ['flash', 'rare', 'light', 'dark', 'left'])
	await script(server, model, 'status=429,retry-after=3000');
await ask(page, 'Why was I refused although I had requests left today?');
await page.locator('.hljs-keyword, .hljs-string').first().waitFor();
await page.mouse.move(5, 700);
await page.setViewportSize({ width: 1200, height: 760 });
await page.waitForTimeout(300);
await page.screenshot({ path: process.argv[2] });
await done(page);
await close();
