// The page: asks for the network of the text at every key, and shows the answer.
import { backend } from "./backend.js";
import { createEditor } from "./editor.js";
import { element } from "./element.js";
import { Newest } from "./newest.js";
import { Diagram, isPart, showProblems, showTables, showTotals } from "./result.js";

const $ = (id) => document.getElementById(id);
const SLIDERS = ["width", "depth"];
const state = {
  stamp: "", savedText: null, savedName: "", overrides: [], places: [], path: "",
  baseline: null, wantsBaseline: true, network: null, lists: { files: [], presets: [] },
};

const editor = createEditor($("editor"), {
  ask: (want, place) => backend.ask({ ...request(), want, ...place }).catch(() => ({})),
  onChange(isTyped) { changed(); redraw(isTyped); },
  onCursor: showCursor,
  onSave: () => save(),
});
const diagram = new Diagram($("diagram"), goTo);
const questions = new Newest((question) => backend.ask(question), () => {
  const asked = { request: { ...request(), want: "redraw" }, version: editor.version, at: state.keyAt };
  state.keyAt = null;
  return asked;
}, show, notice);

function request() {
  return { name: $("name").value || "config.yaml", text: editor.text, overrides: state.overrides, size: $("size").value };
}

function redraw(isTyped = true) {
  if (isTyped) state.keyAt ??= performance.now();
  questions.want();
}

function show({ version, at, request: asked }, answer) {
  notice(null);
  if (version === editor.version) {
    state.places = answer.places || [];
    editor.show(answer.problems, answer.hints || []);
    showProblems($("problems"), answer.problems, { fix: (fix) => editor.apply(fix, version), jump: (place) => editor.jump(place) });
  }
  document.body.classList.toggle("stale", !answer.network);
  if (answer.network) showNetwork(answer.network, asked);
  showCursor(editor.cursor);
  if (at) requestAnimationFrame(() => setTimeout(() => {  // painted
    const { duration } = performance.measure("redrawn", { start: at });
    $("time").textContent = `${Math.round(duration)} ms`;
  }));
}

function showNetwork(network, asked) {
  if (state.wantsBaseline && asked.text === state.savedText) [state.baseline, state.wantsBaseline] = [network.totals, false];
  state.network = network;
  showTotals($("totals"), network.totals, state.baseline);
  diagram.show(network.svg);
  showTables($("layers"), $("outputs"), network, goTo);
  for (const name of SLIDERS) showSlider(name, network.scale[name]);
}

// The key path at the cursor: the last key before it.
function showCursor(place) {
  const before = state.places.filter(([, line, column]) => line < place.line || (line === place.line && column <= place.column));
  state.path = before.at(-1)?.[0] || "";
  diagram.mark(state.path);
  for (const row of document.querySelectorAll("tr[data-path]")) row.classList.toggle("here", isPart(row.dataset.path, state.path));
}

// Moves to the key of a layer, or to the nearest key around it in this text.
function goTo(path) {
  const around = state.places.filter(([key]) => path === key || path.startsWith(`${key}.`));
  const nearest = around.sort(([one], [other]) => other.length - one.length)[0];
  if (nearest) editor.jump({ line: nearest[1], column: nearest[2] });
  else notice(new Error(`${path} comes from a parent, and is not set in this text.`), true);
}

// Overrides: words of a command line, beside the text, each with a way back.
function showOverrides() {
  $("chips").replaceChildren(...state.overrides.map((text) => element("span", { class: "chip" }, element("code", {}, text),
    element("button", { type: "button", title: "Write it into the text", onclick: () => keep(text) }, "Keep"),
    element("button", { type: "button", "aria-label": `Remove ${text}`, onclick: () => setOverrides(state.overrides.filter((each) => each !== text)) }, "×"))));
}

function setOverrides(overrides) {
  state.overrides = overrides;
  showOverrides();
  redraw();
}

// An override becomes part of the text, which undo takes back.
async function keep(text) {
  const { version } = editor;
  const answer = await backend.ask({ ...request(), overrides: [text], want: "keep" }).catch((error) => ({ problems: [error] }));
  if (!answer.edits) return notice(new Error(answer.problems[0].message), true);
  if (editor.version !== version) return undefined;  // it was worked out for another text
  setOverrides(state.overrides.filter((each) => each !== text));
  return editor.apply(answer, version);
}

const others = (key) => state.overrides.filter((each) => !each.startsWith(`${key}=`));

function showSlider(name, value) {
  const slider = $(name);
  if (typeof value !== "number") return;
  slider.max = Math.max(2, Math.ceil(value));
  if (document.activeElement !== slider || !state.sliding) slider.value = value;
  slider.nextElementSibling.textContent = value.toFixed(2);
}

for (const name of SLIDERS) {
  const key = `scale.${name}`;
  $(name).addEventListener("input", (event) => {
    state.sliding = true;
    setOverrides([...others(key), `${key}=${Number(event.target.value)}`]);
  });
  $(name).addEventListener("change", () => { state.sliding = false; });
  $(name).addEventListener("dblclick", () => setOverrides(others(key)));
}

$("overrides").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("override").value.trim();
  if (!text) return;
  $("override").value = "";
  setOverrides([...others(text.split("=")[0]), text]);
});
$("size").addEventListener("input", () => redraw());

// Files
function changed() {
  const isSaved = editor.text === state.savedText && $("name").value === state.savedName && (state.stamp || !backend.hasFiles);
  $("saved").textContent = isSaved ? "saved" : "not saved";
  document.title = `${isSaved ? "" : "• "}${$("name").value} – archdsl`;
}

function opened({ name, text, stamp }) {
  Object.assign(state, { stamp, savedText: text, savedName: name, baseline: null, wantsBaseline: true });
  $("name").value = name;
  editor.open(text);
  changed();
}

// Files are saved and opened one at a time: each finds the stamp that the one before it left.
let turn = Promise.resolve();
const inTurn = (work) => { turn = turn.then(work).catch(notice); };
const save = (stamp) => inTurn(() => write(stamp));
const open = (name, isSure) => inTurn(() => read(name, isSure));

async function write(stamp = state.savedName === $("name").value ? state.stamp : "") {
  const [name, text] = [$("name").value, editor.text];
  if (!backend.hasFiles) {
    Object.assign(state, { savedText: text, savedName: name });
    changed();
    return download(name, text, "text/yaml");
  }
  const answer = await backend.save(name, text, stamp).catch((error) => ({ refused: error.message }));
  if (!answer.refused) {
    Object.assign(state, { stamp: answer.stamp, savedText: text, savedName: name, wantsBaseline: true });
    notice(null, true);
    changed();
    return redraw();
  }
  const ways = answer.stamp === undefined ? [] : [
    element("button", { onclick: () => save(answer.stamp) }, "Replace it"),
    element("button", { onclick: () => open(name, true) }, "Open that one"),
  ];
  return notice(new Error(answer.refused), true, ...ways);
}

async function read(name, isSure = editor.text === state.savedText) {
  if (!isSure) {
    const way = element("button", { onclick: () => open(name, true) }, "Open it");
    return notice(new Error(`${$("name").value} has changes that are not saved; ${name} would take its place.`), true, way);
  }
  const answer = await backend.open(name).catch((error) => ({ refused: error.message }));
  if (answer.refused) return notice(new Error(answer.refused), true);
  notice(null, true);
  state.overrides = [];
  showOverrides();
  return opened(answer);
}

// A line above everything. A notice about a file stays until something is done about it.
function notice(error, stays = false, ...ways) {
  if (!error && $("notice").dataset.stays && !stays) return;
  $("notice").hidden = !error;
  $("notice").dataset.stays = stays && error ? "yes" : "";
  $("notice").replaceChildren(...(error ? [element("span", {}, error.message), ...ways,
    element("button", { class: "link", "aria-label": "Close", onclick: () => notice(null, true) }, "×")] : []));
}

function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const KINDS = { svg: [".svg", "image/svg+xml"], report: [".html", "text/html"], resolved: [".resolved.yaml", "text/yaml"] };
for (const button of document.querySelectorAll("[data-download]")) button.addEventListener("click", async () => {
  $("downloads").open = false;
  const [ending, type] = KINDS[button.dataset.download];
  const answer = await backend.ask({ ...request(), want: button.dataset.download }).catch((error) => ({ problems: [error] }));
  if (answer.text === undefined) notice(new Error(answer.problems[0]?.message || "Nothing can be drawn of this text."), true);
  else download($("name").value.replace(/\.ya?ml$/, "") + ending, answer.text, type);
});

$("save").addEventListener("click", () => save());
$("name").addEventListener("input", () => { changed(); redraw(); });
addEventListener("beforeunload", (event) => { if (editor.text !== state.savedText) event.preventDefault(); });
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s" && !event.defaultPrevented) { event.preventDefault(); save(); }
  if (event.key === "Escape") $("downloads").open = false;
});
addEventListener("click", (event) => { if (!$("downloads").contains(event.target)) $("downloads").open = false; });

function showFound() {
  const wanted = $("wanted").value.toLowerCase();
  const group = (title, names) => {
    const found = names.filter((name) => name.toLowerCase().includes(wanted));
    return found.length ? [element("h2", {}, title), ...found.slice(0, 200).map((name) => element("button", { class: "row", onclick: () => { $("files").close(); open(name); } }, name))] : [];
  };
  $("found").replaceChildren(...group("In the folder", state.lists.files), ...group("Presets", state.lists.presets));
}
$("open").addEventListener("click", async () => {
  state.lists = await backend.start().catch(() => state.lists);
  $("wanted").value = "";
  showFound();
  $("files").showModal();
});
$("wanted").addEventListener("input", showFound);
$("wanted").addEventListener("keydown", (event) => { if (event.key === "Enter") $("found").querySelector("button")?.click(); });

// Light and dark: the system's, or the one that was chosen here
const dark = matchMedia("(prefers-color-scheme: dark)");
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").setAttribute("aria-label", name === "dark" ? "Light" : "Dark");
}
setTheme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => state.network && diagram.zoomBy(Number(button.dataset.zoom)));
}

// Tabs
const tabs = [...document.querySelectorAll("[role=tab]")];
function choose(tab) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", each === tab);
    each.tabIndex = each === tab ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = each !== tab;
  }
  tab.focus();
}
for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => { if (/^Arrow(Left|Right)$/.test(event.key)) choose(tabs.find((each) => each !== tab)); });
}

$("saved").hidden = !backend.hasFiles;
if (backend.loading) notice(new Error(backend.loading));
try {
  const start = await backend.start();
  state.lists = start;
  state.overrides = start.overrides;
  showOverrides();
  opened(start);
  editor.focus();
  notice(null);
  document.body.classList.add("ready");
} catch (error) {
  notice(error, true);
}
