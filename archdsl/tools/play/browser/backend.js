// Asks Python in a worker of this page. Nothing leaves the browser.
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let last = 0;

worker.addEventListener("message", ({ data: { id, answer, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(JSON.parse(answer));
});
worker.addEventListener("error", (event) => {
  for (const { reject } of waiting.values()) reject(new Error(event.message || "Python could not be loaded; is this page served over HTTP?"));
  waiting.clear();
});

const post = (path, question) => new Promise((resolve, reject) => {
  waiting.set(++last, { resolve, reject });
  worker.postMessage({ id: last, path, question: JSON.stringify(question) });
});

export const backend = {
  hasFiles: false,
  loading: "Python is being loaded into this page…",
  start: () => post("/start", {}),
  ask: (request) => post("/ask", request),
  open: (name) => post("/open", { name }),
};
