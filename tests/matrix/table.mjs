// table: what can be wrong with a provider, where in its answer, and what the
// client then gets. run.mjs makes of each row a cell for each route that it
// concerns, alone and with a second provider, under FastCGI and under CGI.
//
// A row: what is wrong, where, how the mock is told to do it (or `raw`, all
// that it sends; or `url`; or `peer`, another provider, see peers.mjs, which is
// `asked` so often), and what is to come of it. `only` names the forms
// that a row concerns: sse (an event stream is asked for), text (so it is, but
// the client gets bare text), json (one object). `set` are options of the
// provider, `model` and `good` of the bad and the good model.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The libcurl that relevo runs with: 7 or 8. */
const curl = +execFileSync(process.env.RELEVO ??
	fileURLToPath(new URL('../../build/relevo', import.meta.url)),
['--version'], { encoding: 'utf8' }).match(/^libcurl (\d+)/m)[1];

// -- What comes of it ---------------------------------------------------------

const rate = 'rate_limit_exceeded';

/** Nothing was sent: another provider is tried in silence, and the trail names
 * this one with `word`. Alone, the client gets status and code, and a
 * Retry-After within [low, high], or none. A `failure` counts for the lane. */
const next = (word, status, code, wait, failure = 1) =>
	({ kind: 'next', word, status, code, wait, failure });

/** Who may come back at once: the bar lasts 5 to 30 s, but where nothing else
 * is open it is tried all the same, for the provider did not say so. */
const atOnce = [1, 1];

/** The same, by what went wrong below HTTP. */
const cut = next('upstream_cut', 502, 'upstream_cut', atOnce);
const empty = next('upstream_empty', 502, 'upstream_empty', null);
const late = next('upstream_timeout', 504, 'upstream_timeout', atOnce);
const malformed = next('upstream_malformed', 502, 'upstream_malformed', atOnce);
const refused = next('upstream_refused', 502, 'upstream_refused', atOnce);

/** A status that means: not with this key, this account, this model. */
const barred = (status) => next(`${status}`, 502, 'upstream_status', null, 0);
const limited = (low, high, code = rate) =>
	next('429', 429, code, [low, high], 0);
const failing = (status, code = 'upstream_status', own = 502, wait = atOnce) =>
	next(`${status}`, own, code, wait);

/** The request's own fault: told at once, nobody else is asked. */
const refuse = (status, code, word) => ({ kind: 'refuse', status, code, word });

/** Content was sent: an error event with this code behind exactly `text`, no
 * finish_reason, no [DONE]; bare text is cut. */
const told = (code, text = 'w1 w2 ') => ({ kind: 'told', code, text });

/** The same, where the client has part of an event already: that is ended, and
 * is no JSON, so that a client stumbles over it if not over the error. */
const broken = (code) => ({ kind: 'broken', code });

/** It does not hurt: exactly this text, one finish_reason, [DONE] last. */
const whole = (text = 'w1 w2 w3 w4 w5 ', finish = 'stop') =>
	({ kind: 'whole', text, finish });

// -- Raw answers --------------------------------------------------------------

const head = (type, more = '') => 'HTTP/1.1 200 OK\r\n' +
	`Content-Type: ${type}\r\n${more}Connection: close\r\n\r\n`;
const events = head('text/event-stream');
const chunk = (delta, finish = 'null') => '{"id":"c1","object":' +
	'"chat.completion.chunk","created":1,"model":"m","choices":[{' +
	`"index":0,"delta":${delta},"finish_reason":${finish}}]}`;
const event = (data) => `data: ${data}\n\n`;
const role = event(chunk('{"role":"assistant"}'));
const words = (...w) => w.map((s) =>
	event(chunk(`{"content":"${s} "}`))).join('');
const two = role + words('w1', 'w2');
const stop = event(chunk('{}', '"stop"'));
const done = event('[DONE]');
const answer = (message, finish = '"stop"') => '{"id":"c1","object":' +
	'"chat.completion","created":1,"model":"m","choices":[{"index":0,' +
	`"message":${message},"finish_reason":${finish}}]}`;
const five = answer('{"role":"assistant","content":"w1 w2 w3 w4 w5 "}');
const object = (body, more = '') => head('application/json', more) + body;
const length = (n) => `Content-Length: ${n}\r\n`;

const date = (s) => new Date(Date.now() + s * 1000).toUTCString()
	.replaceAll(',', '%2C').replaceAll(' ', '+');

// Long enough for a busy machine to have asked, and to have been answered what
// comes before the silence. Where there is a second provider, the first one has
// half of the total time to say something.
const soon = { set: 'first-event-timeout = 4s' };
const quiet = { set: 'idle-timeout = 1s' };
const short = { set: 'total-timeout = 8s' };
const h2 = { set: 'http2 = yes' };
const stream = { only: ['sse', 'text'] };
const one = { only: ['json'] };
// To libcurl a used connection that ends so was closed for idleness: it asks
// on another one by itself.
const again = { again: true };

// -- The table ----------------------------------------------------------------

const status = (n, end, more = '') =>
	[`status ${n}${more && ', '}${more.replaceAll('+', ' ')}`,
		'before the head', `status=${n}${more && ','}${more}`, end];

export const rows = [
	// Nothing of an answer.
	['refused', 'before the head', { url: '@CLOSED@' }, refused],
	['SYN dropped', 'before the head', { url: '@HOLE@',
		set: 'connect-timeout = 200ms' }, late],
	['TLS that nobody answers', 'before the head', { url: '@TLS@',
		set: 'connect-timeout = 200ms' }, late],
	...['self-signed', 'unknown CA', 'expired', 'not yet valid',
		'wrong host', 'of an address'].map((name) =>
		[`a certificate that is ${name}`, 'before the head',
			{ peer: name }, refused, { asked: 0 }]),
	['FIN', 'before the head', 'close', cut, again],
	['RST', 'before the head', 'reset', cut, again],
	['silence', 'before the head', 'gatehead=never', late, soon],
	['no HTTP', 'before the head', { raw: 'SSH-2.0-mock\r\n' }, malformed],
	['half a head', 'before the head', { raw:
		'HTTP/1.1 200 OK\r\nContent-Ty' }, cut],

	// A status.
	status(301, failing(301),
		'header=Location: http://169.254.169.254/latest'),
	status(302, failing(302),
		'header=Location: /elsewhere/v1/chat/completions'),
	status(303, failing(303), 'header=Location: file:///etc/passwd'),
	status(307, failing(307),
		'header=Location: http://localhost/v1/chat/completions'),
	status(308, failing(308), 'header=Location: //127.0.0.1/'),
	status(204, next('204', 502, 'upstream_malformed', atOnce)),
	status(400, refuse(400, 'invalid_request', '400')),
	status(401, barred(401)),
	status(402, barred(402)),
	status(403, barred(403)),
	status(404, barred(404)),
	status(405, refuse(400, 'invalid_request', '405')),
	status(408, failing(408, 'upstream_timeout', 504)),
	status(410, barred(410)),
	[...status(413, next('413', 400, 'context_length_exceeded', null, 0)),
		{ model: 'context = 8000', good: 'context = 90000' }],
	['status 413, no larger context', 'before the head', 'status=413',
		refuse(400, 'context_length_exceeded', '413'),
		{ model: 'context = 8000', good: 'context = 4000' }],
	status(418, next('418', 502, 'upstream_malformed', atOnce)),
	status(422, refuse(400, 'invalid_request', '422')),
	status(429, limited(50, 60)),
	status(429, limited(4, 9), 'retry-after=9'),
	status(429, limited(1, 1), 'retry-after=0'),
	status(429, limited(1, 2), 'retry-after=1.5'),
	status(429, limited(50, 60), 'retry-after=-5'),
	status(429, limited(50, 60), 'retry-after=soon'),
	status(429, limited(86000, 86400, 'insufficient_quota'),
		'retry-after=1000000000000'),
	['status 429, Retry-After a date', 'before the head',
		() => `status=429,retry-after=${date(90)}`, limited(40, 90)],
	['status 429, Retry-After a date that was', 'before the head',
		() => `status=429,retry-after=${date(-90)}`, limited(1, 1)],
	status(500, failing(500)),
	status(502, failing(502)),
	status(503, failing(503)),
	status(503, failing(503, 'upstream_status', 502, [1, 4]),
		'retry-after=4'),
	status(504, failing(504, 'upstream_timeout', 504)),
	status(529, failing(529)),
	['status 500 without a body', 'before the head', { raw:
		`HTTP/1.1 500 Oops\r\n${length(0)}\r\n` }, failing(500)],
	['status 502, a page', 'before the head', { raw: 'HTTP/1.1 502 Bad\r\n' +
		'Content-Type: text/html\r\n\r\n<h1>Bad gateway' },
	failing(502)],
	['status 429, half its body', 'before the head', { raw:
		`HTTP/1.1 429 Slow\r\nRetry-After: 9\r\n${length(99)}\r\n{"er` },
	limited(4, 9)],
	['status 401, half its body', 'before the head', { raw:
		`HTTP/1.1 401 No\r\n${length(99)}\r\n{"error":` }, barred(401)],

	// A head that is wrong.
	['a header of 1 MiB', 'in the head', 'bigheader=1048576', malformed],
	['10,000 headers', 'in the head', 'headers=10000', malformed],
	['a page', 'in the head', 'html', malformed],
	['gzip', 'in the head', 'gzip', malformed],
	['no Content-Type', 'in the head', { raw:
		`HTTP/1.1 200 OK\r\n\r\n${two}${stop}${done}` }, malformed],
	['Content-Type of a stream', 'in the head', { raw:
		events + two + stop + done }, malformed, one],

	// A stream without content.
	['no event', 'after the head', 'empty', empty, stream],
	['FIN', 'after the head', 'fin=0,role0=no', empty, stream],
	['RST', 'after the head', 'cut=0,role0=no', empty, stream],
	['silence', 'after the head', 'silence=0,role0=no', late,
		{ ...soon, ...stream }],
	['comments for ever', 'after the head', 'hush=0,role0=no', late,
		{ ...soon, ...stream }],
	['no chunk length', 'after the head', 'badchunk=0,role0=no', empty,
		stream],
	['an error event 502', 'after the head', 'errorfirst',
		next('502', 502, 'upstream_error', atOnce), stream],
	['an error event 429', 'after the head', 'errorfirst,errcode=429',
		limited(50, 60), stream],
	['an error event 401', 'after the head', 'errorfirst,errcode=401',
		next('401', 502, 'upstream_error', null, 0), stream],
	['an error event without a number', 'after the head',
		'errorfirst,errcode=server_error',
		next('upstream_error', 502, 'upstream_error', atOnce), stream],
	['an event that is not JSON', 'after the head', 'junk=0,role0=no',
		malformed, stream],
	['[DONE] at once', 'after the head', { raw: events + done }, empty,
		stream],
	['half an event', 'after the head', { raw: events + role.slice(0, -1) },
		empty, stream],
	['FIN', 'after the role', 'fin=0', empty, stream],
	['RST', 'after the role', 'cut=0', empty, stream],
	['silence', 'after the role', 'silence=0', late,
		{ ...quiet, ...stream }],
	['comments for ever', 'after the role', 'hush=0', late,
		{ ...short, ...stream }],
	['an error event', 'after the role', 'error=0',
		next('502', 502, 'upstream_error', atOnce), stream],
	['an event that is not JSON', 'after the role', 'junk=0', malformed,
		stream],
	['finish_reason at once', 'after the role', 'tokens=0', empty, stream],
	['no token left', 'after the role', 'tokens=0,finish=length',
		whole('', 'length'), { only: ['sse'] }],

	// An object that is none.
	['empty', 'in the object', { raw: object('') }, empty, one],
	['FIN', 'in the object', 'fin=0', cut, one],
	['RST', 'in the object', 'cut=0', cut, one],
	['silence', 'in the object', 'silence=0', late, { ...soon, ...one }],
	['half of it, no length', 'in the object', { raw:
		object(five.slice(0, -9)) }, malformed, one],
	['a length too small', 'in the object', { raw:
		object(five, length(five.length - 9)) }, malformed, one],
	['a length too large', 'in the object', { raw:
		object(five, length(five.length + 9)) }, cut, one],
	['no chunk length', 'in the object', { raw: object(five,
		'Transfer-Encoding: chunked\r\n') }, cut, one],
	['no choices', 'in the object', { raw: object('{"id":"c1"}') },
		malformed, one],
	['choices of nobody', 'in the object', { raw:
		object('{"choices":[]}') }, empty, one],
	['no content', 'in the object', 'tokens=0', empty, one],
	['no token left', 'in the object', 'tokens=0,finish=length',
		whole('', 'length'), one],
	['no finish_reason', 'in the object', 'finish=null', cut, one],
	['an error 502', 'in the object', { raw: object(
		'{"error":{"message":"gone","code":502}}') },
	next('502', 502, 'upstream_error', atOnce), one],
	['an error 429', 'in the object', { raw: object(
		'[{"error":{"message":"slow down","code":429}}]') },
	limited(50, 60), one],

	// After content there is no way back.
	['FIN', 'after content', 'fin=2', told('upstream_cut'), stream],
	['RST', 'after content', 'cut=2', told('upstream_cut'), stream],
	['no chunk length', 'after content', 'badchunk=2',
		told('upstream_cut'), stream],
	['silence', 'after content', 'silence=2', told('upstream_timeout'),
		{ ...quiet, ...stream }],
	['comments for ever', 'after content', 'hush=2',
		told('upstream_timeout'), { ...short, ...stream }],
	['an error event', 'after content', 'error=2', told('upstream_error'),
		stream],
	['an error event 429', 'after content', 'error=2,errcode=429',
		told(rate), stream],
	['an event that is not JSON', 'after content', 'junk=2',
		told('upstream_malformed'), stream],
	['half an event', 'after content', { raw: events + two +
		words('w3').slice(0, -1) }, told('upstream_cut'), stream],
	['[DONE], no finish_reason', 'after content', { raw: events + two +
		done }, told('upstream_cut'), stream],
	['a clean end, no finish_reason', 'after content', 'tokens=2,nofinish',
		told('upstream_cut'), stream],
	['finish_reason ""', 'after content', 'tokens=2,finish=',
		told('upstream_cut'), stream],
	['finish_reason error', 'after content', 'tokens=2,finish=error',
		told('upstream_error'), stream],

	// Who has seen the finish_reason has all of the text.
	['FIN', 'after finish_reason', 'fin=finish', whole(), stream],
	['RST', 'after finish_reason', 'cut=finish', whole(), stream],
	['no chunk length', 'after finish_reason', 'badchunk=finish', whole(),
		stream],
	['silence', 'after finish_reason', 'silence=finish', whole(),
		{ ...quiet, ...stream }],
	['comments for ever', 'after finish_reason', 'hush=finish', whole(),
		{ ...quiet, ...stream }],
	['an error event', 'after finish_reason', 'error=finish', whole(),
		stream],
	['an event that is not JSON', 'after finish_reason', 'junk=finish',
		whole(), stream],
	['no [DONE]', 'after finish_reason', 'nodone', whole(), stream],
	['finish_reason again', 'after finish_reason', { raw: events + two +
		stop + stop + done }, whole('w1 w2 '), stream],
	['FIN', 'after [DONE]', 'fin=done', whole(), stream],
	['RST', 'after [DONE]', 'cut=done', whole(), stream],
	['no chunk length', 'after [DONE]', 'badchunk=done', whole(), stream],
	['silence', 'after [DONE]', 'silence=done', whole(), stream],
	['comments for ever', 'after [DONE]', 'hush=done', whole(), stream],
	['an error event', 'after [DONE]', 'error=done', whole(), stream],
	['an event that is not JSON', 'after [DONE]', 'junk=done', whole(),
		stream],
	['a second answer', 'after [DONE]', { raw: events + two + stop + done +
		two + stop + done }, whole('w1 w2 '), stream],
	['FIN', 'after the object', 'fin=done', whole(), one],
	['RST', 'after the object', 'cut=done', whole(), one],
	['silence', 'after the object', 'silence=done,nochunk', whole(), one],
	['hang-up', 'after the answer', 'hangup', whole()],

	// HTTP/2.
	['RST_STREAM', 'before the head', { peer: 'h2: RST_STREAM' }, cut, h2],
	['RST_STREAM CANCEL', 'before the head', { peer:
		'h2: RST_STREAM CANCEL' }, cut, h2],
	['RST_STREAM without error', 'before the head', { peer:
		'h2: RST_STREAM without error' }, cut, h2],
	['GOAWAY', 'before the head', { peer: 'h2: GOAWAY' }, cut, h2],
	// libcurl 7.88 does not ask again by itself, though it might (RFC 9113,
	// 6.8) and does so after a REFUSED_STREAM. 8 does.
	['GOAWAY, unseen', 'before the head', { peer:
		'h2: GOAWAY, unseen, once' }, ...(curl < 8 ? [cut, h2] :
		[whole(), { ...h2, asked: 2 }])],
	['HTTP/2 closed', 'before the head', { peer: 'h2: connection closed' },
		cut, h2],
	['RST_STREAM', 'after the head', { peer:
		'h2: RST_STREAM after the head' }, empty, { ...h2, ...stream }],
	['END_STREAM', 'after the head', { peer:
		'h2: END_STREAM after the head' }, empty, h2],
	['RST_STREAM', 'after content', { peer: 'h2: RST_STREAM in the middle' },
		told('upstream_cut'), { ...h2, ...stream }],
	['RST_STREAM without error', 'after content', { peer:
		'h2: RST_STREAM without error in the middle' },
	told('upstream_cut'), { ...h2, ...stream }],
	['GOAWAY and closed', 'after content', { peer:
		'h2: GOAWAY in the middle, then closed' }, told('upstream_cut'),
	{ ...h2, ...stream }],
	['END_STREAM', 'after content', { peer: 'h2: END_STREAM in the middle' },
		told('upstream_cut'), { ...h2, ...stream }],
	['RST_STREAM', 'in the object', { peer: 'h2: RST_STREAM in the middle' },
		cut, { ...h2, ...one }],
	['RST_STREAM without error', 'in the object', { peer:
		'h2: RST_STREAM without error in the middle' }, malformed,
	{ ...h2, ...one }],
	['GOAWAY and closed', 'in the object', { peer:
		'h2: GOAWAY in the middle, then closed' }, cut,
	{ ...h2, ...one }],
	['END_STREAM', 'in the object', { peer: 'h2: END_STREAM in the middle' },
		malformed, { ...h2, ...one }],

	// What looks wrong and is not.
	['a good certificate', 'TLS', { peer: 'good' }, whole()],
	['HTTP/2', 'TLS', { peer: 'h2: nothing' }, whole(), h2],
	['REFUSED_STREAM once', 'before the head', { peer:
		'h2: REFUSED_STREAM once' }, whole(), { ...h2, asked: 2 }],
	['GOAWAY and the rest', 'after content', { peer:
		'h2: GOAWAY in the middle, then the rest' }, whole(), h2],
	['RST_STREAM', 'after [DONE]', { peer: 'h2: RST_STREAM after the end' },
		whole(), { ...h2, ...stream }],
	['CRLF', 'framing', 'crlf', whole(), stream],
	['CR', 'framing', 'cr', whole(), stream],
	['no space', 'framing', 'nospace', whole(), stream],
	['BOM', 'framing', 'bom', whole(), stream],
	['other fields', 'framing', 'fields,crlf', whole(), stream],
	['two data lines', 'framing', 'multiline', whole(), stream],
	['comments first', 'framing', 'precomments=9', whole(), stream],
	['1-byte segments', 'framing', 'split=1,splitgap=0.05', whole()],
	['1-byte segments, CRLF', 'framing', 'split=1,splitgap=0.05,crlf',
		whole(), stream],
	['5-byte segments, CR', 'framing', 'split=5,cr,multiline', whole(),
		stream],
	['no chunked coding', 'framing', 'nochunk', whole()],
	['a length and chunks', 'framing', { raw: object(
		`${five.length.toString(16)}\r\n${five}\r\n0\r\n\r\n`,
		`${length(7)}Transfer-Encoding: chunked\r\n`) }, whole()],
	['100 first', 'framing', { raw:
		`HTTP/1.1 100 Continue\r\n\r\n${object(five)}` }, whole()],
	['no role', 'framing', 'role0=no', whole(), stream],
	['an object for a stream', 'framing', 'json', whole(), stream],
	['usage in every event', 'framing', 'usagenull,usage=always', whole()],
	['usage beside finish_reason', 'framing', 'usagefinish', whole()],
	['finish_reason length', 'framing', 'finish=length',
		whole(undefined, 'length')],
	['finish_reason of its own', 'framing', 'finish=eos_token',
		whole(undefined, 'eos_token')],
	['reasoning first', 'framing', 'reasoning=3', whole()],
	['300 headers', 'framing', 'headers=300', whole()],
	['headers for a web server', 'framing',
		'header=Set-Cookie: a=b,header=X-Accel-Redirect: /etc/passwd,' +
		'header=X-Sendfile: /etc/passwd,header=Status: 500 Oops,' +
		'header=X-LIGHTTPD-send-file: /etc/passwd', whole()],

	// One event above what is held of one, 1 MiB, goes on as it comes; bare
	// text and objects have 16 MiB.
	['an event of 5 MiB', 'size', 'bigline=5242880',
		whole('x'.repeat(5 << 20) + 'w2 w3 w4 w5 ')],
	['an event of 17 MiB', 'size', 'bigline=17825792,tokens=1',
		whole('x'.repeat(17 << 20)), { only: ['sse'] }],
	['17 MiB', 'size', 'bigline=17825792,tokens=1', malformed,
		{ only: ['text', 'json'] }],
	['a cut in an event of 5 MiB', 'size', { raw: events + two +
		words('x'.repeat(5 << 20)).slice(0, -3) },
	broken('upstream_cut'), { only: ['sse'] }],
];
