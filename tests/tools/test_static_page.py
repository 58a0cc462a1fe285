"""archdsl play --static: archdsl itself, in Pyodide, in Chromium, with nothing but a server of files."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browser import page_in

import archdsl

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PYODIDE = (
    Path(os.environ.get("NODE_PATH", Path(sys.prefix) / "node" / "node_modules")) / "pyodide"
)  # tests/run.sh fills it
PATIENCE_MS = 120_000  # for a busy machine
FOLDER_BYTES = 20_000_000


def millions(config: str, *overrides: str) -> str:
    return f"{archdsl.analyze(config, overrides).params / 1e6:.2f} M"


@pytest.mark.browser
def test_python_in_the_page_gives_the_figures_and_the_mistakes(browser: Browser, run: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    written = run("play", "yolo_v8_s_backbone", "--static", "page", "--pyodide", str(PYODIDE))
    assert written.returncode == 0, written.stderr
    assert sum(each.stat().st_size for each in tmp_path.rglob("*") if each.is_file()) < FOLDER_BYTES
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "page"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain, page_in(browser, offline=False) as page:
        threading.Thread(target=plain.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        page.goto(f"http://127.0.0.1:{plain.server_port}/")
        totals = page.locator("#totals")
        expect(totals).to_contain_text(millions("yolo_v8_s_backbone"), timeout=PATIENCE_MS)
        page.locator("#width").fill("0.25")
        narrow = millions("yolo_v8_s_backbone", "scale.width=0.25")
        expect(totals).to_contain_text(narrow, timeout=PATIENCE_MS)
        page.locator(".cm-content").click()
        page.keyboard.press("Control+End")
        page.keyboard.type("stages: {p4: {depth: deep}}")  # pydantic-core tells what a value must be
        expect(page.locator("#problems")).to_contain_text("got text 'deep'", timeout=PATIENCE_MS)
        page.screenshot(path=tmp_path / "static.png")
        plain.shutdown()
