"""archdsl play: who may ask, what is read and written, and what a person sees and does in the page."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browser import page_in

import archdsl
from archdsl.tools.play.answers import answer
from archdsl.tools.play.server import MAX_BODY_BYTES, MAX_CONNECTIONS, TOKEN_HEADER, Server
from archdsl.tools.play.site import site_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "nets"
    made.mkdir()
    (made / "net.yaml").write_text(NET)
    return made


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with served(folder, str(folder / "net.yaml")) as running:
        yield running


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


# Who may ask


def test_the_page_is_for_anybody_and_holds_no_secret(server: Server) -> None:
    for path in ("/", "/page.js", "/codemirror.js", "/style.css"):
        status, body = reply(server, "GET", path)
        assert status == 200
        assert server.token.encode() not in body


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 43])
def test_without_the_token_nothing_is_answered(server: Server, token: str) -> None:
    status, body = reply(server, "POST", "/start", b"{}", **headers_of(server, X_Archdsl_Token=token))
    assert status == 403
    assert b"yolo" not in body


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:1", ""])
def test_nor_to_another_page_in_the_same_browser(server: Server, origin: str) -> None:
    assert reply(server, "POST", "/start", b"{}", **headers_of(server, Origin=origin))[0] == 403
    assert reply(server, "GET", "/page.js", Origin=origin)[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}"])
def test_nor_under_a_name_that_another_gave_to_this_machine(server: Server, host: str) -> None:
    host = host.format(port=server.server_port)
    assert reply(server, "GET", "/", Host=host)[0] == 403
    changes = headers_of(server, Host=host, Origin=f"http://{host}")
    assert reply(server, "POST", "/start", b"{}", **changes)[0] == 403


def test_it_listens_to_this_machine_alone(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/../server.py", "/page/../../server.py", "/%2e%2e/server.py", "//etc/passwd", "/bundle"]
)
def test_no_file_but_those_of_the_page_is_sent(server: Server, path: str) -> None:
    assert reply(server, "GET", path)[0] == 404


@pytest.mark.parametrize(
    ("body", "changes", "status"),
    [
        (b"", {"Content_Length": str(MAX_BODY_BYTES + 1)}, 413),
        (b"", {"Content_Length": "-1"}, 411),
        (b"", {"Content_Length": "9" * 5000}, 411),
        (b"{}", {"Content_Type": "text/plain"}, 415),
        (b"{", {}, 400),
        (b"[" * 200_000, {}, 400),
        (b"\xff", {}, 400),
    ],
)
def test_a_question_is_json_of_bounded_size(server: Server, body: bytes, changes: dict[str, str], status: int) -> None:
    assert reply(server, "POST", "/ask", body, **headers_of(server, **changes))[0] == status


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: {host}\r\n\r\n",
        "POST /start HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nOrigin: http://evil.example\r\n\r\n",
        "POST /start HTTP/1.1\r\nHost: {host}\r\nX-Archdsl-Token: {token}\r\n\r\n",
        "POST /ask HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nX-Archdsl-Token: {token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{{}}",
        "DELETE / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\n" + "A: b\r\n" * 200 + "\r\n",
        "G" * 70_000 + "\r\n\r\n",
        "\0\xff\r\n\r\n",
    ],
)
def test_other_requests_are_refused_and_the_next_is_answered(server: Server, request_text: str) -> None:
    text = request_text.format(host=server.hosts[0], token=server.token)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(text.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answered = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b"<h1>archdsl" not in answered and b"yolo" not in answered
    assert b" 200 " not in answered.split(b"\r\n")[0]
    assert reply(server, "GET", "/")[0] == 200


def test_connections_that_say_nothing_do_not_pile_up(server: Server) -> None:
    held = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(MAX_CONNECTIONS)]
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as another:
        assert another.recv(1) == b""  # closed at once
    for each in held:
        each.close()
    for _ in range(200):  # the server sees them close a moment later
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert reply(server, "GET", "/")[0] == 200
            return
        time.sleep(0.02)
    pytest.fail("no connection was given back")


def test_every_answer_forbids_what_the_page_does_not_need(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    for path in ("/", "/nothing"):
        connection.request("GET", path)
        answered = connection.getresponse()
        answered.read()
        policy = answered.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answered.headers["Cache-Control"] == "no-store"
        assert answered.headers["X-Content-Type-Options"] == "nosniff"
    connection.close()


def test_many_ask_at_once_and_each_gets_its_own_answer(server: Server) -> None:
    def params(depth: int) -> int:
        found = asked(server, "/ask", want="redraw", name="a.yaml", text=NET, overrides=[f"stages.p3.depth={depth}"])
        return int(found["network"]["totals"]["params"])

    depths = [3, 9, 15, 21] * 4
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(depths, pool.map(params, depths), strict=True))
    assert found[9] == archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375", "stages.p3.depth=9"]).params
    assert sorted(set(found.values())) == [found[depth] for depth in (3, 9, 15, 21)]


# Files


@pytest.mark.parametrize(
    "name",
    ["../net.yaml", "/etc/passwd", "sub/net.yaml", "..", "net.txt", ".hidden.yaml", "a\0.yaml", "c:net.yaml", ""],
)
def test_a_file_outside_of_the_folder_is_neither_opened_nor_saved(server: Server, folder: Path, name: str) -> None:
    assert "refused" in asked(server, "/open", name=name)
    assert "refused" in asked(server, "/save", name=name, text="a: 1", stamp="")
    assert sorted(path.name for path in folder.parent.rglob("*")) == ["net.yaml", "nets"]


def test_a_link_out_of_the_folder_is_not_followed(server: Server, folder: Path) -> None:
    outside = folder.parent / "secret.yaml"
    outside.write_text("secret: 1\n")
    (folder / "link.yaml").symlink_to(outside)
    assert "link" in asked(server, "/open", name="link.yaml")["refused"]
    assert "refused" in asked(server, "/save", name="link.yaml", text="a: 1", stamp="")
    assert outside.read_text() == "secret: 1\n"
    assert asked(server, "/start")["files"] == ["net.yaml"]


def test_a_pipe_and_a_folder_are_refused_at_once(server: Server, folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    for name in ("pipe.yaml", "folder.yaml"):
        assert "not a regular file" in asked(server, "/open", name=name)["refused"]
    assert asked(server, "/start")["files"] == ["net.yaml"]


def test_a_parent_outside_of_the_folder_is_not_read(folder: Path) -> None:
    (folder.parent / "secret.yaml").write_text("description: of others\nstages: {p3: {width: 7}}\n")
    for parent in ("../secret", "/../secret", str(folder.parent / "secret")):
        found = answer({"want": "redraw", "name": "a.yaml", "text": f"defaults: ['{parent}', _self_]\n"}, folder)
        assert found["network"] is None
        assert "of others" not in json.dumps(found)


def test_saving_writes_the_file_and_keeps_its_line_ends(server: Server, folder: Path) -> None:
    (folder / "net.yaml").write_bytes(NET.replace("\n", "\r\n").encode())
    opened = asked(server, "/open", name="net.yaml")
    assert opened["text"] == NET
    saved = asked(server, "/save", name="net.yaml", text=f"{NET}# ä\n", stamp=opened["stamp"])
    assert (folder / "net.yaml").read_bytes() == f"{NET}# ä\n".replace("\n", "\r\n").encode()
    again = asked(server, "/save", name="net.yaml", text=NET, stamp=saved["stamp"])
    assert "refused" not in again
    assert [path.name for path in folder.iterdir()] == ["net.yaml"]


def test_a_file_that_another_changed_meanwhile_is_not_overwritten(server: Server, folder: Path) -> None:
    opened = asked(server, "/open", name="net.yaml")
    (folder / "net.yaml").write_text("theirs: 1\n")
    refused = asked(server, "/save", name="net.yaml", text=NET, stamp=opened["stamp"])
    assert "has changed on disk" in refused["refused"]
    assert (folder / "net.yaml").read_text() == "theirs: 1\n"
    asked(server, "/save", name="net.yaml", text=NET, stamp=refused["stamp"])
    assert (folder / "net.yaml").read_text() == NET


def test_a_new_file_does_not_take_the_place_of_one_that_exists(server: Server, folder: Path) -> None:
    assert "has changed" in asked(server, "/save", name="net.yaml", text="a: 1", stamp="")["refused"]
    assert (folder / "net.yaml").read_text() == NET


def test_a_preset_is_opened_without_what_it_promises_of_itself(server: Server) -> None:
    opened = asked(server, "/open", name="yolo_v8_s_detect")
    assert opened["name"] == "yolo_v8_s_detect.yaml"
    assert "expect:" not in opened["text"]
    assert opened["stamp"] == ""


# Answers


@pytest.mark.parametrize(
    "question",
    [
        None,
        [],
        {},
        {"want": "redraw"},
        {"want": "all", "name": "a.yaml", "text": ""},
        {"want": "redraw", "name": "a.yaml", "text": "\ud800"},
        {"want": "redraw", "name": "a.yaml", "text": "", "overrides": "a=1"},
        {"want": "redraw", "name": "a.yaml", "text": "", "overrides": [1]},
        {"want": "redraw", "name": "a.yaml", "text": NET, "size": "0"},
        {"want": "redraw", "name": "a.yaml", "text": NET, "size": ["9"]},
        {"want": "redraw", "name": "a.yaml", "text": NET, "line": "1"},
        {"want": "redraw", "name": "a.yaml", "text": NET, "overrides": ["a=1"] * 1000},
    ],
)
def test_what_cannot_be_answered_is_one_problem(question: Any) -> None:
    (problem,) = answer(question)["problems"]
    assert problem["message"]


def test_figures_are_those_of_the_command_line() -> None:
    found = answer({"want": "redraw", "name": "a.yaml", "text": NET, "size": "320x480"})
    costs = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375", "stages.p3.depth=9"], (320, 480, 3))
    assert found["problems"] == []
    assert (found["network"]["totals"]["params"], found["network"]["totals"]["macs"]) == (costs.params, costs.macs)
    assert found["network"]["outputs"][0]["shape"] == "40 × 60 × 96"


def test_a_promise_of_the_file_is_none_of_what_overrides_make_of_it() -> None:
    text = f"{NET}expect: {{params: 1}}\n"
    assert [each["code"] for each in answer({"want": "redraw", "name": "a.yaml", "text": text})["problems"]] == [
        "expect"
    ]
    assert not answer({"want": "redraw", "name": "a.yaml", "text": text, "overrides": ["scale.width=1"]})["problems"]


@pytest.mark.parametrize(
    ("text", "override", "expected"),
    [
        ("scale: {width: 1}  # all\n", "scale.width=0.5", "scale: {width: 0.5}  # all\n"),
        ("scale: {depth: 1}\n", "scale.width=0.5", "scale: {width: 0.5, depth: 1}\n"),
        ("scale:\n    depth: 1\n", "scale.width=0.5", "scale:\n    width: 0.5\n    depth: 1\n"),
        ("scale: {}\n", "scale.width=0.5", "scale: {width: 0.5}\n"),
        ("scale:  # none\na: 1", "scale.width=0.5", "scale: {width: 0.5}  # none\na: 1"),
        ("a: 1", "stages.p4.depth=9", "a: 1\nstages: {p4: {depth: 9}}\n"),
        ("", "scale.width=0.5", "scale: {width: 0.5}\n"),
    ],
)
def test_an_override_is_written_into_the_text_where_its_key_belongs(text: str, override: str, expected: str) -> None:
    question = {"want": "keep", "name": "a.yaml", "text": text, "overrides": [override]}
    (edit,) = answer(question)["edits"]
    lines = text.split("\n")
    before = [*lines[: edit["line"] - 1], lines[edit["line"] - 1][: edit["column"] - 1]]
    after = [lines[edit["end_line"] - 1][edit["end_column"] - 1 :], *lines[edit["end_line"] :]]
    assert "\n".join(before) + edit["text"] + "\n".join(after) == expected


@pytest.mark.parametrize("override", ["~stages.p5", "a=[1]", "a={b: 1}", "a", "a=1: 2", "a=x #"])
def test_only_a_number_or_a_word_is_written_into_the_text(override: str) -> None:
    found = answer({"want": "keep", "name": "a.yaml", "text": NET, "overrides": [override]})
    assert found["problems"][0]["code"] == "override"


def test_the_picture_and_the_report_are_files_that_need_no_other() -> None:
    question = {"name": "a.yaml", "text": NET, "size": "320", "overrides": ["scale.width=0.5"]}
    picture, page = [answer({**question, "want": want})["text"] for want in ("svg", "report")]
    assert picture.startswith("<svg") and "var(--" not in picture
    assert page.startswith("<!") and "320" in page
    for broken in ("stages: [", "a: 1"):
        assert answer({"want": "report", "name": "a.yaml", "text": broken})["problems"]


# The command


def test_a_port_in_use_is_one_clear_error(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("play", "--no-browser", "--port", str(port))
    assert ended.returncode == 2
    assert ended.stderr.count("error[") == 1 and f"port {port}" in ended.stderr and "--port" in ended.stderr


@pytest.mark.parametrize("arguments", [["nothing.yaml"], ["yolo_v8_s_detekt"], ["--folder", "nowhere"]])
def test_what_cannot_be_opened_is_one_clear_error(run: Any, arguments: list[str]) -> None:
    ended = run("play", "--no-browser", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.count("error[") == 1


def test_it_prints_its_address_and_ends_with_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "archdsl", "play", "net.yaml", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout and "http://127.0.0.1:" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


# What a person sees and does


class Play:
    """A person at the page."""

    def __init__(self, page: Page, server: Server):
        self.page = page
        page.goto(server.address)
        page.wait_for_selector("body.ready")
        self.text = page.get_by_role("textbox", name="Config as YAML")
        self.total("Parameters").wait_for()

    def total(self, label: str) -> Locator:
        return self.page.locator("#totals > div", has_text=label).locator("dd")

    def type_at_end(self, text: str) -> None:
        self.text.click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(text)


@pytest.fixture
def play(browser: Browser, server: Server) -> Iterator[Play]:
    with page_in(browser, offline=False) as page:
        yield Play(page, server)


@pytest.mark.browser
def test_a_mistake_is_underlined_its_fix_taken_and_the_costs_follow(play: Play) -> None:
    from playwright.sync_api import expect

    before = play.total("Parameters").inner_text()
    play.type_at_end("  p4: {dpeth: 30}")
    underlined = play.page.locator(".cm-lintRange-error")
    expect(underlined).to_have_text("dpeth")
    expect(play.page.locator("body")).to_have_class("ready stale")
    problem = play.page.get_by_role("list", name="Problems").get_by_role("listitem")
    expect(problem).to_contain_text("unknown key 'dpeth'")
    underlined.hover()
    play.page.locator(".cm-tooltip").get_by_role("button", name="depth").click()
    expect(underlined).to_have_count(0)
    expect(play.text).to_contain_text("p4: {depth: 30}")
    expect(play.total("Parameters")).not_to_contain_text(before)
    expect(play.total("Parameters")).to_contain_text("+")
    play.page.keyboard.press("Control+z")
    expect(underlined).to_have_text("dpeth")


@pytest.mark.browser
def test_a_slider_is_an_override_with_a_way_back(play: Play) -> None:
    from playwright.sync_api import expect

    before = play.total("Parameters").inner_text()
    slider = play.page.get_by_role("slider", name="Width")
    assert slider.input_value() == "0.38"
    slider.fill("0.75")
    expect(play.page.locator("#chips code")).to_have_text("scale.width=0.75")
    wider = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.75", "stages.p3.depth=9"])
    expect(play.total("Parameters")).to_contain_text(f"{wider.params / 1e6:.1f} M")
    expect(play.text).to_contain_text("scale: {width: 0.375}")
    play.page.get_by_role("button", name="Remove scale.width=0.75").click()
    expect(play.total("Parameters")).to_have_text(before)
    assert slider.input_value() == "0.38"


@pytest.mark.browser
def test_an_override_that_is_kept_is_part_of_the_text(play: Play) -> None:
    from playwright.sync_api import expect

    play.page.get_by_role("slider", name="Width").fill("0.5")
    wider = play.total("Parameters")
    expect(wider).to_contain_text("+")
    params = wider.inner_text()
    play.page.get_by_role("button", name="Keep").click()
    expect(play.text).to_contain_text("scale: {width: 0.5}")
    expect(play.page.locator("#chips code")).to_have_count(0)
    expect(wider).to_have_text(params)
    play.page.keyboard.press("Control+z")
    expect(play.text).to_contain_text("scale: {width: 0.375}")


@pytest.mark.browser
def test_the_picture_and_the_text_lead_to_each_other(play: Play) -> None:
    from playwright.sync_api import expect

    layer = play.page.locator("#diagram .layer[data-path='stages.p3.body']")
    expect(layer).not_to_have_class("layer here")
    layer.click()
    expect(layer).to_have_class("layer here")
    play.page.keyboard.type("#")
    expect(play.page.locator(".cm-activeLine")).to_contain_text("  #p3: {depth: 9}")
    play.page.keyboard.press("Backspace")
    play.page.keyboard.press("Control+Home")
    expect(layer).not_to_have_class("layer here")


@pytest.mark.browser
def test_what_can_be_written_is_offered_and_what_is_written_explained(play: Play) -> None:
    from playwright.sync_api import expect

    play.type_at_end("  p4: {bo")
    offered = play.page.locator(".cm-tooltip-autocomplete")
    expect(offered.get_by_role("option").first).to_have_text("body")
    play.page.wait_for_timeout(100)  # an editor does not take what was offered in the same moment
    play.page.keyboard.press("Enter")
    expect(play.text).to_contain_text("p4: {body:")
    play.page.get_by_text("yolo_v8_s_backbone").first.hover()
    expect(play.page.locator(".about")).to_contain_text("5,089,760 parameters")


@pytest.mark.browser
def test_what_is_saved_is_in_the_file_and_what_another_wrote_is_kept(play: Play, folder: Path) -> None:
    from playwright.sync_api import expect

    play.type_at_end("  p4: {depth: 9}")
    expect(play.page.get_by_role("status")).to_have_text("not saved")
    play.page.keyboard.press("Control+s")
    expect(play.page.get_by_role("status")).to_have_text("saved")
    assert (folder / "net.yaml").read_text() == f"{NET}  p4: {{depth: 9}}"
    (folder / "net.yaml").write_text("theirs: 1\n")
    play.type_at_end("0")
    play.page.get_by_role("button", name="Save").click()
    expect(play.page.get_by_role("alert")).to_contain_text("has changed on disk")
    assert (folder / "net.yaml").read_text() == "theirs: 1\n"
    play.page.get_by_role("button", name="Replace it").click()
    expect(play.page.get_by_role("status")).to_have_text("saved")
    assert (folder / "net.yaml").read_text() == f"{NET}  p4: {{depth: 9}}0"


@pytest.mark.browser
def test_the_whole_config_is_downloaded_as_it_is_resolved(play: Play, tmp_path: Path) -> None:
    play.page.get_by_role("slider", name="Depth").fill("1")
    play.page.get_by_text("Download", exact=True).click()
    with play.page.expect_download() as loading:
        play.page.get_by_role("button", name="Whole config").click()
    assert loading.value.suggested_filename == "net.resolved.yaml"
    loading.value.save_as(tmp_path / "whole.yaml")
    expected = archdsl.analyze("yolo_v8_s_backbone", ["scale={width: 0.375, depth: 1}", "stages.p3.depth=9"])
    assert archdsl.analyze(tmp_path / "whole.yaml").params == expected.params
    assert "\ndefaults:" not in (tmp_path / "whole.yaml").read_text()


@pytest.mark.browser
def test_a_hostile_name_stays_text(browser: Browser, folder: Path) -> None:
    from playwright.sync_api import expect

    hostile = "<img src=x onerror=window.hurt=1>"
    text = f"{NET}  p4: {{body: {{block: '{hostile}'}}}}\ndescription: '{hostile}'\n"
    (folder / "net.yaml").write_text(text)
    with served(folder, str(folder / "net.yaml"), f"'{hostile}'=1") as server, page_in(browser, offline=False) as page:
        page.goto(server.address)
        expect(page.get_by_role("list", name="Problems")).to_contain_text(hostile)
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("window.hurt") is None


@pytest.mark.browser
def test_one_question_is_asked_at_a_time_and_of_those_that_wait_the_newest(play: Play) -> None:
    shown = play.page.evaluate("""async () => {
        const { Newest } = await import("./newest.js");
        const [shown, asked] = [[], []];
        let text = 0, running = 0, most = 0;
        const questions = new Newest(async (request) => {
            asked.push(request);
            most = Math.max(most, ++running);
            await new Promise((done) => setTimeout(done, request === 1 ? 30 : 5));  // the first takes longest
            running--;
            return request;
        }, () => ({ request: text }), (question, answer) => shown.push(answer), () => {});
        for (text = 1; text <= 9; text++) { questions.want(); await new Promise((done) => setTimeout(done, 1)); }
        text = 9;
        await new Promise((done) => setTimeout(done, 150));
        return { shown, most, asked };
    }""")
    assert shown["most"] == 1
    assert shown["shown"] == sorted(shown["shown"]) and shown["shown"][-1] >= 9
    assert len(shown["asked"]) < 9


@pytest.mark.browser
def test_a_page_without_the_token_says_what_to_do(browser: Browser, server: Server) -> None:
    from playwright.sync_api import expect

    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address.partition("#")[0])
    expect(page.get_by_role("alert")).to_contain_text("open the address that archdsl printed")
    context.close()


# Without a server


def pyodide_in(folder: Path, script: str = "") -> Path:
    """What `--pyodide` takes, by the names of its files alone."""
    from archdsl.tools.play.static_page import PYODIDE

    folder.mkdir()
    for name in PYODIDE:
        (folder / name).write_text(script if name == "pyodide.mjs" else "")
    with zipfile.ZipFile(folder / "pydantic_core-1-cp314-cp314-pyemscripten_2026_0_wasm32.whl", "w") as wheel:
        wheel.writestr("pydantic_core-1.dist-info/METADATA", "")
    return folder


def test_the_page_without_a_server_has_all_that_its_answers_import(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(NET)
    pyodide = pyodide_in(tmp_path / "pyodide")
    ended = run("play", "mine.yaml", "stages.p4.depth=9", "--static", "page", "--pyodide", str(pyodide))
    assert ended.returncode == 0, ended.stderr
    alone = tmp_path / "alone"
    with zipfile.ZipFile(tmp_path / "page/packages.zip") as packages:
        packages.extractall(alone)
    core = Path(importlib.util.find_spec("pydantic_core").origin).parent  # type: ignore[union-attr,arg-type]
    (alone / "pydantic_core").symlink_to(core)
    program = """
import json, sys
sys.path.insert(0, sys.argv[1])
from archdsl.tools.play.in_browser import Desk
desk = Desk(open(sys.argv[2]).read())
start = json.loads(desk.reply("/start", "{}"))
question = {key: start[key] for key in ("name", "text", "overrides")}
for want in ("redraw", "complete", "hover", "keep", "resolved", "svg", "report"):
    found = json.loads(desk.reply("/ask", json.dumps({**question, "want": want, "line": 3, "column": 3})))
    assert not found.get("problems"), found
opened = json.loads(desk.reply("/open", json.dumps({"name": "yolo_v8_s_detect"})))
found = json.loads(desk.reply("/ask", json.dumps({"want": "redraw", "name": "a.yaml", "text": opened["text"]})))
print(found["network"]["totals"]["params"], start["name"], *start["overrides"])
"""
    command = [sys.executable, "-I", "-S", "-c", program, str(alone), str(tmp_path / "page/start.json")]
    found = subprocess.run(command, capture_output=True, text=True, cwd=alone, check=False)
    assert found.stdout == "11186576 mine.yaml stages.p4.depth=9\n", found.stderr


def test_what_the_page_without_a_server_cannot_have_is_one_clear_error(run: Any, tmp_path: Path) -> None:
    ended = run("play", "--static", "page")
    assert ended.returncode == 2 and "npm pack pyodide" in ended.stderr
    pyodide = str(pyodide_in(tmp_path / "pyodide"))
    (tmp_path / "base.yaml").write_text(NET)
    (tmp_path / "child.yaml").write_text("defaults: [base, _self_]\n")
    ended = run("play", "child.yaml", "--static", "page", "--pyodide", pyodide)
    assert ended.returncode == 2 and "has the shipped configs only" in ended.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    ended = run("play", "--static", "mine", "--pyodide", pyodide)
    assert ended.returncode == 2 and "thesis.txt" in ended.stderr
    assert not (tmp_path / "page").exists()


@pytest.mark.browser
def test_the_page_asks_its_worker_where_there_is_no_server(browser: Browser, run: Any, tmp_path: Path) -> None:
    """Python in the worker is played by answers that were worked out before; Pyodide itself is too large to be here."""
    from playwright.sync_api import expect

    question = {"name": "mine.yaml", "text": NET, "overrides": []}
    answers = {
        "/start": {**question, "stamp": "", "files": [], "presets": []},
        "/ask": answer({**question, "want": "redraw"}),
    }
    script = f"""export const loadPyodide = async () => ({{
        unpackArchive() {{}}, globals: {{ set() {{}} }},
        runPython: () => (path) => JSON.stringify({json.dumps(answers)}[path]),
    }});"""
    (tmp_path / "mine.yaml").write_text(NET)
    pyodide = pyodide_in(tmp_path / "pyodide", script)
    assert run("play", "mine.yaml", "--static", "page", "--pyodide", str(pyodide)).returncode == 0
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "page"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain, page_in(browser, offline=False) as page:
        threading.Thread(target=plain.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        page.goto(f"http://127.0.0.1:{plain.server_port}/")
        expect(page.locator("#totals")).to_contain_text(f"{answers['/ask']['network']['totals']['params'] / 1e6:.2f} M")
        with page.expect_download() as loading:
            page.get_by_role("button", name="Save").click()
        assert Path(loading.value.path()).read_text() == NET
        plain.shutdown()
