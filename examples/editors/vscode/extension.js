// Starts `archdsl lsp` for YAML files; which of them are configs is the server's to say.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

/** The program to start, as the settings have it. */
function serverOptions() {
  const [command, ...args] = vscode.workspace.getConfiguration("archdsl").get("command", ["archdsl", "lsp"]);
  return { command, args };
}

/** Which files the server is told of, and with which settings it begins. */
function clientOptions() {
  return {
    documentSelector: [{ language: "yaml" }, { pattern: "**/*.arch.{yaml,yml}" }],
    initializationOptions: { files: vscode.workspace.getConfiguration("archdsl").get("files", []) },
    synchronize: { configurationSection: "archdsl" },
  };
}

async function start() {
  client = new LanguageClient("archdsl", "archdsl", serverOptions(), clientOptions());
  try {
    await client.start();
  } catch (error) {
    const advice = "Install it with: pip install 'archdsl[lsp]', or set archdsl.command.";
    vscode.window.showErrorMessage(`archdsl lsp does not start: ${error?.message ?? error ?? "the program ended"}. ${advice}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop().catch(() => undefined); // one that never started cannot be stopped
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(vscode.commands.registerCommand("archdsl.restart", restart));
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((change) =>
      change.affectsConfiguration("archdsl.command") ? restart() : undefined,
    ),
  );
  await start();
}

module.exports = { activate, deactivate: stop, serverOptions, clientOptions };
