"""Serves the page on 127.0.0.1, for one person on this machine.

The page's files are open to anybody who can connect; they hold no secret. Everything else needs the token, in the
part of the address that a browser does not send (`#…`), and comes from this page: Host and Origin are its own.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socketserver
import threading
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.terminal import say
from archdsl.tools.play.page_files import page_files

HERE = "127.0.0.1"
TOKEN_HEADER = "X-Archdsl-Token"
MAX_BODY_BYTES = 8 << 20  # a config of the largest size as JSON, where a character may take six
MAX_CONNECTIONS = 64
_TEXT = "text/plain; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Answer = Callable[[Any], dict[str, Any]]
"""Plain data from the page → plain data for it."""


class Refused(Exception):
    """A refused request: its status and the reason."""

    def __init__(self, status: HTTPStatus, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


class Server(ThreadingHTTPServer):
    """Answers `routes`, by path, to those who have its token."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # on Windows two programs could take one port
    allow_reuse_port = False
    request_queue_size = 128  # a browser opens several connections at once

    def __init__(self, routes: Mapping[str, Answer], port: int = 0):
        self.routes = routes
        self.token = secrets.token_urlsafe(32)
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        try:
            super().__init__((HERE, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            message = f"cannot listen on port {port}: {reason}"
            raise fail("output", message, hint="choose another with --port, or leave it out for any free one") from None
        self.hosts = (f"{HERE}:{self.server_port}", f"localhost:{self.server_port}")

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HERE}:{self.server_port}/#{self.token}"

    def server_bind(self) -> None:
        """Binds without looking up the name of this machine, which may use the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HERE, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: the client has gone; bugs are reported by the handler."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds for a connection that says nothing
    disable_nagle_algorithm = True
    _is_read = False

    def do_GET(self) -> None:
        self._answered(self._file)

    def do_POST(self) -> None:
        self._answered(self._reply)

    def _answered(self, work: Callable[[], tuple[str, bytes]]) -> None:
        self._is_read = False
        try:
            self._require_own_address()
            status, (kind, data) = HTTPStatus.OK, work()
        except Refused as refused:
            self._pass_over()
            status, kind, data = refused.status, _TEXT, f"{refused.reason}\n".encode()
        except OSError:  # who asked has gone
            raise
        except Exception:
            say(*traceback.format_exc().split("\n"), err=True)
            status, kind, data = (
                HTTPStatus.INTERNAL_SERVER_ERROR,
                _TEXT,
                b"a bug in archdsl; its terminal shows where\n",
            )
        self.close_connection |= status != HTTPStatus.OK  # what else it sends is not read
        self._send(status, kind, data)

    def _require_own_address(self) -> None:
        """Refuses other pages in the same browser: by Host (a name that leads here) and by Origin."""
        hosts, origins = [self.headers.get_all(name) or [] for name in ("Host", "Origin")]
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "not the address of this page")
        if origins != [f"http://{hosts[0]}"] and (origins or self.command == "POST"):
            raise Refused(HTTPStatus.FORBIDDEN, "not asked by this page")

    def _file(self) -> tuple[str, bytes]:
        found = page_files().get(self.path.removeprefix("/") or "index.html")
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such file")
        return found

    def _reply(self) -> tuple[str, bytes]:
        given = (self.headers[TOKEN_HEADER] or "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self.server.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "without the token of this page; open the address that archdsl printed")
        if self.path not in self.server.routes:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such question")
        answer = self.server.routes[self.path](self._question())
        return "application/json", json.dumps(answer, allow_nan=False).encode()

    def _question(self) -> Any:
        length = self.headers["Content-Length"] or ""
        if self.headers["Content-Type"] != "application/json" or self.headers["Transfer-Encoding"]:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected JSON in one piece")
        if not length.isdecimal() or len(length) > 9:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "without a length")
        if int(length) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too much")
        self._is_read = True
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "not JSON") from None

    def _pass_over(self) -> None:
        """Reads a short body of a refused request, so that the client finishes sending and reads the reason."""
        length = self.headers["Content-Length"] or ""
        if self.command == "POST" and length.isdecimal() and len(length) < 6 and not self._is_read:
            self.rfile.read(int(length))

    def _send(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        return "archdsl"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is logged: a page asks at every key."""
