"""`archdsl lsp`: connects an editor to what `archdsl.tools.editing` knows of its texts."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from archdsl import __version__
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.hints import inlays
from archdsl.tools.lsp.actions import KINDS, code_actions
from archdsl.tools.lsp.claims import Claims
from archdsl.tools.lsp.diagnostics import diagnostics_of
from archdsl.tools.lsp.figures import code_lenses, inlay_hints
from archdsl.tools.lsp.navigation import definitions, document_symbols, foldings, renameable, renamed
from archdsl.tools.lsp.open_texts import Opened, OpenTexts
from archdsl.tools.lsp.words import TRIGGERS, completions, hovers

Answer = Callable[[Opened, Any], Any]
_SLOW_S = 0.05  # an analysis that takes longer waits for a pause of its own length
_SECTION = "archdsl"
_TYPICAL = ("defaults: [yolo_v8_s_detect, _self_]", "defaults: [yolo_v8_s_detect, _self_]\nstages: {p4: {wide: 1}}")
_WATCHED = ("**/*.yaml", "**/*.yml")

ANSWERS: list[tuple[str, Answer, Any]] = [
    (types.TEXT_DOCUMENT_CODE_ACTION, code_actions, types.CodeActionOptions(code_action_kinds=KINDS)),
    (types.TEXT_DOCUMENT_INLAY_HINT, inlay_hints, None),
    (types.TEXT_DOCUMENT_CODE_LENS, code_lenses, None),
    (types.TEXT_DOCUMENT_COMPLETION, completions, types.CompletionOptions(trigger_characters=TRIGGERS)),
    (types.TEXT_DOCUMENT_HOVER, hovers, None),
    (types.TEXT_DOCUMENT_DEFINITION, definitions, None),
    (types.TEXT_DOCUMENT_PREPARE_RENAME, renameable, None),
    (types.TEXT_DOCUMENT_RENAME, renamed, types.RenameOptions(prepare_provider=True)),
    (types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, document_symbols, None),
    (types.TEXT_DOCUMENT_FOLDING_RANGE, foldings, None),
]
"""Requests about one text: method, function of the open text and the parameters, and options."""


class Server(LanguageServer):
    """The open texts, and which of them are configs."""

    def __init__(self) -> None:
        # Clients send whole texts: what counts as a line end in pygls's own splices is not what the protocol says.
        super().__init__(_SECTION, __version__, types.TextDocumentSyncKind.Full)
        self.texts = OpenTexts()
        self.claims = Claims()
        self._told: set[str] = set()
        self._globs: list[str] = []
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._pauses: dict[str, float] = {}

    def takes(self, opened: Opened) -> bool:
        return self.claims.takes(opened.name, opened.text)

    def set_files(self, settings: Any) -> None:
        """Takes the globs of a setting `{files: […]}`, which may be under the key `archdsl`."""
        settings = settings.get(_SECTION, settings) if isinstance(settings, dict) else {}
        files = settings.get("files") if isinstance(settings, dict) else None
        self._globs = files if isinstance(files, list) else []
        paths = [to_fs_path(uri) for uri in self.workspace.folders]
        self.claims = Claims([Path(path) for path in paths if path], self._globs)

    def tell_soon(self, opened: Opened) -> None:
        """Publishes diagnostics at once, or after a pause for a text that takes long."""
        waiting = self._waiting.pop(opened.uri, None)
        if waiting:
            waiting.cancel()
        pause = self._pauses.get(opened.uri, 0)
        if pause < _SLOW_S:
            self.tell(opened)
        else:
            self._waiting[opened.uri] = asyncio.get_running_loop().call_later(pause, self.tell, opened)

    def tell(self, opened: Opened) -> None:
        """Publishes the diagnostics of a config; none for a text that no longer is one."""
        if self.texts.get(opened.uri) is not opened:
            return
        started = time.perf_counter()
        is_config = self.takes(opened)
        if is_config or opened.uri in self._told:
            self._publish(opened, diagnostics_of(opened) if is_config else [])
        self._told.add(opened.uri) if is_config else self._told.discard(opened.uri)
        self._pauses[opened.uri] = time.perf_counter() - started

    def _publish(self, opened: Opened, found: list[types.Diagnostic]) -> None:
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(opened.uri, found, opened.version))

    def withdraw(self, opened: Opened) -> None:
        """Takes back the diagnostics of a closed text."""
        for kept in (self._waiting, self._pauses):
            kept.pop(opened.uri, None)
        if opened.uri in self._told:
            self._told.discard(opened.uri)
            opened.version = None
            self._publish(opened, [])

    def tell_again(self, others: Iterable[Opened]) -> None:
        """Analyses texts again whose parents have changed."""
        others = list(others)
        for each in others:
            each.forget()
            self.tell_soon(each)
        if not others:
            return
        if _can_refresh(self.client_capabilities, "inlay_hint"):
            self.workspace_inlay_hint_refresh(None)
        if _can_refresh(self.client_capabilities, "code_lens"):
            self.workspace_code_lens_refresh(None)


def _can_refresh(capabilities: types.ClientCapabilities, kind: str) -> bool:
    return bool(getattr(getattr(capabilities.workspace, kind, None), "refresh_support", None))


def _initialized(server: Server, params: types.InitializedParams) -> None:
    """Asks for settings and for notice of changed files, and warms up so that the first key does not wait."""
    able = server.client_capabilities.workspace
    if able and able.did_change_watched_files and able.did_change_watched_files.dynamic_registration:
        watchers = [types.FileSystemWatcher(glob) for glob in _WATCHED]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        registration = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        server.client_register_capability(types.RegistrationParams([registration]))
    _ask_for_settings(server)
    _warm_up()


def _warm_up() -> None:
    """Imports and reads what most texts need, and keeps it out of garbage collection."""
    for text in _TYPICAL:
        inlays(Document(text, text))
    gc.collect()
    gc.freeze()


def _ask_for_settings(server: Server) -> None:
    able = server.client_capabilities.workspace
    if able and able.configuration:
        item = types.ConfigurationItem(section=_SECTION)
        server.workspace_configuration(types.ConfigurationParams([item]), lambda found: _configured(server, found))


def _configured(server: Server, found: Any) -> None:
    if found and found[0]:
        server.set_files(found[0])
        server.tell_again(server.texts)


def _initialize(server: Server, params: types.InitializeParams) -> None:
    encoding = server.workspace.position_encoding
    server.texts = OpenTexts(str(getattr(encoding, "value", encoding)))
    server.set_files(params.initialization_options)


def _did_change_configuration(server: Server, params: types.DidChangeConfigurationParams) -> None:
    if params.settings:
        server.set_files(params.settings)
        server.tell_again(server.texts)
    else:
        _ask_for_settings(server)


def _did_open(server: Server, params: types.DidOpenTextDocumentParams) -> None:
    given = params.text_document
    opened = server.texts.put(given.uri, given.text, given.version)
    server.tell_soon(opened)
    server.tell_again(each for each in server.texts if each is not opened)


def _did_change(server: Server, params: types.DidChangeTextDocumentParams) -> None:
    text = server.workspace.get_text_document(params.text_document.uri).source
    opened = server.texts.put(params.text_document.uri, text, params.text_document.version)
    server.tell_soon(opened)
    server.tell_again(server.texts.readers(opened))


def _did_close(server: Server, params: types.DidCloseTextDocumentParams) -> None:
    closed = server.texts.close(params.text_document.uri)
    if closed:
        server.withdraw(closed)
        server.tell_again(server.texts)


def _files_changed(server: Server, params: Any) -> None:
    """A file was saved, here or elsewhere: it may be a parent, or the one that hints are compared with."""
    server.tell_again(server.texts)


NOTIFICATIONS: list[tuple[str, Callable[[Server, Any], None]]] = [
    (types.INITIALIZE, _initialize),
    (types.INITIALIZED, _initialized),
    (types.WORKSPACE_DID_CHANGE_CONFIGURATION, _did_change_configuration),
    (types.TEXT_DOCUMENT_DID_OPEN, _did_open),
    (types.TEXT_DOCUMENT_DID_CHANGE, _did_change),
    (types.TEXT_DOCUMENT_DID_CLOSE, _did_close),
    (types.TEXT_DOCUMENT_DID_SAVE, _files_changed),
    (types.WORKSPACE_DID_CHANGE_WATCHED_FILES, _files_changed),
]


def create() -> Server:
    server = Server()
    for method, handle in NOTIFICATIONS:
        server.feature(method)(_bound(server, handle))
    for method, answer, options in ANSWERS:
        server.feature(method, options)(_answering(server, answer))
    return server


def _bound(server: Server, handle: Callable[[Server, Any], None]) -> Callable[[Any], None]:
    return lambda params: handle(server, params)


def _answering(server: Server, answer: Answer) -> Callable[[Any], Any]:
    """The answer for a text that is a config; none for any other, and for one too large to be read."""

    def answered(params: Any) -> Any:
        opened = server.texts.get(params.text_document.uri)
        return answer(opened, params) if opened and server.takes(opened) and not opened.is_large else None

    return answered


def serve() -> None:
    """Serves on standard input and output until the editor is done."""
    logging.getLogger("pygls.protocol.json_rpc").addFilter(_is_fault)
    create().start_io()


def _is_fault(record: logging.LogRecord) -> bool:
    """Whether a record is a real fault, not just a refusal that the client is told of."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is not JsonRpcException
