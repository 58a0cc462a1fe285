"""Configs that mean to be Hydra's, or what hydra.utils.instantiate makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attacks.case import Attack

ACTING = "hydra: {run: {dir: written}, callbacks: {mine: {_target_: os.system, command: touch written}}}\n"
GLOBAL = "# @package _global_\n"
BASE = "defaults: [/yolo_v8_s_backbone, _self_]\n"


def files(**texts: str) -> Callable[[Path], object]:
    """Writes files, in whose names `__` stands for a folder."""

    def make(folder: Path) -> None:
        for name, text in texts.items():
            path = folder / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


def read(name: str) -> Callable[[Path], object]:
    """What a Hydra program does with a config of an archdsl:// folder."""

    def act(folder: Path) -> object:
        from hydra.errors import ConfigCompositionException

        from archdsl.tools.hydra.config_source import ArchdslConfigSource

        try:
            return ArchdslConfigSource("attack", f"archdsl://{folder}").load_config(name)
        except ConfigCompositionException as error:
            raise error.__cause__ or error from None

    return act


def app(*arguments: str) -> Callable[[Path], object]:
    """`python -m archdsl.hydra_app --config-dir . ARGUMENTS`."""

    def act(folder: Path) -> object:
        from archdsl.tools import cli
        from archdsl.tools.hydra.__main__ import command

        return cli.main(["--config-dir", ".", *arguments], command=command)

    return act


KEY = "error[unknown-key]: hydra: unknown key 'hydra'"
NESTED = "stem: {conv: {block: conv, kernel: {_target_: os.getcwd}}}\n"

ATTACKS = [
    Attack("a key of Hydra's", files(net=BASE + ACTING), read("net"), KEY),
    Attack("a key of Hydra's for the whole program", files(nets__net=GLOBAL + BASE + ACTING), read("nets/net"), KEY),
    Attack(
        "a key of Hydra's in a parent",
        files(net="defaults: [nets/base, _self_]\n", nets__base=GLOBAL + BASE + ACTING),
        read("net"),
        KEY,
    ),
    Attack("a config in Hydra's package", files(net=f"# @package hydra\n{BASE}"), read("net"), "error[package]"),
    Attack("a launcher chosen", files(net="defaults: [override hydra/launcher: x, _self_]\n"), read("net"), "[type]"),
    Attack(
        "a group of Hydra's chosen", files(net="defaults: [hydra/callbacks: mine, _self_]\n"), read("net"), "[type]"
    ),
    Attack("a package chosen for a group", files(net="defaults: [neck@hydra: fpn, _self_]\n"), read("net"), "[type]"),
    Attack("a target in an option", files(neck__a="n: {block: {_target_: os.getcwd}}\n"), read("neck/a"), "_target_"),
    Attack("a key of Hydra's in an option", files(neck__a=f"n: {{block: conv}}\n{ACTING}"), read("neck/a"), "_target_"),
    Attack("a key of Hydra's in an option for the whole config", files(neck__a=GLOBAL + ACTING), read("neck/a"), KEY),
    Attack(
        "a package chosen in an option", files(neck__a="# @package hydra\nrun: {dir: x}\n"), read("neck/a"), "[package]"
    ),
    Attack(
        "an app's group of Hydra's in place of an option",
        files(net=BASE),
        app("--config-name", "net", "+neck=../hydra/launcher/basic"),
        None,
        touches=("os.putenv",),
    ),
    Attack("a package chosen", files(net="defaults: [yolo_v8_s_backbone@hydra, _self_]\n"), read("net"), "[parent]"),
    Attack("a parent above", files(net="defaults: [../secret, _self_]\n"), read("net"), "error[parent]"),
    Attack("a target in a layer", files(net=BASE + NESTED), read("net"), "stem.conv.kernel._target_"),
    Attack("a target in place of a stage", files(net="stages: {_target_: os.getcwd}\n"), read("net"), "_target_"),
    Attack(
        "a target in an argument",
        files(net=BASE + "blocks: {a: {arguments: {b: [{_target_: os.getcwd}]}}}\n"),
        read("net"),
        "blocks.a.arguments.b.0._target_",
    ),
    Attack("a resolver", files(net="name: ${oc.env:ARCHDSL_SECRET}\n"), read("net"), "error[reference]"),
    Attack("an app's key", files(net=BASE + ACTING), app("--config-name", "net"), KEY, touches=("os.putenv",)),
    Attack(
        "an app's group of Hydra's",
        files(hydra__callbacks__mine="name: x\n"),
        app("--config-name", "hydra/callbacks/mine"),
        "error[hydra]: Cannot find",
        touches=("os.putenv",),
    ),
    Attack(
        "an app's pickle",
        files(),
        app("--experimental-rerun", "config.pickle"),
        "error[hydra]: --experimental-rerun is not allowed",
    ),
]
