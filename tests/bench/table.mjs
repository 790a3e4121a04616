// table: what was measured, as a person reads it. Ratios are made within a
// round and then the median of the rounds is taken, so that a slow minute of
// the machine, which meets all targets of a round alike, cancels.

const KIB = 1024;
const MIB = 1024 * 1024;
const MARK = '@base';

const COLUMNS = {
	direct: 'direct', proxy: 'proxy_pass', floor: 'floor', bare: 'bare',
	keep: 'nginx keep', nginx: 'nginx', lighttpd: 'lighttpd', cgi: 'CGI',
};

const ROWS = [
	['unary', 'unary, 2 KB body, c=32', 'sum', 'unary'],
	['unary', '  of it relevo', 'behind', 'unary'],
	['fast', '200-chunk stream, c=32', 'sum', 'fast'],
	['fast', '  of it relevo', 'behind', 'fast'],
	['big', '200 KB body, c=8', 'sum', 'big'],
	['big', '  of it relevo', 'behind', 'big'],
	['paced', '1,000 streams, 50 tokens', 'sum', 'paced'],
	['paced', '  of it relevo', 'behind', 'paced'],
	['cgi', 'unary by CGI, c=2', 'sum', 'unary'],
	['cgiTls', '  with a TLS upstream', 'sum', 'unary'],
];

// What is wanted: [text, the figure of each round, at most, decimals].
const GOALS = [
	['unary: nginx keep_conn / proxy_pass', ratio('unary', 'keep'), 3.0, 2],
	['unary: nginx / proxy_pass', ratio('unary', 'nginx'), 4.8, 2],
	['unary: lighttpd / proxy_pass', ratio('unary', 'lighttpd'), 4.0, 2],
	['stream: nginx keep_conn / proxy_pass', ratio('fast', 'keep'), 1.6, 2],
	['stream: nginx / proxy_pass', ratio('fast', 'nginx'), 2.0, 2],
	['stream: lighttpd / proxy_pass', ratio('fast', 'lighttpd'), 1.25, 2],
	['1,000 streams: relevo alone (keep_conn) / proxy_pass',
		ratio('paced', 'keep', 'behind'), 1.0, 2],
	['1,000 streams: relevo alone (lighttpd) / proxy_pass',
		ratio('paced', 'lighttpd', 'behind'), 1.0, 2],
	['first token later than proxy_pass, p50, ms', added('p50'), 0.1, 3],
	['first token later than proxy_pass, p99, ms', added('p99'), null, 3],
	['first tokens that took 35 ms or more', late('keep'), 0, 0],
	['  and by proxy_pass', late('proxy'), null, 0],
	['PSS at rest, MiB', of('start', 'keep', (r) => r.idle / MIB), 7, 2],
	['  sharing no library with anybody', of('start', 'keep',
		(r) => r.alone / MIB), null, 2],
	['PSS of a stream, KiB',
		of('paced', 'keep', (r) => r.stream / KIB), 26, 1],
	['PSS of a stream, TLS upstream, KiB', of('pacedTls', 'keep',
		(r) => r.stream / KIB), 105, 1],
	['start to first answer, ms', of('start', 'keep',
		(r) => r.start / 1e3), 30, 1],
	['200 KB body: CPU of relevo, us', of('big', 'keep',
		(r) => r.behind), 250, 0],
	['CGI, TLS upstream: CPU of server and relevo, ms', of('cgiTls', 'cgi',
		(r) => sum(r) / 1e3), 12, 1],
	['client leaves to upstream closed, p50, ms', of('leave', 'keep',
		(r) => r.whole.p50 / 1e3), null, 2],
	['client leaves to upstream closed, p99, ms', of('leave', 'keep',
		(r) => r.whole.p99 / 1e3), 15, 2],
	['  behind lighttpd, p99, ms', of('leave', 'lighttpd',
		(r) => r.whole.p99 / 1e3), null, 2],
	['  by proxy_pass, p99, ms', (results) => results.leave.proxy.map(
		(r) => r.whole.p99 / 1e3), null, 2],
	['program, stripped, MiB', (_, b) => [b.stripped / MIB], 1, 2],
	['program, as it was built, MiB', (_, b) => [b.size / MIB], null, 2],
];

const sum = (r) => r.front + r.behind;

export function median(list) {
	const sorted = [...list].sort((a, b) => a - b);

	return sorted.length % 2 ? sorted[sorted.length >> 1] :
		(sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

// Each gives the figure of every round, from the results and a build.
function of(work, target, take) {
	return (results, b) => results[work][target + b.mark].map(take);
}

function ratio(work, target, part) {
	return (results, b) => results[work][target + b.mark].map((r, i) =>
		(part ? r[part] : sum(r)) / sum(results[work].proxy[i]));
}

function added(which) {
	return (results, b) => results.first['keep' + b.mark].map((r, i) =>
		(r.first[which] - results.first.proxy[i].first[which]) / 1e3);
}

// A delayed ACK is 40 ms; over all rounds, for one is one too many.
function late(target) {
	return (results, b) => [results.first[target === 'proxy' ? target :
		target + b.mark].reduce((n, r) => n + r.late, 0)];
}

// -- The first part: what was done on what ------------------------------------

const count = (us) => us < 1000 ? us.toFixed(0) : us < 10000 ?
	`${(us / 1e3).toFixed(1)}k` : `${(us / 1e3).toFixed(0)}k`;

// A cell: the ratio, and microseconds of CPU; for the mock itself, which is
// not counted, how many answers a second it gives.
function cell(results, [work, , part, base], target) {
	const found = results[work][target];
	const kind = target.split('@')[0];
	const take = part === 'behind' ? (r) => r.behind : sum;

	if (!found || (part === 'behind' && (kind === 'proxy' ||
	    kind === 'direct')))
		return '';
	if (kind === 'direct')
		return `${count(median(found.map((r) => r.n / r.us * 1e6)))}/s`;
	// CGI has one visit a round where `unary` has two.
	const proxy = results[base].proxy;
	const each = proxy.length / found.length;
	const by = median(found.map((r, i) =>
		take(r) / sum(proxy[Math.floor(i * each)])));

	return `${by < 100 ? by.toFixed(2) : by.toFixed(0)} (${
		count(median(found.map(take)))})`;
}

function change(results, [work, , part], target) {
	const old = results[work][target + MARK];

	if (!old)
		return '';
	const take = part === 'behind' ? (r) => r.behind : sum;
	const by = median(results[work][target].map((r, i) =>
		take(r) / take(old[i]))) * 100 - 100;

	return `${by >= 0.5 ? '+' : ''}${Math.round(by) || 0} %`;
}

function line(text, cells) {
	return (text.padEnd(26) + cells.map((c) => c.padStart(13)).join(''))
		.trimEnd();
}

function side(results, baseName) {
	const names = Object.keys(COLUMNS);
	const out = [line('', Object.values(COLUMNS))];

	for (const row of ROWS) {
		out.push(line(row[1], names.map((t) => cell(results, row, t))));
		if (!baseName)
			continue;
		out.push(line(`    ${baseName.slice(0, 20)}`, names.map((t) =>
			cell(results, row, t + MARK))));
		out.push(line('    change', names.map((t) =>
			change(results, row, t))));
	}
	return out;
}

// -- The second part: the goals -----------------------------------------------

function goal([text, take, limit, digits], results, builds) {
	const [here, base] = builds.map((b) => take(results, b));
	const value = median(here);
	const ends = [Math.min(...here), Math.max(...here)];
	const met = value <= limit ? 'yes' : 'NO';

	return goalLine([text, limit === null ? '' : `<= ${limit}`,
		value.toFixed(digits), here.length < 2 ? '' :
			ends.map((v) => v.toFixed(digits)).join('..'),
		limit === null ? '' : met,
		base ? median(base).toFixed(digits) : '']);
}

const goalLine = ([text, ...cells]) => text.padEnd(54) + cells
	.map((c, i) => c.padStart([8, 9, 16, 6, 10][i])).join('').trimEnd();

/** The whole table; `run` tells of builds, rounds, machine and time. */
export function table(results, run) {
	const n = median(results.unary.direct.map((r, i) =>
		results.unary.proxy[i].us / r.us));
	const and = run.baseName ? ` and ${run.baseName}` : '';

	return [
		`relevo ${run.name}${and}: medians of ${run.rounds} rounds ` +
			`in one run, ${Math.round(run.seconds)} s`,
		...run.machine,
		'',
		'CPU of the web server and relevo, divided by that of nginx ' +
			'proxy_pass (us of CPU a question):',
		'',
		...side(results, run.baseName),
		'',
		`The mock answers ${n.toFixed(1)} times as fast as nginx ` +
			'proxy_pass, the fastest of those that are measured.',
		'',
		goalLine(['what', 'goal', 'here', 'rounds', 'met?',
			run.baseName?.slice(0, 9) ?? '']),
		...GOALS.map((g) => goal(g, results, run.builds)),
	].join('\n');
}
