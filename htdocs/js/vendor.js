/* vendor: the libraries of others, fetched when first needed. They are not part
 * of the sources (conf/vendor.sh brings them): each call gives the library, or
 * null when it is not there, and the page does without. */

const asked = new Map();

function once(name, load) {
	if (!asked.has(name))
		asked.set(name, load().catch(() => {
			console.info("relevo: vendor/" + name + " is not " +
			    "here; the page does without it (make vendor)");
			return null;
		}));
	return asked.get(name);
}

const file = (name) => import(new URL("../vendor/" + name, import.meta.url));

/* {Marked, purify}: never one without the other. */
export function markdown() {
	return once("marked.js, purify.js", async () => {
		const [{ Marked }] = await Promise.all([file("marked.js"),
		    file("purify.js")]);

		/* a UMD bundle: as a module it names itself in globalThis */
		return { Marked, purify: globalThis.DOMPurify };
	});
}

/* highlight.js with that language in it (a file name of vendor/highlight). */
export async function highlight(lang) {
	const core = await once("highlight/core.js", async () =>
	    (await file("highlight/core.js")).default);

	if (core === null)
		return null;
	return once("highlight/" + lang + ".js", async () => {
		const { default: grammar } = await file("highlight/" + lang +
		    ".js");

		core.registerLanguage(lang, grammar);
		return core;
	});
}

/* uPlot, its style sheet too. */
export function plot() {
	return once("uplot.js", async () => {
		const { default: uPlot } = await file("uplot.js");
		const link = document.createElement("link");

		link.rel = "stylesheet";
		link.href = new URL("../vendor/uplot.css", import.meta.url);
		const ready = new Promise((done) => {
			link.addEventListener("load", done);
			link.addEventListener("error", done);
		});
		document.head.prepend(link);
		await ready;
		return uPlot;
	});
}
