"""A. Paths, F. inheritance and overrides, G. references."""

# A case stands in one line.
# fmt: off
from __future__ import annotations

import os
import socket
from pathlib import Path

from bad_inputs.case import NET, Case, overridden, texts


def _socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # a socket's path may have 108 characters
    try:
        socket.socket(socket.AF_UNIX).bind("s.yaml")
    finally:
        os.chdir(here)


def _huge(folder: Path) -> None:
    with (folder / "big.yaml").open("wb") as file:
        file.truncate(100 << 20)


def _link_folder(folder: Path) -> None:
    outside = folder.with_name(f"{folder.name}_outside")
    outside.mkdir()
    (outside / "a.yaml").write_text(NET)
    (folder / "sub").symlink_to(outside)


_MINE = {"my_net.yaml": NET, "configs/other.yaml": NET}

PATHS = [
    Case(1, "", "missing-file", "there is no such file", "did you mean 'my_net.yaml'?", files=_MINE, name="my_nett.yaml"),
    Case(1, "", "missing-file", "there is no such file", "did you mean 'my_net.yaml'?", files=_MINE, name="my_net.yml"),
    Case(1, "", "missing-file", "there is no such file", "did you mean 'my_net.yaml'?", files=_MINE, name="./My_Net.yaml"),
    Case(1, "", "missing-file", "there is no folder 'confgs'", "did you mean 'configs'?", files=_MINE, name="confgs/other.yaml"),
    Case(1, "", "missing-file", "there is no such file", "its folder holds other.yaml", files=_MINE, name="configs/zzz.yaml"),
    Case(1, "", "missing-file", "there is no such file", "'yolo_v8_s_backbone'", name="yolo_v8_s_backbon.yaml"),
    Case(1, "", "missing-file", "there is no folder 'family'", "did you mean 'family/yolo_v8'", name="family/yolov8"),
    Case(1, "", "missing-file", "there is no folder '~'", "write the whole path", name="~/net.yaml"),
    Case(1, "", "missing-file", "there is no folder", "", name="/no/such/folder/net.yaml"),
    Case(1, "", "missing-file", "there is no such file", "", name="net.yaml\u00a0.yaml"),
    Case(1, "", "unknown-preset", "no preset or file 'my_net'", "did you mean 'my_net.yaml'?", files=_MINE, name="my_net"),
    Case(1, "", "unknown-preset", "no preset or file 'yolov8s_backbon'", "'yolo_v8_s_backbone'", name="yolov8s_backbon"),
    Case(1, "", "unknown-preset", "no preset or file 'zzzzz'", "`archdsl list` prints the presets", name="zzzzz"),
    Case(1, "", "unknown-preset", "no preset or file", "", name="a\0b", label="NUL in a name"),
    Case(1, "", "missing-file", "", "", name="x" * 5_000 + ".yaml", label="a name of 5,000 letters"),
    Case(1, "", "unknown-preset", "no preset or file 'https:", "", name="https:example"),
    Case(1, "", "missing-file", "there is no folder", "", name="https://example.com/net.yaml"),
    Case(2, "", "not-a-file", "a folder, not a regular file", "it holds other.yaml", files=_MINE, name="configs"),
    Case(2, "", "not-a-file", "a folder, not a regular file", "", name="net.yaml", label="a folder net.yaml", make=lambda folder: (folder / "net.yaml").mkdir()),
    Case(2, "", "missing-file", "there is no such file", "", name="a.yaml", label="a link to nothing", make=lambda folder: (folder / "a.yaml").symlink_to("nothing.yaml")),
    Case(2, "", "unreadable", "cannot be read: Too many levels", "", name="a.yaml", label="a link to itself", make=lambda folder: (folder / "a.yaml").symlink_to("a.yaml")),
    Case(3, "", "not-a-file", "a named pipe, not a regular file", "", name="p.yaml", label="a named pipe", make=lambda folder: os.mkfifo(folder / "p.yaml")),
    Case(3, "", "not-a-file", "a socket, not a regular file", "", name="s.yaml", label="a socket", make=_socket),
    Case(3, "", "not-a-file", "a device, not a regular file", "", name="/dev/zero"),
    Case(3, "", "not-a-file", "a device, not a regular file", "", name="/dev/null"),
    Case(3, "", "not-a-file", "a device, not a regular file", "", name="z.yaml", label="a link to a device", make=lambda folder: (folder / "z.yaml").symlink_to("/dev/zero")),
    Case(5, "", "limit", "104857600 bytes; a config has at most 1048576", "a config is a few lines", name="big.yaml", label="100 MB", make=_huge),
]


def _child(number: int, entry: str, code: str, message: str, hint: str = "", **files: str) -> Case:
    """A config with one parent."""
    return Case(
        number,
        f"defaults: [{entry}, _self_]\n",
        code,
        message,
        hint,
        files={f"{name.replace('__', '/')}.yaml": text for name, text in files.items()},
    )


_CHAIN = {f"c{n}.yaml": f"defaults: [c{n + 1}, _self_]\n" for n in range(200)} | {"c200.yaml": NET}

PARENTS = [
    _child(123, "§net", "cycle", "cycle: net -> net", "take this parent out"),
    Case(124, "defaults: [a, _self_]\n", "cycle", "cycle: net -> a -> net", "", at=("a.yaml", 1, 12), files={"a.yaml": "defaults: [net, _self_]\n"}),
    Case(124, "defaults: [a, _self_]\n", "cycle", "cycle: net -> a -> b -> a", "", at=("b.yaml", 1, 12), files={"a.yaml": "defaults: [b, _self_]\n", "b.yaml": "defaults: [a, _self_]\n"}),
    Case(125, "defaults: [c0, _self_]\n", "limit", "inherits through more than 32 files", "", files=_CHAIN, at=("c30.yaml", 1, 12), label="a chain of 200"),
    _child(126, "§nothing", "unknown-parent", "no config 'nothing' in "),
    _child(126, "§resnet18_v3", "unknown-parent", "no config 'resnet18_v3'", "did you mean 'resnet18_v2'?"),
    _child(126, "§bse", "unknown-parent", "no config 'bse'", "did you mean 'base'?", base=NET),
    _child(126, "§Base", "unknown-parent", "no config 'Base'", "did you mean 'base'?", base=NET),
    _child(126, "§family/yolov8", "unknown-parent", "no config 'family/yolov8'", "did you mean 'family/yolo_v8'"),
    _child(127, "§../../outside", "parent", "'../../outside' is not a config name", "leads out of the config's folder"),
    _child(127, "§../base", "parent", "'../base' is not a config name", "leads out of the config's folder"),
    _child(127, "§a/../../b", "parent", "is not a config name", "leads out of the config's folder"),
    _child(127, "§/etc/passwd", "unknown-parent", "no config 'etc/passwd'"),
    _child(127, "§~/base", "parent", "'~/base' is not a config name", "leads out of the config's folder"),
    _child(127, "§base.yaml", "parent", "'base.yaml' is not a config name", "write base", base=NET),
    _child(127, "§base.yml", "parent", "'base.yml' is not a config name", "write base"),
    _child(127, "§./base", "parent", "'./base' is not a config name", "write base", base=NET),
    _child(127, "§base@model", "parent", "'base@model' is not a config name", "parents have no package: write base"),
    _child(127, "§'base '", "parent", "'base ' is not a config name", "write base"),
    _child(127, "§bаse", "parent", "is not a config name", "write base ('а' is U+0430"),
    _child(127, "§'a b'", "parent", "'a b' is not a config name"),
    _child(127, "§''", "parent", "'' is not a config name"),
    _child(127, "§'a\\b'", "parent", "is not a config name"),
    _child(127, "§file:///etc/passwd", "parent", "is not a config name"),
    _child(127, "§pkg://conf/base", "parent", "is not a config name"),
    _child(127, "§https://example.com/a", "parent", "is not a config name"),
    _child(127, "§$HOME", "parent", "'$HOME' is not a config name"),
    _child(127, "§'${oc.env:HOME}'", "parent", "is not a config name"),
    Case(128, "defaults: [§out, _self_]\n", "parent", "leads out of", "", make=lambda folder: (folder / "out.yaml").symlink_to("/etc/hostname"), label="a link out of the folder"),
    Case(128, "defaults: [§sub/a, _self_]\n", "parent", "leads out of", "", make=_link_folder, label="a linked folder"),
    Case(128, "defaults: [a, _self_]\n", "not-a-file", "a folder", "", at=("net.yaml", 1, 12), label="a parent that is a folder", make=lambda folder: (folder / "a.yaml").mkdir()),
    Case(128, "defaults: [a, _self_]\n", "not-a-file", "a named pipe", "", at=("net.yaml", 1, 12), label="a parent that is a pipe", make=lambda folder: os.mkfifo(folder / "a.yaml")),
    *texts(
        [
            (131, "defaults: §5\n", "type", "expected a list of config names", ""),
            (131, "defaults: §resnet18_v2\n", "type", "got text 'resnet18_v2'", "write defaults: [resnet18_v2, _self_]"),
            (131, "defaults: §{family: yolo_v8}\n", "type", "expected a list of config names", ""),
            (131, "defaults: §null\n", "type", "expected a list of config names", ""),
            (131, "defaults:§\n", "type", "expected a list of config names", ""),
            (131, "defaults: §true\n", "type", "expected a list of config names", ""),
            (131, "defaults: [§5, _self_]\n", "type", "expected a config name", ""),
            (131, "defaults: [§null, _self_]\n", "type", "expected a config name", ""),
            (131, "defaults: [§[resnet18_v2], _self_]\n", "type", "expected a config name", ""),
            (131, "defaults: [§{family: yolo_v8}, _self_]\n", "type", "got a mapping", "write family/yolo_v8 for"),
            (131, "defaults:\n  - §family: yolo_v8\n  - _self_\n", "type", "got a mapping", "write family/yolo_v8"),
            (132, "defaults: [§{optional family: yolo_v8}, _self_]\n", "type", "got a mapping", "'optional' is not for parents"),
            (132, "defaults: [§{override family: yolo_v8}, _self_]\n", "type", "got a mapping", "'override' is not for parents"),
            (132, "defaults: [§{family@scale: yolo_v8}, _self_]\n", "type", "got a mapping", ""),
            (132, "defaults: [§{family: null}, _self_]\n", "type", "got a mapping", ""),
            (132, "defaults: [§{family: [yolo_v8, yolo_v5]}, _self_]\n", "type", "got a mapping", ""),
            (132, "defaults: [§optional resnet18_v2, _self_]\n", "parent", "is not a config name", ""),
            (132, "defaults: [§override resnet18_v2, _self_]\n", "parent", "is not a config name", ""),
            (133, "defaults: §[resnet18_v2]\n", "defaults", "must hold _self_ once", "write defaults: [resnet18_v2, _self_]"),
            (133, "defaults: §[]\n", "defaults", "must hold _self_ once", "write defaults: [_self_]"),
            (133, "defaults: §[_self_, resnet18_v2, _self_]\n", "defaults", "must hold _self_ once", ""),
            (133, "defaults: §[_SELF_, resnet18_v2]\n", "defaults", "must hold _self_ once", ""),
            (134, "§defaults: [resnet18_v2, resnet18_v2, _self_]\n".replace("§", ""), "duplicate-parent", "inherited twice", ""),
            (135, "§# @package foo\n" + NET, "package", "the package foo is not allowed", "`# @package _global_`"),
            (135, "§# @package _group_\n" + NET, "package", "the package _group_ is not allowed", ""),
        ]
    ),
    Case(135, "defaults: [sub/a, _self_]\n", "package", "must be marked as global", "", at=("sub/a.yaml", 1, 1), files={"sub/a.yaml": NET}),
    Case(138, "defaults: [a, _self_]\nstages: {p1: {width: 16}}\n", "range", "got the number 0", "", at=("a.yaml", 1, 43), files={"a.yaml": NET.replace("stride: 2", "stride: 2, depth: 0")}),
    Case(138, "defaults: [a, _self_]\n", "syntax", "the '{' is never closed", "", at=("a.yaml", 1, 9), files={"a.yaml": "stages: {\n"}),
    Case(138, "defaults: [a, _self_]\n", "tag", "is not allowed", "", at=("a.yaml", 2, 4), files={"a.yaml": "b: 1\na: !x 1\n"}),
    Case(138, "defaults: [a, _self_]\n", "empty", "no settings found", "", at=("net.yaml", 1, 12), files={"a.yaml": ""}),
    Case(138, "defaults: [a, _self_]\n", "encoding", "binary file (gzip)", "", at=("net.yaml", 1, 12), files={"a.yaml": b"\x1f\x8b\x08"}),
]

OVERRIDES = overridden(
    [
        (139, "+nothing=1", "unknown-key", "unknown key 'nothing'", ""),
        (139, "+hydra.verbose=true", "unknown-key", "unknown key 'hydra'", ""),
        (139, "+stages.p4.widht=8", "unknown-key", "unknown key 'widht'", "did you mean 'width'?"),
        (139, "++scale.foo=8", "unknown-key", "unknown key 'foo'", ""),
        (139, "+a.b.c.d=1", "unknown-key", "unknown key 'a'", ""),
        (139, "+scale.width.a=1", "type", "expected a number, got a mapping", ""),
        (139, "+_target_=os.system", "unknown-key", "unknown key '_target_'", ""),
        (140, "nothing=1", "override", "there is no 'nothing' in this config", "to add it, write +nothing=…"),
        (140, "stages.p4.dept=9", "override", "there is no 'stages.p4.dept'", "did you mean 'depth'?"),
        (140, "Stages.p4.depth=9", "override", "there is no 'Stages'", "did you mean 'stages'?"),
        (140, "stages.p4.dеpth=9", "override", "is not an override", "U+0435"),
        (140, "+stages.p4.depth=9", "override", "is there already", "change it with stages.p4.depth=…"),
        (140, "stages-p4-depth=9", "override", "there is no 'stages-p4-depth'", ""),
        (141, "outputs.-1=p2", "override", "", "counted from 0"),
        (141, "outputs[0]=p2", "override", "is not an override", "by its number, counted from 0: outputs.0=…"),
        (141, "outputs[-1]=p2", "override", "is not an override", "by its number"),
        (141, "outputs.9=p2", "override", "there is no item 9 in 'outputs'", "write the whole list: outputs=[…]"),
        (141, "outputs.99999999999999999999=p2", "override", "no '99999999999999999999' in 'outputs'", "counted from 0"),
        (141, "outputs.last=p2", "override", "there is no 'last' in 'outputs'", "counted from 0"),
        (141, "+outputs.3=p2", "override", "there is no item 3", "write the whole list"),
        (143, "~outputs.0", "override", "an item of a list cannot be deleted", "write the whole list: outputs=[…]"),
        (144, "~nothing", "override", "there is no 'nothing' to delete", "leave this override out"),
        (144, "~stages.p5.depth=9", "override", "is the number 3, not the number 9", "write ~stages.p5.depth"),
        (144, "~", "override", "", ""),
        (145, "~stages", "missing-key", "the config needs 'stages'", ""),
        (145, "~stem.conv.block", "missing-key", "a layer needs `block:`", ""),
        (146, "stages=null", "type", "expected a mapping, got nothing (null)", ""),
        (146, "stages.p4=5", "type", "expected a mapping, got the number 5", ""),
        (146, "stages.p4=[1]", "override", "is a mapping; a list of 1 cannot change it", "same kind"),
        (146, "scale.width={a:1}", "type", "expected a number, got a mapping", ""),
        (147, "scale={width:1,width:2}", "duplicate-key", "the key 'width' appears twice", "keep one of the two"),
        (147, "+tail={a:{block:norm},a:{block:norm}}", "duplicate-key", "the key 'a' appears twice", ""),
        (147, "+tail={a:{block:norm,block:norm}}", "duplicate-key", "the key 'block' appears twice", ""),
        (148, "+tail={1:2}", "key", "a key must be text, got the number 1", ""),
        (148, "+tail={true:2}", "key", "a key must be text, got true", ""),
        (150, "", "override", "'' is not an override", "write key=value"),
        (150, "=", "override", "", "write key=value"),
        (150, "=3", "override", "names no key", "write key=value"),
        (150, "a", "override", "'a' is not an override", "write key=value"),
        (150, "a==b", "override", "'a==b' is not an override", "quotes"),
        (150, "scale.width = 1", "override", "is not an override", "without spaces around ="),
        (150, "scale.width= 1,", "override", "is not an override", ""),
        (150, "scale.width:1", "override", "is not an override", "with = in place of the colon"),
        (150, ".scale.width=1", "override", "", ""),
        (150, "scale..width=1", "override", "", ""),
        (150, "scale.=1", "override", "", ""),
        (150, "scale.width=[1", "override", "is not an override", ""),
        (150, "description='never closed", "override", "is not an override", ""),
        (150, "@a=1", "override", "", ""),
        (150, "family/yolo_v8=x", "override", "names a config group", "write a file with `defaults:`"),
        (150, "+family@a=yolo_v8", "override", "names a config group", ""),
        (151, f"+a={'{a:' * 3_000}1{'}' * 3_000}", "limit", "an override of 12004 characters", ""),
        (151, f"+a={'[' * 3_000}{']' * 3_000}", "depth", "brackets nested deeper than 64", ""),
        (151, f"+{'a.' * 3_000}a=1", "depth", "nested deeper than 64", "write a shorter key"),
        (151, f"+a={'[' * 70}{']' * 70}", "depth", "nested deeper than 64", ""),
        (153, "description=a\nb", "override", "", ""),
        (153, "description=a\0b", "encoding", "U+0000", "write plain text"),
        (153, "+name=🙂", "override", "is not an override", "U+1F642"),
        (153, "+name=$(id)", "override", "", ""),
        (153, "+name=`id`", "override", "", ""),
        (153, "+name=a;id", "override", "", ""),
        (153, "+name='a && id'", "value", "", ""),
        (153, "+name=a|id", "value", "", ""),
        (155, "scale.width=1,2", "sweep", "is a sweep over several values", "lists are written [a,b]"),
        (155, "scale.width=range(0,1000000000)", "sweep", "is a sweep over several values", ""),
        (155, "scale.width=range(0,1e18,0.001)", "sweep", "is a sweep over several values", ""),
        (155, "scale.width=choice(1,2)", "sweep", "is a sweep", ""),
        (155, "scale.width=interval(0,1)", "sweep", "is a sweep", ""),
        (155, "scale.width=glob(*)", "sweep", "is a sweep", ""),
        (155, "outputs=shuffle([p3,p4])", "override", "Unknown function 'shuffle'", ""),
        (155, "scale.width=eval(1)", "override", "Unknown function 'eval'", ""),
        (77, "stages.p4.depth=int(3.7)", "override", "3.7 is not a whole number", ""),
        (77, "stages.p4.depth=3.7", "type", "expected a whole number, got the number 3.7", ""),
        (71, "stages.p4.depth=0o10", "type", "expected a whole number, got text '0o10'", ""),
        (71, "stages.p4.depth=0x10", "type", "expected a whole number, got text '0x10'", ""),
        (69, "stages.p4.depth=08", "type", "expected a whole number, got text '08'", "write 8"),
        (75, "stages.p4.depth=64k", "type", "expected a whole number, got text '64k'", "write 64000"),
        (79, "stages.p4.depth=true", "type", "expected a whole number, got true", ""),
        (79, "stages.p4.depth=yes", "type", "expected a whole number, got text 'yes'", ""),
        (81, "stages.p4.depth=３", "override", "is not an override", "U+FF13 FULLWIDTH DIGIT THREE"),
        (83, f"stages.p4.depth={'9' * 5_000}", "range", "a number of 5000 digits", ""),
        (83, f"stages.p4.depth={'9' * 50}", "range", "a number of about 50 digits", ""),
        (84, "stages.p4.depth=-1", "range", "got the number -1", ""),
        (89, "scale.width=nan", "range", "expected a finite number", ""),
        (89, "scale.width=inf", "range", "expected a finite number", ""),
        (91, "input.rescale=yes", "type", "expected true or false, got text 'yes'", "write true"),
        (93, f"description={'x' * 10_001}", "limit", "the limit is 10000", "write a file"),
        (93, f"outputs=[{'p2,' * 2_500}p3]", "limit", "2500 commas", "write a file"),
        (97, "conventions.activation=RELU", "unknown-value", "got text 'RELU'", "did you mean 'relu'?"),
        (187, "stage_defaults.body.block=os.system", "unknown-block", "no block 'os.system'", ""),
        (193, "outputs=[p3,p9]", "unknown-output", "there is no stage or layer 'p9'; expected one of: p2, p3, p4, p5", ""),
        (149, "description=${oc.env:HOME}", "reference", "${oc.env:HOME}", ""),
        (157, "description='${oc.decode:${oc.env:X}}'", "reference", "${oc.env:X}", ""),
        (159, "description=${now:%Y}", "reference", "", ""),
        (163, "description=${b", "override", "is not an override", ""),
    ]
)

_S = "defaults: [yolo_v8_s_backbone, "
_N = {"neck/one.yaml": "n: {block: conv, filters: 8, from: p4}\n", "neck/two.yaml": "m: {block: conv, filters: 8, from: p5}\n"}


def _group(text: str, code: str, message: str, hint: str = "", at: tuple[str, int, int] | None = None, **files: str) -> Case:
    """A config beside which there are the necks `one` and `two`."""
    beside = {f"{name.replace('__', '/')}.yaml": content for name, content in files.items()}
    return Case(201, text, code, message, hint, files={**_N, **beside}, at=at)


GROUPS = [
    _group(_S + "neck: §unet_decode, _self_]\n", "unknown-option", "expected one of: bifpn, fpn, one, pan_c2f, ", "did you mean 'unet_decoder'?"),
    _group(_S + "neck: §PAN_C2F, _self_]\n", "unknown-option", "no option 'PAN_C2F' of neck", "did you mean 'pan_c2f'?"),
    _group(_S + "neck: §one.yaml, _self_]\n", "unknown-option", "no option 'one.yaml'", "write neck: one"),
    _group(_S + "neck: §neck/one, _self_]\n", "unknown-option", "no option 'neck/one'", "write neck: one"),
    _group(_S + "neck: §'', _self_]\n", "unknown-option", "no option '' of neck", "for none, write neck: null"),
    _group(_S + "neck: §none, _self_]\n", "unknown-option", "no option 'none' of neck", "for none, write neck: null"),
    _group(_S + "neck: §no, _self_]\n", "unknown-option", "no option 'no' of neck", "for none, write neck: null"),
    _group(_S + "neck: §false, _self_]\n", "type", "expected the name of an option of neck, got false", "null for none"),
    _group(_S + "neck: §3, _self_]\n", "type", "got the number 3", "the name of a file in neck/"),
    _group(_S + "neck: §[one, two], _self_]\n", "type", "got a list of 2", "a file of neck/ that inherits them"),
    _group(_S + "neck: §{n: {block: conv}}, _self_]\n", "type", "got a mapping", "under the key `neck:` of the config"),
    _group(_S + "neck: §'${head}', _self_]\n", "unknown-option", "no option '${head}'"),
    _group(_S + "neck: §../neck/one, _self_]\n", "unknown-option", "no option '../neck/one'"),
    _group(_S + "neck: §/etc/passwd, _self_]\n", "unknown-option", "no option '/etc/passwd'"),
    _group(_S + "neck: §https://example.com/a, _self_]\n", "unknown-option", "no option 'https:"),
    _group(_S + "neck: §'???', _self_]\n", "missing-value", "no option of neck is chosen", "choose one: neck=bifpn"),
    _group(_S + "neck: §'o\u043ee', _self_]\n", "unknown-option", "no option 'o\u043ee'", "U+043E"),
    _group(_S + "head: §one, _self_]\n", "unknown-option", "no option 'one' of head"),
    _group(_S + "§Neck: one, _self_]\n", "type", "got a mapping", "the groups are stem, tail, neck, head"),
    _group(_S + "§necks: one, _self_]\n", "type", "a group with its option, got a mapping", "the groups are"),
    _group(_S + "§{neck: one, head: null}, _self_]\n", "type", "got a mapping", "write an entry for each of them"),
    _group(_S + "§{}, _self_]\n", "type", "got a mapping", "write names in a list"),
    _group(_S + "§neck@here: one, _self_]\n", "type", "got a mapping", "a group has no package; write neck: one"),
    _group(_S + "§optional neck: one, _self_]\n", "type", "got a mapping", "'optional' is not for groups"),
    _group(_S + "§overide neck: one, _self_]\n", "type", "got a mapping", "'overide' is not for groups"),
    _group(_S + "§override override neck: one, _self_]\n", "type", "got a mapping", "write neck: one"),
    _group(_S + "§hydra/launcher: x, _self_]\n", "type", "got a mapping", "the groups are"),
    _group(_S + "§neck/deep: one, _self_]\n", "type", "got a mapping", "the groups are"),
    _group(_S + "override neck: §one, _self_]\n", "group", "no parent chooses a neck", "write neck: one, without `override`"),
    _group(_S + "neck: one, neck: §two, _self_]\n", "group", "neck is chosen twice", "write override neck: two"),
    _group(_S + "neck: one, neck: §null, _self_]\n", "group", "neck is chosen twice", "write override neck: null"),
    _group("defaults: [override neck: §two, yolo_v8_s_backbone, _self_]\n", "defaults", "an `override` comes before", "at the end"),
    _group("defaults: §[yolo_v8_s_backbone, neck: one]\n", "defaults", "must hold _self_ once", "neck: one, _self_]"),
    _group("defaults: §{neck: one}\n", "type", "expected a list of config names"),
    _group(_S + "neck: a, _self_]\n", "cycle", "cycle: net -> a -> a", "", ("neck/a.yaml", 1, 12), neck__a="defaults: [a, _self_]\n"),
    _group(_S + "neck: a, _self_]\n", "cycle", "cycle: net -> a -> b -> a", "", ("neck/b.yaml", 1, 12), neck__a="defaults: [b, _self_]\n", neck__b="defaults: [a, _self_]\n"),
    _group(_S + "neck: a, _self_]\n", "package", "'stages' is a key of a whole config", "_global_", ("neck/a.yaml", 1, 1), neck__a="stages: {p2: {width: 8}}\n"),
    _group(_S + "neck: a, _self_]\n", "package", "'neck' is a key of a whole config", "take `neck:` out", ("neck/a.yaml", 1, 1), neck__a="neck: {n: {block: conv}}\n"),
    _group(_S + "neck: a, _self_]\n", "package", "'description' is a key", "", ("neck/a.yaml", 1, 1), neck__a="description: mine\n"),
    _group(_S + "neck: a, _self_]\n", "package", "the package head is not allowed", "", ("neck/a.yaml", 1, 1), neck__a="# @package head\nn: {block: conv}\n"),
    _group(_S + "neck: a, _self_]\n", "package", "the package neck.deep is not allowed", "inherits others of neck/", ("neck/deep/b.yaml", 1, 1), neck__a="defaults: [deep/b, _self_]\n", neck__deep__b="n: {block: conv}\n"),
    _group(_S + "neck: a, _self_]\n", "group", "a file of the group neck cannot choose another", "", ("neck/a.yaml", 1, 19), neck__a="defaults: [/head: x, _self_]\n"),
    _group(_S + "neck: a, _self_]\n", "syntax", "never closed", "", ("neck/a.yaml", 1, 4), neck__a="n: {\n"),
    _group(_S + "neck: a, _self_]\n", "unknown-block", "no block 'c2ff'", "did you mean 'c2f'?", ("neck/a.yaml", 1, 12), neck__a="n: {block: c2ff}\n"),
    _group("defaults: [family/f, _self_]\n", "group", "this is the group family/neck", "write /neck: one", ("family/f.yaml", 2, 18), family__f="# @package _global_\ndefaults: [neck: one, _self_]\n"),
    Case(202, _S + "neck: §a, _self_]\n", "parent", "leads out of", "", make=lambda folder: ((folder / "neck").mkdir(), (folder / "neck/a.yaml").symlink_to("/etc/hostname")), label="an option that is a link out"),
    Case(202, _S + "neck: §a, _self_]\n", "not-a-file", "a folder", "", make=lambda folder: (folder / "neck/a.yaml").mkdir(parents=True), label="an option that is a folder"),
    *overridden(
        [
            (203, "neck=unet_decode", "unknown-option", "no option 'unet_decode' of neck", "did you mean 'unet_decoder'?"),
            (203, "neck=none", "unknown-option", "no option 'none' of neck", "for none, write neck=null"),
            (203, "neck=", "unknown-option", "no option '' of neck", "for none, write neck=null"),
            (203, "neck=../neck/fpn", "unknown-option", "no option '../neck/fpn'", ""),
            (203, "neck=/etc/passwd", "unknown-option", "no option '/etc/passwd'", ""),
            (203, "neck='${head}'", "unknown-option", "no option '${head}'", ""),
            (203, "neck=[fpn,pan_c2f]", "type", "got a list of 2", "a group has one option"),
            (203, "neck=5", "type", "got the number 5", "the name of a file in neck/"),
            (203, "neck=true", "type", "got true", "null for none"),
            (203, "neck=fpn,pan_c2f", "sweep", "is a sweep over several values", ""),
            (203, "++neck=fpn", "group", "++ adds values; neck is a group", "write neck=fpn"),
            (203, "neck@head=fpn", "override", "names a config group", "write neck=NAME"),
            (203, "neck/fpn=x", "override", "names a config group", "write neck=NAME"),
            (203, "~neck", "override", "there is no 'neck' to delete", ""),
            (203, "~neck=fpn", "override", "there is no 'neck' to delete", ""),
            (203, "nek=fpn", "override", "there is no 'nek' in this config", ""),
            (203, "neck.n3.width=8", "override", "there is no 'neck'", ""),
            (203, "stages=fpn", "type", "expected a mapping, got text 'fpn'", ""),
            (203, "override neck=fpn", "override", "is not an override", ""),
        ]
    ),
]

REFERENCES = texts(
    [
        (149, f"description: §${{oc.env:HOME}}\n{NET}", "reference", "${oc.env:HOME}", ""),
        (149, f"description: §${{env:HOME}}\n{NET}", "reference", "${env:HOME}", ""),
        (157, f"description: §${{oc.decode:${{oc.env:X}}}}\n{NET}", "reference", "", ""),
        (157, f"description: §${{oc.create:{{a: 1}}}}\n{NET}".replace("{a: 1}", "[1]"), "reference", "", ""),
        (157, f"description: §${{oc.select:scale.width,1}}\n{NET}", "reference", "", ""),
        (159, f"description: §${{hydra:runtime.cwd}}\n{NET}", "reference", "", ""),
        (159, f"description: §'${{now:%Y}}'\n{NET}", "reference", "", ""),
        (160, f"description: §???\n{NET}", "missing-value", "???", ""),
        (163, f"description: §'${{b'\n{NET}", "reference", "", ""),
    ]
)

# Options of the command line, with a config that is right.
OPTIONS = [
    Case(172, NET, "", message, options=options, label=" ".join(options))
    for options, message in (
        (("--size", "0"), "'0' is not an image size"),
        (("--size", "-5"), "'-5' is not an image size"),
        (("--size", "640,640"), "'640,640' is not an image size"),
        (("--size", "1e3"), "'1e3' is not an image size"),
        (("--size", "99999999"), "'99999999' is not an image size"),
        (("--size", "1x2x3"), "'1x2x3' is not an image size"),
        (("--size", ""), "'' is not an image size"),
        (("--scale.width=1",), "No such option"),
        (("-x",), "No such option"),
        (("--plugin", "nothing.py"), "there is no such plugin file"),
        (("--plugin", "no.such.module"), "importing the plugin fails"),
    )
]
