"""archdsl play: who may ask, what is read and written, what is answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.play import NET, asked, headers_of, reply

import archdsl
from archdsl.tools.play.answers import answer
from archdsl.tools.play.server import MAX_BODY_BYTES, MAX_CONNECTIONS, Server

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


def test_the_licences_are_those_of_the_versions_that_are_bundled() -> None:
    page = Path(archdsl.__file__).parent / "tools/play/page"
    versions = json.loads((page / "bundle/package.json").read_text())["dependencies"]
    licences = (page / "codemirror.LICENSE.txt").read_text()
    assert versions["codemirror"] == "6.0.2"
    for name, version in versions.items():
        assert f"{name} {version}\n" in licences


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


def test_lines_of_any_kind_are_opened_as_the_page_has_them(server: Server, folder: Path) -> None:
    (folder / "net.yaml").write_bytes(NET.replace("\n", "\r").encode())
    assert asked(server, "/open", name="net.yaml")["text"] == NET


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
        {"want": ["redraw"], "name": "a.yaml", "text": ""},
        {"want": "all", "name": "a.yaml", "text": ""},
        {"want": "redraw", "name": "a.yaml", "text": "\ud800"},
        {"want": "redraw", "name": "a.yaml", "text": "", "overrides": "a=1"},
        {"want": "redraw", "name": "a.yaml", "text": "", "overrides": [1]},
        {"want": "redraw", "name": "a.yaml", "text": NET, "size": "0"},
        {"want": "redraw", "name": "a.yaml", "text": NET, "size": ["9"]},
        {"want": "redraw", "name": "a.yaml", "text": NET, "size": "0" * 5000 + "640"},
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


@pytest.mark.parametrize("name", ["a\0.yaml", "a" * 5_000, "a/" * 5_000, ".."])
def test_a_text_under_a_name_that_no_file_can_have_is_answered(name: str) -> None:
    found = answer({"want": "redraw", "name": name, "text": NET})
    assert (found["problems"], found["network"]["totals"]["image"]) == ([], "640 × 640 × 3")


def test_what_is_likely_a_slip_is_a_warning_at_its_place() -> None:
    text = f"{NET}  p4: {{width: 500}}\n"
    question = {"want": "redraw", "name": "a.yaml", "text": text}
    (found,) = answer(question)["problems"]
    assert (found["severity"], found["code"]) == ("warning", "odd-width")
    assert [found[key] for key in ("file", "line", "column", "end_line", "end_column")] == ["", 2, 16, 2, 21]
    assert "+scale.divisor=8" in found["hint"]
    assert {each["code"] for each in answer({**question, "size": "100"})["problems"]} == {"odd-width", "input-size"}
    assert answer({**question, "text": "defaults: [yolo_v8_s_backbone, _self_]\n"})["problems"] == []


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
        ("scale:\n  width:  # mine\n", "scale.width=0.5", "scale:\n  width: 0.5  # mine\n"),
        ("scale: {width}\n", "scale.width=0.5", "scale: {width: 0.5}\n"),
        ("{name: x}\n", "scale.width=0.5", "{scale: {width: 0.5}, name: x}\n"),
        ("scale: &a {width: 1}\n", "scale.depth=2", "scale: &a {depth: 2, width: 1}\n"),
        ("name: x  # y\n...\n", "scale.width=0.5", "name: x  # y\nscale: {width: 0.5}\n...\n"),
        ("---\n  name: x\n", "scale.width=0.5", "---\n  name: x\n  scale: {width: 0.5}\n"),
        ("# y\n", "scale.width=0.5", "# y\nscale: {width: 0.5}\n"),
    ],
)
def test_an_override_is_written_into_the_text_where_its_key_belongs(text: str, override: str, expected: str) -> None:
    question = {"want": "keep", "name": "a.yaml", "text": text, "overrides": [override]}
    (edit,) = answer(question)["edits"]
    lines = text.split("\n")
    before = [*lines[: edit["line"] - 1], lines[edit["line"] - 1][: edit["column"] - 1]]
    after = [lines[edit["end_line"] - 1][edit["end_column"] - 1 :], *lines[edit["end_line"] :]]
    assert "\n".join(before) + edit["text"] + "\n".join(after) == expected


@pytest.mark.parametrize("override", ["~stages.p5", "a=[1]", "a={b: 1}", "a", "a=1: 2", "a=x #", "defaults.a=1"])
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
    heeding = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # what runs in the background passes on that it does not
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, preexec_fn=heeding
    )
    assert process.stdout and "http://127.0.0.1:" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
