"""A text that is being edited: where mistakes end, what fixes them, what stays while it is broken, its figures."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import CASES
from conftest import Run

import archdsl
from archdsl.diagnostics.fixes import Fix
from archdsl.frontend.yaml.extents import Extents
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.fixing import applied, fixed
from archdsl.tools.editing.hints import inlays, lenses

NET = """\
defaults: [yolo_v8_s_backbone, _self_]
scale: {width: 0.5}
stages:
  p4: {depth: 9}
  p3:
    depth: 6
    body: {block: c2f}
"""


def marked(text: str, problem: archdsl.Problem) -> str:
    """What of the text is wrong."""
    extents = Extents(text)
    return text[extents.offset(problem.line, problem.column) : extents.offset(problem.end_line, problem.end_column)]


# Texts under a name


def test_a_text_under_a_name_has_the_parents_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(NET)
    text = "defaults: [parent, _self_]\n"
    here = archdsl.ConfigText(text, "net.yaml", tmp_path)
    assert archdsl.analyze(here).params == archdsl.analyze(tmp_path / "parent.yaml").params
    assert archdsl.compile_config(here).name == "net"
    with pytest.raises(archdsl.ArchError, match=r"net\.yaml:1:12: error\[unknown-parent\]"):
        archdsl.analyze(archdsl.ConfigText(text, "net.yaml"))
    assert archdsl.analyze(archdsl.ConfigText(NET)).params


def test_other_texts_count_instead_of_files(tmp_path: Path) -> None:
    parent = tmp_path / "parent.yaml"
    parent.write_text(NET)
    others = {str(parent.resolve()): NET.replace("0.5", "0.25")}
    here = archdsl.ConfigText("defaults: [parent, _self_]\n", "net.yaml", tmp_path, others)
    assert archdsl.analyze(here).params == archdsl.analyze(archdsl.ConfigText(others[str(parent.resolve())])).params
    assert Document("net.yaml", "", others={str(parent.resolve()): ""}).text_of(str(parent)) == ""


def test_a_text_has_the_limits_of_a_file(tmp_path: Path) -> None:
    text = NET + "# é" * 300_000
    path = tmp_path / "net.yaml"
    path.write_text(text)
    problems = []
    for config in (path, archdsl.ConfigText(text, str(path), tmp_path)):
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.analyze(config)
        problems.append(caught.value.problems)
    assert problems[0] == problems[1]
    assert problems[0][0].code == "limit"


# Ends


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("stagess: {}\n", "stagess"),
        ("'stagess' : {}\n", "'stagess'"),
        ("stages: {p1: {width: 8 # wide\n, dpeth: 2}}\n", "dpeth"),
        ("conventions: {activation: swish}\n", "swish"),
        ("conventions:\n  activation: very much   # so\n", "very much"),
        ("conventions: {activation: [re, lu], padding: same}\n", "[re, lu]"),
        ("conventions: {activation: [re, # ]\n 'l]u'], padding: same}\n", "[re, # ]\n 'l]u']"),
        ("conventions: {activation: &a swish}\n", "&a swish"),
        ('conventions: {activation: "sw\\"ish"}\n', '"sw\\"ish"'),
        ("# 🙂\nscale: {width: 'half'}\n", "'half'"),
        ("scale: {width: 1\n", "{"),
        ("scale: {width: 0.5, width: 1}\n", "width"),
        ("stages:\n\tp1: {}\n", "\t"),
    ],
)
def test_a_problem_ends_with_what_is_wrong(text: str, wrong: str) -> None:
    problem = Document("net.yaml", text).problems[0]
    assert marked(text, problem) == wrong
    assert problem.range == (*problem.mark, problem.end_line, problem.end_column)


TEXTS = [
    case
    for case in CASES
    if isinstance(case.text, str) and not case.overrides and not case.name and not case.make and not case.dangerous
]


def test_a_fix_leaves_the_text_without_the_problem(tmp_path: Path) -> None:
    left = []
    for number, case in enumerate(TEXTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        case.prepare(folder)
        text = (folder / "net.yaml").read_bytes().decode("utf-8", "surrogatepass")
        document = Document("net.yaml", text, folder=folder)
        for problem in document.problems:
            assert problem.end_line >= problem.line
            left += [(text, problem, fix) for fix in problem.fixes if is_left(problem, fix, document)]
    assert [(text, fix) for text, _, fix in left if text not in SEVERAL] == []


SEVERAL = ("-1\n-2\n", "a: 1\r\nb: \x1b[31m\r\n", "a: 1\x85b: 2\n", "a: 1\u2028b: 2\n")
"""Texts that are not YAML in a second place too."""


def is_left(problem: archdsl.Problem, fix: Fix, document: Document) -> bool:
    """Whether the problem is there once it was fixed, or the text is not YAML any more."""
    file = fix.edits[0].range.file
    text = applied(document.text_of(file), fix.edits)
    others = {} if file == document.name else {file: text}
    now = text if file == document.name else document.text
    after = Document(document.name, now, folder=document.folder, others=others).problems
    is_yaml = problem.code == "syntax" or "syntax" not in [each.code for each in after]
    return not is_yaml or (problem.code, problem.path, problem.message) in [
        (each.code, each.path, each.message) for each in after if each.line <= problem.end_line
    ]


def test_most_hints_that_name_a_word_are_fixes() -> None:
    named = fixed = 0
    for case in TEXTS:
        for problem in Document("net.yaml", case.data.decode("utf-8", "replace")).problems:
            named += problem.hint.startswith("did you mean")
            fixed += problem.hint.startswith("did you mean") and bool(problem.fixes)
    assert named > 50
    assert fixed > 0.9 * named


def test_several_meanings_are_several_fixes() -> None:
    text = "defaults: [yolo_v8_x_backbon, _self_]\nconventions: {activation: elu6}\n"
    (problem,) = [each for each in Document("", text.split("\n")[1]).problems if each.code == "unknown-value"]
    assert [fix.title for fix in problem.fixes] == [f"write {each.edits[0].text}" for each in problem.fixes]
    assert len(problem.fixes) == problem.hint.count("'") // 2


def test_a_reference_is_fixed_inside_of_its_text() -> None:
    text = NET.replace("depth: 9", "depth: '${stages.p3.dpeth}'")
    (problem,) = Document("", text).problems
    assert applied(text, problem.fixes[0].edits) == text.replace("dpeth", "depth")


def test_validate_gives_ends_and_fixes_as_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(NET.replace("scale:", "scal:"))
    ((found,),) = [each["problems"] for each in json.loads(run("validate", "net.yaml", "--format", "json").stdout)]
    place = {"file": "net.yaml", "line": 2, "column": 1, "end_line": 2, "end_column": 5}
    assert {key: found[key] for key in place} == place
    assert found["fixes"] == [{"title": "write scale", "edits": [{**place, "text": "scale"}]}]


def test_validate_fixes_what_has_one_fix(run: Run, tmp_path: Path) -> None:
    right = "defaults: [yolo_v8_s_backbone, _self_]  # ä\r\nscale: {width: 0.5}\r\nstages:\r\n  p4: {depth: 9}\r\n"
    wrong = right.replace("scale", "scal").replace("depth", "dpeth")
    (tmp_path / "net.yaml").write_bytes(b"\xef\xbb\xbf" + wrong.encode())
    (tmp_path / "net.yaml").chmod(0o600)
    ended = run("validate", "--fix", "net.yaml")
    assert (tmp_path / "net.yaml").read_bytes() == b"\xef\xbb\xbf" + right.encode()
    assert (tmp_path / "net.yaml").stat().st_mode & 0o777 == 0o600
    *changes, valid = ended.stdout.splitlines()
    assert changes == [
        "net.yaml:2:1: fixed: 'scal' is now 'scale'",
        "net.yaml:4:8: fixed: 'dpeth' is now 'depth'",
    ]
    assert valid.startswith("net.yaml: valid, ")
    assert ended.returncode == 0


def test_many_fixes_are_tried_together() -> None:
    layers = "".join(f"  l{number}: {{block: conv, filters: 8, kernle: 3, from: p3}}\n" for number in range(50))
    twice = "  twice: {block: conv, filters: 8, kernel: 3, kernle: 1, from: p3}\n"
    text = f"{NET}neck:\n{layers}{twice}outputs: [p3]\n"
    tried = []

    class Counted(Document):
        def with_text(self, text: str) -> Document:
            tried.append(text)
            return Counted(self.name, text)

    now, changes = fixed(Counted("net.yaml", text))
    assert now == text.replace("kernle: 3", "kernel: 3")
    assert [each.mark.line for each in changes] == list(range(9, 59))
    assert len(tried) <= 20


def test_what_a_fix_uncovers_is_fixed_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(NET.replace("scale: {width", "scal: {widht"))
    ended = run("validate", "--fix", "--format", "json", "net.yaml")
    assert (tmp_path / "net.yaml").read_text() == NET
    assert [each["valid"] for each in json.loads(ended.stdout)] == [True]
    assert len(ended.stderr.splitlines()) == 2


LEFT = {
    "nothing to fix": NET,
    "a choice": NET + "conventions: {activation: elu6}\n",
    "no fix": NET + "head: 1\n",
    "a fix that breaks another": NET.replace("{width", "{widht: 1, width"),
    "a parent": "defaults: [parent, _self_]\n",
    "another encoding": NET.replace("scale", "scal") + "# \udce4\n",
}


@pytest.mark.parametrize("text", LEFT.values(), ids=list(LEFT))
def test_validate_fixes_nothing_that_is_not_sure(text: str, run: Run, tmp_path: Path) -> None:
    files = {"net.yaml": text, "parent.yaml": NET.replace("scale", "scal")}
    for name, each in files.items():
        (tmp_path / name).write_bytes(each.encode("utf-8", "surrogateescape"))
    before = {name: ((tmp_path / name).read_bytes(), (tmp_path / name).stat().st_ino) for name in files}
    ended = run("validate", "--fix", "net.yaml")
    assert {name: ((tmp_path / name).read_bytes(), (tmp_path / name).stat().st_ino) for name in files} == before
    assert "fixed" not in ended.stdout
    assert ended.returncode == (0 if text == NET else 2)


def test_a_link_to_a_config_stays_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(NET.replace("scale", "scal"))
    (tmp_path / "net.yaml").symlink_to("real.yaml")
    assert run("validate", "--fix", "net.yaml").returncode == 0
    assert (tmp_path / "net.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_text() == NET


@pytest.mark.parametrize("name", ["-", "yolo_v8_s_backbone", "nothing.yaml"])
def test_what_is_no_file_of_text_is_only_checked(name: str, run: Run) -> None:
    with_fix, without = [run("validate", *options, name, text=NET) for options in (["--fix"], [])]
    assert (with_fix.returncode, with_fix.stdout, with_fix.stderr) == (
        without.returncode,
        without.stdout,
        without.stderr,
    )


def test_a_problem_with_fixes_is_the_same_in_another_process() -> None:
    problem = Document("net.yaml", NET.replace("scale", "scal")).problems[0]
    again = pickle.loads(pickle.dumps(archdsl.ArchError([problem]))).problems[0]
    assert again == problem
    assert again.fixes == (Fix("write scale", problem.fixes[0].edits),)
    assert again.hint.right == ("scale",)


# What stays while a text is broken


def test_the_last_good_report_stays_until_there_is_another() -> None:
    good = Document("net.yaml", NET)
    broken = Document("net.yaml", NET + "stages: [", before=good)
    still = Document("net.yaml", NET.replace("c2f", "c2ff"), before=broken)
    assert (broken.config, broken.report, still.report) == (None, None, None)
    assert still.last_good is good.report
    assert Document("net.yaml", NET, before=still).last_good is not good.report
    assert Document("net.yaml", NET + "stages: [").last_good is None


def test_a_document_does_not_hold_those_before_it() -> None:
    import gc
    import weakref

    first = Document("net.yaml", NET)
    gone = weakref.ref(first)
    last = Document("net.yaml", NET + "#", before=first)
    del first
    gc.collect()
    assert gone() is None
    assert last.report


# Figures


def test_every_stage_and_layer_of_the_text_has_its_figures_behind_it() -> None:
    report = archdsl.analyze(archdsl.ConfigText(NET))
    found = {each.path: each for each in inlays(Document("net.yaml", NET))}
    assert {*found} == {("stages",), ("stages", "p4"), ("stages", "p3"), ("stages", "p3", "body")}
    layer = next(each for each in report.layers if each.path == "stages.p3.body")
    assert found["stages", "p3", "body"].text.startswith("80 × 80 × 128 · ")
    assert f"{layer.params / 1000:.3g} k params · {layer.macs / 1e9:.3g}" in found["stages", "p3", "body"].text
    assert found["stages", "p4"][:2] == (4, 17)  # after the value
    assert found["stages", "p3"][:2] == (5, 6)  # after the key, whose value is in other lines
    assert inlays(Document("net.yaml", NET))[0].path == ("stages",)


def test_a_child_has_figures_of_what_it_mentions() -> None:
    text = "defaults: [yolo_v8_s_detect, _self_]\nneck: {n3: {width: 320}}\n"
    assert [each.path for each in inlays(Document("", text))] == [("neck", "n3"), ("neck",)]


def test_totals_tell_whether_what_is_expected_is_met() -> None:
    report = archdsl.analyze(archdsl.ConfigText(NET))
    met, missed = [f"{NET}expect: {{params: {count}, macs: {{within: 1e12}}}}\n" for count in (report.params, 9)]
    assert lenses(Document("", NET))[0].title == f"{report.params:,} parameters · 6.75 G MACs · 640 × 640 × 3"
    assert lenses(Document("", met))[0].title.endswith("expect met")
    (problem,) = Document("", missed).problems
    assert lenses(Document("", missed))[0].title.endswith("expect: params missed")
    assert applied(missed, problem.fixes[0].edits) == met
    assert lenses(Document("", "stages: [")) == []


def test_what_differs_from_the_saved_text_is_told() -> None:
    saved, wider = Document("", NET), Document("", NET.replace("depth: 9", "depth: 12, width: 768"))
    changes = {each.path: each.change for each in inlays(wider, saved)}
    assert changes["stages", "p3", "body"] == ""
    assert changes["stages", "p4"].startswith("was 40 × 40 × 256 · +")
    assert "since saved: +" in lenses(wider, saved)[0].title


def test_editing_imports_neither_a_server_nor_keras() -> None:
    program = """
import sys
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.hints import inlays, lenses
document = Document("", "defaults: [yolo_v8_s_detect, _self_]\\nstages: {p4: {depth: 3}}")
assert inlays(document) and lenses(document)
slow = {"keras", "tensorflow", "numpy", "matplotlib", "pydantic", "pygls", "lsprotocol", "asyncio"}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
