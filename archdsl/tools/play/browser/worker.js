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

const reply = load();
addEventListener("message", async ({ data: { id, path, question } }) => {
  try {
    postMessage({ id, answer: (await reply)(path, question) });
  } catch (error) {
    postMessage({ id, error: String(error.message || error) });
  }
});
