// A layered layout: boxes in rows by how far they are from the start, with few crossings and straight long arrows.

const ROW_GAP = 30;
const COLUMN_GAP = 18;
const SWEEPS = 14;
const GATHERING = 4; // of them

/**
 * Places `boxes`, {id, width, height, inputs: [id]}, each after its inputs: gives them x and y, their centre above.
 * Returns {width, height, arrows: [{from, to, points: [[x, y], …]}]}.
 */
function laidOut(boxes) {
  const { rows, arrows } = ranked(boxes);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    eachRow(
      rows,
      sweep % 2,
      (row, side) =>
        row.forEach(
          (box) =>
            (box.order = mean(
              box[side].map((other) => other.box.place),
              box.place,
            )),
        ),
      (row) => row.sort((a, b) => a.order - b.order),
    );
  }
  rows.forEach((row) => settle(row, () => 0));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    eachRow(rows, sweep % 2, (row, side) => settle(row, (box) => wanted(box, side, sweep < GATHERING)));
  }
  const left = Math.min(...rows.flat().map((box) => box.x - box.width / 2));
  let y = 0;
  for (const row of rows) {
    const height = Math.max(...row.map((box) => box.height));
    row.forEach((box) => Object.assign(box, { x: box.x - left, y, bottom: y + (box.isBend ? height : box.height) }));
    y += height + ROW_GAP;
  }
  return {
    width: Math.max(...rows.flat().map((box) => box.x + box.width / 2)),
    height: y - ROW_GAP,
    arrows: arrows.map((chain) => ({
      from: chain[0],
      to: chain.at(-1),
      points: chain.flatMap((box, place) => [
        ...(place ? [[box.x, box.y]] : []),
        ...(place < chain.length - 1 ? [[box.x, box.bottom]] : []),
      ]),
    })),
  };
}

/** The boxes by row, with bends where an arrow crosses a row, and each arrow as a chain of boxes. */
function ranked(boxes) {
  const known = new Map();
  const rows = [];
  const add = (box, rank) =>
    (rows[rank] ??= []).push(Object.assign(box, { rank, above: [], below: [], place: rows[rank]?.length ?? 0 }));
  for (const box of boxes) {
    const sources = box.inputs.map((id) => known.get(id)).filter(Boolean);
    add(box, Math.max(-1, ...sources.map((source) => source.rank)) + 1);
    known.set(box.id, box);
  }
  const arrows = boxes.flatMap((box) =>
    [...new Set(box.inputs)]
      .map((id) => known.get(id))
      .filter(Boolean)
      .map((source) => {
        const chain = [source];
        for (let rank = source.rank + 1; rank < box.rank; rank += 1) {
          chain.push({ width: 8, height: 0, isBend: true });
          add(chain.at(-1), rank);
        }
        chain.push(box);
        chain.slice(1).forEach((end, place) => join(chain[place], end));
        return chain;
      }),
  );
  return { rows, arrows };
}

/** Boxes keep in line with boxes, and long arrows straight, before a bend follows a box. */
function join(start, end) {
  const rank = start.isBend === end.isBend ? 1 : 0;
  start.below.push({ box: end, rank });
  end.above.push({ box: start, rank });
}

/** Down with the row above, or up with the row below; afterwards each box knows its place. */
function eachRow(rows, isUp, change, finish = () => {}) {
  for (const row of isUp ? [...rows].reverse() : rows) {
    change(row, isUp ? "below" : "above");
    finish(row);
    row.forEach((box, place) => (box.place = place));
  }
}

const mean = (values, other) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : other);

/** In line with those on one side that matter most. The ends of long arrows come near their boxes first, then stay. */
function wanted(box, side, isGathering) {
  const most = Math.max(isGathering || !box.isBend ? 0 : 1, ...box[side].map((end) => end.rank));
  return mean(
    box[side].filter((end) => end.rank === most).map((end) => end.box.x),
    box.x,
  );
}

/** As near as they can be to the `aim` of each, without touching: neighbours that would become one group. */
function settle(row, aim) {
  const groups = [];
  let offset = 0;
  row.forEach((box, place) => {
    if (place) offset += (row[place - 1].width + box.width) / 2 + COLUMN_GAP;
    const weight = box.isBend ? 1 : 1e4;
    groups.push({ sum: weight * (aim(box) - offset), weight, members: [[box, offset]] });
    while (groups.length > 1 && middle(groups.at(-2)) > middle(groups.at(-1))) {
      const last = groups.pop();
      groups.at(-1).sum += last.sum;
      groups.at(-1).weight += last.weight;
      groups.at(-1).members.push(...last.members);
    }
  });
  for (const group of groups) for (const [box, along] of group.members) box.x = middle(group) + along;
}

const middle = (group) => group.sum / group.weight;
