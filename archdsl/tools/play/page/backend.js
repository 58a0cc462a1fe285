// Asks the program that serves this page. The token is in the part of the address that is never sent.
const token = location.hash.slice(1);

async function post(path, question) {
  let reply;
  try {
    reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Archdsl-Token": token },
      body: JSON.stringify(question),
    });
  } catch {
    throw new Error("archdsl does not answer; it may have ended. Your text is still here.");
  }
  if (!reply.ok) throw new Error((await reply.text()).trim() || `archdsl answered ${reply.status}`);
  return reply.json();
}

export const backend = {
  hasFiles: true,
  start: () => post("start", {}),
  ask: (request) => post("ask", request),
  open: (name) => post("open", { name }),
  save: (name, text, stamp) => post("save", { name, text, stamp }),
};
