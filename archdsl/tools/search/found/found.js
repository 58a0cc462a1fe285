// The page of a search: its budget, its variants as points, the one that is chosen, and the best as a table.

const found = JSON.parse(document.getElementById("data").textContent);
const columns = found.columns.map(described);
const called = found.objectives.length > 1 ? "the Pareto front" : found.objectives.length ? "the best" : "the first";
const points = found.rows.map((row, place) => ({
  row,
  place,
  label: `Row ${wholeText(row[0])}`,
  isBest: place < found.in_front,
  among: place < found.in_front ? `of ${called}` : "",
}));

function described(column, place) {
  const value = (row) => (typeof row[place + 1] === "number" || column.text ? row[place + 1] : null);
  const short = (number) => figureText(column, number);
  const text = (row) => (value(row) === null ? (row[place + 1] ?? "–") : short(value(row)));
  return { ...column, number: !column.text, value, text, tick: short };
}

function figureText(column, value) {
  if (typeof value === "string") return value;
  if (column.unit === "bytes") return bytesText(value);
  if (Number.isInteger(value) && Math.abs(value) >= 100_000) return countText(value);
  return Number.isInteger(value) ? wholeText(value) : String(Number(value.toPrecision(4)));
}

function heading() {
  const limit = ([figure, least, most]) => {
    const column = columns.find((each) => each.name === figure);
    const text = (value) => (column ? figureText(column, value) : wholeText(value));
    const isOpen = (end) => typeof end !== "number";
    if (isOpen(least)) return `${figure} ≤ ${text(most)}`;
    return isOpen(most) ? `${figure} ≥ ${text(least)}` : `${text(least)} ≤ ${figure} ≤ ${text(most)}`;
  };
  const aims = found.objectives.map(([figure, sign]) => `${sign < 0 ? "maximize" : "minimize"} ${figure}`);
  const told = [...found.bounds.map(limit), ...aims, found.latency].filter(Boolean).join(", ");
  const short = (count) => (count < 100_000 ? wholeText(count) : countText(count));
  const figures = [
    ["within the budget", short(found.count), `of ${short(found.variants)} variants`],
    ["choices", String(columns.filter((each) => each.choice).length), `of ${found.config}`],
    found.objectives.length > 1
      ? ["Pareto front", wholeText(found.in_front), "no other is better in all"]
      : ["shown first", wholeText(found.in_front), found.objectives.length ? "the best" : "as no figure is best"],
  ];
  return element(
    "header",
    {},
    element("div", { class: "bar-top" }, element("p", { class: "brand" }, "archdsl search"), themeSwitch()),
    element("h1", {}, found.config),
    element("p", { class: "lead" }, told),
    element(
      "dl",
      { class: "figures" },
      figures.map(([name, value, more]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, element("b", {}, value), element("small", {}, more))),
      ),
    ),
  );
}

const facts = element("div", { class: "facts-of" });
const panel = element("div", { class: "chosen" });
const status = element("p", { role: "status", class: "heard" });
let chosen = points[0];

function open(point) {
  chosen = point;
  const isHere = point.place < packedCount;
  const show = (network) => panel.replaceChildren(...restOf(found, point, network));
  facts.replaceChildren(...factsOf(point, columns));
  if (!isHere) show(null);
  else networkAt(point.place).then((network) => chosen === point && show(network));
  status.textContent = `${point.label} is shown beside and below`;
}

/** The config and the diagram of a variant; null for one that is not a network. */
async function networkAt(place) {
  const [config, picture] = (await packedText(place)).split("\0");
  return config && { config, picture: pictureOf(picture) };
}

function chart() {
  const numbers = columns.filter((column) => column.number);
  const aims = found.objectives.map(([figure]) => figure);
  const first = [...aims, "params", "macs", ...numbers.map((each) => each.name)];
  const isKnown = (column) => points.some(({ row }) => Number.isFinite(column.value(row)));
  const names = [...new Set(first)].filter((name) => numbers.some((each) => each.name === name && isKnown(each)));
  const frame = element("div", { class: "scroll", tabindex: -1 });
  const missing = element("p", { class: "note" });
  let shown;

  const selects = ["across", "up"].map((title, place) =>
    element(
      "select",
      { "aria-label": `Figure ${title}`, onchange: draw },
      numbers.map(({ name }) => element("option", { value: name, selected: name === names[Math.min(place, names.length - 1)] }, name)),
    ),
  );

  function draw() {
    const [x, y] = selects.map((select) => numbers.find((each) => each.name === select.value));
    const isFront = aims.length === 2 && x !== y && aims.includes(x.name) && aims.includes(y.name);
    shown = scatter(points, x, y, isFront, open);
    shown.select(chosen);
    frame.replaceChildren(shown.picture);
    missing.textContent = shown.missing ? `${counted(shown.missing, "variant")} without a finite value not drawn.` : "";
  }

  draw();
  const sampled = found.count > points.length ? `${wholeText(points.length)} of ` : "";
  const part = element(
    "div",
    { class: "chart" },
    element("p", { class: "axes" }, element("label", {}, "across ", selects[0]), element("label", {}, "up ", selects[1])),
    frame,
    element(
      "p",
      { class: "key" },
      element("span", { class: "key-best" }),
      called,
      element("span", { class: "key-other" }),
      `others, ${sampled}${wholeText(found.count)} in all. Click a point, or press Enter on it.`,
    ),
    missing,
  );
  return { part, select: (point) => shown.select(point) };
}

function bestTable(select) {
  const name = (point) =>
    element(
      "button",
      {
        type: "button",
        class: "link",
        onclick: () => {
          open(point);
          select(point);
          facts.querySelector("h3").focus();
        },
      },
      wholeText(point.row[0]),
    );
  const row = { name: "row", text: name, value: (point) => point.row[0], number: true };
  const others = columns.map((column) => ({
    name: column.name,
    number: column.number,
    text: (point) => column.text(point.row),
    value: (point) => column.value(point.row),
  }));
  const caption = "Its number opens a variant above; a click on a header sorts";
  return table(caption, [row, ...others], points.slice(0, found.in_front), { class: "best" });
}

function section(title, ...parts) {
  const id = title.toLowerCase().replace(/ /g, "-");
  return element("section", { "aria-labelledby": id }, element("h2", { id }, title), parts);
}

const { part, select } = chart();
open(chosen);
status.textContent = "";
document.body.append(
  heading(),
  element(
    "main",
    {},
    section("Variants", element("div", { class: "board" }, part, facts), panel, status),
    section(found.objectives.length > 1 ? "Pareto front" : found.objectives.length ? "The best" : "The first", bestTable(select)),
  ),
  element("footer", {}, "MACs are multiply-accumulates for one image; activation_bytes is all values between operations, in float32."),
);
