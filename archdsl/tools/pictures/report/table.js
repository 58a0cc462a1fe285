// Tables of plain rows, which a click on a header sorts.

/**
 * `columns`: {name, text: row => text or element, value: row => what sorts it, number: whether it is one, about}.
 * The first column names its row. Without `value` a column does not sort.
 */
function table(caption, columns, rows, attributes = {}) {
  const body = element("tbody");
  const headers = columns.map((column) =>
    element(
      "th",
      { scope: "col", class: column.number && "number", title: column.about },
      column.value ? sorter(column) : column.name,
    ),
  );
  let sorted = { column: null, descending: false };

  function sorter(column) {
    return element("button", { type: "button", onclick: () => sort(column) }, column.name);
  }

  function sort(column) {
    const turned = sorted.column === column ? !sorted.descending : Boolean(column.number);
    sorted = { column, descending: turned };
    headers.forEach((header, place) => {
      if (columns[place] === column) header.setAttribute("aria-sort", turned ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    });
    const order = [...rows].sort((a, b) => compared(column.value(a), column.value(b)) * (turned ? -1 : 1));
    body.replaceChildren(...order.map((row) => lines.get(row)));
  }

  const lines = new Map(
    rows.map((row) => [
      row,
      element(
        "tr",
        {},
        columns.map((column, place) => cell(column, row, place)),
      ),
    ]),
  );
  body.append(...lines.values());
  const made = element(
    "table",
    attributes,
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, headers)),
    body,
  );
  return element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: 0 }, made);
}

function cell(column, row, place) {
  const name = place ? "td" : "th";
  return element(name, { scope: place ? null : "row", class: column.number && "number" }, column.text(row));
}

/** Unknown ones come first. */
function compared(a, b) {
  if (a == null || b == null) return Number(a != null) - Number(b != null);
  return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}
