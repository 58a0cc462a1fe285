// One variant: its figures, how to get it, its config and its diagram.

/** What has a place beside the chart. */
function factsOf(point, columns) {
  return [
    element("h3", { tabindex: -1 }, point.label, point.isBest ? element("small", {}, point.among) : null),
    element(
      "dl",
      { class: "values" },
      columns.map((column) => [
        element("dt", {}, wrappable(column.name)),
        element("dd", {}, column.text(point.row), exact(column, point.row)),
      ]),
    ),
  ];
}

/** What is below it. `network`: {config, picture} of a variant that has them in the page, else null. */
function restOf(found, point, network) {
  const overrides = found.columns
    .map((column, place) => [column, point.row[place + 1]])
    .filter(([column]) => column.choice)
    .map(([column, value]) => `${column.name}=${overrideText(column, value)}`);
  const show = ["archdsl", "show", found.reference, ...found.given, ...overrides];
  if (found.size) show.push("--size", found.size.join("x"));
  const take = ["archdsl", "search", found.folder, "--take", String(point.row[0]), "-o", "mine.yaml"];
  return [
    element(
      "div",
      { class: "texts" },
      copyable("Overrides", overrides.join("\n")),
      copyable("See it in a terminal", show.map(quoted).join(" ")),
      copyable("Write its config", take.map(quoted).join(" ")),
      network ? copyable("Config", network.config) : null,
    ),
    network ? diagramOf(network.picture) : note(found),
  ];
}

function note(found) {
  const others = packedCount - found.in_front;
  const those = others < 0 ? `the first ${packedCount} of ${called}` : `all ${found.in_front} of ${called} and ${wholeText(others)} others`;
  const text = `Its diagram and config are not in this page, which has those of ${those}: the commands give them.`;
  return element("p", { class: "note" }, text);
}

function diagramOf(picture) {
  if (!picture) return element("p", { class: "note" }, "This network is too large for a diagram.");
  return element("div", { class: "diagram" }, zoomable(picture, "the diagram").frame);
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
