// place: the folder, the programs and their configurations. Everything listens
// on 127.0.0.1 or a unix socket in the folder, and is stopped by its pid.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync,
	readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Models of the mock, and what each does. */
export const MODELS = {
	unary: 'tokens=20',
	fast: 'tokens=200',
	paced: 'tokens=50,pace=100',
	first: 'tokens=5',
	leave: 'tokens=100000,pace=5',
	// The same by way of TLS.
	'tls-unary': 'tokens=20',
	'tls-paced': 'tokens=30,pace=100',
};

// The first CPU that we may use is for the mock and the load, the last for what
// is measured; who has but one has no choice.
const cpus = /^Cpus_allowed_list:\s+(\S+)/m
	.exec(readFileSync('/proc/self/status', 'latin1'))[1].match(/\d+/g);

export const LOAD_CPU = cpus[0];
const OUR_CPU = cpus[cpus.length - 1];

const children = new Map();	// by pid

export const dir = mkdtempSync('/tmp/rvb.');

mkdirSync(`${dir}/tmp`);

/** Start a program; its words go to NAME.err in the folder. Its pid. */
export function start(name, cpu, command, ...args) {
	const err = openSync(`${dir}/${name}.err`, 'a');
	const child = spawn('taskset', ['-c', cpu, command, ...args],
		{ cwd: dir, stdio: ['ignore', 'ignore', err] });

	closeSync(err);
	children.set(child.pid, { name,
		ended: new Promise((done) => child.on('exit', (code) => {
			children.delete(child.pid);
			done(code);
		})) });
	return child.pid;
}

/** TERM, and wait: whether it ended well. */
export async function stop(pid) {
	const { name, ended } = children.get(pid) ?? {};

	if (!name)
		return false;
	process.kill(pid, 'SIGTERM');
	const timer = setTimeout(() => process.kill(pid, 'SIGKILL'), 15000);
	const code = await ended;

	clearTimeout(timer);
	return code === 0;
}

/** Stop all that runs, the youngest first, and remove the folder. */
export async function leave() {
	for (const pid of [...children.keys()].reverse())
		await stop(pid);
	rmSync(dir, { recursive: true, force: true });
}

const freePort = () => new Promise((done) => {
	const server = createServer().listen(0, '127.0.0.1', () => {
		const { port } = server.address();

		server.close(() => done(port));
	});
});

const answers = (where) => new Promise((done) => {
	const socket = createConnection(where, () => {
		socket.destroy();
		done(true);
	});

	socket.on('error', () => done(false));
});

/** Until somebody listens at a port or a path. */
export async function up(name, where) {
	for (const end = Date.now() + 10000; Date.now() < end; await sleep(5))
		if (await answers(where))
			return;
	throw new Error(`${name} did not start\n` +
		readFileSync(`${dir}/${name}.err`, 'utf8').slice(-2000));
}

// -- The mock, plain and behind TLS -------------------------------------------

export async function startMock(program) {
	const file = `${dir}/mock.port`;

	start('mock', LOAD_CPU, program, '--port-file', file);
	for (let i = 0; i < 1000 && !existsSync(file); i++)
		await sleep(5);
	const port = Number(readFileSync(file, 'utf8'));

	for (const [model, script] of Object.entries(MODELS))
		await fetch(`http://127.0.0.1:${port}/_mock/script?model=${
			model}`, { method: 'PUT', body: script });
	return port;
}

// A certificate for 127.0.0.1 and a folder for it as /etc/ssl/certs is one.
function certificate() {
	const openssl = (...args) => execFileSync('openssl', args,
		{ cwd: dir, encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'ignore'] });

	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
		'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'key.pem',
		'-out', 'cert.pem', '-days', '2', '-subj', '/CN=127.0.0.1',
		'-addext', 'subjectAltName=IP:127.0.0.1');
	const hash = openssl('x509', '-hash', '-noout', '-in', 'cert.pem')
		.trim();

	mkdirSync(`${dir}/ca`);
	writeFileSync(`${dir}/ca/${hash}.0`, readFileSync(`${dir}/cert.pem`));
}

// -- nginx --------------------------------------------------------------------

// An nginx before one upstream, whose connections are kept, or not.
async function nginx(name, { cpu, upstream, keep, server = '', pass }) {
	const port = await freePort();
	const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
		.map((what) => `${what}_temp_path ${dir}/tmp/${what};`)
		.join('\n');

	writeFileSync(`${dir}/${name}.conf`, `
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${dir}/${name}.pid;
error_log ${dir}/${name}.err warn;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 32m;
  client_body_buffer_size 512k;
  ${temporary}
  upstream it {
    server ${upstream};
    ${keep ? 'keepalive 64; keepalive_requests 1000000;' : ''}
  }
  server {
    listen 127.0.0.1:${port} ${server && 'ssl'};
    ${server}
    location / { ${pass} }
  }
}
`);
	const pid = start(name, cpu, 'nginx', '-p', dir, '-e',
		`${dir}/${name}.err`, '-c', `${dir}/${name}.conf`);

	await up(name, { port, host: '127.0.0.1' });
	return { pid, port };
}

const PROXY = `proxy_pass http://it; proxy_buffering off;
    proxy_http_version 1.1; proxy_set_header Connection "";`;
const FASTCGI = `include /etc/nginx/fastcgi_params; fastcgi_pass it;
    fastcgi_buffering off; fastcgi_read_timeout 1h;`;

export const nginxProxy = (mock) => nginx('proxy', { cpu: OUR_CPU,
	upstream: `127.0.0.1:${mock}`, keep: true, pass: PROXY });

/** TLS before the mock; it belongs to the mock, and so does its CPU. */
export function nginxTls(mock) {
	certificate();
	return nginx('tls', { cpu: LOAD_CPU, upstream: `127.0.0.1:${mock}`,
		keep: true, pass: PROXY,
		server: `ssl_certificate ${dir}/cert.pem;
    ssl_certificate_key ${dir}/key.pem;` });
}

export const nginxFastcgi = (name, socket, keep) => nginx(name, {
	cpu: OUR_CPU, upstream: `unix:${socket}`, keep,
	pass: FASTCGI + (keep ? 'fastcgi_keep_conn on;' : '') });

// -- lighttpd -----------------------------------------------------------------

async function lighttpd(name, lines) {
	const port = await freePort();

	writeFileSync(`${dir}/${name}.conf`, `
server.modules = ( "mod_fastcgi", "mod_alias", "mod_cgi", "mod_setenv" )
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${dir}/tmp"
server.upload-dirs = ( "${dir}/tmp" )
server.errorlog = "${dir}/${name}.err"
server.breakagelog = "${dir}/${name}.err"
server.stream-response-body = 2
server.max-keep-alive-requests = 1000000
server.max-connections = 4096
server.max-fds = 16384
${lines}
`);
	const pid = start(name, OUR_CPU, 'lighttpd', '-D', '-f',
		`${dir}/${name}.conf`);

	await up(name, { port, host: '127.0.0.1' });
	return { pid, port };
}

export const lighttpdFastcgi = (name, socket) => lighttpd(name,
	`fastcgi.server = ( "/" => (( "socket" => "${socket}",
	    "check-local" => "disable", "fix-root-scriptname" => "enable",
	    "tcp-fin-propagate" => "enable" )) )`);

export function lighttpdCgi(name, program, config) {
	const cgi = `${dir}/${name}.cgi`;

	symlinkSync(program, cgi);
	return lighttpd(name, `cgi.limits = ( "tcp-fin-propagate" => "SIGTERM" )
setenv.set-environment = ( "RELEVO_CONFIG" => "${config}" )
cgi.assign = ( ".cgi" => "" )
alias.url = ( "/v1" => "${cgi}" )`);
}

/** What answers at once, or what only passes on. */
export const startFloor = async (name, program, socket, what) => {
	const pid = start(name, OUR_CPU, program, socket, what);

	await up(name, { path: socket });
	return pid;
};

// -- relevo -------------------------------------------------------------------

/** A configuration with what a real one has: a client with a token, limits
 * of account, model and client in every window, so high that none is met. */
export function writeConfig(program, name, mock, tls) {
	const file = `${dir}/${name}.conf`;
	const limits = 'rpm = 100000000 rph = 100000000 rpd = 100000000\n' +
		'tpm = 1000000000 tpd = 1000000000';
	const [, token, hash] = /(rlv-\S+)[^]*"(blake2b:[^"]+)"/.exec(
		execFileSync(program, ['client', 'new', 'bench'],
			{ encoding: 'utf8' }));
	const provider = (id) => id.startsWith('tls-') ? 'tls' : 'plain';
	const model = (id) => `model ${provider(id)}/${id} {\n${limits}\n}\n`;

	writeFileSync(file, `server {
state = "${dir}/${name}.state"
access = token
ca-path = "${dir}/ca"
}
provider plain {
url = "http://127.0.0.1:${mock}/v1"
key = "bench-key-1"
${limits}
}
provider tls {
url = "https://127.0.0.1:${tls}/v1"
key = "bench-key-2"
${limits}
}
${Object.keys(MODELS).map(model).join('')}
client bench {
token = "${hash}"
${limits}
}
`, { mode: 0o600 });
	execFileSync(program, ['--config', file, 'check'], { stdio: 'pipe' });
	return { file, token };
}

/** Copies of all libraries of a program, which so nobody else has mapped: PSS
 * then counts them in full. The folder. */
export function copyLibraries(name, program) {
	const folder = `${dir}/${name}.lib`;

	mkdirSync(folder);
	for (const [, file] of execFileSync('ldd', [program],
		{ encoding: 'utf8' }).matchAll(/=> (\/\S+)/g))
		copyFileSync(file, `${folder}/${basename(file)}`);
	return folder;
}

/** A responder; it is not up yet. Its log, a line a request, goes to a file. */
export const startRelevo = (name, program, config, socket, libraries) =>
	start(name, OUR_CPU, 'env',
		...libraries ? [`LD_LIBRARY_PATH=${libraries}`] : [],
		program, '--config', config, 'serve', '--socket', socket);

/** Lines of relevo's log that tell of a failure. */
export const complaints = (name) =>
	readFileSync(`${dir}/${name}.err`, 'utf8').split('\n')
		.filter((line) => line &&
			!/^\{.*"level":"(info|debug)"/.test(line));
