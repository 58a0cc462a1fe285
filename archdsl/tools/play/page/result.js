// The results: totals, diagram, tables, problems.
import { element } from "./element.js";

const FIGURES = [["params", "Parameters"], ["macs", "MACs"], ["memory", "Memory, at least"]];

export function showTotals(list, totals, before) {
  const items = FIGURES.map(([key, label]) => element("div", {},
    element("dt", {}, label),
    element("dd", { title: exact(key, totals) }, totals.texts[key], change(totals[key], before?.[key]))));
  items.push(element("div", {}, element("dt", {}, "Image"), element("dd", {}, totals.image)));
  list.replaceChildren(...items);
}

const exact = (key, totals) => ({
  params: `${totals.params.toLocaleString("en")} parameters, ${totals.trainable.toLocaleString("en")} of them trainable`,
  macs: totals.macs === null ? "" : `${totals.macs.toLocaleString("en")} multiply-accumulates for one image`,
  memory: totals.memory ? `${totals.memory.toLocaleString("en")} bytes for the values between operations, one image` : "",
})[key];

function change(now, before) {
  if (!now || !before || now === before) return "";
  const percent = 100 * (now / before - 1);
  const text = Math.abs(percent) < 1000 ? `${Math.abs(percent).toPrecision(2)} %` : `× ${(now / before).toPrecision(2)}`;
  const more = now > before;
  return element("small", { class: more ? "more" : "less", title: "since the file was opened or saved" },
    `${more ? "+" : "−"}${Number.parseFloat(text) >= 100 && text.endsWith("%") ? `${Math.round(Math.abs(percent))} %` : text}`);
}

// Layers and outputs as tables; `go` is told the key path of a row.
export function showTables(layers, outputs, network, go) {
  const shown = JSON.stringify([network.layers, network.outputs]);
  if (layers.shown === shown) return;  // no figure has changed
  layers.shown = shown;
  const most = Math.max(1, ...network.layers.map((layer) => layer.macs || 0));
  const isOutput = new Set(network.outputs.map((output) => output.path));
  keepFocus(layers, () => layers.replaceChildren(table(
    ["Layer", "Block", "Output", "Stride", "Parameters", "MACs"],
    network.layers.map((layer) => row(layer.path, go, [
      [short(layer.path), isOutput.has(layer.path) ? "output" : ""], [layer.block], [layer.shape, "number"],
      [String(layer.stride), "number"], [layer.params ? layer.params.toLocaleString("en") : "", "number"],
      [layer.macs === 0 ? "" : layer.macs_text, "number bar", (layer.macs || 0) / most],
    ])))));
  keepFocus(outputs, () => outputs.replaceChildren(table(
    ["Output", "Layer", "Size", "Stride", "Receptive field"],
    network.outputs.map((output) => row(output.path, go, [
      [output.name], [short(output.path)], [output.shape, "number"], [String(output.stride), "number"], [output.field, "number"],
    ])))));
}

const short = (path) => path.replace(/^stages\./, "");

const table = (heads, rows) => element("table", {},
  element("thead", {}, element("tr", {}, ...heads.map((head, index) => element("th", { scope: "col", class: index > 1 ? "number" : "" }, head)))),
  element("tbody", {}, ...rows));

function row(path, go, cells) {
  const [[name, kind], ...others] = cells;
  const made = element("tr", { "data-path": path, onclick: () => go(path) },
    element("th", { scope: "row", class: kind }, element("button", { class: "link" }, name)),
    ...others.map(([text, kind = "", share]) => {
      const cell = element("td", { class: kind }, text);
      if (share !== undefined) cell.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
      return cell;
    }));
  return made;
}

function keepFocus(panel, redraw) {
  const focused = panel.contains(document.activeElement) ? document.activeElement.closest("tr")?.dataset.path : null;
  const { scrollTop } = panel;
  redraw();
  panel.scrollTop = scrollTop;
  if (focused) rowsOf(panel).find((each) => each.dataset.path === focused)?.querySelector("button").focus();
}

const rowsOf = (panel) => [...panel.querySelectorAll("tr[data-path]")];

// Problems as a list under the text; `fix` and `jump` are told what was chosen.
export function showProblems(list, problems, { fix, jump }) {
  list.replaceChildren(...problems.slice(0, 50).map((problem) => element("li", { class: problem.severity || "error" },
    element("button", { class: "link", disabled: Boolean(problem.file) || !problem.line, onclick: () => jump(problem) },
      problem.line ? `${problem.file ? `${problem.file}:` : "line "}${problem.line}` : problem.file || "—"),
    element("span", { class: "message" }, element("span", { class: "fact", title: problem.message }, problem.message),
      problem.hint && element("span", { class: "about-hint" }, problem.hint),
      ...problem.notes.map((note) => element("span", { class: "about-hint" }, `${note.text} ${note.file ? `${note.file}:` : "line "}${note.line || ""}`))),
    ...problem.fixes.slice(0, 3).map((each) => element("button", { class: "fix", onclick: () => fix(each) }, each.title)))));
}

// The picture of the network, whose layers can be chosen. `zoom` is 0 for the width of its place, "whole" for all of it.
export class Diagram {
  #root;
  #shown = "";
  #zoom = 0;

  constructor(place, go) {
    this.place = place;
    this.#root = place.attachShadow({ mode: "open" });
    const look = new CSSStyleSheet();
    look.replaceSync(LOOK);
    this.#root.adoptedStyleSheets = [look];
    const chosen = (event) => event.target.closest?.("[data-path]");
    this.#root.addEventListener("click", (event) => chosen(event) && go(chosen(event).dataset.path));
    this.#root.addEventListener("keydown", (event) => {
      if ((event.key !== "Enter" && event.key !== " ") || !chosen(event)) return;
      event.preventDefault();
      go(chosen(event).dataset.path);
    });
  }

  get #svg() { return this.#root.querySelector("svg"); }

  // The text is a file of our own: an SVG without scripts, styles and references.
  show(text) {
    if (text === this.#shown) return;
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (svg.localName !== "svg") return;
    this.#root.replaceChildren(document.adoptNode(svg));
    this.#shown = text;
    this.zoom(this.#zoom);
  }

  // Zooms by a factor; 0 fits the width, then the whole picture.
  zoomBy(factor) {
    const now = this.#svg.clientWidth / this.#svg.viewBox.baseVal.width;
    this.zoom(factor ? Math.min(4, Math.max(0.2, now * factor)) : this.#zoom === 0 ? "whole" : 0);
  }

  zoom(zoom) {
    this.#zoom = zoom;
    Object.assign(this.#svg.style, {
      width: zoom > 0 ? `${zoom * this.#svg.viewBox.baseVal.width}px` : "",
      maxWidth: zoom > 0 ? "none" : "",
      height: zoom === "whole" ? "100%" : "",
    });
  }

  // Marks the layers of a part of the config: `stages.p4` are all of the stage.
  mark(path) {
    for (const layer of this.#root.querySelectorAll("[data-path]")) layer.classList.toggle("here", isPart(layer.dataset.path, path));
  }
}

export const isPart = (path, of) => Boolean(of) && (path === of || path.startsWith(`${of}.`) || of.startsWith(`${path}.`));

const LOOK = `
  svg { display: block; margin: auto; max-width: 100%; height: auto; }
  .layer { cursor: pointer; outline: none; }
  .layer:hover > rect:first-of-type { stroke: var(--accent); }
  .layer.here > rect:first-of-type, .layer:focus-visible > rect:first-of-type { stroke: var(--accent); stroke-width: 2.5px; }
`;
