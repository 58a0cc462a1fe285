// Writes the licences of what is in the bundle.
import { readFileSync, writeFileSync } from "node:fs";

const { inputs } = JSON.parse(readFileSync("inputs.json"));
const packages = new Set(Object.keys(inputs).map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean));
const texts = [...packages].sort().map((name) => {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`));
  return `${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`;
});
writeFileSync("codemirror.LICENSE.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
