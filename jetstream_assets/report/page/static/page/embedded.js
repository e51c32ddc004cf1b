// The exported documents, as they were exported, packed into the page.

// The experiment's overview, set when the page starts.
let overview = null;

const opened = new Map();

function isEmbedded(kind) {
  return document.querySelector(`script[data-document="${CSS.escape(kind)}"]`) !== null;
}

// The bytes of a document; null where it is too large to be in the page, or where there is none.
async function bytesOf(kind) {
  const packed = document.querySelector(`script[data-document="${CSS.escape(kind)}"]`);
  if (packed === null) return null;
  const raw = Uint8Array.from(atob(packed.textContent.trim()), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

async function contentOf(kind) {
  return JSON.parse(new TextDecoder().decode(await bytesOf(kind)));
}

// The records of a period's statistics; none where they are not in the page.
async function recordsOf(period) {
  const kind = `statistics_${period}`;
  if (!opened.has(kind)) {
    opened.set(kind, isEmbedded(kind) ? await contentOf(kind) : []);
  }
  return opened.get(kind);
}
