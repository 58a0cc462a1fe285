"""Validates config files under an audit hook and prints, as JSON, what it saw them do besides reading configs.

`python tests/audit.py FOLDER` validates the shipped configs and every file of FOLDER; these two folders may be read.
Then it commits the MISDEEDS, to show that each would have been seen.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import archdsl
from archdsl.composition.folders import config_root, preset_names
from archdsl.registry import all_blocks

READING = {"open", "os.listdir", "os.scandir", "glob.glob", "pathlib.Path.glob"}
"""Allowed in the folders of configs, if nothing is written. All other events are not allowed anywhere."""
HARMLESS = {"builtins.id", "object.__getattr__"}  # Hydra's parser reads the signatures of its functions
WARM_UP = """\
defaults: [yolo_v8_s_backbone, _self_]
nothing: ${scale.widht}
stages: {p4: {width: wide, body: {block: c2ff}}, p5: {after: p9, depth: 0}, p3: {body: {block: conv, kernal: 3}}}
outputs: [p3, p33]
"""

MISDEEDS: dict[str, Callable[[], Any]] = {
    "open": lambda: Path(os.devnull).read_bytes(),
    "write": lambda: (Path(sys.argv[1]) / "new.txt").write_text("x"),
    "import": lambda: __import__("wave"),
    "compile": lambda: compile("1", "x", "eval"),
    "exec": lambda: exec("1"),
    "system": lambda: os.system("true"),
    "subprocess": lambda: __import__("subprocess").run(["true"]),
    "fork": lambda: os.fork() or os._exit(0),
    "socket": lambda: __import__("socket").socket().close(),
    "environment": lambda: os.getenv("HOME"),
    "environment written": lambda: os.environ.update(X="1"),
    "list": lambda: next(Path("/").iterdir()),
}


class Watch:
    """Notes audit events, and reads of the environment, which raise none."""

    def __init__(self, roots: Sequence[Path]):
        self.roots = [root.resolve() for root in roots]
        self.seen: list[str] = []
        self.watching = False
        self.busy = False
        sys.addaudithook(self.hook)
        for method in ("__getitem__", "__iter__"):
            setattr(os._Environ, method, self.noted(getattr(os._Environ, method)))

    def during(self, action: Callable[[], Any]) -> list[str]:
        """What is seen while `action` runs."""
        self.seen = []
        self.watching = True
        try:
            action()
        finally:
            self.watching = False
        return self.seen

    def noted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self.note(f"environment {arguments[1:]}")
            return method(*arguments)

        return wrapped

    def note(self, what: str) -> None:
        if self.watching:
            self.seen.append(what[:300])

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching or self.busy or event in HARMLESS:
            return
        self.busy = True  # resolving a path may raise an event itself
        try:
            if event not in READING or not self.is_reading(*arguments):
                self.note(f"{event} {arguments}")
        finally:
            self.busy = False

    def is_reading(self, path: Any, mode: Any = None, flags: Any = 0) -> bool:
        """Of a file or folder in one of the roots, and without a change; a number stands for a file opened before."""
        inside = isinstance(path, (str, os.PathLike)) and any(
            Path(path).resolve().is_relative_to(root) for root in self.roots
        )
        return inside and not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def validate(config: Any, overrides: Sequence[str] = ()) -> None:
    try:
        archdsl.analyze(config, overrides)
        str(archdsl.compile_config(config, overrides))
    except archdsl.ArchError as error:
        str(error)


def warm_up() -> None:
    """What is imported late, and made once, is here: Hydra's parser, the schemas of blocks."""
    folder = Path(sys.argv[1])
    for name in preset_names():
        validate(name, ["scale.width=0.5", "+x=1"])
    for block in all_blocks().values():
        _ = block.schema, block.takes_style, block.takes_many
    (folder / "warm_up.yaml").write_text(WARM_UP)
    validate(folder / "warm_up.yaml")
    validate(folder / "warm_up.yml")
    validate({"stages": {}}, ["a b"])
    (folder / "warm_up.yaml").unlink()


def main(folder: Path) -> dict[str, list[str]]:
    """Events by what made them: the configs together, and each of the misdeeds."""
    texts = sorted(folder.iterdir())
    warm_up()
    watch = Watch([folder, config_root()])
    seen = {"configs": watch.during(lambda: validate_all(texts))}
    return seen | {name: watch.during(misdeed) for name, misdeed in MISDEEDS.items()}


def validate_all(texts: Sequence[Path]) -> None:
    for name in preset_names():
        validate(name)
    for path in texts:
        validate(path)
        validate("resnet18_v2", [f"+description='{path.stem}'", "stages.p4.width=${oc.env:HOME}"])


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
