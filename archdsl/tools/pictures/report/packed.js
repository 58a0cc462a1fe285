// Texts that came packed (see packed.py): a stream of them is opened when one of them is first asked for.

const packed = JSON.parse(document.getElementById("packed").textContent);
const streams = packed.streams.map(([sizes, data]) => ({ sizes, data }));
const packedCount = streams.reduce((count, { sizes }) => count + sizes.length, 0);

/** The text at a place, counted from 0. */
async function packedText(place) {
  const stream = streams.find(({ sizes }) => {
    if (place < sizes.length) return true;
    place -= sizes.length;
    return false;
  });
  stream.texts ??= textsOf(stream);
  return (await stream.texts)[place];
}

async function textsOf({ sizes, data }) {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const opened = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const whole = new Uint8Array(await new Response(opened).arrayBuffer());
  const texts = sizes.map((size) => new Uint8Array(size));
  for (let at = 0, begin = 0; at < whole.length; begin += packed.piece) {
    for (const text of texts) {
      const piece = whole.subarray(at, at + Math.min(packed.piece, Math.max(0, text.length - begin)));
      if (piece.length) text.set(piece, begin);
      at += piece.length;
    }
  }
  return texts.map((text) => new TextDecoder().decode(text));
}

/** An SVG as an element of this page, null for an empty text. */
function pictureOf(text) {
  return text ? document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true) : null;
}
