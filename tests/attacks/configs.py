"""Configs that ask for code, files, the network or the environment: refused, or nothing but text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import archdsl
from attacks.case import Attack


def bad_texts() -> dict[str, str]:
    """Configs that ask for code, files, the network or the environment, and some that are only wrong, by a name."""
    values = [
        *["!!python/object/apply:os.system [ls]", "!!python/object/apply:pathlib.PosixPath [/etc/passwd]"],
        *["!!python/name:os.system", "!!python/module:os", "!!python/object/new:os.system [ls]", "!!binary aGk=", "!x"],
        *[
            "${oc.env:ARCHDSL_SECRET}",
            "'${oc.decode:${oc.env:ARCHDSL_SECRET}}'",
            "${oc.create:[1]}",
            "${oc.select:scale}",
            "${now:%Y}",
        ],
        *["${hydra:runtime.cwd}", "${scale.width}", "${a.${b}}", "${b", "${}", "${description}", "*anchor", "&a [*a]"],
        *[
            "os.system",
            "keras.layers.Lambda",
            "__import__('os').system('ls')",
            "$(ls)",
            "`ls`",
            "$ARCHDSL_SECRET",
            "|\n  ls",
        ],
        *["file:///etc/passwd", "https://example.org/x", "/etc/passwd", "../../etc/passwd", "/dev/zero", "\x00", "~/x"],
    ]
    layer = "stages: {p1: {width: 8, body: {block: conv}}}\ntail: {a: {block: conv}}\n"
    parents = ["/etc/passwd", "../outside", "a/../../b", "https://example.org/x", "pkg://os", "a@b", "~/x", "hydra/job"]
    texts = {f"parent {number}": f"defaults: [{name}, _self_]\n" for number, name in enumerate(parents)}
    for number, value in enumerate(values):
        texts[f"value {number}"] = f"stages: {{}}\ndescription: {value}\n"
        texts[f"block {number}"] = f"{layer}stem:\n  a:\n    block: {value}\n"
    texts |= {
        "target": "_target_: os.system\n_args_: [ls]\nstages: {}\n",
        "class": "class_name: Lambda\nconfig: {function: os.system}\nregistered_name: x\nmodule: os\n",
        "hydra": "hydra: {run: {dir: /tmp/x}, searchpath: [file:///etc]}\nstages: {}\n",
        "plugins": "plugins: [evil.py]\nbudget: {params: 1e18}\nstages: {}\n",
        "weights": f"{layer}published: {{url: 'https://example.org/w.h5', kaggle: x/y}}\n",
        "deep": "a: " + "[" * 30_000,
        "wide": "stages: {p1: {width: 1000000000000, depth: 1000000, body: {block: c2f}}}\n",
        "directive": "%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system x\n",
        "merge": "a: &a {b: 1}\nc: {<<: *a}\n",
        "empty": "",
        "tabs": "stages:\n\tp1: {}\n",
    }
    return texts


def written(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "net.yaml").write_text(text)


def analyzed(folder: Path) -> object:
    return archdsl.analyze("net.yaml")


def overridden(override: str) -> Callable[[Path], object]:
    return lambda folder: archdsl.analyze("resnet18_v2", [override])


OVERRIDES = {
    "environment": ("description=${oc.env:ARCHDSL_SECRET}", "oc.env"),
    "parent": ("+defaults=[../secret]", "defaults"),
    "path": ("stem.conv.block=/etc/passwd", "no block"),
    "budget": ("+budget={params: 1e18}", "budget"),
}
ATTACKS = [
    *[Attack(name, written(text), analyzed, None) for name, text in bad_texts().items()],
    *[
        Attack(f"override {name}", lambda folder: None, overridden(text), answer)
        for name, (text, answer) in OVERRIDES.items()
    ],
]
