// Elements, and numbers as texts. Texts of a config come into a page here alone, as text nodes and attributes.

const SVG = "http://www.w3.org/2000/svg";

/** An element with children: elements, texts, lists of them. What is false or null is left out, but aria-. */
function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("aria-")) made.setAttribute(key, String(value));
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return made;
}

/** With three figures: 5.09 M, 6.22 G. */
function countText(count) {
  if (count == null) return "?";
  const units = ["", " k", " M", " G", " T", " P", " E"];
  let power = 0;
  while (power < units.length - 1 && Number((count / 1000 ** power).toPrecision(3)) >= 1000) power += 1;
  return power ? (count / 1000 ** power).toPrecision(3) + units[power] : String(count);
}

/** 512 KiB, 8.20 MiB. */
function bytesText(count) {
  if (count == null) return "?";
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let power = 1;
  while (power < units.length && count >= 1000 * 1024 ** power) power += 1;
  const size = count / 1024 ** power;
  return `${size < 100 ? size.toPrecision(3) : Math.round(size)} ${units[power - 1]}`;
}

const wholeText = (count) => (count == null ? "?" : count.toLocaleString("en-US"));
const shapeText = (shape) => shape.map((side) => side ?? "?").join(" × ");
const sidesText = (sides) => (sides[0] === sides[1] ? String(sides[0]) : sides.join(" × "));
const fieldText = (pixels) => (pixels == null ? "the whole image" : `${wholeText(pixels)} px`);
const counted = (count, noun) => `${wholeText(count)} ${noun}${count === 1 ? "" : "s"}`;

/** The place of a layer, as `archdsl show` prints it. */
const short = (path) => path.replace(/^stages\./, "");

/** A blank that does not change how wide the text is, after each dot, so that long paths can be wrapped. */
const wrappable = (path) => path.split(".").flatMap((word, place) => (place ? [".", element("wbr"), word] : [word]));
