// A new element. Children are elements or texts, which stay texts: nothing is ever read as markup.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return made;
}

const MARKED = /\\(.)|(`+) ?(.*?) ?\2(?!`)|(\*\*)/g;

// Markdown as archdsl writes it (paragraphs, line ends, **bold**, `code`, \escapes) as elements.
export function prose(markdown) {
  return markdown.split("\n\n").map((paragraph) => element("p", {}, ...paragraph.split("\n").flatMap((line, index) =>
    [...(index ? [element("br")] : []), ...pieces(line.trimEnd())])));
}

function pieces(line) {
  const found = [];
  let bold = null;
  const add = (piece) => (bold || found).push(piece);
  let end = 0;
  for (const match of line.matchAll(MARKED)) {
    add(line.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[1]) add(match[1]);
    else if (match[2]) add(element("code", {}, match[3]));
    else if (bold) [bold] = [null, found.push(element("b", {}, ...bold))];
    else bold = [];
  }
  add(line.slice(end));
  return [...found, ...(bold || [])];
}
