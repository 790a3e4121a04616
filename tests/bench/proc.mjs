// proc: what processes cost, from /proc.
import { readFileSync, readdirSync } from 'node:fs';

function slurp(path) {
	try {
		return readFileSync(path, 'latin1');
	} catch {
		return '';	// it has ended
	}
}

// The fields of /proc/PID/stat behind the name: [0] is the state (field 3).
const stat = (pid) =>
	slurp(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ');

/** The process and all that descend from it. */
export function tree(pid) {
	const children = new Map();
	const all = [pid];

	for (const name of readdirSync('/proc')) {
		if (!/^\d+$/.test(name))
			continue;
		const parent = Number(stat(name)[1]);

		children.set(parent, [...children.get(parent) ?? [],
			Number(name)]);
	}
	for (const one of all)
		all.push(...children.get(one) ?? []);
	return all;
}

/** CPU time that the processes have used, in microseconds. schedstat counts
 * nanoseconds where stat has ticks of 10 ms; children that were waited for, as
 * CGI's are, stand in stat alone, as a sum that is rounded once. */
export function cpu(pids) {
	let us = 0;

	for (const pid of pids) {
		const f = stat(pid);
		const [ns] = slurp(`/proc/${pid}/schedstat`).split(' ');

		us += ns ? Number(ns) / 1e3 :
			(Number(f[11]) + Number(f[12])) * 1e4;
		us += (Number(f[13]) + Number(f[14])) * 1e4;
	}
	return us;
}

/** Their memory in bytes, what they share counted once (PSS). */
export function pss(pids) {
	let kb = 0;

	for (const pid of pids) {
		const m = /^Pss:\s+(\d+)/m.exec(
			slurp(`/proc/${pid}/smaps_rollup`));

		kb += m ? Number(m[1]) : 0;
	}
	return kb * 1024;
}

/** The load average and the share of time that tasks waited for a CPU. */
export const load = () => ({
	average: slurp('/proc/loadavg').split(' ')[0],
	waited: /some .*total=(\d+)/.exec(slurp('/proc/pressure/cpu'))?.[1],
});
