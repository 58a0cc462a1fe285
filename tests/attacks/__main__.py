"""Runs attacks one after the other in this process, with a line of JSON for each: `python -m attacks TOPIC/NAME…`.

Each has its own folder, a limit of processor time and memory, and an audit hook. What ends the process is seen by the
one that started it.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import archdsl
from archdsl.blocks.registry import all_blocks
from archdsl.tools.cli import main as archdsl_main
from attacks import attacks_of, editing
from attacks.case import Attack
from attacks.watch import SECRET_VARIABLE, Watch

SECRET = "xyzzy-plugh-plover"
"""Stands in a file beside the folder of each attack, and in the environment."""
HARD_MEMORY_BYTES = 6 << 30
GRACE_S = 1
PRESET = "yolo_v8_s_backbone"


def outcome_of(attack: Attack, watch: Watch) -> dict[str, Any]:
    """What came of an attack: `how` it ended, what was told, what was seen, seconds and mebibytes."""
    with tempfile.TemporaryDirectory() as outside:
        (Path(outside) / "secret.txt").write_text(SECRET)
        folder, temporary = Path(outside) / "inside", Path(outside) / "temporary"
        folder.mkdir()
        temporary.mkdir()
        os.chdir(folder)
        tempfile.tempdir = str(temporary)
        attack.make(folder)
        try:
            with limited(attack.seconds) as cost, watch.during([folder, temporary], attack.touches) as seen:
                how, told = told_by(lambda: attack.act(folder))
            left = sorted(path.name for path in temporary.iterdir())
        finally:
            tempfile.tempdir = None
            os.chdir("/")
    return {"name": attack.name, "how": how, "told": told[:30_000], "seen": seen, "left": left, **cost}


def told_by(act: Callable[[], object]) -> tuple[str, str]:
    """How a call ended ("refused", "done", or with which exception), and all that it said."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    how, error = "done", ""
    with redirect_stdout(out), redirect_stderr(out):
        try:
            act()
        except archdsl.ArchError as refusal:
            how, error = "refused", str(refusal)
        except SystemExit as ended:
            how = {0: "done", 2: "refused"}.get(ended.code or 0, f"exit {ended.code}")
        except BaseException:
            how, error = "traceback", traceback.format_exc()
        out.flush()
    return how, out.buffer.getvalue().decode() + error


@contextmanager
def limited(seconds: float) -> Iterator[dict[str, float]]:
    """A block that may take so much processor time; the result says how much it took, and how much memory."""
    cost: dict[str, float] = {}
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = status("VmRSS"), time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(start + seconds) + GRACE_S, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, ((status("VmSize") << 10) + HARD_MEMORY_BYTES, resource.RLIM_INFINITY))
    try:
        yield cost
    finally:
        cost["seconds"] = time.process_time() - start
        cost["mebibytes"] = (status("VmHWM") - before) / 1024
        for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS):
            resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def status(key: str) -> int:
    """A figure of this process, in KiB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0])


def warm_up(keras: bool) -> None:
    """What is imported late, or made once, is here before anything is measured."""
    with tempfile.TemporaryDirectory() as folder:
        commands = [
            "show mobilenet_v2_backbone",
            f"show {PRESET} scale.widht=1",
            f"check {PRESET}",
            f"diff {PRESET} {PRESET}",
            "list",
            "blocks spp",
        ]
        for arguments in (*commands, f"validate {folder}/none.yaml"):
            told_by(lambda arguments=arguments: archdsl_main(arguments.split()))  # type: ignore[misc]
        archdsl.analyze(PRESET)
        editing.warm_up(Path(folder))
        for block in all_blocks().values():
            _ = block.schema, block.takes_style, block.inputs is None
        if keras:
            config = {"stages": {"p1": {"width": 4, "stride": 2, "body": {"block": "conv_bn_act"}}}}
            model = archdsl.build_from_config(config)
            for name in ("a.weights.h5", "a.safetensors"):
                archdsl.weights.save(model, f"{folder}/{name}")
                archdsl.weights.load(model, f"{folder}/{name}")
            model.save(f"{folder}/a.keras")
            sys.modules["keras"].models.load_model(f"{folder}/a.keras")
            importlib.import_module("archdsl.tools.model_import")


def attack_of(topic: str, name: str) -> Attack:
    return next(attack for attack in attacks_of(topic) if attack.name == name)


def main(*names: str) -> None:
    attacks = [attack_of(*name.split("/", 1)) for name in names]
    warm_up(any(attack.keras for attack in attacks))
    os.environ[SECRET_VARIABLE] = SECRET
    watch = Watch()
    for attack in attacks:
        print(json.dumps(outcome_of(attack, watch)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
