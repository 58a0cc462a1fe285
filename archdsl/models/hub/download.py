"""Downloads: whole and checked, or not at all. Nothing waits for a network that is not there."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, getproxies, proxy_bypass

from archdsl.backends.atomic_write import written_whole

PROBE_S = 0.5  # for a server to take a connection
READ_S = 15.0  # for the next bytes
MAX_BYTES = 4 << 30
_CHUNK_BYTES = 1 << 20


class Refused(Exception):
    """A file cannot be had; the text says why."""


def refusals(urls: Iterable[str]) -> dict[str, str]:
    """Why the server of each address takes no connection; nothing for those that do. All are asked at once.

    Answers within PROBE_S: in threads that are left behind, because looking up a name cannot be given a time limit.
    """
    reasons = dict.fromkeys(urls, f"no answer within {PROBE_S} s")
    threads = [Thread(target=_ask, args=(url, reasons), daemon=True) for url in reasons]
    for thread in threads:
        thread.start()
    until = monotonic() + PROBE_S
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))
    return dict(reasons)


def _ask(url: str, reasons: dict[str, str]) -> None:
    try:
        socket.create_connection(_first_hop(url), timeout=PROBE_S).close()
        reasons[url] = ""
    except TimeoutError:
        pass
    except (OSError, ValueError) as error:
        reasons[url] = str(getattr(error, "strerror", None) or error)


def _first_hop(url: str) -> tuple[str, int]:
    """Host and port that a request goes to first: those of a proxy, where one is set."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def download(
    url: str, path: Path, *, sha256: str | None = None, size: int | None = None, most: int = MAX_BYTES, hint: str = ""
) -> None:
    """Download `url` to `path`, which is written only when the file is whole and has the published sha256.

    At most `most` bytes are written, and none when the server announces more. Raises Refused when it cannot be had,
    ArchError with `hint` when it cannot be written.
    """
    digest, received = hashlib.sha256(), 0
    with _response(url) as response:
        expected = size if size is not None else response.length
        most = min(most, MAX_BYTES, most if size is None else size)
        if (response.length or 0) > most:
            raise Refused(f"the server announces {response.length} bytes; expected at most {most}")
        with written_whole(path, hint) as partial, partial.open("wb") as stream:
            for chunk in _with_progress(_chunks(response), path.name, expected):
                received += len(chunk)
                if received > most:
                    raise Refused(f"received more than {most} bytes")
                stream.write(chunk)
                digest.update(chunk)
            if expected is not None and received != expected:
                raise Refused(f"received {received} of {expected} bytes")
            if sha256 is not None and digest.hexdigest() != sha256:
                raise Refused(f"the download has sha256 {digest.hexdigest()}, expected {sha256}")


@contextmanager
def _response(url: str) -> Iterator[HTTPResponse]:
    if urlsplit(url).scheme not in ("http", "https"):
        raise Refused("expected an address that begins with https://")
    try:
        response = build_opener(_SameServer).open(url, timeout=READ_S)
    except HTTPError as error:
        raise Refused(f"the server answers {error.code} {error.reason}") from None
    except URLError as error:
        raise Refused(str(getattr(error.reason, "strerror", None) or error.reason)) from None
    except (OSError, HTTPException, ValueError) as error:
        raise Refused(str(error) or type(error).__name__) from None
    with response:
        yield response


class _SameServer(HTTPRedirectHandler):
    """Follows a redirect only to the same server: another may be anybody's."""

    def redirect_request(self, request: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl)[:2] != urlsplit(request.full_url)[:2]:
            raise Refused(f"the server sends on to {newurl}")
        return super().redirect_request(request, fp, code, msg, headers, newurl)


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise Refused(f"the connection broke: {error or type(error).__name__}") from None
        if not chunk:
            return
        yield chunk


def _with_progress(chunks: Iterator[bytes], name: str, total: int | None) -> Iterator[bytes]:
    """The chunks, with a bar on standard error while they come if that is a terminal."""
    if not sys.stderr.isatty():
        yield from chunks
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=total)
        for chunk in chunks:
            yield chunk
            progress.advance(task, len(chunk))
