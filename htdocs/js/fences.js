/* fences: a growing text into paragraphs and fenced code blocks, piece by
 * piece. Pure: what it finds it tells a sink:
 *
 *	open()		a paragraph begins
 *	text(s)		more of the paragraph
 *	openCode(lang)	a code block begins
 *	code(s)		more of it
 *	close()		the paragraph or block ended
 *
 * What was told is never taken back, so a frame costs what is new in it. Held
 * back is only the start of a line that may yet turn out to be a fence, and
 * line ends, which may belong to no paragraph. */

const OPEN = /^([ \t]*)(`{3,}|~{3,})[ \t]*([^`]*)$/;
const MAYBE_OPEN = /^[ \t]*(`{0,2}|~{0,2}|`{3,}[^`]{0,200}|~{3,}.{0,200})$/;
const MARKS = /^(`*|~*)$/;	/* of a trimmed line: trim() is never slow */

export class Fences {
	constructor(sink) {
		this.sink = sink;
		this.rest = "";
		this.lineStart = true;
		this.fence = "";	/* of the open code block */
		this.indent = 0;
		this.inside = false;	/* a paragraph or block is open */
		this.breaks = "";	/* white space that may end it */
		this.first = false;	/* no line of the block told yet */
	}

	push(text) {
		this.rest += text.replaceAll("\r", "");
		this.run(false);
	}

	end() {
		this.run(true);
		if (this.inside)
			this.sink.close();
		this.inside = false;
		this.breaks = "";
		this.fence = "";
		this.lineStart = true;
	}

	run(last) {
		while (this.rest !== "") {
			const nl = this.rest.indexOf("\n");
			const line = nl < 0 ? this.rest : this.rest.slice(0, nl);

			if (this.lineStart) {
				if (nl < 0 && !last && this.mayBeFence(line))
					return;
				if (this.takeFence(line)) {
					this.rest = nl < 0 ? "" :
					    this.rest.slice(nl + 1);
					continue;
				}
			}
			this.rest = nl < 0 ? "" : this.rest.slice(nl + 1);
			if (this.fence !== "")
				this.codeLine(line);
			else
				this.proseLine(line);
			this.lineStart = nl >= 0;
			if (nl >= 0)
				this.breaks += "\n";
		}
	}

	mayBeFence(line) {
		return this.fence !== "" ? MARKS.test(line.trim()) :
		    MAYBE_OPEN.test(line);
	}

	takeFence(line) {
		if (this.fence !== "") {
			const marks = line.trim();

			if (!marks.startsWith(this.fence) || !MARKS.test(marks))
				return false;
			this.fence = "";
			this.sink.close();
			this.inside = false;
		} else {
			const m = OPEN.exec(line);

			if (m === null)
				return false;
			if (this.inside)
				this.sink.close();
			this.indent = m[1].length;
			this.fence = m[2];
			this.first = true;
			this.sink.openCode(m[3].trim().split(/[\s{,]/, 1)[0]);
			this.inside = true;
		}
		this.breaks = "";
		return true;
	}

	/* The line end before the closing fence is the fence's. */
	codeLine(line) {
		let own = line;

		if (this.lineStart) {
			let n = 0;

			while (n < this.indent && " \t".includes(line[n] ?? "x"))
				n++;
			own = line.slice(n);
			own = (this.first ? "" : this.breaks) + own;
			this.breaks = "";
			this.first = false;
		}
		if (own !== "")
			this.sink.code(own);
	}

	proseLine(line) {
		const own = line.trimEnd();

		if (own === "") {
			this.breaks += line;
			return;
		}
		const blank = (this.breaks.match(/\n/g) ?? []).length > 1;
		if (this.inside && blank) {
			this.sink.close();
			this.inside = false;
		}
		if (!this.inside) {
			this.sink.open();
			this.inside = true;
			/* list items and quotes keep their indent */
			this.breaks = this.breaks.replace(/^[^]*\n/, "");
		}
		this.sink.text(this.breaks + own);
		this.breaks = line.slice(own.length);
	}
}

/* Inline code and bold of a whole paragraph: [{kind: "text" | "code" |
 * "strong", text}]. */
export function inline(text) {
	const out = [];
	/* No match begins inside a run of marks: such a line stays cheap. */
	const code = "(?<!`)(`{1,3})(?!`)([^`\\n]+)\\1(?!`)";
	const strong = "(?<!\\*)\\*\\*(?=[^\\s*])([^*\\n]*[^\\s*])\\*\\*(?!\\*)";
	const marks = new RegExp(code + "|" + strong, "g");
	let from = 0;

	for (const m of text.matchAll(marks)) {
		if (m.index > from)
			out.push({ kind: "text",
			    text: text.slice(from, m.index) });
		out.push(m[2] !== undefined ? { kind: "code", text: m[2] } :
		    { kind: "strong", text: m[3] });
		from = m.index + m[0].length;
	}
	if (from < text.length)
		out.push({ kind: "text", text: text.slice(from) });
	return out;
}
