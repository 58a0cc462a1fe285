"""The language server, as an editor speaks with it over its standard streams."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features
from support.edits import edited
from support.language_server import ARCHDSL, Connection

from archdsl.diagnostics.formats import problem_data
from archdsl.frontend.compose.search_path import config_root
from archdsl.tools.editing.document import Document
from archdsl.tools.lsp import open_texts
from archdsl.tools.lsp.actions import code_actions
from archdsl.tools.lsp.diagnostics import diagnostics_of
from archdsl.tools.lsp.open_texts import OpenTexts
from archdsl.tools.lsp.positions import Positions

NET = """\
# archdsl
defaults: [yolo_v8_s_backbone, _self_]
scale: {width: 0.5}
stages:
  p4: {depth: 9}
"""
WHOLE = types.Range(types.Position(0, 0), types.Position(1_000, 0))
FILES = types.FileEvent("file:///parent.yaml", types.FileChangeType.Changed)
in_a_loop = pytest.mark.asyncio(loop_scope="module")


class Client(LanguageClient):
    """One that keeps all diagnostics in the order they came."""

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter)
        self.published: list[types.PublishDiagnosticsParams] = []
        self.refreshed = 0
        features = {**DEFAULT_CLIENT_FEATURES, types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS: published}
        register_lsp_features(self, features)


def published(client: LanguageClient, params: types.PublishDiagnosticsParams) -> None:
    client.published.append(params)  # type: ignore[attr-defined]
    client.diagnostics[params.uri] = params.diagnostics


@pytest_lsp.fixture(config=ClientServerConfig(server_command=ARCHDSL, client_factory=Client), scope="module")
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    refreshing = types.WorkspaceClientCapabilities(
        configuration=True,
        inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
    )

    @lsp_client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
    def _(params: Any) -> None:
        lsp_client.refreshed += 1

    @lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def _(params: types.RegistrationParams) -> None:
        lsp_client.registered = params.registrations

    capabilities = types.ClientCapabilities(workspace=refreshing)
    await lsp_client.initialize_session(types.InitializeParams(capabilities=capabilities))
    yield
    await lsp_client.shutdown_session()


class Editor:
    """What a person does with files in an editor."""

    def __init__(self, client: LanguageClient, folder: Path):
        self.client = client
        self.folder = folder
        self.versions: dict[str, int] = {}

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    async def told(self, name: str, send: Callable[[], None]) -> list[types.Diagnostic]:
        """The diagnostics of a file that `send` leads to."""
        seen = len(self.client.published)
        send()
        async with asyncio.timeout(60):
            while True:
                for found in self.client.published[seen:]:
                    if found.uri == self.uri(name) and found.version in (None, self.versions.get(name)):
                        return list(found.diagnostics)
                await asyncio.sleep(0.002)

    def open(self, name: str, text: str) -> None:
        self.versions[name] = 1
        item = types.TextDocumentItem(self.uri(name), "yaml", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, name: str, text: str) -> None:
        """The text is another now, and is not saved."""
        self.versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def save(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        document = types.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(document))

    async def written(self, name: str, text: str) -> list[types.Diagnostic]:
        """The diagnostics of a new file that is saved and open."""
        (self.folder / name).write_text(text)
        return await self.told(name, lambda: self.open(name, text))

    async def hints(self, name: str) -> dict[tuple[int, int], str]:
        asked = types.InlayHintParams(types.TextDocumentIdentifier(self.uri(name)), WHOLE)
        found = await self.client.text_document_inlay_hint_async(asked)
        return {(each.position.line, each.position.character): str(each.label) for each in found or []}

    async def lens(self, name: str) -> str:
        asked = types.CodeLensParams(types.TextDocumentIdentifier(self.uri(name)))
        found = await self.client.text_document_code_lens_async(asked)
        return found[0].command.title if found else ""

    async def actions(self, name: str, place: types.Range, *kinds: str) -> list[types.CodeAction]:
        document = types.TextDocumentIdentifier(self.uri(name))
        asked = types.CodeActionParams(document, place, types.CodeActionContext([], only=list(kinds) or None))
        return await self.client.text_document_code_action_async(asked)

    def taken(self, name: str, text: str, action: types.CodeAction) -> str:
        """The text once an action is taken."""
        lines = text.encode("utf-16-le").split("\n".encode("utf-16-le"))
        for edit in sorted(action.edit.changes[self.uri(name)], key=lambda each: each.range.start, reverse=True):
            start, end = edit.range.start, edit.range.end
            before, after = lines[start.line][: 2 * start.character], lines[end.line][2 * end.character :]
            lines[start.line : end.line + 1] = [before + edit.new_text.encode("utf-16-le") + after]
        return "\n".encode("utf-16-le").join(lines).decode("utf-16-le")


@pytest.fixture
def editor(client: LanguageClient, tmp_path: Path) -> Iterator[Editor]:
    opened = Editor(client, tmp_path)
    yield opened
    for name in opened.versions:
        closed = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(opened.uri(name)))
        client.text_document_did_close(closed)


def span(line: int, start: int, end: int) -> types.Range:
    return types.Range(types.Position(line, start), types.Position(line, end))


@in_a_loop
async def test_a_mistake_is_told_where_it_is_and_its_fix_can_be_taken(editor: Editor) -> None:
    assert await editor.written("net.yaml", NET) == []
    mistaken = NET.replace("depth", "detph")
    (found,) = await editor.told("net.yaml", lambda: editor.type("net.yaml", mistaken))
    assert (found.range, found.code, found.source) == (span(4, 7, 12), "unknown-key", "archdsl")
    assert "did you mean 'depth'?" in found.message
    action, _all = await editor.actions("net.yaml", found.range)
    assert (action.title, action.kind, action.is_preferred) == ("write depth", "quickfix", True)
    assert list(action.diagnostics) == [found]
    fixed = editor.taken("net.yaml", mistaken, action)
    assert fixed == NET
    assert await editor.told("net.yaml", lambda: editor.type("net.yaml", fixed)) == []


@in_a_loop
async def test_columns_are_those_of_utf_16(editor: Editor) -> None:
    text = '# archdsl\n{description: "🙂🙂", stages: {p4: {depht: 9}}}\n'
    (found,) = [each for each in await editor.written("net.yaml", text) if each.code == "unknown-key"]
    line = text.split("\n")[1]
    start = len(line[: line.index("depht")].encode("utf-16-le")) // 2
    assert found.range == span(1, start, start + 5)
    fixed = editor.taken("net.yaml", text, (await editor.actions("net.yaml", found.range))[0])
    assert fixed == text.replace("depht", "depth")


@in_a_loop
async def test_all_fixes_can_be_taken_at_once(editor: Editor) -> None:
    mistaken = "# archdsl\ndefaults: [yolo_v8_s_backbon, _self_]\nscal: {width: 1}\nstages: {p4: {detph: 9}}\n"
    found = await editor.written("net.yaml", mistaken)
    text = mistaken
    for _ in range(3):  # what is composed of parents is checked once these are found
        actions = await editor.actions("net.yaml", WHOLE, types.CodeActionKind.SourceFixAll)
        if not actions:
            break
        text = editor.taken("net.yaml", text, actions[0])
        found = await editor.told("net.yaml", lambda: editor.type("net.yaml", text))  # noqa: B023
    assert found == []
    assert text == mistaken.replace("backbon,", "backbone,").replace("scal:", "scale:").replace("detph", "depth")


@in_a_loop
async def test_hints_and_totals_change_with_the_text_and_say_how(editor: Editor) -> None:
    await editor.written("net.yaml", NET)
    before = await editor.hints("net.yaml")
    assert before[4, 16].startswith("40 × 40 × 256 · 1.")
    assert "+" not in "".join(before.values())
    await editor.told("net.yaml", lambda: editor.type("net.yaml", NET.replace("depth: 9", "depth: 12")))
    now = await editor.hints("net.yaml")
    assert now[4, 17] != before[4, 16]
    more = Document("", NET.replace("9", "12")).report.params - Document("", NET).report.params
    assert f"(+{more / 1000:.0f} k params" in now[4, 17]
    assert f"since saved: +{more / 1000:.0f} k params" in await editor.lens("net.yaml")
    editor.save("net.yaml", NET.replace("depth: 9", "depth: 12"))
    assert "+" not in "".join((await editor.hints("net.yaml")).values())


@in_a_loop
async def test_hints_stay_while_the_text_is_broken(editor: Editor) -> None:
    await editor.written("net.yaml", NET)
    before = await editor.hints("net.yaml")
    (found,) = await editor.told("net.yaml", lambda: editor.type("net.yaml", NET.replace("9}", "")))
    assert found.code == "syntax"
    assert [*(await editor.hints("net.yaml")).values()] == [*before.values()]
    assert "without a mistake" in await editor.lens("net.yaml")


@in_a_loop
async def test_a_parent_counts_as_it_is_in_the_editor(editor: Editor) -> None:
    parent, child = NET.removeprefix("# archdsl\n"), "# archdsl\ndefaults: [parent, _self_]\nstages: {p3: {depth: 3}}\n"
    (editor.folder / "parent.yaml").write_text(parent)
    assert await editor.written("net.yaml", child) == []
    before, refreshed = await editor.lens("net.yaml"), editor.client.refreshed
    wider = parent.replace("0.5", "1.0")
    assert await editor.told("net.yaml", lambda: editor.open("parent.yaml", wider)) == []
    assert await editor.lens("net.yaml") != before
    broken = parent.replace("scale", "scal")
    (found,) = await editor.told("net.yaml", lambda: editor.type("parent.yaml", broken))
    assert found.range == span(1, 0, 8)  # the Defaults List that leads there
    (elsewhere,) = found.related_information
    assert (elsewhere.location.uri, elsewhere.location.range.start) == (editor.uri("parent.yaml"), types.Position(1, 0))
    assert editor.client.refreshed > refreshed
    assert (editor.folder / "parent.yaml").read_text() == parent


@in_a_loop
async def test_a_parent_that_another_program_writes_is_read_again(editor: Editor) -> None:
    (registration,) = editor.client.registered
    assert registration.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    (editor.folder / "parent.yaml").write_text("scal: {}\n" + NET)
    child = "# archdsl\ndefaults: [parent, _self_]\n"
    assert await editor.written("net.yaml", child)
    (editor.folder / "parent.yaml").write_text(NET)
    changed = types.DidChangeWatchedFilesParams([FILES])
    assert await editor.told("net.yaml", lambda: editor.client.workspace_did_change_watched_files(changed)) == []


@in_a_loop
async def test_other_yaml_is_left_alone(editor: Editor) -> None:
    other = "services: {web: {image: nginx}}\n"
    editor.open("compose.yaml", other)
    assert (await editor.hints("compose.yaml"), await editor.lens("compose.yaml")) == ({}, "")
    await editor.written("net.yaml", NET)  # by now the other one would have been told
    assert editor.uri("compose.yaml") not in editor.client.diagnostics
    assert await editor.told("compose.yaml", lambda: editor.type("compose.yaml", f"# archdsl\n{other}"))
    assert await editor.told("compose.yaml", lambda: editor.type("compose.yaml", other)) == []


@in_a_loop
@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("net.arch.yaml", ""),
        ("net.yaml", "# archdsl\n"),
        ("net.yaml", "\n# my own\n#archdsl\n"),
        ("net.yaml", f"# yaml-language-server: $schema={config_root() / 'archdsl.schema.json'}\n"),
    ],
)
async def test_a_file_says_that_it_is_a_config(editor: Editor, name: str, head: str) -> None:
    (found,) = await editor.written(name, f"{head}stagess: {{}}\nstages: {{p1: {{width: 8}}}}\n")
    assert found.code == "unknown-key"


@in_a_loop
async def test_a_folder_can_say_that_its_files_are_configs(editor: Editor) -> None:
    editor.client.set_configuration({"archdsl": {"files": ["**/nets/*.yaml"]}})
    (editor.folder / "nets").mkdir()
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    try:
        assert await editor.written("nets/net.yaml", "stagess: {}\n")
        editor.open("net.yaml", "stagess: {}\n")
        assert await editor.hints("net.yaml") == {}
        assert editor.uri("net.yaml") not in editor.client.diagnostics
    finally:
        editor.client.set_configuration({"archdsl": {"files": []}})
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))


@in_a_loop
async def test_a_text_that_was_never_saved_has_the_shipped_parents(editor: Editor) -> None:
    uri = "untitled:Untitled-1"
    item = types.TextDocumentItem(uri, "yaml", 1, NET)
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    lens = await editor.client.text_document_code_lens_async(types.CodeLensParams(types.TextDocumentIdentifier(uri)))
    closed = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
    editor.client.text_document_did_close(closed)
    assert f"{Document('', NET).report.params:,} parameters" in lens[0].command.title


def test_without_pygls_the_extra_is_named() -> None:
    program = "import sys; sys.modules['pygls'] = None; from archdsl.tools.cli import main; main(['lsp'])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "pygls is not installed" in ended.stderr
    assert "archdsl[lsp]" in ended.stderr


@pytest.mark.slow
def test_nothing_is_wrong_with_a_shipped_file() -> None:
    told = {}
    for path in config_root().rglob("*.yaml"):
        opened = OpenTexts().put(path.as_uri(), path.read_text(), 1)
        told[path.parent.name, path.stem] = [(each.severity, each.code) for each in diagnostics_of(opened)]
    only_a_part = [(types.DiagnosticSeverity.Information, "missing-key")]
    assert told["neck", "pan_c2f"] == only_a_part
    assert all(found in ([], only_a_part) for found in told.values())


def test_a_text_under_a_name_that_no_file_can_have_is_analysed() -> None:
    assert diagnostics_of(OpenTexts().put("file:///a%00b.yaml", NET, 1)) == []


def test_what_is_saved_is_analysed_once_while_one_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analysed = []

    def counted(name: str, text: str, **given: Any) -> Document:
        analysed.append(text)
        return Document(name, text, **given)

    monkeypatch.setattr(open_texts, "Document", counted)
    (tmp_path / "net.yaml").write_text(NET)
    opened = OpenTexts().put((tmp_path / "net.yaml").as_uri(), f"{NET}# 0\n", 1)
    for number in range(4):
        opened.change(f"{NET}# {number}\n", number)
        assert opened.document.text == opened.text
        assert opened.saved
        assert opened.saved.text == NET
    assert len(analysed) == 5
    opened.forget()
    assert opened.saved
    assert analysed[5:] == [NET]
    (tmp_path / "net.yaml").write_text("a: 1\n")
    assert opened.saved.text == "a: 1\n"


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 29), ("utf-16", 27), ("utf-32", 26)])
def test_places_in_other_files_are_counted_as_the_client_counts(encoding: str, column: int, tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(f"{NET.splitlines()[1]}\nscale: {{description: '\U0001f600', widht: 1}}\n")
    opened = OpenTexts(encoding).put((tmp_path / "net.yaml").as_uri(), "defaults: [parent, _self_]\n", 1)
    told = [place.location.range.start for each in diagnostics_of(opened) for place in each.related_information or ()]
    asked = types.CodeActionParams(types.TextDocumentIdentifier(opened.uri), WHOLE, types.CodeActionContext([]))
    (changes,) = [
        each.edit.changes for each in code_actions(opened, asked) if each.edit and each.title == "write width"
    ]
    ((edit,),) = (changes or {}).values()
    assert told[-1] == edit.range.start == types.Position(1, column)


# What a server must stand


@pytest.fixture
def connection() -> Iterator[Connection]:
    process = subprocess.Popen(ARCHDSL, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield Connection(process)
    process.kill()
    process.communicate()


HOSTILE = {
    "much text": "# archdsl\n" + "a: 1\n" * 2_500_000,
    "much on one line": "# archdsl\na: [" + "1," * 6_000_000,
    "a bomb": "# archdsl\na: &a [1]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 50}]\n" for a, b in pairwise("abcdefg")),
    "depth": "# archdsl\na: " + "[" * 100_000,
    "half a character": "# archdsl\na: '\ud83d'\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_has_the_limits_of_a_file(connection: Connection, kind: str) -> None:
    uri = "file:///nowhere/net.arch.yaml"
    connection.open(uri, HOSTILE[kind])
    (found,) = connection.diagnostics(uri)
    assert found["code"] in ("limit", "depth", "encoding")
    connection.change(uri, NET, 2)
    assert connection.diagnostics(uri, 2) == []
    assert connection.of_text("codeLens", uri)
    assert connection.end() == 0


def fuzzed(connection: Connection, folder: Path, edits: int) -> list[int]:
    """Types so many random edits, asks for everything now and then; the server's memory in KiB, now and then.

    The diagnostics of a text are always those of the same text read for the first time.
    """
    path, memory = folder / "net.arch.yaml", []
    path.write_text(NET)
    uri = path.as_uri()
    connection.open(uri, NET)
    connection.diagnostics(uri)
    for version, text in enumerate(edited(NET, edits), start=2):
        connection.change(uri, text, version)
        found = connection.diagnostics(uri, version)
        alone, positions = Document(str(path), text, folder=folder), Positions(text)
        assert [(each["code"], each["message"]) for each in found] == [
            (each.code, "\n".join([each.fact, *each.remarks])) for each in alone.problems
        ], problem_data(alone.problems[0]) if alone.problems else text
        places = [each["range"]["start"] for each in found]
        for place, problem in zip(places, alone.problems, strict=True):
            start = positions.range(problem.range).start
            assert problem.file != str(path) or place == {"line": start.line, "character": start.character}
        if version % 10 == 0:
            everything(connection, uri, text, version)
        if version % 100 == 0:
            status = Path(f"/proc/{connection.process.pid}/statm").read_text()
            memory.append(int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024)
    return memory


def everything(connection: Connection, uri: str, text: str, version: int) -> None:
    """All that an editor asks, at some place of the text."""
    lines = text.split("\n")
    line = version % len(lines)
    position = {"line": line, "character": version % (len(lines[line]) + 1)}
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": len(lines), "character": 0}}
    connection.of_text("inlayHint", uri, range=whole)
    connection.of_text("codeAction", uri, range=whole, context={"diagnostics": []})
    for method in ("codeLens", "documentSymbol", "foldingRange"):
        connection.of_text(method, uri)
    for method in ("completion", "hover", "definition"):
        connection.of_text(method, uri, position=position)


def test_after_random_edits_nothing_told_is_stale(connection: Connection, tmp_path: Path) -> None:
    fuzzed(connection, tmp_path, 100)
    assert connection.end() == 0


@pytest.mark.full
def test_thousands_of_random_edits_leave_the_memory_as_it_was(connection: Connection, tmp_path: Path) -> None:
    memory = fuzzed(connection, tmp_path, 2_000)
    assert connection.end() == 0
    assert max(memory[5:]) < 1.1 * max(memory[:5]), memory
