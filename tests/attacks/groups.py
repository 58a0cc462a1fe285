"""Config groups: options that are elsewhere, too many, or in a ring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import archdsl
from attacks.case import Attack
from attacks.hydra import files

GLOBAL = "# @package _global_\n"
CHOOSE = "defaults: [neck: {}, _self_]\nstages: {{}}\n"
OUTSIDE = [
    "../../secret.txt",
    "../secret",
    "/etc/passwd",
    "~/x",
    "$HOME",
    "${oc.env:ARCHDSL_SECRET}",
    "pkg://os",
    "a\\..\\b",
    ".",
]
MANY = 2_000


def analyzed(*overrides: str) -> Callable[[Path], object]:
    return lambda folder: archdsl.analyze("net.yaml", overrides)


def linked(to: str, name: str) -> Callable[[Path], object]:
    """A config that chooses the option `secret`, where `name` is a link."""

    def make(folder: Path) -> None:
        (folder / "net.yaml").write_text(CHOOSE.format("secret"))
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(to)

    return make


def doubled(folder: Path) -> None:
    """Each file inherits the next one twice over: 2^30 ways to the last."""
    (folder / "neck").mkdir()
    for number in range(30):
        (folder / "neck" / f"a{number}.yaml").write_text(f"defaults: [a{number + 1}, a{number + 1}, _self_]\nn: {{}}\n")
    (folder / "neck" / "a30.yaml").write_text("n: {block: conv}\n")
    (folder / "net.yaml").write_text(CHOOSE.format("a0"))


def many(folder: Path) -> None:
    """Many options, of which none has the name that is asked for."""
    (folder / "neck").mkdir()
    for number in range(MANY):
        (folder / "neck" / f"option_{number}.yaml").write_text("n: {block: conv}\n")
    (folder / "net.yaml").write_text(CHOOSE.format("option_x"))


ATTACKS = [
    *[Attack(f"outside {name}", files(net=CHOOSE.format(f"'{name}'")), analyzed(), "no option") for name in OUTSIDE],
    *[
        Attack(f"override outside {name}", files(net="stages: {}\n"), analyzed(f"neck='{name}'"), "no option")
        for name in OUTSIDE
        if not name.startswith("${")
    ],
    Attack("a link out", linked("../../secret.txt", "neck/secret.yaml"), analyzed(), "leads out of"),
    Attack("a group that is a link", linked("../..", "neck"), analyzed(), "no option"),
    Attack("a device", linked("/dev/zero", "neck/secret.yaml"), analyzed(), "leads out of"),
    Attack(
        "a ring of options",
        files(net=CHOOSE.format("a"), neck__a="defaults: [b, _self_]\n", neck__b="defaults: [a, _self_]\n"),
        analyzed(),
        "[cycle]",
    ),
    Attack(
        "a ring of choices",
        files(
            net=CHOOSE.format("a"),
            neck__a=GLOBAL + "defaults: [/head: b, _self_]\n",
            head__b="defaults: [/neck/a, _self_]\n",
        ),
        analyzed(),
        "[cycle]",
    ),
    Attack("an option that inherits twice", doubled, analyzed(), "[duplicate-parent]"),
    Attack("many options", many, analyzed(), "[unknown-option]"),
    Attack(
        "many choices",
        files(net=f"defaults: [{'neck: fpn, ' * 5_000}_self_]\nstages: {{}}\n"),
        analyzed(),
        "chosen twice",
    ),
    Attack(
        "many overrides",
        files(net=f"defaults: [neck: null, _self_, {'override neck: null, ' * 5_000}]\nstages: {{}}\n"),
        analyzed(),
        None,
    ),
    Attack("many overrides on the command line", files(net="stages: {}\n"), analyzed(*["neck=fpn"] * 2_000), None),
    Attack(
        "a code in an option",
        files(net=CHOOSE.format("a"), neck__a="n: !!python/name:os.system {}\n"),
        analyzed(),
        "[tag]",
    ),
    Attack(
        "a secret in an option",
        files(net=CHOOSE.format("a"), neck__a="n: {block: '${oc.env:ARCHDSL_SECRET}'}\n"),
        analyzed(),
        "[reference]",
    ),
]
