/* images: pictures of the clipboard, of a drop or of a file as data addresses,
 * small enough to be sent. */

const SIDE = 1568;		/* pixels: more is scaled down by providers */
const COUNT = 6;
const BYTES = 400000;		/* of a file that is sent as it is */

function load(file) {
	return new Promise((done, fail) => {
		const reader = new FileReader();

		reader.onload = () => done(reader.result);
		reader.onerror = () => fail(reader.error);
		reader.readAsDataURL(file);
	});
}

async function shrink(file) {
	const bitmap = await createImageBitmap(file);
	const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
	const small = /^image\/(?:png|jpeg|webp)$/.test(file.type) &&
	    file.size < BYTES;

	if (scale === 1 && small)
		return load(file);
	const canvas = document.createElement("canvas");
	canvas.width = Math.max(1, Math.round(bitmap.width * scale));
	canvas.height = Math.max(1, Math.round(bitmap.height * scale));
	const ink = canvas.getContext("2d");
	ink.fillStyle = "#fff";		/* JPEG knows no transparency */
	ink.fillRect(0, 0, canvas.width, canvas.height);
	ink.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	bitmap.close();
	return canvas.toDataURL("image/jpeg", 0.87);
}

export function imagesOf(transfer) {
	return [...transfer?.files ?? []].filter((f) =>
	    f.type.startsWith("image/"));
}

/* The data addresses; what is no picture after all is left out. */
export async function read(files, room = COUNT) {
	const out = [];

	for (const file of files.slice(0, Math.min(room, COUNT))) {
		try {
			out.push(await shrink(file));
		} catch {
			/* the caller counts */
		}
	}
	return out;
}
