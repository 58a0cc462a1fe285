"""archdsl report: one page of one or several configs, as a person sees and uses it, and as a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browser import CONTRASTS, UNNAMED, page_in

import archdsl
from archdsl.analysis.report import report
from archdsl.analysis.text import bytes_text, count_text, field_text
from archdsl.frontend.compose.config import load
from archdsl.tools.cli import main
from archdsl.tools.pictures.report import data, page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Run = Callable[..., subprocess.CompletedProcess[str]]

DETECTOR = "yolo_v8_s_detect"
BODY = "stages.p3.body"
NARROWER = "scale.width=0.375"
ATTACK = "</script></template><img src=x onerror='window.attacked=1'><script>window.attacked=1</script>"


def written(folder: Path, *words: str) -> Path:
    output = folder / "net.html"
    main(["report", *words, "-o", str(output), "--force"])
    return output


def data_in(file: Path) -> Any:
    """The page's own data."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', file.read_text(), re.DOTALL)
    return json.loads(found)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("detector"), DETECTOR)


@pytest.fixture(scope="module")
def costs() -> archdsl.Report:
    return archdsl.analyze(DETECTOR)


@pytest.fixture
def seen(browser: Browser, detector: Path) -> Iterator[Page]:
    with opened(browser, detector) as shown:
        yield shown


@contextmanager
def opened(browser: Browser, file: Path, width: int = 1280) -> Iterator[Page]:
    """A page in which the file is open."""
    with page_in(browser, width) as shown:
        shown.goto(file.as_uri())
        shown.locator("main").wait_for()
        yield shown


# The file


def test_a_detector_is_one_small_file(tmp_path: Path) -> None:
    file = written(tmp_path, "yolo_v8_m_detect")
    assert file.stat().st_size <= 400_000
    assert [each.name for each in tmp_path.iterdir()] == ["net.html"]
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"'(]?(?:https?:)?//", file.read_text())


def test_the_policy_allows_the_style_and_the_script_of_the_page_alone(detector: Path) -> None:
    text = detector.read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind, pattern in {"style-src": r"<style>(.*?)</style>", "script-src": r"<script>(.*?)</script>"}.items():
        (inside,) = re.findall(pattern, text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules.pop(kind) == f"'sha256-{digest}'"
    assert set(rules.values()) == {"'none'"}
    assert "default-src" in rules


def test_data_of_the_page_are_the_figures_of_analyze(detector: Path, costs: archdsl.Report) -> None:
    (network,) = data_in(detector)["networks"]
    assert (network["params"], network["macs"]) == (costs.params, costs.macs)
    assert network["memory"] == costs.activation_memory
    operations = [each for layer in network["layers"] for each in layer["operations"]]
    assert [each[1] for each in operations] == [node.name for node in costs.nodes]
    assert [each[5] for each in operations] == [node.params for node in costs.nodes]
    names = [node.name for node in costs.nodes]
    assert [[names[place] for place in each[3]] for each in operations] == [[*node.inputs] for node in costs.nodes]
    assert sum(part["params"] for part in network["parts"]) == costs.params
    assert sum(part["macs"] for part in network["parts"]) == costs.macs


def test_the_same_config_gives_the_same_file(detector: Path, tmp_path: Path) -> None:
    assert written(tmp_path, DETECTOR).read_bytes() == detector.read_bytes()


def test_thousands_of_layers_give_a_page_of_bounded_size(write: Callable[[str, str], Path], tmp_path: Path) -> None:
    rows = "".join(f"  l{number}: {{block: conv_bn_act, width: 8}}\n" for number in range(4000))
    stage = "{width: 8, stride: 2, down: {block: max_pool}, body: {block: conv}}"
    file = write("long.yaml", f"input: {{shape: [64, 64, 3]}}\nstem:\n{rows}stages: {{p1: {stage}}}\n")
    made = written(tmp_path, str(file))
    (network,) = data_in(made)["networks"]
    assert made.stat().st_size < 1_000_000
    assert (len(network["layers"]), network["layer_count"]) == (data.MOST_LAYERS, 4003)
    assert network["params"] == sum(part["params"] for part in network["parts"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "net.html", NARROWER, DETECTOR], f"'{NARROWER}' is an OVERRIDE; expected a CONFIG before it"),
        (["-o", "net.pdf", DETECTOR], "no page ends in '.pdf'"),
        (["-o", "net.html", DETECTOR, "scale.width=x"], "scale.width"),
        (["-o", "taken.html", DETECTOR], "exists already"),
    ],
)
def test_what_cannot_be_used_is_reported_and_nothing_is_written(
    run: Run, tmp_path: Path, words: Sequence[str], message: str
) -> None:
    (tmp_path / "taken.html").write_text("before")
    result = run("report", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"taken.html": "before"}


def test_a_page_is_written_without_what_takes_long_to_import(tmp_path: Path) -> None:
    program = f"""
import sys
from archdsl.frontend.compose.config import load
from archdsl.tools.cli import main
main(["report", "{DETECTOR}", "-o", "{tmp_path / "net.html"}"])
slow = {{"keras", "tensorflow", "numpy", "matplotlib", "PIL", "pydantic", "importlib.metadata"}}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_scripts_make_no_markup_of_texts_and_run_none() -> None:
    files = {file.stem: file.read_text() for file in Path(page.__file__).parent.glob("*.js")}
    assert set(files) == set(page.SCRIPTS)
    for text in files.values():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|fetch\(", text
        )


# The page


def texts(rows: Any) -> list[list[str]]:
    """What is read in each cell."""
    found: list[list[str]] = rows.evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


def layer_rows(shown: Page) -> list[list[str]]:
    return texts(shown.locator("table.layers tbody tr"))


@pytest.mark.browser
def test_totals_and_layers_are_those_of_analyze(seen: Page, costs: archdsl.Report) -> None:
    assert seen.locator("h1").inner_text() == DETECTOR
    totals = seen.locator(".figures").inner_text()
    for expected in (count_text(costs.params), f"{costs.params:,}", count_text(costs.macs), "640 × 640"):
        assert expected in totals
    assert bytes_text(costs.activation_memory) in totals
    assert [row[:6] for row in layer_rows(seen)] == [[*row] for row in costs.table().rows]
    assert [(row[0], row[-1]) for row in texts(seen.locator("table.maps tbody tr"))][-2:] == [
        (name, f"{info.receptive_field:,} px") for name, info in costs.outputs.items()
    ]


@pytest.mark.browser
def test_a_column_sorts_the_table(seen: Page, costs: archdsl.Report) -> None:
    order = [row[0] for row in layer_rows(seen)]
    macs = {layer.path.removeprefix("stages."): layer.macs for layer in costs.layers}
    header = seen.get_by_role("columnheader", name="MACs").last
    header.get_by_role("button").focus()
    seen.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert [row[0] for row in layer_rows(seen)] == sorted(order, key=lambda name: -macs[name])
    seen.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert [row[0] for row in layer_rows(seen)] == sorted(order, key=lambda name: macs[name])


@pytest.mark.browser
def test_a_layer_opens_to_its_operations_by_keyboard(seen: Page, costs: archdsl.Report) -> None:
    boxes = seen.locator(".layer")
    boxes.first.focus()
    for layer in costs.layers:
        box = seen.locator(f'.layer[data-path="{layer.path}"]').first
        box.focus()
        seen.keyboard.press("Enter")
        expected = [node for node in costs.nodes if node.layer == layer.path]
        assert seen.locator(".unfolded h3").inner_text().startswith(layer.path)
        assert seen.locator(".operations .operation").count() == len(expected)
        assert box.get_attribute("aria-expanded") == "true"
    seen.keyboard.press("Escape")
    assert not seen.locator(".unfolded").is_visible()
    assert seen.evaluate("document.activeElement.dataset.path") == costs.layers[-1].path


@pytest.mark.browser
@pytest.mark.parametrize("path", ["stem.conv", "stages.p3.body", "head.scores"])
def test_the_operations_are_seen_beside_the_box_that_was_clicked(seen: Page, path: str) -> None:
    box = seen.locator(f'.layer[data-path="{path}"]')
    box.click()
    place, panel = box.bounding_box(), seen.locator(".unfolded").bounding_box()
    assert place
    assert panel
    assert 0 <= place["y"] < place["y"] + place["height"] <= panel["y"] < panel["y"] + min(200, panel["height"]) <= 800


@pytest.mark.browser
def test_arrow_keys_go_from_layer_to_layer_and_tab_leaves(seen: Page) -> None:
    paths = seen.locator(".layer").evaluate_all("boxes => boxes.map(box => box.dataset.path)")
    seen.locator(".layer").first.focus()
    for expected in paths[1:4]:
        seen.keyboard.press("ArrowRight")
        assert seen.evaluate("document.activeElement.dataset.path") == expected
    seen.keyboard.press("Tab")
    assert "Zoom in" in seen.evaluate("document.activeElement.getAttribute('aria-label')")


@pytest.mark.browser
def test_operations_do_not_cover_each_other(seen: Page) -> None:
    seen.locator("table.layers").get_by_role("button", name="p3.body").click()
    places = seen.locator(".stack").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(box => [box.left, box.top, box.right, box.bottom])"
    )
    assert len(places) > 5
    for number, (left, top, right, bottom) in enumerate(places):
        for left2, top2, right2, bottom2 in places[:number]:
            assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top


@pytest.mark.browser
def test_the_diagram_zooms_and_moves(seen: Page) -> None:
    box = seen.locator(f'.layer[data-path="{BODY}"]')

    def place() -> dict[str, float]:
        found = box.bounding_box()
        assert found
        return {**found}

    before = place()
    seen.get_by_role("button", name="Zoom in").click()
    larger = place()
    assert larger["width"] > 1.2 * before["width"]
    stage = seen.locator(".viewport")
    middle = stage.bounding_box()
    assert middle
    seen.mouse.move(middle["x"] + 300, middle["y"] + 100)
    seen.mouse.down()
    seen.mouse.move(middle["x"] + 250, middle["y"] + 90, steps=4)
    seen.mouse.up()
    assert place()["x"] == pytest.approx(larger["x"] - 50, abs=15)
    assert not seen.locator(".unfolded").is_visible()
    stage.focus()
    seen.keyboard.press("0")
    assert place() == pytest.approx(before)
    seen.keyboard.press("+")
    assert place()["width"] == pytest.approx(larger["width"])


BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.browser
def test_the_page_is_as_dark_as_one_likes(browser: Browser, detector: Path) -> None:
    with opened(browser, detector) as shown:
        light = shown.evaluate(BACKGROUND)
        switch = shown.get_by_role("switch", name="Dark colours")
        switch.click()
        dark = shown.evaluate(BACKGROUND)
        assert switch.get_attribute("aria-checked") == "true"
        shown.emulate_media(color_scheme="dark")
        switch.click()
        assert shown.evaluate(BACKGROUND) == light != dark
        shown.reload()
        assert shown.evaluate(BACKGROUND) == dark
        assert switch.get_attribute("aria-checked") == "true"
        shown.emulate_media(color_scheme="light")
        assert shown.evaluate(BACKGROUND) == light
        shown.wait_for_selector("[role=switch][aria-checked=false]")  # it is told of the change a moment later


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(browser: Browser, detector: Path, theme: Any) -> None:
    with opened(browser, detector) as shown:
        shown.emulate_media(color_scheme=theme)
        shown.locator("table.layers").get_by_role("button", name="p3.body").click()
        contrasts = shown.evaluate(CONTRASTS)
        assert len(contrasts) > 200
        assert [each for each in contrasts if each[0] < 4.5] == []


@pytest.mark.browser
def test_a_screen_reader_finds_names_captions_and_scopes(seen: Page) -> None:
    assert seen.evaluate(UNNAMED) == 0
    tables = seen.locator("table")
    assert tables.count() == seen.locator("table > caption").count() >= 3
    assert seen.locator("th:not([scope])").count() == 0
    levels = seen.locator("h1, h2, h3").evaluate_all("all => all.map(each => each.tagName)")
    assert levels[0] == "H1"
    assert levels.count("H1") == 1


@pytest.mark.browser
def test_a_narrow_page_is_as_wide_as_its_window(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, written(tmp_path, DETECTOR, DETECTOR, NARROWER), 420) as shown:
        shown.locator("table.layers").first.get_by_role("button", name="p3.body").click()
        assert shown.evaluate("document.documentElement.scrollWidth") <= 420


@pytest.mark.browser
def test_nothing_is_requested(browser: Browser, detector: Path) -> None:
    with page_in(browser) as shown:
        asked: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(detector.as_uri())
        shown.locator("table.layers").get_by_role("button", name="p3.body").click()
        shown.get_by_role("switch").click()
        shown.wait_for_load_state("load")
        assert asked == [detector.as_uri()]


@pytest.mark.browser
def test_two_configs_stand_side_by_side_with_what_differs(browser: Browser, tmp_path: Path) -> None:
    reports = [archdsl.analyze(DETECTOR, overrides) for overrides in ([], [NARROWER])]
    with opened(browser, written(tmp_path, DETECTOR, DETECTOR, NARROWER)) as shown:
        totals = texts(shown.locator("table.totals tbody tr"))
        assert [row[0] for row in totals] == [DETECTOR, f"{DETECTOR} {NARROWER}"]
        for row, costs in zip(totals, reports, strict=True):
            assert row[1].startswith(count_text(costs.params))
            assert row[2].startswith(count_text(costs.macs))
        share = 100 * (reports[1].params / reports[0].params - 1)
        assert f"{share:.1f} %".replace("-", "−") in totals[1][1]
        values, figures, layers = (texts(each.locator("tbody tr")) for each in shown.locator("table.changes").all())
        assert values == [["scale.width", "0.5", "0.375", "-0.125 (-25.0 %)"]]
        assert figures[0][:3] == ["params", f"{reports[0].params:,}", f"{reports[1].params:,}"]
        assert shown.locator(".diagram .layer[data-path='stages.p3.body']").count() == 2
        left, right = [each.bounding_box() for each in shown.locator(".diagram").all()]
        assert left and right and left["y"] == right["y"] and left["x"] + left["width"] < right["x"]
    assert not layers or len(layers) == sum(a != b for a, b in zip(reports[0].layers, reports[1].layers, strict=True))


@pytest.mark.browser
def test_texts_of_a_config_stay_texts(browser: Browser, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    file = write("net.yaml", f"defaults: [yolo_v8_xs_backbone, _self_]\ndescription: {json.dumps(ATTACK)}\n")
    words = (str(file), "yolo_v8_xs_backbone", f"description={json.dumps(ATTACK)}")
    named = tmp_path / "named.html"
    outline = replace(archdsl.analyze("yolo_v8_xs_backbone").outline, name=ATTACK)
    named.write_text(page.page_of([data.Network(ATTACK, load("yolo_v8_xs_backbone"), report(outline))]))
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    for made in (named, written(one, *words[:1]), written(two, *words)):
        with opened(browser, made) as shown:
            assert ATTACK in shown.locator("body").inner_text()
            assert shown.evaluate("window.attacked") is None
            assert shown.locator("img").count() == 0
            assert shown.locator("script").count() == 3


@pytest.mark.browser
def test_a_layer_whose_operations_read_all_before_them_opens(
    browser: Browser, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    names = [f"a{number}" for number in range(100)]
    layers = {
        name: {"block": "add", "from": ["input", "input", *names[max(0, place - 62) : place]]}
        for place, name in enumerate(names)
    }
    stage = {"width": 8, "body": {"block": "dense_sums"}}
    config = {"blocks": {"dense_sums": {"layers": layers}}, "stages": {"p0": stage}}
    with opened(browser, written(tmp_path, str(write("net.yaml", json.dumps(config))))) as shown:
        shown.locator("table.layers tbody button").last.click()
        drawn = shown.locator(".operations .operation").count()
        assert 30 < drawn < 100
        assert f"{100 - drawn} operations of this layer are not in this page" in shown.locator(".unfolded").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["yolo_v8_xs_backbone", "--size", "any"], "? × ? × 3"),
        (["vit_tiny_patch16_classify"], "197 × 192"),
        (["resnet50_classify", "--size", "64x96"], "64 × 96"),
        (["unet"], "p1.body"),
    ],
)
def test_other_networks_are_shown_too(browser: Browser, tmp_path: Path, words: list[str], expected: str) -> None:
    with opened(browser, written(tmp_path, *words)) as shown:
        text = shown.locator("body").inner_text()
        assert expected in text
        for wrong in ("NaN", "undefined", "[object", "null", "Infinity"):
            assert wrong not in text
        assert "NaN" not in shown.content().partition("<header")[2]
        shown.locator("table.layers tbody button").last.click()
        assert shown.locator(".operations .operation").count() > 0


@pytest.mark.browser
def test_numbers_are_written_as_archdsl_show_writes_them(seen: Page, costs: archdsl.Report) -> None:
    shown = {row[0]: row for row in texts(seen.locator("table.stages tbody tr"))}
    for part in ("p2", "p5", "neck", "head"):
        prefix = f"stages.{part}." if part.startswith("p") else f"{part}."
        own = [layer for layer in costs.layers if layer.path.startswith(prefix)]
        assert shown[part][1:3] == [
            count_text(sum(layer.params for layer in own)),
            count_text(sum(layer.macs or 0 for layer in own)),
        ]
    assert (
        field_text(costs.outputs["boxes"].receptive_field).replace("1247", "1,247")
        in seen.locator("table.maps").inner_text()
    )
