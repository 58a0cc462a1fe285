"""Trained weights on this machine: found, fetched whole, checked; and what is said where they cannot be had."""

from __future__ import annotations

import hashlib
import random
import re
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import archdsl
from archdsl.frontend.presets import PresetInfo, preset_info
from archdsl.models.hub import cache, download

NAME = "yolo_v8_xs_backbone_coco"
FILE = "yolov8_n_backbone.h5"
CONTENT = random.Random(0).randbytes(3_000_000)
NOBODY = "http://127.0.0.1:9/"  # the discard port, where nothing listens


class Server(BaseHTTPRequestHandler):
    """Answers a path by the function of that name."""

    def do_GET(self) -> None:
        with suppress(OSError):  # once nobody listens any more
            getattr(self, self.path.split("/")[1])()

    def whole(self, length: int = len(CONTENT)) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(CONTENT)

    def truncated(self) -> None:
        self.whole(len(CONTENT) + 1000)

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            self.wfile.write(CONTENT)

    def huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3000000000")
        self.end_headers()
        for _ in range(1_000):
            self.wfile.write(CONTENT)

    def missing(self) -> None:
        self.send_error(404)

    def moved(self) -> None:
        self._to(f"http://{self.headers['Host']}/whole/{FILE}")

    def elsewhere(self) -> None:
        self._to(f"http://localhost:{self.server.server_address[1]}/whole/{FILE}")

    def to_a_file(self) -> None:
        self._to("file:///etc/hostname")

    def _to(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.end_headers()

    def silent(self) -> None:
        self.server.stopped.wait(30)  # type: ignore[attr-defined]

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.stopped = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.stopped.set()  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, and no Kaggle."""
    monkeypatch.setenv("ARCHDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setattr(cache, "_KAGGLE_SITE", NOBODY)
    return tmp_path


def published(url: str, **changes: Any) -> PresetInfo:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    changes = {"weights_sha256": sha256, "weights_size": None, **changes}
    return preset_info(NAME)._replace(weights_url=f"{url}/{FILE}", **changes)


def message(call: Callable[[], Any]) -> str:
    with pytest.raises(archdsl.ArchError) as caught:
        call()
    return str(caught.value)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_cache_is_where_the_user_or_the_platform_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.cache_folder() == home / "cache"
    monkeypatch.setenv("ARCHDSL_CACHE", "~/elsewhere")
    assert cache.cache_folder() == Path.home() / "elsewhere"
    monkeypatch.setenv("ARCHDSL_CACHE", "~nobody_of_that_name/elsewhere")
    assert cache.cache_folder() == Path.cwd() / "~nobody_of_that_name" / "elsewhere"
    monkeypatch.delenv("ARCHDSL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert cache.cache_folder().name == "archdsl"
    assert sys.platform != "linux" or cache.cache_folder() == home / "xdg" / "archdsl"


@pytest.mark.parametrize("way", ["whole", "moved"])
def test_weights_are_fetched_once_and_then_kept(server: str, home: Path, way: str) -> None:
    path = cache.trained_weights(published(f"{server}/{way}"))
    assert path == home / "cache" / NAME / FILE
    assert path.read_bytes() == CONTENT
    assert files_in(home) == [FILE]
    assert cache.trained_weights(published(NOBODY)) == path


@pytest.mark.parametrize(
    ("way", "changes", "fact"),
    [
        ("whole", {"weights_sha256": "0" * 64}, f"sha256 {hashlib.sha256(CONTENT).hexdigest()}, expected 0000"),
        ("whole", {"weights_size": 1_000}, "the server announces 3000000 bytes; expected at most 1000"),
        ("whole", {"weights_size": 4_000_000}, "received 3000000 of 4000000 bytes"),
        ("truncated", {}, "received 3000000 of 3001000 bytes"),
        ("missing", {}, "the server answers 404"),
        ("elsewhere", {}, "the server sends on to http://localhost"),
        ("to_a_file", {}, "Redirection to url 'file:///etc/hostname' is not allowed"),
        ("silent", {}, "timed out"),
        ("endless", {"weights_sha256": None}, "received more than 10000000 bytes"),
        ("endless", {"params": 1_000_000, "weights_sha256": None}, "received more than 10000000 bytes"),
        ("endless", {"params": 10_000, "weights_sha256": None}, "received more than 8468608 bytes"),
        ("endless", {"weights_size": 1_000}, "received more than 1000 bytes"),
        ("huge", {"weights_sha256": None}, "the server announces 3000000000 bytes; expected at most 10000000"),
        ("huge", {"weights_size": 3_000_000_000}, "the server announces 3000000000 bytes; expected at most 10000000"),
    ],
)
def test_what_is_not_the_published_file_is_refused(
    server: str, home: Path, monkeypatch: pytest.MonkeyPatch, way: str, changes: dict[str, Any], fact: str
) -> None:
    monkeypatch.setattr(download, "READ_S", 0.3)
    monkeypatch.setattr(download, "MAX_BYTES", 10_000_000)
    info = published(f"{server}/{way}", **changes)
    said = message(lambda: cache.trained_weights(info))
    assert fact in said
    assert "curl" in said
    assert files_in(home) == []


@pytest.mark.keras
@pytest.mark.parametrize("name", [NAME, "csp_darknet_tiny_imagenet"])
def test_a_weights_file_is_allowed_what_it_needs_and_little_more(name: str, tmp_path: Path) -> None:
    """No published size is known; that of the same model's file, as Keras writes it, is."""
    archdsl.build_from_config(name).save_weights(tmp_path / "whole.weights.h5")
    needed = (tmp_path / "whole.weights.h5").stat().st_size
    assert 1.5 * needed < cache.most_bytes(preset_info(name)) < 4 * needed


def test_an_address_that_is_no_web_address_is_not_opened(home: Path) -> None:
    (home / FILE).write_bytes(CONTENT)
    with pytest.raises(download.Refused, match="begins with https"):
        download.download(f"file://{home}/{FILE}", home / "copy")
    assert files_in(home) == [FILE]


def test_a_damaged_file_in_the_cache_is_told_and_fetched_again(server: str, home: Path) -> None:
    path = home / "cache" / NAME / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    with pytest.warns(UserWarning, match=f"{FILE}: the file has sha256 .* not the published one; it is not used"):
        assert "not on this machine" in message(lambda: cache.trained_weights(published(NOBODY)))
    with pytest.warns(UserWarning, match="has 2999999 bytes, expected 3000000"):
        cache.trained_weights(published(f"{server}/whole", weights_size=len(CONTENT)))
    assert path.read_bytes() == CONTENT


def test_without_a_network_it_says_what_to_do_by_hand(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown_host(*address: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown_host)
    info = preset_info(NAME)
    said = message(lambda: archdsl.from_preset(NAME))
    path = home / "cache" / NAME / FILE
    assert "storage.googleapis.com: Name or service not known" in said
    assert f"{FILE} from {info.weights_url} (sha256 {info.weights_sha256}) would be put in {path.parent}" in said
    assert f"by hand: curl --create-dirs -fLo '{path}' {info.weights_url}; load_weights=False" in said
    assert not list(home.iterdir())


def test_a_network_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address: [forever.wait(60)][:0])
    monkeypatch.setattr(download, "PROBE_S", 0.1)
    said = message(lambda: archdsl.from_preset(NAME, load_weights=True))
    assert not forever.is_set()
    assert "storage.googleapis.com: no answer within 0.1 s" in said
    forever.set()


def test_the_answer_comes_before_keras_is_imported(home: Path) -> None:
    program = f"""
import socket, sys
def unknown_host(*address):
    raise socket.gaierror(-2, "Name or service not known")
socket.getaddrinfo = unknown_host
import archdsl
try:
    archdsl.from_preset("{NAME}", load_weights=True)
except archdsl.ArchError:
    assert not {{"keras", "tensorflow", "kagglehub"}} & set(sys.modules)
    print("told")
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "told\n"


def test_a_proxy_is_asked_instead_of_the_server(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", server)
    assert download.refusals(["https://nowhere.invalid/file"]) == {"https://nowhere.invalid/file": ""}
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    assert download.refusals(["https://nowhere.invalid/file"])["https://nowhere.invalid/file"]


def start(server: str, *statements: str) -> subprocess.Popen[str]:
    """A process that runs `statements`; `info` is a preset that the server publishes."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    begin = [
        "from archdsl import ArchError",
        "from archdsl.models.hub import cache",
        "from archdsl.frontend.presets import preset_info",
        f"info = preset_info({NAME!r})._replace(kaggle_handle=None, weights_url='{server}/whole/{FILE}')",
        f"info = info._replace(weights_sha256='{sha256}')",
    ]
    program = "\n".join([*begin, *statements])
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_both_end_with_the_whole_file(server: str, home: Path) -> None:
    both = [start(server, "print(len(cache.trained_weights(info).read_bytes()))") for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [f"{len(CONTENT)}\n"] * 2
    assert files_in(home) == [FILE]


def test_a_disk_that_takes_no_more_leaves_nothing_behind(server: str, home: Path) -> None:
    """A limit on the size of files stands for the disk: both come as an OSError out of a write."""
    process = start(
        server,
        "import resource",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))",
        "try:",
        "    cache.trained_weights(info)",
        "except ArchError as error:",
        "    print(error)",
    )
    said = process.communicate()[0]
    assert f"{FILE}: error[output]: cannot be written: File too large" in said
    assert "hint: ARCHDSL_CACHE=FOLDER names another folder" in said
    assert files_in(home) == []


def test_a_cache_that_cannot_be_written_is_told(server: str, home: Path) -> None:
    (home / "cache").write_text("a file where the folder would be")
    said = message(lambda: cache.trained_weights(published(f"{server}/whole")))
    assert re.search(r"cache/yolo_v8_xs_backbone_coco: error\[output\]: the folder cannot be made: ", said)
    assert "hint: ARCHDSL_CACHE=FOLDER names another folder" in said


def test_a_read_only_disk_is_told_too(server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a disk refuses to open a file, and to remove one that is not there."""

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    said = message(lambda: cache.trained_weights(published(f"{server}/whole")))
    assert f"{FILE}: error[output]: cannot be written: Read-only file system" in said


def test_what_kagglehub_has_downloaded_is_found(home: Path) -> None:
    folder = home / "kagglehub" / "models" / "keras" / "yolov8" / "keras" / NAME
    path = folder / "2" / "model.weights.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert "not on this machine" in message(
        lambda: cache.trained_weights(published(NOBODY))
    )  # a download that broke off
    (folder / "2.complete").touch()
    assert cache.trained_weights(published(NOBODY)) == path


@pytest.fixture
def kagglehub(home: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in that downloads into a folder, and a Kaggle that takes connections."""
    calls: list[tuple[str, str]] = []

    def model_download(handle: str, name: str) -> str:
        calls.append((handle, name))
        path = home / name
        path.write_bytes(CONTENT)
        return str(path)

    made = SimpleNamespace(model_download=model_download, calls=calls, __spec__=SimpleNamespace(name="kagglehub"))
    monkeypatch.setitem(sys.modules, "kagglehub", made)  # type: ignore[arg-type]
    monkeypatch.setattr(cache, "_KAGGLE_SITE", f"{server}/models/")
    return made


def test_kagglehub_is_asked_before_the_published_address(kagglehub: SimpleNamespace, server: str, home: Path) -> None:
    assert cache.trained_weights(published(f"{server}/whole")) == home / "model.weights.h5"
    assert kagglehub.calls == [(f"keras/yolov8/keras/{NAME}/2", "model.weights.h5")]
    assert cache.kaggle_file("kaggle://me/net/keras/small", "config.json") == home / "config.json"
    assert kagglehub.calls[1:] == [("me/net/keras/small", "config.json")]


def test_where_kagglehub_fails_the_published_address_is_next(kagglehub: SimpleNamespace, server: str) -> None:
    def fail(handle: str, name: str) -> str:
        raise ConnectionError("no answer\nand a long story")

    kagglehub.model_download = fail
    assert cache.trained_weights(published(f"{server}/whole")).name == FILE
    said = message(lambda: cache.kaggle_file("kaggle://me/net/keras/small/3", "config.json"))
    assert "(127.0.0.1:" in said and "ConnectionError: no answer)" in said


def test_a_handle_that_is_not_on_this_machine_says_where_to_get_it(home: Path) -> None:
    said = message(lambda: archdsl.from_preset("kaggle://me/net/keras/small/3"))
    folder = home / "cache" / "kaggle" / "me" / "net" / "keras" / "small" / "3"
    assert f"config.json from {NOBODY}me/net/keras/small/3 would be put in {folder}" in said
    for handle in ("kaggle://me/net", "kaggle://../../../etc", "kaggle://me/net/keras/small/new"):
        assert "expected kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]" in message(
            lambda handle=handle: archdsl.from_preset(handle)
        )


@pytest.mark.keras
def test_nothing_is_looked_for_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> Any:
        raise AssertionError("asked the network")

    monkeypatch.setattr(cache, "refusals", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert archdsl.from_preset(NAME, load_weights=False).count_params() == 1_277_680
        assert archdsl.from_preset("yolo_v8_xs_backbone").count_params() == 1_277_680
