// Runs an extension without VS Code: `node vscode_stub.js MAIN SETTINGS`, where SETTINGS is JSON. The module `vscode` is a
// stand-in: whatever is asked of it, it has, and does nothing. Prints as JSON what the extension registers, the errors that
// it shows, whether its activation came to an end, and what its functions without arguments give.
"use strict";

const Module = require("node:module");
const path = require("node:path");

const [, , main, settings] = process.argv;
const told = { commands: [], errors: [], activated: false, client: null, server: null };
const disposable = () => ({ dispose() {} });

/** Anything at all: it can be called, extended, and asked for more of its kind. */
function standIn(known = {}) {
  return new Proxy(function () {}, {
    get: (target, name) => {
      if (name in known) return known[name];
      if (name === "prototype" || name === "then" || typeof name === "symbol") return target[name];
      return (known[name] = standIn());
    },
    apply: () => standIn(),
  });
}

/** The value of a dotted key. */
function setting(section, key) {
  const keys = [...(section ? section.split(".") : []), ...key.split(".")];
  return keys.reduce((value, step) => value?.[step], JSON.parse(settings));
}

class EventEmitter {
  event = disposable;
  fire() {}
  dispose() {}
}

const vscode = standIn({
  version: "1.82.0",
  env: standIn({ appName: "stand-in", language: "en" }),
  EventEmitter,
  commands: standIn({ registerCommand: (name) => (told.commands.push(name), disposable()) }),
  workspace: standIn({
    getConfiguration: (section) => ({ get: (key, otherwise) => setting(section, key) ?? otherwise }),
    onDidChangeConfiguration: disposable,
    workspaceFolders: undefined,
    textDocuments: [],
  }),
  window: standIn({
    visibleTextEditors: [],
    activeTextEditor: undefined,
    tabGroups: { all: [], onDidChangeTabs: disposable },
    showErrorMessage: async (message) => void told.errors.push(message),
  }),
});

const load = Module._load;
Module._load = (name, ...others) => (name === "vscode" ? vscode : load(name, ...others));

async function run() {
  const extension = require(path.resolve(main));
  await extension.activate({ subscriptions: [] });
  Object.assign(told, { activated: true, server: extension.serverOptions(), client: extension.clientOptions() });
  await extension.deactivate();
}

run()
  .catch((error) => told.errors.push(String(error?.stack ?? error)))
  .finally(() => process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0)));
