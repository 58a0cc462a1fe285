"""The side of the Language Server Protocol that an editor speaks, without an editor."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
ARCHDSL = [sys.executable, "-m", "archdsl", "lsp"]


class Connection:
    """Messages on the standard input and output of a server that runs. Columns are units of UTF-16."""

    def __init__(self, process: subprocess.Popen[bytes], options: Json | None = None):
        self.process = process
        self.requests = 0
        self.capabilities = self.ask(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options},
        )["capabilities"]
        self.send("initialized", {})

    def send(self, method: str, params: Json) -> None:
        self._write({"method": method, "params": params})

    def _write(self, message: Json) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(text) + text)
        self.process.stdin.flush()

    def received(self) -> Iterator[Json]:
        assert self.process.stdout
        while header := self.process.stdout.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
            elif header == b"\r\n":
                yield json.loads(self.process.stdout.read(length))
        raise AssertionError("the language server ended, or said nothing for too long")

    def ask(self, method: str, params: Json | None) -> Any:
        self.requests += 1
        self._write({"id": self.requests, "method": method, "params": params})
        answer = next(message for message in self.received() if message.get("id") == self.requests)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, uri: str, text: str, version: int = 1) -> None:
        document = {"uri": uri, "languageId": "yaml", "version": version, "text": text}
        self.send("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, text: str, version: int) -> None:
        """The whole text is another now."""
        document = {"uri": uri, "version": version}
        self.send("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def diagnostics(self, uri: str, version: int | None = None) -> list[Json]:
        """Those that are published next for a text, of this version if one is given."""
        published = (m["params"] for m in self.received() if m.get("method") == "textDocument/publishDiagnostics")
        return next(
            each["diagnostics"] for each in published if each["uri"] == uri and version in (None, each.get("version"))
        )

    def of_text(self, method: str, uri: str, **params: Any) -> Any:
        """The answer to a request about a text."""
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": uri}, **params})

    def end(self) -> int:
        """The exit code of the server, which is asked to end."""
        self.ask("shutdown", None)
        self._write({"method": "exit"})
        return self.process.wait(10)
