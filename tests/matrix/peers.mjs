// peers: providers that the mock cannot be, since it speaks plain HTTP/1.1:
// wrong certificates, and HTTP/2 with what only that has. Each is a server of
// its own, for HTTP/2 shares one connection for all that is asked of a server.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';

// -- Certificates -------------------------------------------------------------

// subject, who signs it, its names, and from when to when it is good.
const always = ['20200101000000Z', '20991231235959Z'];
const made = {
	ca: ['trusted', 'ca', null, ...always],
	stranger: ['stranger', 'stranger', null, ...always],
	good: ['localhost', 'ca', 'DNS:localhost', ...always],
	'self-signed': ['localhost', 'self-signed', 'DNS:localhost', ...always],
	'unknown CA': ['localhost', 'stranger', 'DNS:localhost', ...always],
	expired: ['localhost', 'ca', 'DNS:localhost', always[0],
		'20200102000000Z'],
	'not yet valid': ['localhost', 'ca', 'DNS:localhost',
		'20980101000000Z', always[1]],
	'wrong host': ['localhost', 'ca', 'DNS:api.example.org', ...always],
	'of an address': ['localhost', 'ca', 'IP:127.0.0.1', ...always],
};

const settings = `[ca]
default_ca = x
[x]
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`;

function certificates() {
	const folder = mkdtempSync(join(tmpdir(), 'rvm.'));
	const file = (name) => join(folder, name);
	const openssl = (...args) => execFileSync('openssl', args,
		{ cwd: folder, stdio: 'pipe' });

	writeFileSync(file('index'), '');
	writeFileSync(file('serial'), '01\n');
	for (const [name, [subject, by, names, from, to]] of
		Object.entries(made)) {
		writeFileSync(file('settings'), settings + '[more]\n' +
			(names ? `subjectAltName = ${names}\n` :
				'basicConstraints = critical,CA:true\n'));
		openssl('req', '-new', '-newkey', 'ec', '-pkeyopt',
			'ec_paramgen_curve:P-256', '-nodes', '-subj',
			`/CN=${subject}`, '-keyout', `${name}.key`, '-out',
			`${name}.csr`);
		openssl('ca', '-batch', '-config', 'settings', '-extensions',
			'more', '-startdate', from, '-enddate', to, '-in',
			`${name}.csr`, '-out', `${name}.crt`, '-notext',
			'-keyfile', `${by}.key`,
			...by === name ? ['-selfsign'] :
				['-cert', `${by}.crt`]);
	}
	const read = (f) => readFileSync(file(f));
	const all = Object.fromEntries(Object.keys(made).map((name) => [name,
		{ key: read(`${name}.key`), cert: read(`${name}.crt`) }]));

	rmSync(folder, { recursive: true });
	return all;
}

const cert = certificates();

/** The one authority that relevo is told to trust. */
export const authority = cert.ca.cert;

// -- Answers ------------------------------------------------------------------

const words = ['w1 ', 'w2 ', 'w3 ', 'w4 ', 'w5 '];
const chunk = (delta, finish = null) => `data: ${JSON.stringify({ id: 'c1',
	object: 'chat.completion.chunk', created: 1, model: 'm', choices: [
		{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const role = chunk({ role: 'assistant' });
const stop = chunk({}, 'stop') + 'data: [DONE]\n\n';
const object = JSON.stringify({ id: 'c1', object: 'chat.completion',
	created: 1, model: 'm', choices: [{ index: 0, message: {
		role: 'assistant', content: words.join('') },
	finish_reason: 'stop' }], usage: { prompt_tokens: 1,
		completion_tokens: 5, total_tokens: 6 } });

// The parts of an answer: up to its middle, and the rest.
const halves = (stream) => stream ?
	[role + words.slice(0, 2).map((w) => chunk({ content: w })).join(''),
		words.slice(2).map((w) => chunk({ content: w })).join('') +
		stop] : [object.slice(0, 60), object.slice(60)];
const head = (stream) => ({ ':status': 200, 'content-type': stream ?
	'text/event-stream' : 'application/json' });

// -- What can be wrong with HTTP/2 --------------------------------------------

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM,
	NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;

const whole = (s, stream) => {
	s.respond(head(stream));
	s.end(halves(stream).join(''));
};

// So that no END_STREAM comes before a RST_STREAM: it waits for trailers.
const open = { waitForTrailers: true };

// The first half is written, and has left when `then` is called.
const half = (s, stream, then, how = open) => {
	s.respond(head(stream), how);
	s.write(halves(stream)[0], () => setTimeout(then, 20));
};

// Only the first question is treated so.
const first = (what) => (s, stream, peer) =>
	(peer.asked === 1 ? what : whole)(s, stream, peer);

const reset = (code) => (s) => s.close(code);
const goaway = (code) => (s) => {
	s.session.goaway(code, s.id);
	setTimeout(() => s.session?.destroy(), 20);
};

/** By name: (stream of HTTP/2, whether events are asked for, the peer). */
const faults = {
	'h2: nothing': whole,
	'h2: RST_STREAM': reset(NGHTTP2_INTERNAL_ERROR),
	'h2: RST_STREAM CANCEL': reset(NGHTTP2_CANCEL),
	'h2: RST_STREAM without error': reset(NGHTTP2_NO_ERROR),
	'h2: REFUSED_STREAM once': first(reset(NGHTTP2_REFUSED_STREAM)),
	'h2: GOAWAY': goaway(NGHTTP2_ENHANCE_YOUR_CALM),
	'h2: GOAWAY, unseen, once': whole,
	'h2: connection closed': (s) => s.session.destroy(),
	'h2: RST_STREAM after the head': (s, stream) => {
		s.respond(head(stream), open);
		setTimeout(() => s.close(NGHTTP2_INTERNAL_ERROR), 20);
	},
	'h2: END_STREAM after the head': (s, stream) => {
		s.respond(head(stream), { endStream: true });
	},
	'h2: RST_STREAM in the middle': (s, stream) =>
		half(s, stream, () => s.close(NGHTTP2_INTERNAL_ERROR)),
	'h2: RST_STREAM without error in the middle': (s, stream) =>
		half(s, stream, () => s.close(NGHTTP2_NO_ERROR)),
	'h2: GOAWAY in the middle, then closed': (s, stream) =>
		half(s, stream, () => goaway(NGHTTP2_INTERNAL_ERROR)(s)),
	'h2: END_STREAM in the middle': (s, stream) =>
		half(s, stream, () => s.end(), {}),
	'h2: GOAWAY in the middle, then the rest': (s, stream) =>
		half(s, stream, () => {
			s.session.goaway(NGHTTP2_NO_ERROR, s.id);
			s.end(halves(stream)[1]);
		}, {}),
	'h2: RST_STREAM after the end': (s, stream) => {
		s.respond(head(stream), open);
		s.write(halves(stream).join(''),
			() => setTimeout(() => s.close(NGHTTP2_INTERNAL_ERROR),
				20));
	},
};

// -- The servers --------------------------------------------------------------

// The whole question, then `then` with whether events are asked for.
function question(s, then) {
	const parts = [];

	s.on('data', (d) => parts.push(d));
	s.on('error', () => {});
	s.on('end', () => then(JSON.parse(Buffer.concat(parts)).stream));
}

// Whether a HEADERS frame is behind the 24 bytes that a client begins with.
function hasHeaders(seen) {
	for (let at = 24; at + 9 <= seen.length;
		at += 9 + seen.readUIntBE(at, 3))
		if (seen[at + 3] === 1)
			return true;
	return false;
}

// Says of the first connection's question that it was not looked at, which is
// what a server that restarts says (RFC 9113, 6.8) and Node cannot: SETTINGS,
// then GOAWAY with 0 as the last stream.
function unseen(server, peer) {
	const frame = (type, ...body) => Buffer.from([0, 0, body.length, type,
		0, 0, 0, 0, 0, ...body]);
	const front = tls.createServer({ ...cert.good,
		ALPNProtocols: ['h2'] }, (c) => {
		if (peer.asked > 0) {
			server.emit('secureConnection', c);
			return;
		}
		let seen = Buffer.alloc(0);

		c.write(frame(4));
		c.on('data', (d) => {
			seen = Buffer.concat([seen, d]);
			if (peer.asked > 0 || !hasHeaders(seen))
				return;
			peer.asked++;
			c.write(frame(7, 0, 0, 0, 0, 0, 0, 0, 0));
			setTimeout(() => c.end(), 20);
		});
	});

	return front;
}

const h2 = (fault, peer) => {
	const server = http2.createSecureServer(cert.good);

	server.on('session', (s) => s.on('error', () => {}));
	server.on('stream', (s) => question(s, (stream) => {
		peer.asked++;
		faults[fault](s, stream, peer);
	}));
	return fault === 'h2: GOAWAY, unseen, once' ? unseen(server, peer) :
		server;
};

// Whoever is let in gets a whole answer.
const h1 = (name, peer) => https.createServer(cert[name], (q, r) =>
	question(q, (stream) => {
		peer.asked++;
		r.writeHead(200, { 'Content-Type':
			head(stream)['content-type'] });
		r.end(halves(stream).join(''));
	}));

/** A peer by the name of its certificate or of its fault: {url, asked,
 * close()}. */
export async function start(name) {
	const peer = { asked: 0 };
	const server = name in faults ? h2(name, peer) : h1(name, peer);
	const all = new Set();

	server.on('connection', (c) => {
		all.add(c);
		c.on('close', () => all.delete(c));
		c.on('error', () => {});
	});
	server.on('tlsClientError', () => {});
	await new Promise((up) => server.listen(0, 'localhost', up));
	peer.url = `https://localhost:${server.address().port}`;
	peer.close = () => {
		server.close();
		for (const c of all)
			c.destroy();
	};
	return peer;
}
