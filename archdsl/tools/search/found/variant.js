// One variant: its figures, how to get it, its config and its diagram.

/**
 * `more`: {text, picture} for a variant whose config and diagram are in the page, else null. Returns {facts, rest}: what
 * has a place beside the chart, and what is below it.
 */
function variant(found, point, columns, more) {
  const overrides = found.columns
    .map((column, place) => [column, point.row[place + 1]])
    .filter(([column]) => column.choice)
    .map(([column, value]) => `${column.name}=${overrideText(column, value)}`);
  const show = ["archdsl", "show", found.reference, ...found.given, ...overrides];
  if (found.size) show.push("--size", found.size.join("x"));
  const take = ["archdsl", "search", found.folder, "--take", String(point.row[0]), "-o", "mine.yaml"];
  return {
    facts: [
      element("h3", { tabindex: -1 }, point.label, point.isBest ? element("small", {}, point.among) : null),
      element(
        "dl",
        { class: "values" },
        columns.map((column) => [
          element("dt", {}, wrappable(column.name)),
          element("dd", {}, column.text(point.row), exact(column, point.row)),
        ]),
      ),
    ],
    rest: [
      element(
        "div",
        { class: "texts" },
        copyable("Overrides", overrides.join("\n")),
        copyable("See it in a terminal", show.map(quoted).join(" ")),
        copyable("Write its config", take.map(quoted).join(" ")),
        more ? copyable("Config", more.text) : null,
      ),
      more ? diagramOf(more.picture) : note(found),
    ],
  };
}

function note(found) {
  const those = found.configs.length ? `the first ${found.configs.length} of ${called}` : "none";
  const text = `Its diagram and config are not in this page, which has those of ${those}: the commands give them.`;
  return element("p", { class: "note" }, text);
}

function diagramOf(picture) {
  if (!picture) return element("p", { class: "note" }, "This network is too large for a diagram.");
  return element("div", { class: "diagram" }, zoomable(picture.cloneNode(true), "the diagram").frame);
}

/** The whole number behind a short text. */
function exact(column, row) {
  const value = column.value(row);
  const whole = Number.isInteger(value) ? wholeText(value) : null;
  return whole && whole !== column.text(row) ? element("small", {}, whole) : null;
}

/** As an override writes it: 1 of a real number is 1.0. */
function overrideText(column, value) {
  return column.real && Number.isInteger(value) ? `${value}.0` : String(value);
}

/** A word as a shell takes it. */
function quoted(word) {
  return /^[\w.,:=/+@%-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}

function copyable(title, text) {
  const shown = element("pre", { tabindex: 0, role: "region", "aria-label": title }, text);
  const status = element("span", { role: "status", class: "quiet" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(shown);
      status.textContent = "selected: Ctrl+C copies it";
    }
  };
  const button = element("button", { type: "button", class: "link", "aria-label": `Copy: ${title}`, onclick: copy }, "copy");
  return element("div", { class: "copyable" }, element("p", {}, element("b", {}, title), " ", button, " ", status), shown);
}
