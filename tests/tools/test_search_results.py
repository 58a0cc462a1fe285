"""What people make of the results of a search: a page, answers to SQL, distributions."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from support.browser import CONTRASTS, UNNAMED, page_in

import archdsl
from archdsl.analysis.text import count_text
from archdsl.diagnostics.problems import ArchError
from archdsl.tools.cli import main
from archdsl.tools.pictures.diagram import svg_of
from archdsl.tools.search import distribution, query
from archdsl.tools.search.found import data, page
from archdsl.tools.search.front import front
from archdsl.tools.search.parts import results_in
from archdsl.tools.search.taken import text_of

pytestmark = pytest.mark.slow  # whole commands, one after the other

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Run = Callable[..., subprocess.CompletedProcess[str]]

SPACE = """
config: yolo_v8_xs_backbone
size: 64
choices:
  scale.width: [0.25, 0.5, 0.75, 1.0]
  stages.p3.depth: range(1, 6)
  stages.p5.body.block: [c2f, csp]
within: {params: 3e7}
minimize: macs
maximize: params
"""
CHOICES = ("scale.width", "stages.p3.depth", "stages.p5.body.block")
FIGURES = ("params", "trainable_params", "macs", "activation_bytes")
ATTACK = "</script></template><img src=x onerror='window.attacked=1'><script>window.attacked=1</script>"


def searched(folder: Path, space: str = SPACE) -> Path:
    (folder / "space.yaml").write_text(space)
    main(["search", str(folder / "space.yaml"), "-o", str(folder / "found")])
    return folder / "found"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results, in three parts."""
    folder = searched(tmp_path_factory.mktemp("searched"))
    (whole,) = folder.glob("*.parquet")
    table = parquet.read_table(whole)
    for index, begin in enumerate(range(0, len(table), 15)):
        parquet.write_table(table.slice(begin, 15), folder / f"part-{index:06d}.parquet")
    return folder


@pytest.fixture(scope="module")
def rows(found: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(found.glob("*.parquet")) for row in parquet.read_table(part).to_pylist()]


@pytest.fixture(scope="module")
def file(found: Path) -> Path:
    return reported(found)


def reported(found: Path) -> Path:
    made = found.with_name("found.html")
    main(["search", str(found), "--report", str(made), "--force"])
    return made


def data_in(made: Path) -> Any:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', made.read_text(), re.DOTALL)
    return json.loads(text)


def among_the_best(rows: Sequence[dict[str, Any]]) -> set[int]:
    """Row by row, against each other row; of equal ones the first."""
    figures = [(row["macs"], -row["params"]) for row in rows]

    def is_beaten(number: int) -> bool:
        macs, params = figures[number]
        better = [each for each, (a, b) in enumerate(figures) if a <= macs and b <= params]
        return any(figures[each] != figures[number] or each < number for each in better)

    return {number for number in range(len(rows)) if not is_beaten(number)}


# The file


def test_a_page_is_one_small_file_that_runs_its_own_script_alone(file: Path) -> None:
    text = file.read_text()
    assert file.stat().st_size <= 1_500_000
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"'(]?(?:https?:)?//", text)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind, pattern in {"style-src": r"<style>(.*?)</style>", "script-src": r"<script>(.*?)</script>"}.items():
        (inside,) = re.findall(pattern, text, re.DOTALL)
        assert rules.pop(kind) == f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'"
    assert set(rules.values()) == {"'none'"}


def test_its_points_are_rows_and_the_front_is_first(file: Path, rows: list[dict[str, Any]], found: Path) -> None:
    shown = data_in(file)
    names = [column["name"] for column in shown["columns"]]
    assert names == list(rows[0])
    assert {number: dict(zip(names, values, strict=True)) for number, *values in shown["rows"]} == dict(enumerate(rows))
    assert {row[0] for row in shown["rows"][: shown["in_front"]]} == among_the_best(rows)
    before = file.read_bytes()
    assert reported(found).read_bytes() == before


def test_of_many_rows_the_front_is_always_there(
    found: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_POINTS", 12)
    results = results_in(found)
    shown = data.shown_of(results)
    assert shown.numbers[: shown.in_front] == front(results)
    assert len(set(shown.numbers)) == len(shown.numbers) == max(12, shown.in_front)
    assert shown == data.shown_of(results)


def test_large_diagrams_leave_a_page_small(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that cannot be packed, each another: as many as there is room for."""
    noise = random.Random(0)
    monkeypatch.setattr(page, "picture_of", lambda network: f"<svg>{noise.randbytes(60_000).hex()}</svg>")
    results = results_in(found)
    made = page.page_of(results)
    assert 1_000_000 < len(made) <= 1_500_000
    assert 4 <= len(networks_in(made)) < results.rows


def test_every_network_has_its_diagram_and_config_in_the_page(
    file: Path, found: Path, rows: list[dict[str, Any]]
) -> None:
    """Each as an analysis of its row gives it, made from files anew."""
    networks, numbers = networks_in(file.read_text()), [row[0] for row in data_in(file)["rows"]]
    assert len(networks) == len(rows)
    results = results_in(found)
    for number, (config, picture) in list(zip(numbers, networks, strict=True))[::7]:
        assert config == text_of(results, number, rows[number])
        overrides = results.choices(rows[number])
        costs = archdsl.analyze("yolo_v8_xs_backbone", overrides, (64, 64, 3))
        assert picture == svg_of(costs, theme="page")


def networks_in(made: str) -> list[list[str]]:
    """What `packed.js` finds in a page: a stream has a piece of each text in turn, then the next of each."""
    (packed,) = re.findall(r'<script type="application/json" id="packed">(.*?)</script>', made, re.DOTALL)
    said, texts = json.loads(packed), list[str]()
    for sizes, stream in said["streams"]:
        whole, found = zlib.decompress(base64.b64decode(stream)), [b"" for _ in sizes]
        while whole:
            for place, size in enumerate(sizes):
                length = min(said["piece"], size - len(found[place]))
                found[place], whole = found[place] + whole[:length], whole[length:]
        texts += [each.decode() for each in found]
    return [text.split("\0") for text in texts]


# The page


@contextmanager
def opened(browser: Browser, made: Path, width: int = 1280) -> Iterator[Page]:
    with page_in(browser, width) as shown:
        shown.goto(made.as_uri())
        yield shown


@pytest.fixture
def seen(browser: Browser, file: Path) -> Iterator[Page]:
    with opened(browser, file) as shown:
        yield shown


def point_of(seen: Page, number: int) -> Locator:
    return seen.locator(f".point[aria-label^='Row {number}:']")


def wait_for(seen: Page, number: int) -> None:
    """Until what is below the chart is that of a variant."""
    seen.get_by_role("region", name="Write its config").filter(has_text=f"--take {number} ").wait_for()


def check_shown(seen: Page, number: int, row: dict[str, Any]) -> None:
    wait_for(seen, number)
    assert seen.locator("h3").inner_text().startswith(f"Row {number}")
    values = seen.locator(".values").inner_text()
    for name in FIGURES:
        assert f"{row[name]:,}" in values
    overrides = seen.get_by_role("region", name="Overrides").inner_text().split("\n")
    assert archdsl.analyze("yolo_v8_xs_backbone", overrides, (64, 64, 3)).params == row["params"]


@pytest.mark.browser
def test_a_click_on_any_point_shows_its_network(seen: Page, rows: list[dict[str, Any]]) -> None:
    assert seen.locator(".point").count() == len(rows)
    assert seen.locator(".point.best").count() == len(among_the_best(rows))
    for number in (7, 33):
        point_of(seen, number).dispatch_event("click")
        check_shown(seen, number, rows[number])


@pytest.mark.browser
def test_one_of_the_best_has_its_diagram_and_the_config_of_take(
    seen: Page, found: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    number = max(among_the_best(rows))
    mine = tmp_path / "mine.yaml"
    main(["search", str(found), "--take", str(number), "-o", str(mine)])
    point_of(seen, number).dispatch_event("click")
    wait_for(seen, number)
    assert seen.get_by_role("region", name="Config", exact=True).text_content() == mine.read_text()
    assert archdsl.analyze(mine).params == rows[number]["params"]
    boxes = seen.locator(".chosen .layer[data-path='stages.p5.body']")
    assert boxes.count() == 1
    assert rows[number]["stages.p5.body.block"] in boxes.text_content()


@pytest.mark.browser
def test_any_point_has_its_own_diagram(seen: Page, rows: list[dict[str, Any]]) -> None:
    for number in (0, 21, 39, 21):
        point_of(seen, number).dispatch_event("click")
        wait_for(seen, number)
        (label,) = seen.locator(".chosen svg.archdsl").evaluate_all("all => all.map((each) => each.textContent)")
        report = archdsl.analyze("yolo_v8_xs_backbone", [f"{key}={rows[number][key]}" for key in CHOICES], (64, 64, 3))
        assert f"{count_text(report.params)} parameters" in label


@pytest.mark.browser
def test_a_network_that_is_not_in_the_page_says_so(
    browser: Browser, found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = len(front(results_in(found))) + 2
    for kept, told in ((most, "and 2 others"), (3, "the first 3 of the Pareto front")):
        monkeypatch.setattr(page, "MOST_NETWORKS", kept)
        (tmp_path / "page.html").write_text(page.page_of(results_in(found)))
        with opened(browser, tmp_path / "page.html") as shown:
            last = data_in(tmp_path / "page.html")["rows"][-1][0]
            point_of(shown, last).dispatch_event("click")
            shown.locator(".chosen .note").wait_for()
            assert told in shown.locator(".chosen .note").inner_text()
            assert shown.locator(".chosen svg").count() == 0


@pytest.mark.browser
def test_keys_go_from_point_to_point_and_open_one(seen: Page, rows: list[dict[str, Any]]) -> None:
    order = sorted([(row["macs"], row["params"]) for row in rows])
    seen.get_by_role("combobox", name="Figure up").focus()
    seen.keyboard.press("Tab")  # the part of the page that scrolls is not on the way
    seen.keyboard.press("Home")
    for _ in range(3):
        seen.keyboard.press("ArrowRight")
    label = seen.evaluate("document.activeElement.getAttribute('aria-label')")
    number = int(re.findall(r"Row (\d+):", label)[0])
    assert (rows[number]["macs"], rows[number]["params"]) == order[3]
    seen.keyboard.press("Enter")
    check_shown(seen, number, rows[number])
    assert f"Row {number}" in (seen.locator("p[role=status]").text_content() or "")


@pytest.mark.browser
def test_an_axis_may_be_any_number(seen: Page, rows: list[dict[str, Any]]) -> None:
    seen.get_by_role("combobox", name="Figure across").select_option("stages.p3.depth")
    seen.get_by_role("combobox", name="Figure up").select_option("activation_bytes")
    points = [point_of(seen, number) for number in range(len(rows))]
    for axis, name, sign in (("cx", "stages.p3.depth", 1), ("cy", "activation_bytes", -1)):
        drawn = np.array([float(point.get_attribute(axis) or 0) for point in points])
        values = np.array([row[name] for row in rows])
        straight = np.polyfit(values, drawn, 1)
        assert straight[0] * sign > 0
        np.testing.assert_allclose(drawn, np.polyval(straight, values), atol=0.1)  # as texts have one digit


@pytest.mark.browser
def test_the_ticks_of_an_axis_of_bytes_are_round_and_beside_its_name(seen: Page) -> None:
    seen.get_by_role("combobox", name="Figure up").select_option("activation_bytes")
    texts = seen.locator(".axis").nth(1).locator("text:not(.name)").all()
    sizes = [float(text.inner_html().split()[0]) for text in texts]
    steps = {round(after - before, 6) for before, after in pairwise(sizes)}
    assert len(steps) == 1 and f"{steps.pop():e}"[:8] in ("1.000000", "2.000000", "5.000000"), sizes
    name = seen.locator(".axis").nth(1).locator(".name").bounding_box()
    assert name and all(name["x"] + name["width"] < (text.bounding_box() or name)["x"] for text in texts)


@pytest.mark.browser
def test_the_front_is_a_table_that_sorts_and_opens(seen: Page, rows: list[dict[str, Any]]) -> None:
    best = sorted(among_the_best(rows), key=lambda number: rows[number]["activation_bytes"])
    table = seen.locator("table.best")
    table.get_by_role("button", name="activation_bytes").click()
    numbers = [int(each) for each in table.locator("tbody tr th").all_inner_texts()]
    assert numbers == best[::-1]
    table.get_by_role("button", name=str(best[0]), exact=True).click()
    check_shown(seen, best[0], rows[best[0]])
    assert seen.locator("h3").evaluate("each => each === document.activeElement")
    assert point_of(seen, best[0]).get_attribute("aria-current") == "true"


@pytest.mark.browser
def test_texts_are_copied(seen: Page) -> None:
    seen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.get_by_role("button", name="Copy: Overrides").click()
    seen.get_by_text("copied").wait_for()
    assert seen.evaluate("navigator.clipboard.readText()") == seen.locator("pre").first.text_content()


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_and_every_control_has_a_name(browser: Browser, file: Path, theme: Any) -> None:
    with opened(browser, file) as shown:
        shown.emulate_media(color_scheme=theme)
        contrasts = shown.evaluate(CONTRASTS)
        assert len(contrasts) > 100
        assert [each for each in contrasts if each[0] < 4.5] == []
        assert shown.evaluate(UNNAMED) == 0
        assert shown.locator("h1").count() == 1


@pytest.mark.browser
def test_a_narrow_page_is_as_wide_as_its_window(browser: Browser, file: Path) -> None:
    with opened(browser, file, 420) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= 420


@pytest.mark.browser
def test_texts_of_a_choice_stay_texts(browser: Browser, tmp_path: Path) -> None:
    """Also those of a part that somebody else wrote, in a folder with such a name."""
    aims = "minimize: macs\nmaximize: params\n"
    found = searched(tmp_path, f"config: yolo_v8_xs_backbone\nchoices: {{description: [a, b, c]}}\n{aims}")
    found = found.rename(tmp_path / "<img src=x onerror=window.attacked=1>")
    part = found / "part-000000.parquet"
    column = arrow.array(["a", ATTACK, "it's quiet"])
    parquet.write_table(parquet.read_table(part).set_column(0, "description", column), part)
    with opened(browser, reported(found)) as shown:
        for number, text in enumerate(column.to_pylist()):
            point_of(shown, number).dispatch_event("click")
            wait_for(shown, number)
            assert text in shown.locator(".values").inner_text()
        assert "onerror" in shown.get_by_role("region", name="Write its config").inner_text()
        assert shown.evaluate("window.attacked") is None
        assert shown.locator("img").count() == 0
        assert shown.locator("script").count() == 3
        command = shown.get_by_role("region", name="See it in a terminal").inner_text()
    told = subprocess.run(["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True)
    assert "description=it's quiet" in told.stdout.split("\n")


@pytest.mark.browser
@pytest.mark.parametrize("aim", ["minimize: [macs, outputs.P5.receptive_field]", "minimize: macs", ""])
def test_other_aims_have_pages_too(browser: Browser, tmp_path: Path, aim: str) -> None:
    space = f"config: vit_tiny_patch16_classify\nchoices: {{stages.p4.depth: [1, 2, 3]}}\n{aim}\n"
    with opened(browser, reported(searched(tmp_path, space.replace("P5", "classes")))) as shown:
        text = shown.locator("body").inner_text()
        for wrong in ("NaN", "undefined", "[object", "null", "Infinity"):
            assert wrong not in text
        assert shown.locator(".point").count() == 3


# SQL


def test_a_query_has_the_rows_with_the_numbers_of_take(run: Run, found: Path, rows: list[dict[str, Any]]) -> None:
    order = sorted(range(len(rows)), key=lambda number: rows[number]["macs"])
    result = run("search", str(found), "--sql", "SELECT row, macs FROM variants ORDER BY macs LIMIT 3")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["row", "macs"],
        *[[str(number), f"{rows[number]['macs']:,}"] for number in order[:3]],
    ]
    assert result.returncode == 0, result.stderr
    found_of = {row[0]: row[1:] for row in query.ask(results_in(found), "SELECT * FROM variants").rows}
    assert found_of == {number: tuple(row.values()) for number, row in enumerate(rows)}


def test_the_view_can_be_made_elsewhere(tmp_path: Path, rows: list[dict[str, Any]], found: Path) -> None:
    import duckdb

    there = tmp_path / "it's [1] *"
    there.symlink_to(found)
    statement = query.view_of(results_in(there))
    with duckdb.connect() as connection:
        connection.execute(statement)
        asked = connection.execute("SELECT row, macs FROM variants").fetchall()
    assert asked == [(number, row["macs"]) for number, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("SELECT mac FROM variants", 'Referenced column "mac" not found'),
        ("SELEC 1", "syntax error"),
        ("", "expected one SELECT"),
        ("SELECT * FROM read_text('{folder}/space.yaml')", "disabled by configuration"),
        ("SELECT * FROM read_parquet('{folder}/part-000000.parquet')", "disabled by configuration"),
        ("COPY variants TO '{folder}/taken.csv'", "expected one SELECT"),
        ("SELECT 1; COPY variants TO '{folder}/taken.csv'", "expected one SELECT"),
        ("ATTACH '{folder}/taken.db'", "expected one SELECT"),
        ("INSTALL httpfs", "expected one SELECT"),
        ("SET enable_external_access = true", "expected one SELECT"),
        ("SELECT * FROM results", "Table with name results does not exist"),
    ],
)
def test_a_query_that_cannot_be_answered_is_reported(found: Path, asked: str, message: str) -> None:
    before = sorted(each.name for each in found.iterdir())
    with pytest.raises(ArchError, match=re.escape(message)) as told:
        query.ask(results_in(found), asked.format(folder=found))
    assert "\n" not in told.value.problems[0].message
    assert sorted(each.name for each in found.iterdir()) == before


def test_an_answer_is_bounded(run: Run, found: Path) -> None:
    result = run("search", str(found), "--sql", "SELECT * FROM range(1000000000) t(number)")
    assert result.stdout.splitlines()[-1] == "… and more than these 100: LIMIT and OFFSET show others"
    assert len(result.stdout.splitlines()) == 102


# Distributions


def test_a_curve_is_the_share_of_the_networks_in_a_band(found: Path, rows: list[dict[str, Any]]) -> None:
    texts = ["params=0:3e6", "scale.width=0.5:", "macs=:1e12"]
    curves = distribution.curves(results_in(found), "macs", [*map(distribution.read_band, texts)])
    kept = [
        [row["macs"] for row in rows if row["params"] <= 3e6],
        [row["macs"] for row in rows if row["scale.width"] >= 0.5],
        [row["macs"] for row in rows],
    ]
    for curve, values in zip(curves, kept, strict=True):
        assert curve.variants == len(values)
        shares = [sum(value <= edge for value in values) / len(values) for edge in curve.values]
        np.testing.assert_allclose(curve.shares, shares)
        assert curve.median == pytest.approx(np.quantile(values, 0.5, method="inverted_cdf"), rel=1e-3)


def test_a_plot_is_a_picture_with_a_curve_for_each_band(run: Run, found: Path, tmp_path: Path) -> None:
    from PIL import Image

    bands = ["--band", "params=0:3e6", "--band", "params=3e6:2e7"]
    for index, words in enumerate(([], bands[:2], bands)):
        picture = tmp_path / f"{index}.png"
        result = run("search", str(found), "--plot", "macs", *words, "-o", str(picture))
        assert result.returncode == 0, result.stderr
        with Image.open(picture) as image:
            colours = {colour for _, colour in image.convert("RGB").getcolors(2**20) or ()}
        assert [colour in colours for colour in ((0x1F, 0x5F, 0xA8), (0xB3, 0x54, 0x1E))] == [True, index == 2]


# Columns


def test_a_text_that_is_not_yaml_is_a_value_too(tmp_path: Path) -> None:
    texts = ["@a", "1.2.3", "%b: c"]
    listed = json.dumps(texts)
    found = searched(tmp_path, f"config: yolo_v8_xs_backbone\nchoices: {{description: {listed}}}\n")
    results = results_in(found)
    for number, text in enumerate(texts):
        (override,) = results.choices(results.row(number))
        assert results.space.base([override]).values["description"] == text


# What cannot be used


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "macs"], "--plot needs a file to write"),
        (["--plot", "macs", "-o", "edf.gif"], "no picture ends in '.gif'"),
        (["--plot", "mac", "-o", "edf.png"], "there is no column of numbers 'mac'"),
        (["--plot", "stages.p5.body.block", "-o", "edf.png"], "there is no column of numbers"),
        (["--plot", "macs", "--band", "params=4", "-o", "edf.png"], "'params=4' is not a band"),
        (["--plot", "macs", "--band", "params=4:x", "-o", "edf.png"], "'params=4:x' is not a band"),
        (["--plot", "macs", "--band", "params=4:3", "-o", "edf.png"], "'params=4:3' is not a band"),
        (["--plot", "macs", "--band", "params=1:2", "-o", "edf.png"], "no variant with a finite macs is in the band"),
        (["--plot", "macs", "-o", "taken.png"], "exists already"),
        (["--band", "params=1:2"], "--band needs --plot"),
        (["--report", "page.pdf"], "no page ends in '.pdf'"),
        (["--report", "taken.html"], "exists already"),
        (["--all"], "--all is for a space"),
        (["--trials", "3"], "--trials is for a space"),
        (["-o", "elsewhere"], "-o is for --take and --plot"),
    ],
)
def test_what_cannot_be_used_is_reported(
    run: Run, found: Path, tmp_path: Path, words: Sequence[str], message: str
) -> None:
    taken = dict.fromkeys(("taken.html", "taken.png"), "before")
    for name, text in taken.items():
        (tmp_path / name).write_text(text)
    result = run("search", str(found), *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == taken


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--take", "3", "-o", "mine.yaml"], "--take is for the folder of a search"),
        (["--csv", "front.csv"], "--csv is for results: -o DIR"),
        (["--report", "page.html"], "--report is for results: -o DIR"),
        (["--scheduler", "tcp://here:1"], "--scheduler is for --engine dask"),
        (["--slurm", "mem=4G"], "--slurm is for --engine slurm"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    run: Run, tmp_path: Path, words: Sequence[str], message: str
) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    result = run("search", "space.yaml", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["space.yaml"]


def test_it_is_said_that_a_search_is_not_done(run: Run, tmp_path: Path) -> None:
    found = searched(tmp_path)
    (found / "part-000000.parquet").unlink()
    assert "1 of 1 parts are not done" in run("search", str(found)).stdout


def test_rows_are_found_across_parts_of_any_size(found: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    results = results_in(found)
    numbers = [39, 0, 14, 15, 38]
    assert results.taken(numbers) == [rows[number] for number in numbers]
    with pytest.raises(ArchError, match="there is no row 40"):
        results.taken([0, 40])
    odd = tmp_path / "part-000000.parquet"
    parquet.write_table(arrow.Table.from_pylist(rows), odd, row_group_size=1)
    assert results._replace(folder=tmp_path).taken(numbers) == [rows[number] for number in numbers]


def test_without_a_variant_there_is_one_message(run: Run, tmp_path: Path) -> None:
    found = searched(tmp_path, SPACE.replace("3e7", "1"))
    for words in (["--report", "p.html"], ["--sql", "SELECT 1"], ["--plot", "macs", "-o", "p.png"]):
        result = run("search", str(found), *words)
        assert result.returncode == 2
        assert "no variant" in result.stderr
        assert "Traceback" not in result.stderr
