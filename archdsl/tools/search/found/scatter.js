// Variants as points by two of their figures; arrow keys go from point to point, Enter opens one.

const CHART = { width: 760, height: 480, left: 92, right: 14, top: 14, bottom: 48 };
const TICKS = 6;

/**
 * `points`: {row, label, isBest, among}; `x`, `y`: {name, unit, text: value => text, value: row => number or null};
 * `line`: whether the best are joined. `open(point)` is called for the one that is chosen.
 */
function scatter(points, x, y, line, open) {
  const known = points.filter(({ row }) => Number.isFinite(x.value(row)) && Number.isFinite(y.value(row)));
  const across = scaled(known.map(({ row }) => x.value(row)), CHART.left, CHART.width - CHART.right, x.unit);
  const up = scaled(known.map(({ row }) => y.value(row)), CHART.height - CHART.bottom, CHART.top, y.unit);
  const place = ({ row }) => [across.at(x.value(row)), up.at(y.value(row))];
  const order = [...known].sort((a, b) => x.value(a.row) - x.value(b.row) || y.value(a.row) - y.value(b.row));
  const marks = new Map(order.map((point) => [point, mark(point)]));

  function mark(point) {
    const [cx, cy] = place(point);
    const label = `${point.label}: ${x.name} ${x.text(point.row)}, ${y.name} ${y.text(point.row)}`;
    const about = point.isBest ? `${label}, ${point.among}` : label;
    return drawn(
      "circle",
      {
        class: point.isBest ? "point best" : "point",
        cx: cx.toFixed(1),
        cy: cy.toFixed(1),
        r: point.isBest ? 5 : 3,
        tabindex: -1,
        role: "button",
        "aria-label": about,
        onclick: () => choose(point),
        onkeydown: (event) => press(event, point),
      },
      drawn("title", {}, about),
    );
  }

  function press(event, point) {
    const at = order.indexOf(point);
    const next = {
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      Home: 0,
      End: order.length - 1,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") choose(point);
    else if (order[next]) reach(order[next]).focus();
    else if (next === undefined) return;
    event.preventDefault();
  }

  /** The one point that Tab comes to. */
  function reach(point) {
    marks.forEach((each) => each.setAttribute("tabindex", -1));
    marks.get(point).setAttribute("tabindex", 0);
    return marks.get(point);
  }

  function choose(point) {
    select(point);
    open(point);
  }

  function select(point) {
    marks.forEach((each) => each.removeAttribute("aria-current"));
    if (marks.has(point)) reach(point).setAttribute("aria-current", "true");
  }

  const best = order.filter((point) => point.isBest);
  const below = order.filter((point) => !point.isBest);
  const label = `${counted(known.length, "variant")} by ${x.name} and ${y.name}`;
  const picture = drawn(
    "svg",
    { class: "scatter", viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "group", "aria-label": label },
    axis(across, x, true),
    axis(up, y, false),
    line ? drawn("path", { class: "front", d: best.map((each, at) => `${at ? "L" : "M"}${place(each)}`).join("") }) : null,
    [...below, ...best].map((point) => marks.get(point)),
  );
  if (order.length) reach(best[0] ?? order[0]);
  return { picture, select, missing: points.length - known.length };
}

/** From values to pixels, with ticks at round values: of bytes, at round numbers of KiB, MiB … */
function scaled(values, from, to, unit) {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const room = (most - least) * 0.04 || Math.abs(most) * 0.1 || 1;
  const [low, high] = [least - room, most + room];
  const size = unit === "bytes" ? 1024 ** Math.max(0, Math.floor(Math.log(most) / Math.log(1024))) : 1;
  const step = roundStep((high - low) / TICKS / size) * size;
  const ticks = [];
  for (let tick = Math.ceil(low / step); tick * step <= high; tick += 1) ticks.push(tick * step || 0); // never −0
  return { at: (value) => from + ((value - low) / (high - low)) * (to - from), ticks: values.length ? ticks : [] };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((factor) => factor * power >= least) * power;
}

function axis(scale, column, isAcross) {
  const [left, bottom] = [CHART.left, CHART.height - CHART.bottom];
  const ticks = scale.ticks.map((tick) => {
    const at = scale.at(tick).toFixed(1);
    return isAcross
      ? [
          drawn("line", { x1: at, x2: at, y1: CHART.top, y2: bottom }),
          drawn("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, column.tick(tick)),
        ]
      : [
          drawn("line", { x1: left, x2: CHART.width - CHART.right, y1: at, y2: at }),
          drawn("text", { x: left - 8, y: Number(at) + 4, "text-anchor": "end" }, column.tick(tick)),
        ];
  });
  const middle = (CHART.top + bottom) / 2;
  const name = isAcross
    ? { x: (left + CHART.width) / 2, y: CHART.height - 6 }
    : { x: 14, y: middle, transform: `rotate(-90 14 ${middle})` };
  return drawn(
    "g",
    { class: "axis", "aria-hidden": "true" },
    ticks,
    drawn("text", { class: "name", "text-anchor": "middle", ...name }, column.name),
  );
}
