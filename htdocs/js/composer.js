/* composer: the box in which a question is written, with its pictures. */

import * as images from "./images.js";
import { el, icon } from "./dom.js";
import { say } from "./i18n.js";

const PICTURES = 6;

export class Composer {
	/* form is in index.html; does: {send(text, images), stop(), sees():
	 * may the model get pictures, edit(): the last question}. */
	constructor(form, does) {
		const $ = (id) => form.querySelector("#" + id);

		this.form = form;
		this.does = does;
		this.box = $("message");
		this.mirror = $("mirror");
		this.button = $("send");
		this.strip = $("pictures");
		this.note = $("box-note");
		this.pictures = [];
		this.busy = false;
		this.box.addEventListener("input", () => this.typed());
		this.box.addEventListener("keydown", (e) => this.key(e));
		form.addEventListener("submit", (e) => {
			e.preventDefault();
			this.submit();
		});
		$("attach").addEventListener("click",
		    () => $("picture").click());
		$("picture").addEventListener("change", (e) => {
			this.add([...e.target.files]);
			e.target.value = "";
		});
		this.box.addEventListener("paste", (e) => {
			const files = images.imagesOf(e.clipboardData);

			if (files.length > 0) {
				e.preventDefault();
				this.add(files);
			}
		});
		for (const type of ["dragover", "dragleave", "drop"])
			form.addEventListener(type, (e) => this.drag(e));
		this.typed();
	}

	drag(e) {
		const files = [...e.dataTransfer?.types ?? []]
		    .includes("Files");

		this.form.classList.toggle("over", files &&
		    e.type === "dragover");
		if (!files || e.type === "dragleave")
			return;
		e.preventDefault();
		if (e.type === "drop")
			this.add(images.imagesOf(e.dataTransfer));
	}

	/* On a touch screen the focus would open the keyboard over the answer.
	 * Nor is it taken from where the user put it; done: a button that was
	 * pressed and has no more to do. */
	focus(done = this.button) {
		const at = document.activeElement;

		if (matchMedia("(pointer: fine)").matches && (at === null ||
		    at === document.body || at === done))
			this.box.focus({ preventScroll: true });
	}

	key(e) {
		/* Enter may also end a word of an input method (229: Safari). */
		if (e.isComposing || e.keyCode === 229)
			return;
		if (e.key === "Enter" && !e.shiftKey) {
			e.preventDefault();
			if (!this.busy)
				this.form.requestSubmit();
		} else if (e.key === "ArrowUp" && this.box.value === "" &&
		    !this.busy) {
			e.preventDefault();
			this.does.edit();
		}
	}

	setBusy(now) {
		this.busy = now;
		this.form.classList.toggle("busy", now);
		this.paint();
		/* the button that was pressed may be gone */
		if (now)
			this.focus();
	}

	get empty() {
		return this.box.value.trim() === "" &&
		    this.pictures.length === 0;
	}

	paint() {
		const key = this.busy ? "box.stop" : "box.send";

		say(this.button, key, {}, "aria-label");
		say(this.button, key, {}, "title");
		this.button.disabled = !this.busy && this.empty;
	}

	/* The mirror behind the box has its text, and so its height. */
	typed() {
		this.mirror.textContent = this.box.value + "\u200b";
		this.paint();
	}

	tell(key, vars = {}) {
		this.note.hidden = key === "";
		if (key !== "")
			say(this.note, key, vars);
	}

	/* Another model may see, or not. */
	check() {
		const blind = this.pictures.length > 0 && !this.does.sees();

		this.tell(blind ? "image.blind" : "");
		return !blind;
	}

	async add(files) {
		const room = PICTURES - this.pictures.length;

		if (files.length === 0)
			return;
		const got = await images.read(files, room);
		this.pictures.push(...got);
		this.paintPictures();
		if (files.length > room)
			this.tell("image.many", { n: PICTURES });
		else if (got.length < files.length)
			this.tell("image.bad");
		this.box.focus({ preventScroll: true });
	}

	paintPictures() {
		this.strip.hidden = this.pictures.length === 0;
		this.strip.replaceChildren(...this.pictures.map((src) => {
			const away = el("button", { type: "button",
			    class: "quiet", onclick: () => {
				this.pictures.splice(
				    this.pictures.indexOf(src), 1);
				this.paintPictures();
				this.box.focus();
			} }, icon("close"));

			return el("span", { class: "picture" },
			    say(el("img", { src }), "image.yours", {}, "alt"),
			    say(away, "box.remove", {}, "aria-label"));
		}));
		this.check();
		this.paint();
	}

	submit() {
		if (this.busy) {
			this.does.stop();
		} else if (!this.empty && this.check()) {
			const text = this.box.value.trim();
			const pictures = this.pictures;

			this.box.value = "";
			this.pictures = [];
			this.typed();
			this.paintPictures();
			this.does.send(text, pictures);
		}
		this.focus();
	}
}
