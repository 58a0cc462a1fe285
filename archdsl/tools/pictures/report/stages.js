// What each part of a network costs, as a table with bars.

/** `most` has the longest bar of each cost, over all networks of the page. */
function stageTable(network, most) {
  const costs = [
    ["parameters", "params", countText],
    ["MACs", "macs", countText],
    ["memory", "memory", bytesText],
  ].filter(([, key]) => network.parts.some((part) => part[key] != null));
  const columns = [
    { name: "part", text: (part) => part.name, value: null },
    ...costs.map(([name, key, text]) => ({ name, text: (part) => barred(part[key], most[key], text, key) })),
  ];
  return table(
    "By part of the network; memory is the most that values take while the part runs",
    columns,
    network.parts,
    { class: "stages" },
  );
}

function barred(value, most, text, cost) {
  const bar = element("span", { class: `bar of-${cost}`, "aria-hidden": "true" });
  bar.style.width = `${most ? (100 * (value ?? 0)) / most : 0}%`;
  return element(
    "span",
    { class: "barred" },
    element("span", {}, value === 0 ? "–" : text(value)),
    element("span", { class: "track" }, bar),
  );
}

/** The largest value of each cost, of all parts of all networks. */
function largest(networks) {
  const parts = networks.flatMap((network) => network.parts);
  return Object.fromEntries(
    ["params", "macs", "memory"].map((key) => [key, Math.max(0, ...parts.map((part) => part[key] ?? 0))]),
  );
}
