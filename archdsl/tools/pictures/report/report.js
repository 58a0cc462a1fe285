// The page: parts in order, and for several networks what differs between them.

const TONES = 6;

function page(networks, differences, pictures) {
  networks.forEach(prepare);
  const scale = pyramidScale(networks);
  const most = largest(networks);
  const diagrams = networks.map((network, id) => diagram(network, pictures[id], id));
  const part = (title, make) => section(title, networks, make);
  const open = (id) => (path, from) => diagrams[id].open(path, from);
  return [
    heading(networks),
    element(
      "main",
      {},
      networks.length > 1
        ? section("What differs", networks.slice(1), (_, id) => changes(differences[id], networks[0], networks[id + 1]))
        : null,
      part("Architecture", (_, id) => diagrams[id].part),
      part("Costs", (network) => stageTable(network, most)),
      part("Feature maps", (network) => pyramid(network, scale)),
      part("Receptive fields", (network) =>
        element("div", { class: "seen" }, receptiveFields(network), mapTable(network)),
      ),
      part("Layers", (network, id) => layerTable(network, open(id))),
    ),
    element(
      "footer",
      {},
      "MACs are multiply-accumulates for one image. Memory is what the values between operations take at least, ",
      "in inference, while a layer runs; in float32, without weights.",
    ),
  ];
}

/** What parts look up again and again. */
function prepare(network) {
  network.maps.forEach((map, place) => (map.tone = place % TONES));
  network.readers = new Map();
  network.paths = new Map();
  for (const layer of network.layers) {
    for (const [id, , , inputs] of layer.operations ?? []) {
      network.paths.set(id, layer.path);
      inputs.forEach((source) => network.readers.set(source, (network.readers.get(source) ?? 0) + 1));
    }
  }
}

function heading(networks) {
  const [first] = networks;
  return element(
    "header",
    {},
    element("div", { class: "bar-top" }, element("p", { class: "brand" }, "archdsl report"), themeSwitch()),
    networks.length > 1
      ? element("h1", {}, `${counted(networks.length, "network")}, side by side`)
      : [element("h1", {}, first.label), element("p", { class: "lead" }, first.description)],
    networks.length > 1 ? comparison(networks) : figures(first),
  );
}

function figures(network) {
  const figure = ([name, value, more]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, element("b", {}, value), element("small", {}, more)));
  return element("dl", { class: "figures" }, totals(network).map(figure));
}

/** Name, value, and a word more. */
function totals(network) {
  const { params, trainable_params: trained, macs, memory, training_memory: training } = network;
  return [
    [
      "parameters",
      countText(params),
      trained === params ? wholeText(params) : `${wholeText(params)}, ${wholeText(trained)} trainable`,
    ],
    ["MACs", countText(macs), macs == null ? "as the size is open" : `${countText(2 * macs)} FLOPs`],
    ["memory", bytesText(memory), training == null ? "as the size is open" : `${bytesText(training)} in training`],
    [
      "image",
      (network.input[0] ?? network.input[1]) ? shapeText(network.input.slice(0, 2)) : "any size",
      counted(network.input[2], "channel"),
    ],
    ["layers", wholeText(network.layer_count), counted(network.operation_count, "operation")],
  ];
}

function comparison(networks) {
  const rows = networks.map((network) => ({ network, totals: totals(network) }));
  const columns = rows[0].totals.map(([name], place) => ({
    name,
    number: true,
    text: (row) => [row.totals[place][1], against(row.network, networks[0], name)],
  }));
  return table(
    "Totals, and the change against the first",
    [{ name: "network", text: (row) => row.network.label }, ...columns],
    rows,
    { class: "totals" },
  );
}

function against(network, first, name) {
  const key = { parameters: "params", MACs: "macs", memory: "memory" }[name];
  if (network === first || !key || !first[key] || network[key] == null) return null;
  const share = (100 * (network[key] - first[key])) / first[key];
  return element("small", {}, `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(1)} %`);
}

function section(title, networks, make) {
  const id = title.toLowerCase().replace(/ /g, "-");
  const columns = networks.map((network, place) =>
    element(
      "div",
      { class: "column" },
      networks.length > 1 && title !== "What differs" ? element("p", { class: "of" }, network.label) : null,
      make(network, place),
    ),
  );
  return element(
    "section",
    { "aria-labelledby": id, class: columns.length > 1 ? "several" : null },
    element("h2", { id }, title),
    element("div", { class: "columns" }, columns),
  );
}

const ORDER = ["value", "cost", "layer"];
const MOST_OPEN = 20;

function changes(kinds, first, second) {
  return [
    element("p", { class: "of" }, `${first.label} → ${second.label}`),
    ORDER.map((kind) => kinds.find((each) => each.kind === kind)).map(({ kind, count, headers, rows }) => {
      if (!count) return element("p", { class: "note" }, `No ${kind} differs.`);
      const columns = headers.map((name, place) => ({
        name: place ? name : "what",
        number: place === 3,
        text: (row) => (place ? row[place] : wrappable(short(row[0]))),
      }));
      const title =
        rows.length < count
          ? `The first ${rows.length} of ${counted(count, kind)} that differ`
          : `${counted(count, kind)} that ${count === 1 ? "differs" : "differ"}`;
      return element(
        "details",
        { open: count <= MOST_OPEN },
        element("summary", {}, title),
        table(title, columns, rows, { class: "changes" }),
      );
    }),
  ];
}

function layerTable(network, open) {
  const path = (layer) => {
    const button = element(
      "button",
      { type: "button", class: "link", onclick: () => open(layer.path, button) },
      short(layer.path),
    );
    return button;
  };
  const number = (name, key, text, about) => ({
    name,
    number: true,
    about,
    text: (layer) => (layer[key] ? text(layer[key]) : layer[key] == null ? "?" : ""),
    value: (layer) => layer[key],
  });
  const columns = [
    { name: "layer", text: path, value: (layer) => layer.path },
    { name: "block", text: (layer) => layer.block, value: (layer) => layer.block },
    {
      name: "output",
      number: true,
      text: (layer) => shapeText(layer.shape),
      value: (layer) => layer.shape.reduce((a, b) => a * (b ?? 1), 1),
    },
    { name: "stride", number: true, text: (layer) => sidesText(layer.stride), value: (layer) => layer.stride[0] },
    number("parameters", "params", wholeText),
    number("MACs", "macs", countText, "Multiply-accumulates for one image"),
    number("memory", "memory", bytesText, "Bytes that values take while it runs"),
  ];
  const more = network.layer_count - network.layers.length;
  return [
    table("In the order they run; the name of a layer opens its operations", columns, network.layers, {
      class: "layers",
    }),
    more
      ? element("p", { class: "note" }, `${counted(more, "layer")} more ${more === 1 ? "is" : "are"} not in this page.`)
      : null,
  ];
}

const { networks, differences } = JSON.parse(document.getElementById("data").textContent);
const pictures = await Promise.all(networks.map((_, id) => packedText(id)));
document.body.append(...page(networks, differences, pictures.map(pictureOf)));
