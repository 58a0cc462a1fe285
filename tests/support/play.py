"""A page of `archdsl play` that is being served, what is asked of it, and what stands for Pyodide."""

from __future__ import annotations

import http.client
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archdsl.tools.play.server import TOKEN_HEADER, Server
from archdsl.tools.play.site import site_of
from archdsl.tools.play.static_page import PYODIDE

NET = "defaults: [yolo_v8_s_backbone, _self_]\nscale: {width: 0.375}\nstages:\n  p3: {depth: 9}\n"


@contextmanager
def served(folder: Path, config: str | None = None, *overrides: str) -> Iterator[Server]:
    server = Server(site_of(config, overrides, folder).routes)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answered = connection.getresponse()
        return answered.status, answered.read()
    finally:
        connection.close()


def headers_of(server: Server, **changes: str) -> dict[str, str]:
    own = {
        "Origin": f"http://127.0.0.1:{server.server_port}",
        "Content_Type": "application/json",
        TOKEN_HEADER.replace("-", "_"): server.token,
    }
    return own | changes


def asked(server: Server, path: str, **question: Any) -> Any:
    status, body = reply(server, "POST", path, json.dumps(question).encode(), **headers_of(server))
    assert status == 200, body
    return json.loads(body)


def pyodide_in(folder: Path, script: str = "") -> Path:
    """What `--pyodide` takes, by the names of its files alone."""
    folder.mkdir()
    for name in PYODIDE:
        (folder / name).write_text(script if name == "pyodide.mjs" else "")
    (folder / "pyodide-lock.json").write_text('{"info": {"python": "3.14.2", "abi_version": "2026_0"}}')
    with zipfile.ZipFile(folder / "pydantic_core-1-cp314-cp314-pyemscripten_2026_0_wasm32.whl", "w") as wheel:
        wheel.writestr("pydantic_core-1.dist-info/METADATA", "")
    return folder
