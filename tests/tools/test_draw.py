"""Diagrams: what they show of a network, where, and what the command refuses."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, given, settings
from PIL import Image
from support import EXAMPLES, samples
from support.browser import page_in
from support.drawn_configs import drawn_configs

import archdsl
from archdsl.frontend.compose.search_path import preset_names
from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram import svg_of, write_picture
from archdsl.tools.pictures.diagram.contents import MOST
from archdsl.tools.pictures.diagram.drawing import scene_of
from archdsl.tools.pictures.diagram.layout import Frame, Layout, layout_of
from archdsl.tools.pictures.diagram.scene import Group, Line, Text
from archdsl.tools.pictures.diagram.texts import text_width
from archdsl.tools.pictures.diagram.themes import THEMES, colours_of

Run = Callable[..., subprocess.CompletedProcess[str]]

SHOWN = (  # a detector, a classifier, tokens, masks, maps side by side, a pyramid, two heads, cells, a long neck
    *("yolo_v8_s_detect", "resnet50_classify", "vit_tiny_patch16_classify", "unet", "hrnet_w18_small_classify"),
    *("retinanet_resnet50_v2_detect", "yolo_v10_n_detect", "nasnet_mobile_backbone", "yolo_v4_detect"),
)
PRESETS = samples.sampled(preset_names(), SHOWN)
CONV = {"block": "conv_bn_act"}
TINY = {"stages": {"p0": {"width": 8, "body": CONV}}}


def outline(config: Any) -> Graph:
    return archdsl.analyze(config).outline


def drawn(graph: Graph | archdsl.Report) -> ElementTree.Element:
    return ElementTree.fromstring(svg_of(graph))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if each.get("class") == name]


def paths(root: ElementTree.Element) -> dict[str, str]:
    """The place in the config of each box, by its name."""
    return {each.attrib["data-layer"]: each.attrib["data-path"] for each in of_class(root, "layer")}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_layer_of_the_config_is_a_box_and_all_costs_are_in_one(preset: str) -> None:
    graph = outline(preset)
    boxes = of_class(drawn(graph), "layer")
    assert {each.get("data-path") for each in boxes} == {node.origin.path for node in graph.nodes}
    assert len({each.get("data-layer") for each in boxes}) == len(boxes)
    assert sum(int(each.attrib["data-params"]) for each in boxes) == graph.cost.params
    assert sum(int(each.attrib["data-macs"]) for each in boxes) == graph.cost.macs


@pytest.mark.parametrize("preset", PRESETS)
def test_connections_are_those_between_the_operations_of_the_layers(preset: str) -> None:
    report = archdsl.analyze(preset)
    root = drawn(report.outline)
    place = paths(root)
    shown = {(place[each.attrib["data-from"]], place[each.attrib["data-to"]]) for each in of_class(root, "edge")}
    read = {(source.origin.path, node.origin.path) for node in report.graph.nodes for source in node.inputs}
    assert shown == {(source, target) for source, target in read if source != target}


def test_a_graph_with_all_its_operations_is_drawn_like_its_outline() -> None:
    report = archdsl.analyze("yolo_v8_s_detect")
    assert paths(drawn(report.graph)) == paths(drawn(report.outline))


def test_a_layer_that_runs_on_each_of_several_maps_is_a_box_for_each() -> None:
    names = [name for name, path in paths(drawn(outline("yolo_v8_s_detect"))).items() if path == "head.box"]
    assert names == ["head_box_n3", "head_box_n4", "head_box_n5"]


def test_repeats_are_one_box_that_says_how_many() -> None:
    box = next(
        each for each in of_class(drawn(outline("resnet50_classify")), "layer") if each.get("data-layer") == "p4_body"
    )
    assert "bottleneck_v1 × 6" in [text.text for text in box]


def test_levels_and_outputs_are_marked() -> None:
    graph = outline("yolo_v8_s_detect")
    words = {each.attrib["data-layer"]: each.attrib["aria-label"] for each in of_class(drawn(graph), "layer")}
    assert {name: said.split(", ")[-1] for name, said in words.items() if "output" in said or "level" in said} == {
        "p2_body": "level P2",
        "p3_body": "level P3",
        "p4_body": "level P4",
        "p5_sppf": "level P5",
        "head_boxes": "output boxes",
        "head_scores": "output scores",
    }


def apart(one: Frame, other: Frame) -> bool:
    return one.right <= other.left or other.right <= one.left or one.bottom <= other.top or other.bottom <= one.top


def within(inner: Frame, outer: Frame) -> bool:
    sides = outer.left <= inner.left and inner.right <= outer.right
    return sides and outer.top <= inner.top and inner.bottom <= outer.bottom


def pieces(layout: Layout) -> list[tuple[Any, Frame]]:
    """The straight pieces of connections, each as a frame without an area."""
    found = []
    for way in layout.ways:
        for (left, top), (right, bottom) in pairwise(way.points):
            assert left == right or top == bottom, "connections run along the sides of the picture"
            found.append((way, Frame(min(left, right), min(top, bottom), abs(left - right), abs(top - bottom))))
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_overlaps(preset: str) -> None:
    check_places(outline(preset))


def check_places(graph: Graph) -> None:
    layout = layout_of(graph)
    frames = [*layout.boxes.values()]
    assert all(apart(*pair) for pair in combinations(frames, 2))
    assert all(apart(*pair) for pair in combinations(layout.stages.values(), 2))
    assert all(apart(*pair) for pair in combinations([lane.frame for lane in layout.lanes.values()], 2))
    assert all(within(frame, layout.lanes[box.section].frame) for box, frame in layout.boxes.items())
    assert all(
        within(frame, layout.stages[box.stage]) for box, frame in layout.boxes.items() if box.stage in layout.stages
    )
    for way, piece in pieces(layout):
        crossed = [box.name for box, frame in layout.boxes.items() if not apart(piece, frame)]
        assert crossed == [], (way.source.name, way.target.name)


def parts(group: Group) -> Iterator[Any]:
    for part in group.parts:
        yield from parts(part) if isinstance(part, Group) else [part]


@pytest.mark.parametrize("preset", PRESETS)
def test_lines_cross_no_text(preset: str) -> None:
    check_texts(outline(preset))


def check_texts(graph: Graph) -> None:
    every = list(parts(scene_of(graph).root))
    lines = [piece for line in every if isinstance(line, Line) for piece in pairwise(line.points)]
    for text in [each for each in every if isinstance(each, Text)]:
        width = text_width(text.text, text.size, text.bold)
        left = text.across - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
        frame = Frame(left, text.down - 0.7 * text.size, width, 0.8 * text.size)
        for (across, down), (end, bottom) in lines:
            line = Frame(min(across, end), min(down, bottom), abs(across - end), abs(down - bottom))
            assert apart(line, frame), text.text


@pytest.mark.parametrize("preset", PRESETS)
def test_lines_from_different_boxes_to_different_boxes_run_beside_each_other(preset: str) -> None:
    check_lines(outline(preset))


def check_lines(graph: Graph) -> None:
    for (one, here), (other, there) in combinations(pieces(layout_of(graph)), 2):
        if one.source is not other.source and one.target is not other.target:
            along = (here.width and there.width and abs(here.top - there.top) < 2) or (
                here.height and there.height and abs(here.left - there.left) < 2
            )
            assert not along or apart(Frame(*here).wider(1, 1, 1), there), (one, other)


@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(drawn_configs())
def test_backbones_of_any_kind_are_drawn_as_well(config: Any) -> None:
    graph = archdsl.analyze(config, input_shape=None).outline
    check_places(graph)
    check_texts(graph)


def test_a_line_past_a_stage_keeps_clear_of_its_name() -> None:
    """From the image to stage3, past stage1, whose first box has its name above it."""
    stages = {
        "p3": {"width": 3, "down": {"block": "depthwise_conv_bn_act", "stride": 2}},
        "stage1": {"pre": {"up": {"block": "upsample", "factor": 8}}},
        "stage2": {"body": {"block": "max_pool"}, "stride": 3},
        "stage3": {
            "pre": {"up": {"block": "upsample", "factor": 3}, "join": {"block": "concat", "from": ["up", "input"]}}
        },
    }
    stem = {"layer0": {"block": "ghost_conv", "stride": 2, "width": 23}, "layer2": {"block": "focus"}}
    check_texts(archdsl.analyze({"stem": stem, "stages": stages}, input_shape=(24, 24, 3)).outline)


@pytest.mark.parametrize("seed", range(30))
def test_necks_of_any_kind_are_drawn_as_well(seed: int) -> None:
    defaults = {"width": 8, "down": {**CONV, "stride": 2}, "body": CONV}
    stages: dict[str, Any] = {f"p{number}": {} for number in range(1, 6)}
    graph = outline({"stage_defaults": defaults, "stages": stages, "neck": random_neck(Random(seed))})
    check_places(graph)
    check_texts(graph)


def random_neck(random: Random) -> dict[str, Any]:
    """Up to 25 layers that read what comes before them, wherever that is."""
    strides, neck = {f"p{number}": 2**number for number in (2, 3, 4, 5)}, {}
    for name in [f"n{number}" for number in range(random.randint(1, 25))]:
        first = random.choice([*strides])
        stride, others = strides[first], [each for each in strides if strides[each] == strides[first]]
        kinds = {
            "same": ({**CONV, "width": 8}, stride),
            "down": ({**CONV, "width": 8, "stride": 2}, stride * 2),
            "up": ({"block": "upsample"}, stride // 2),
            "join": ({"block": "concat"}, stride),
        }
        kind = random.choice(["same", "join", *(["down"] if stride < 128 else []), *(["up"] if stride > 1 else [])])
        layer, strides[name] = kinds[kind]
        joined = random.choices(others, k=random.randint(1, 3)) if kind == "join" else []
        neck[name] = {**layer, "from": [first, *joined]}
    return neck


@pytest.mark.parametrize("preset", PRESETS)
def test_a_picture_is_small_enough_for_a_page(preset: str) -> None:
    svg = svg_of(outline(preset))
    width, height = map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
    assert len(svg.encode()) <= 60_000
    assert width <= 1500
    assert height <= 2000


@pytest.mark.parametrize(
    "config",
    [
        {"stages": {f"s{number}": {"width": 8, "body": CONV, "post": {"again": CONV}} for number in range(1500)}},
        {**TINY, "neck": {f"n{number}": {**CONV, "width": 8} for number in range(2000)}},
        {"stages": {f"s{number}": {"width": 8, "depth": 30, "body": CONV} for number in range(60)}},
    ],
    ids=["stages", "neck", "depth"],
)
def test_a_very_large_network_is_summarised(config: Any) -> None:
    graph = outline(config)
    boxes = of_class(drawn(graph), "layer")
    assert len(boxes) <= MOST
    assert sum(int(each.attrib["data-params"]) for each in boxes) == graph.cost.params
    assert layout_of(graph).height < 8000


def test_the_size_of_a_large_image_is_beside_the_panels() -> None:
    graph = archdsl.analyze(TINY, input_shape=(32768, 32768, 3)).outline
    (size,) = [each for each in parts(scene_of(graph).root) if isinstance(each, Text) and each.text == "32768 × 32768"]
    end = size.across + text_width(size.text, size.size, size.bold)
    assert all(end < lane.frame.left for lane in layout_of(graph).lanes.values())


def test_unknown_sides_are_question_marks() -> None:
    root = drawn(archdsl.analyze(TINY, input_shape=(None, None, 3)))
    (body,) = [each for each in of_class(root, "layer") if each.get("data-layer") == "p0_body"]
    assert "? × ? × 8" in [each.text for each in body]
    assert "data-macs" not in body.attrib


def test_names_cannot_write_into_the_file() -> None:
    graph = outline(TINY)
    name = "<script>alert(1)</script>\"'&\u202e\x00\ud800" + "long" * 200
    for node in graph.nodes:
        node.name = f"{node.name}{name}"
        node.origin = node.origin._replace(path=f"{node.origin.path}{name}", block=name)
    root = drawn(replace(graph, name=name, outputs={name: graph.output}))
    assert {each.tag.partition("}")[2] for each in root.iter()} == {"svg", "title", "g", "rect", "text", "path"}
    texts = [each.text or "" for each in root.iter() if each.tag.endswith("text")]
    assert any("script" in text for text in texts)
    assert max(map(len, texts)) < 80
    assert float(root.attrib["width"]) < 600


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_texts_stand_out_from_what_they_are_on(theme: str) -> None:
    colours = colours_of(theme)
    kinds = ("input", "many", "down", "up", "attention", "join", "plain", "block")
    pairs = [(text, kind) for text in ("ink", "muted", "mark") for kind in (*kinds, "paper", "lane", "stage")]
    pairs += [("on-mark", "mark")]
    assert {pair for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5} == set()
    bars = [(bar, kind) for bar in ("params", "macs") for kind in kinds]
    assert {pair for pair in bars if contrast(colours[pair[0]], colours[pair[1]]) < 1.5} == set()


def test_a_page_sets_the_colours_of_its_picture() -> None:
    graph = outline(TINY)
    assert set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg_of(graph, "page"))) <= {
        *colours_of("page").values(),
        "none",
    }
    assert all(colour.startswith("var(--arch-") for colour in colours_of("page").values())
    assert "var(" not in "".join([svg_of(graph, theme) for theme in THEMES if theme != "page"])


@pytest.mark.slow
def test_a_png_has_two_dots_a_pixel_and_a_pdf_its_texts_as_texts(tmp_path: Path) -> None:
    graph = outline("yolo_v8_s_detect")
    root = drawn(graph)
    size = [float(root.attrib[side]) for side in ("width", "height")]
    write_picture(graph, tmp_path / "net.png")
    write_picture(graph, tmp_path / "net.PDF", "print")
    with Image.open(tmp_path / "net.png") as picture:
        picture.load()
        assert picture.size == tuple(pytest.approx(2 * side, abs=2) for side in size)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    pdf = (tmp_path / "net.PDF").read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 (\S+) (\S+) ?\]", pdf)
    assert box
    assert [float(side) for side in box.groups()] == [pytest.approx(0.75 * side, abs=1) for side in size]
    assert {"yolo_v8_s_detect", "Backbone", "conv_bn_act", "class_branch", "40 × 40 × 256"} <= set(texts_of(pdf))


def texts_of(pdf: bytes) -> list[str]:
    """The texts in a PDF, which may have numbers for the distances between letters."""
    streams = re.findall(rb"/FlateDecode.*?stream\r?\n(x.*?)endstream", pdf, re.DOTALL)
    content = b"".join(map(zlib.decompress, streams))
    shown = re.findall(rb"\[((?: ?\((?:\\.|[^\\()])*\)|[-\d.\s]+)*)\]\s*TJ", content, re.DOTALL)
    pieces = [b"".join(re.findall(rb"\(((?:\\.|[^\\()])*)\)", each, re.DOTALL)) for each in shown]
    return [re.sub(rb"\\(.)", rb"\1", each, flags=re.DOTALL).decode("utf-16-be") for each in pieces]


@pytest.mark.slow
def test_the_command_writes_what_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    for name in ("net.svg", "net.png", "net.pdf"):
        result = run("draw", "yolo_v8_xs_backbone", "stages.p4.depth=9", "--size", "320", "-o", name)
        assert (result.returncode, result.stdout) == (0, f"{name}: yolo_v8_xs_backbone\n"), result.stderr
    svg = (tmp_path / "net.svg").read_text()
    assert "320 × 320 × 3" in svg
    assert "c2f × 3" in svg
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "net.pdf").read_bytes().startswith(b"%PDF")
    assert run("draw", "yolo_v8_xs_backbone", "-o", "net.svg", "--force", "--theme", "dark").returncode == 0
    assert colours_of("dark")["paper"] in (tmp_path / "net.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yolo_v8_xs_backbone", "-o", "net.pgn"], "did you mean 'png'?"),
        (["yolo_v8_xs_backbone", "-o", "net"], "the name has no ending"),
        (["yolo_v8_xs_backbone", "-o", "there.svg"], "exists already"),
        (["yolo_v8_xs_backbone", "-o", "no/net.svg"], "there is no folder"),
        (["yolo_v8_xs_backbone", "stages.p4.width=0", "-o", "net.svg"], "stages.p4.width"),
        (["yolo_v8_xs_backbone", "-o", "net.svg", "--theme", "pink"], "pink"),
    ],
)
def test_what_cannot_be_drawn_is_one_report_and_no_file(
    run: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "there.svg").write_text("mine")
    result = run("draw", *arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["there.svg"]
    assert (tmp_path / "there.svg").read_text() == "mine"


@pytest.mark.parametrize("command", [["draw", "yolo_v8_s_detect", "-o", "net.svg"], ["show", "yolo_v8_s_detect"]])
def test_what_takes_long_to_import_is_not_imported(command: list[str], tmp_path: Path) -> None:
    program = f"""
import sys
from archdsl.tools.cli import main
main({command!r})
slow = {{"keras", "tensorflow", "numpy", "matplotlib", "PIL", "pydantic", "xml", "html"}}
assert not slow & set(sys.modules), slow & set(sys.modules)
drawn = [name for name in sys.modules if name.startswith("archdsl.tools.pictures")]
assert bool(drawn) == ({command[0]!r} == "draw"), drawn
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)


def test_the_example_is_what_the_command_writes_today() -> None:
    written = (EXAMPLES / "yolo_v8_s_detect.svg").read_text()
    assert written == svg_of(archdsl.analyze("yolo_v8_s_detect")), "archdsl draw yolo_v8_s_detect -o FILE --force"


def test_a_notebook_shows_graphs_and_reports() -> None:
    report = archdsl.analyze("resnet50_classify")
    graph = archdsl.compile_config("resnet50_classify", input_shape=(640, 640, 3))
    assert paths(ElementTree.fromstring(graph._repr_svg_())) == paths(ElementTree.fromstring(report._repr_svg_()))
    page = ElementTree.fromstring(f"<body>{report._repr_html_()}</body>".replace("<br>", "<br/>"))
    rows = [[cell.text for cell in row] for row in page.iter("tr")]
    assert rows[0] == ["layer", "block", "output", "stride", "params", "MACs"]
    assert len(rows) == 1 + len(report.layers)
    assert page.find("div/{http://www.w3.org/2000/svg}svg") is not None
    assert f"{report.params:,} parameters" in "".join(page.itertext())


@pytest.mark.keras
def test_a_notebook_shows_models() -> None:
    model = archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"])
    assert paths(ElementTree.fromstring(model._repr_svg_())) == paths(drawn(model.graph))


@pytest.mark.browser
@pytest.mark.parametrize("preset", SHOWN)
def test_texts_as_a_browser_sets_them_stay_inside_of_their_boxes_and_apart(preset: str, browser: Any) -> None:
    measured = """() => [...document.querySelectorAll('g.layer')].map(layer => ({
        name: layer.dataset.layer,
        box: (({x, y, width, height}) => [x, y, width, height])(layer.querySelector('rect').getBBox()),
        texts: [...layer.querySelectorAll('text')].map(text =>
            (({x, y, width, height}) => [x, y + 2, width, height - 4])(text.getBBox())),
    }))"""
    with page_in(browser) as page:
        page.set_content(svg_of(outline(preset)))
        layers = page.evaluate(measured)
    assert len(layers) > 5
    for layer in layers:
        texts = [Frame(*text) for text in layer["texts"]]
        assert all(within(text, Frame(*layer["box"]).wider(0, 1, 1)) for text in texts), layer
        assert all(apart(*pair) for pair in combinations(texts, 2)), layer
