// The diagram of a network, whose layers open: below it, and always in the window, are the operations of one.

const MARGIN = 32; // between a box that is gone to and the edge of what is seen

/** `picture`: the diagram as an SVG, null for a network without one. Returns {part, open(path)}. */
function diagram(network, picture, id) {
  const panel = element("section", { class: "unfolded", id: `unfolded-${id}`, hidden: true, onkeydown: fold });
  const status = element("p", { role: "status", class: "heard" });
  const boxes = picture ? [...picture.querySelectorAll(".layer[data-path]")] : [];
  const zoomed = picture && zoomable(picture, "the diagram");
  let opened = null;
  let opener = null;

  function show(path, from) {
    const layer = network.layers.find((each) => each.path === path);
    const isClosing = opened === path || !layer;
    opened = isClosing ? null : path;
    boxes.forEach((box) => box.setAttribute("aria-expanded", box.dataset.path === opened));
    panel.hidden = isClosing;
    opener = from;
    panel.replaceChildren(...(isClosing ? [] : unfolded(network, layer, close)));
    status.textContent = isClosing ? "" : `${path}: ${counted(layer.count, "operation")}`;
  }

  function close() {
    if (opened) show(opened, opener);
    opener?.focus();
  }

  function fold(event) {
    if (event.key === "Escape") close();
  }

  function open(path, from) {
    if (opened !== path) show(path, from);
    opener = from;
    panel.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
    panel.querySelector("h3").focus({ preventScroll: true });
  }

  boxes.forEach((box, place) => {
    const attributes = { role: "button", tabindex: place ? -1 : 0, "aria-expanded": false, "aria-controls": panel.id };
    Object.entries(attributes).forEach(([key, value]) => box.setAttribute(key, value));
    box.addEventListener("click", () => {
      show(box.dataset.path, box);
      visit(box);
    });
    box.addEventListener("keydown", (event) => press(event, box, place));
  });

  function press(event, box, place) {
    const next = {
      ArrowRight: place + 1,
      ArrowDown: place + 1,
      ArrowLeft: place - 1,
      ArrowUp: place - 1,
      Home: 0,
      End: boxes.length - 1,
    }[event.key];
    if (event.key === "Escape") close();
    else if (event.key === "Enter" || event.key === " ") {
      show(box.dataset.path, box);
      visit(box);
    } else if (boxes[next]) visit(boxes[next]);
    else if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
  }

  function visit(box) {
    boxes.forEach((each) => each.setAttribute("tabindex", each === box ? 0 : -1));
    box.focus({ preventScroll: true });
    zoomed.reveal(box);
    const { top, bottom } = box.getBoundingClientRect();
    const end = innerHeight - panel.offsetHeight - MARGIN; // nothing while it is hidden
    if (bottom > end || top < MARGIN) scrollBy(0, bottom > end ? bottom - end : top - MARGIN);
  }

  const note = element(
    "p",
    { class: "note" },
    "This network is too large for a diagram. Choose a layer in the table to see its operations.",
  );
  return { part: element("div", { class: "diagram" }, zoomed ? zoomed.frame : note, panel, status), open };
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** What the panel of a layer holds. */
function unfolded(network, layer, close) {
  const picture = operationsPicture(network, layer);
  const facts = [
    layer.block,
    shapeText(layer.shape),
    `stride ${sidesText(layer.stride)}`,
    `${wholeText(layer.params)} parameters`,
    layer.macs == null ? null : `${countText(layer.macs)} MACs`,
    `sees ${fieldText(layer.field)}`,
  ];
  const missing = picture ? layer.count - drawable(layer.operations).length : layer.count;
  return [
    element(
      "div",
      { class: "head" },
      element("h3", { tabindex: -1 }, wrappable(layer.path), element("small", {}, counted(layer.count, "operation"))),
      element("button", { type: "button", class: "close", "aria-label": `Fold ${layer.path}`, onclick: close }, "×"),
    ),
    element(
      "p",
      { class: "facts" },
      facts.filter(Boolean).map((fact) => element("span", {}, fact)),
    ),
    picture
      ? element(
          "div",
          {
            class: "scroll operations-frame",
            tabindex: 0,
            role: "region",
            "aria-label": `Operations of ${layer.path}`,
          },
          picture,
        )
      : null,
    missing
      ? element(
          "p",
          { class: "note" },
          `${counted(missing, "operation")} of this layer ${missing === 1 ? "is" : "are"} not in this page.`,
        )
      : null,
  ].filter(Boolean);
}
