"""The page of archdsl play: what a person sees and does, with a server and without."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browser import page_in
from support.play import NET, pyodide_in, served

import archdsl
from archdsl.tools.play.answers import answer
from archdsl.tools.play.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


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
def test_what_is_underlined_is_counted_in_characters(play: Play) -> None:
    from playwright.sync_api import expect

    play.type_at_end("  p4: {'😀😀': 1, dpeth: 30}")
    expect(play.page.locator(".cm-lintRange-error")).to_have_text(["'😀😀'", "dpeth"])
    play.page.get_by_role("button", name="depth").click()
    expect(play.text).to_contain_text("p4: {'😀😀': 1, depth: 30}")


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
    offered.get_by_role("option").first.click()
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
    expect(play.page.get_by_role("alert")).to_be_hidden()
    assert (folder / "net.yaml").read_text() == f"{NET}  p4: {{depth: 9}}0"


@pytest.mark.browser
def test_saving_twice_at_once_is_saving(play: Play, folder: Path) -> None:
    from playwright.sync_api import expect

    play.type_at_end("  p4: {depth: 9}")
    play.page.evaluate("() => { for (const _ of [1, 2]) document.getElementById('save').click(); }")
    expect(play.page.get_by_role("status")).to_have_text("saved")
    play.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 200))")
    expect(play.page.get_by_role("alert")).to_be_hidden()
    assert (folder / "net.yaml").read_text() == f"{NET}  p4: {{depth: 9}}"


@pytest.mark.browser
def test_a_text_that_is_not_saved_is_not_given_up_unasked(play: Play, folder: Path) -> None:
    from playwright.sync_api import expect

    (folder / "other.yaml").write_text(f"{NET}# other\n")

    def choose(name: str) -> None:
        play.page.get_by_role("button", name="Open…").click()
        play.page.get_by_role("dialog").get_by_role("button", name=name).click()

    play.type_at_end("# mine")
    choose("other.yaml")
    expect(play.page.get_by_role("alert")).to_contain_text("net.yaml has changes that are not saved")
    expect(play.text).to_contain_text("# mine")
    play.page.get_by_role("alert").get_by_role("button", name="Open it").click()
    expect(play.text).to_contain_text("# other")
    choose("net.yaml")
    expect(play.text).not_to_contain_text("# other")


@pytest.mark.browser
def test_a_file_is_opened_once_the_other_is_saved(play: Play, folder: Path) -> None:
    from playwright.sync_api import expect

    (folder / "other.yaml").write_text(f"{NET}# other\n")
    play.page.evaluate("""() => {
        const fetched = fetch;
        window.fetch = async (path, ...rest) => {
            if (path === "save") await new Promise((resolve) => setTimeout(resolve, 500));
            return fetched(path, ...rest);
        };
    }""")
    play.type_at_end("# mine")
    play.page.keyboard.press("Control+s")
    play.page.get_by_role("button", name="Open…").click()
    play.page.get_by_role("dialog").get_by_role("button", name="other.yaml").click()
    expect(play.text).to_contain_text("# other")
    assert (folder / "net.yaml").read_text() == f"{NET}# mine"
    play.type_at_end("# more")
    play.page.keyboard.press("Control+s")
    expect(play.page.get_by_role("status")).to_have_text("saved")
    assert (folder / "other.yaml").read_text() == f"{NET}# other\n# more"


@pytest.mark.browser
def test_what_is_likely_a_slip_is_a_warning(play: Play) -> None:
    from playwright.sync_api import expect

    play.type_at_end("  p4: {width: 500}")
    expect(play.page.locator(".cm-lintRange-warning")).to_have_text("0.375")
    problem = play.page.get_by_role("list", name="Problems").locator(".warning")
    expect(problem).to_contain_text("do not come out as multiples of 8")
    expect(problem).to_contain_text("+scale.divisor=8")


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
    assert ended.returncode == 2 and "npm install --prefix FOLDER pyodide@" in ended.stderr
    other = pyodide_in(tmp_path / "other")
    for wrong, told in (
        ('{"info": {"python": "3.13.2", "abi_version": "2025_0"}}', "--abi cp313"),
        ("{", "not one of Pyodide's"),
    ):
        (other / "pyodide-lock.json").write_text(wrong)
        ended = run("play", "--static", "page", "--pyodide", str(other))
        assert ended.returncode == 2 and told in ended.stderr
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
