// Python with archdsl. Its files are beside this one.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const bytes = async (name) => (await fetch(new URL(name, import.meta.url))).arrayBuffer();

async function load() {
  const [python, packages, start] = await Promise.all([loadPyodide(), bytes("packages.zip"), bytes("start.json")]);
  python.unpackArchive(packages, "zip", { extractDir: "/packages" });
  python.globals.set("start", new TextDecoder().decode(start));
  return python.runPython(`
    import sys
    sys.path.insert(0, "/packages")
    from archdsl.tools.play.in_browser import Desk
    Desk(start).reply
  `);
}

// Imports what the first override, completion and hover need, which takes most of a second.
async function warm() {
  const first = { ...JSON.parse((await reply)("/start", "{}")), overrides: ["scale.width=1"] };
  for (const want of ["redraw", "complete", "hover"]) {
    await new Promise((resolve) => setTimeout(resolve, 200));  // a key that was pressed meanwhile is answered first
    (await reply)("/ask", JSON.stringify({ ...first, want }));
  }
}

const reply = load();
let isCold = true;
addEventListener("message", async ({ data: { id, path, question } }) => {
  try {
    postMessage({ id, answer: (await reply)(path, question) });
    if (isCold && path === "/ask") {
      isCold = false;
      warm();
    }
  } catch (error) {
    postMessage({ id, error: String(error.message || error) });
  }
});
