// Feature maps drawn to scale, and what of the image one pixel of each is made of.

const WIDEST_MAP = 190; // of the image, in pixels of the page
const LONGEST_MAP = 170; // of the most channels
const SLANT = 0.32; // how wide a side looks that leads away

/** The image and every map to one scale: sides as sides, channels as length. */
function pyramid(network, scale) {
  const [height, width, channels] = network.input;
  const image = { name: "image", shape: network.input, grid: [height, width], stride: [1, 1], channels };
  const shown = [image, ...network.maps].filter((map) => map.grid || map.shape.length === 1);
  return element(
    "div",
    { class: "pyramid" },
    shown.map((map) => solid(map, scale)),
  );
}

/** Pixels of the page by pixel of the image, and by channel, that fit all networks. */
function pyramidScale(networks) {
  const sides = networks.flatMap(({ input }) => [input[0] ?? 1024, input[1] ?? 1024]);
  const channels = networks.flatMap((network) => network.maps.map((map) => map.channels));
  const room = networks.length > 1 ? 0.5 : 1;
  return { side: (room * WIDEST_MAP) / Math.max(...sides), channel: (room * LONGEST_MAP) / Math.max(64, ...channels) };
}

function solid(map, scale) {
  const [height, width] = (map.grid ?? [0, 0]).map((side, axis) => (side ?? 1024 / map.stride[axis]) * scale.side);
  const down = Math.max(1.5, height);
  const away = Math.max(1, width * SLANT);
  const long = Math.max(1, map.channels * scale.channel);
  const box = [away + long + 4, down + away + 4];
  const path = (...points) => `M${points.map(([x, y]) => `${(x + 2).toFixed(1)} ${(y + 2).toFixed(1)}`).join("L")}Z`;
  const picture = drawn(
    "svg",
    {
      viewBox: `0 0 ${box[0].toFixed(1)} ${box[1].toFixed(1)}`,
      width: box[0].toFixed(1),
      height: box[1].toFixed(1),
      "aria-hidden": "true",
    },
    drawn("path", { class: "top", d: path([0, away], [away, 0], [away + long, 0], [long, away]) }),
    drawn("path", { class: "face", d: path([long, away], [long + away, 0], [long + away, down], [long, away + down]) }),
    drawn("path", { class: "side", d: path([0, away], [long, away], [long, away + down], [0, away + down]) }),
  );
  return element(
    "figure",
    {},
    element("div", { class: "solid" }, picture),
    element(
      "figcaption",
      {},
      element("b", {}, map.name),
      element("span", {}, shapeText(map.shape)),
      element("span", {}, map.grid ? `stride ${sidesText(map.stride)}` : ""),
    ),
  );
}

/** What is asked of maps: names, sizes, strides, channels, and what they see. */
function mapTable(network) {
  const columns = [
    {
      name: "map",
      text: (map) => [element("i", { class: `swatch swatch-${map.tone}` }), map.name],
      value: (map) => map.name,
    },
    { name: "layer", text: (map) => short(map.layer), value: (map) => map.layer },
    {
      name: "size",
      number: true,
      text: (map) => shapeText(map.shape),
      value: (map) => map.shape.slice(0, -1).reduce((a, b) => a * b, 1),
    },
    {
      name: "stride",
      number: true,
      text: (map) => (map.grid ? sidesText(map.stride) : ""),
      value: (map) => map.stride[0],
    },
    {
      name: "receptive field",
      number: true,
      text: (map) => fieldText(map.field),
      value: (map) => map.field ?? Infinity,
    },
  ];
  return table("Outputs and the ends of stages", columns, network.maps, { class: "maps" });
}

/** The image, and centred on it what one pixel of each map is made of. */
function receptiveFields(network) {
  const [height, width] = network.input.map((side) => side ?? 640);
  const beyond = 0.06 * Math.max(height, width);
  const middle = [width / 2, height / 2];
  const square = (name, wide, high, tone) =>
    drawn("rect", {
      class: `${name} tone-${tone}`,
      x: middle[0] - wide / 2,
      y: middle[1] - high / 2,
      width: wide,
      height: high,
    });
  const maps = network.maps
    .filter((map) => map.grid || map.field != null)
    .sort((a, b) => (b.field ?? Infinity) - (a.field ?? Infinity));
  const seen = maps.map((map) => {
    const [wide, high] = [width, height].map((side) => Math.min(map.field ?? Infinity, side + beyond));
    return square(
      map.field > Math.min(height, width) || map.field == null ? "field beyond" : "field",
      wide,
      high,
      map.tone,
    );
  });
  const sights = network.maps.map((map) => `${map.name} sees ${fieldText(map.field)}`);
  const label = `An image of ${shapeText(network.input.slice(0, 2))}; one pixel of ${sights.join(", ")}`;
  const picture = drawn(
    "svg",
    {
      class: "fields",
      viewBox: [-beyond, -beyond, width + 2 * beyond, height + 2 * beyond].join(" "),
      role: "img",
      "aria-label": label,
    },
    drawn("rect", { class: "image", width, height }),
    seen,
  );
  const size =
    network.input[0] && network.input[1] ? shapeText(network.input.slice(0, 2)) : `any size, as ${height} × ${width}`;
  const isBeyond = seen.some((each) => each.classList.contains("beyond"));
  const more = isBeyond ? " Dashed: more than the image has." : "";
  const caption = `What one pixel of each map sees of an image of ${size}.${more}`;
  return element("figure", {}, picture, element("figcaption", {}, caption));
}
