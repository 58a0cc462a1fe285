// A picture that zooms and moves: by buttons, keys, a wheel with Ctrl, fingers, or dragging.

const ZOOM_STEP = 1.3;
const MOST_ZOOM = 12;
const MOVED = 4; // pixels that a click may be off

/** `picture`, an SVG, in a frame with buttons; `reveal(element)` moves the picture so that an element in it is seen. */
function zoomable(picture, label) {
  const whole = picture.viewBox.baseVal;
  const [left, top, width, height] = [whole.x, whole.y, whole.width, whole.height];
  picture.style.maxWidth = `${width}px`;
  let view = { x: left, y: top, scale: 1 };
  const fingers = new Map();
  let moved = 0;

  function apply(next) {
    const scale = Math.min(MOST_ZOOM, Math.max(1, next.scale));
    const between = (value, least, most) => Math.min(Math.max(value, least), most);
    view = {
      scale,
      x: between(next.x, left, left + width - width / scale),
      y: between(next.y, top, top + height - height / scale),
    };
    picture.setAttribute("viewBox", [view.x, view.y, width / scale, height / scale].join(" "));
    frame.classList.toggle("zoomed", scale > 1);
  }

  function zoom(factor, [x, y] = [view.x + width / view.scale / 2, view.y + height / view.scale / 2]) {
    const scale = Math.min(MOST_ZOOM, Math.max(1, view.scale * factor));
    const kept = view.scale / scale;
    apply({ scale, x: x - (x - view.x) * kept, y: y - (y - view.y) * kept });
  }

  const move = (x, y) => apply({ ...view, x: view.x + x, y: view.y + y });

  function within(clientX, clientY) {
    const point = new DOMPoint(clientX, clientY).matrixTransform(picture.getScreenCTM().inverse());
    return [point.x, point.y];
  }

  function reveal(target) {
    if (view.scale === 1) return;
    const box = target.getBoundingClientRect();
    const [x, y] = within(box.x + box.width / 2, box.y + box.height / 2);
    apply({ ...view, x: x - width / view.scale / 2, y: y - height / view.scale / 2 });
  }

  const step = () => width / view.scale / 10;
  const keys = {
    "+": () => zoom(ZOOM_STEP),
    "=": () => zoom(ZOOM_STEP),
    "-": () => zoom(1 / ZOOM_STEP),
    0: () => zoom(0),
    ArrowLeft: () => move(-step(), 0),
    ArrowRight: () => move(step(), 0),
    ArrowUp: () => move(0, -step()),
    ArrowDown: () => move(0, step()),
  };

  function press(event) {
    const isInside = event.target !== viewport && event.key.startsWith("Arrow");
    if (isInside || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    if (view.scale === 1 && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    keys[event.key]();
  }

  function drag(event) {
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    const last = fingers.get(event.pointerId);
    const [x, y] = within(event.clientX, event.clientY);
    const [fromX, fromY] = within(...last);
    moved += Math.abs(event.clientX - last[0]) + Math.abs(event.clientY - last[1]);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (before.length === 2) {
      const after = [...fingers.values()];
      zoom(
        apart(after) / Math.max(1, apart(before)),
        within((after[0][0] + after[1][0]) / 2, (after[0][1] + after[1][1]) / 2),
      );
    } else if (moved > MOVED) {
      if (!viewport.hasPointerCapture(event.pointerId)) viewport.setPointerCapture(event.pointerId);
      move(fromX - x, fromY - y);
    }
  }

  const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const button = (sign, name, action) =>
    element("button", { type: "button", "aria-label": `${name} ${label}`, title: name, onclick: action }, sign);
  const viewport = element(
    "div",
    {
      class: "viewport",
      tabindex: 0,
      role: "group",
      "aria-label": `${label}. Plus and minus zoom, 0 shows all, arrows move.`,
      onkeydown: press,
      onwheel: (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        zoom(Math.exp(-event.deltaY / 300), within(event.clientX, event.clientY));
      },
      onpointerdown: (event) => {
        if (!fingers.size) moved = 0;
        fingers.set(event.pointerId, [event.clientX, event.clientY]);
      },
      onpointermove: drag,
      onpointerup: (event) => fingers.delete(event.pointerId),
      onpointercancel: (event) => fingers.delete(event.pointerId),
      ondblclick: (event) =>
        event.target.closest(".layer") || zoom(ZOOM_STEP ** 2, within(event.clientX, event.clientY)),
    },
    picture,
  );
  viewport.addEventListener("click", (event) => moved > MOVED && event.stopPropagation(), true);
  const frame = element(
    "div",
    { class: "zoomable" },
    viewport,
    element(
      "div",
      { class: "tools" },
      button("+", "Zoom in", () => zoom(ZOOM_STEP)),
      button("−", "Zoom out", () => zoom(1 / ZOOM_STEP)),
      button("⤢", "Show all of", () => zoom(0)),
    ),
  );
  return { frame, reveal };
}
