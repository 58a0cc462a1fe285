// The operations of one layer as a picture: stacks of what only passes on, in a layered layout.

const LINE = 19;
const LETTER = 6.65;
const MOST_DRAWN = 400;
const MOST_ARROWS = 12_000; // rows that arrows run through, all together: the layout has a place for each
const SMALLEST = 0.75; // of its size that a wide picture is made to fit

/** `layer` of `network`; null if the page does not have its operations. */
function operationsPicture(network, layer) {
  if (!layer.operations) return null;
  const stacks = stacked(drawable(layer.operations), network.readers, shared(layer.operations));
  const sources = [...new Set(stacks.flatMap((stack) => stack.inputs))].filter(
    (id) => !stacks.some((stack) => stack.id === id),
  );
  const boxes = [...sources.map((id) => sourceBox(id, network)), ...stacks.map(stackBox)];
  const { width, height, arrows } = laidOut(boxes);
  const picture = drawn(
    "svg",
    {
      class: "operations",
      viewBox: `-8 -8 ${width + 16} ${height + 16}`,
      role: "group",
      "aria-label": `${counted(layer.count, "operation")} of ${layer.path}`,
    },
    arrows.map(({ points }) => drawn("path", { class: "arrow", d: curve(points) })),
    boxes.map((box) => drawn("g", { transform: `translate(${box.x - box.width / 2} ${box.y})` }, box.content(box))),
  );
  Object.assign(picture.style, { maxWidth: `${width + 16}px`, minWidth: `${SMALLEST * (width + 16)}px` });
  return picture;
}

/** The first operations: as many as a picture has room for. */
function drawable(operations) {
  const places = new Map(operations.map(([id], place) => [id, place]));
  let arrows = 0;
  return operations.slice(0, MOST_DRAWN).filter(([, , , inputs], place) => {
    arrows += inputs.reduce((sum, id) => sum + place - (places.get(id) ?? 0), 0);
    return arrows <= MOST_ARROWS;
  });
}

/** Operations in a row that belong together by name, of which each is read by the next alone. */
function stacked(operations, readers, prefix) {
  const stacks = [];
  const byResult = new Map();
  for (const [id, name, text, inputs, shape, params, macs] of operations) {
    const group = name.slice(0, Math.max(0, name.lastIndexOf("_")));
    const before = inputs.length === 1 && byResult.get(inputs[0]);
    const continues = before && before.id === inputs[0] && before.group === group && readers.get(inputs[0]) === 1;
    const stack = continues ? before : { group, title: group.slice(prefix.length), rows: [], inputs };
    if (!continues) stacks.push(stack);
    stack.id = id;
    stack.rows.push({ name, text, shape, params, macs });
    byResult.set(id, stack);
  }
  return stacks;
}

/** What all names of operations begin with, up to an underscore. */
function shared(operations) {
  const [first, ...others] = operations.map(([, name]) => name);
  let length = first.lastIndexOf("_") + 1;
  while (others.some((name) => !name.startsWith(first.slice(0, length))))
    length = first.lastIndexOf("_", length - 2) + 1;
  return first.slice(0, length);
}

function sourceBox(id, network) {
  const path = network.paths.get(id) ?? "input";
  const content = (box) => [
    drawn("rect", { class: "source", width: box.width, height: box.height, rx: box.height / 2 }),
    drawn("text", { class: "quiet", x: box.width / 2, y: 14, "text-anchor": "middle" }, path),
  ];
  return { id, inputs: [], width: path.length * LETTER + 24, height: LINE + 1, content };
}

function stackBox(stack) {
  const rows = stack.rows.map((row, place) => ({
    ...row,
    size: place && sameShape(row, stack.rows[place - 1]) ? "" : shapeText(row.shape),
    ...parted(row.text),
  }));
  const head = stack.title ? LINE : 0;
  const letters = Math.max(
    stack.title.length,
    ...rows.map((row) => row.kind.length + row.rest.length + row.size.length + 3),
  );
  const content = (box) => [
    drawn("rect", { class: "stack", width: box.width, height: box.height, rx: 5 }),
    head ? drawn("text", { class: "quiet", x: 10, y: 14 }, stack.title) : null,
    rows.map((row, place) => line(row, head + place * LINE, box.width)),
  ];
  return {
    id: stack.id,
    inputs: stack.inputs,
    width: letters * LETTER + 22,
    height: head + rows.length * LINE + 4,
    content,
  };
}

function line(row, y, width) {
  const costs = [
    row.text,
    shapeText(row.shape),
    row.params ? counted(row.params, "parameter") : "",
    row.macs ? `${countText(row.macs)} MACs` : "",
  ];
  const label = costs.filter(Boolean).join(", ");
  return drawn(
    "g",
    {
      class: row.params ? "operation weighted" : "operation",
      role: "img",
      "aria-label": label,
      transform: `translate(0 ${y})`,
    },
    drawn("title", {}, `${row.name}\n${costs.filter(Boolean).join("\n")}`),
    drawn("rect", { width, height: LINE, y: 2, class: "hit" }),
    drawn(
      "text",
      { x: 10, y: 15 },
      drawn("tspan", { class: "kind" }, row.kind),
      drawn("tspan", { class: "quiet", dx: 5 }, row.rest),
    ),
    drawn("text", { x: width - 10, y: 15, "text-anchor": "end", class: "quiet" }, row.size),
  );
}

const sameShape = (a, b) => a.shape.join() === b.shape.join();

/** `Conv2D(filters=96, kernel=3)` as its kind and the rest, which is cut where it is long. */
function parted(text) {
  const [kind, rest = ""] = text.split(/\((.*)\)$/s);
  return { kind, rest: rest.length > 44 ? `${rest.slice(0, 43)}…` : rest };
}

function curve([start, ...points]) {
  let d = `M${start[0]} ${start[1]}`;
  let [x, y] = start;
  for (const [toX, toY] of points) {
    d += x === toX ? `V${toY}` : `C${x} ${(y + toY) / 2} ${toX} ${(y + toY) / 2} ${toX} ${toY}`;
    [x, y] = [toX, toY];
  }
  return d;
}
