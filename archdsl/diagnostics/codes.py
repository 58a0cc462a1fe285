"""Every error code: its meaning, a mistake that causes it, and the same text fixed."""

from __future__ import annotations

from typing import Literal, NamedTuple

CodeName = Literal[
    "alias",
    "argument",
    "bench",
    "block",
    "budget",
    "checksum",
    "cycle",
    "defaults",
    "depth",
    "detector",
    "documents",
    "duplicate-block",
    "duplicate-key",
    "duplicate-output",
    "duplicate-parent",
    "empty",
    "encoding",
    "expect",
    "export",
    "from",
    "fuse",
    "group",
    "hydra",
    "image",
    "input",
    "keras-layer",
    "key",
    "leading-zero",
    "length",
    "limit",
    "merge-key",
    "missing-file",
    "missing-key",
    "missing-package",
    "missing-value",
    "model",
    "no-backend",
    "no-config",
    "no-levels",
    "no-weights",
    "not-a-file",
    "not-finite",
    "objective",
    "output",
    "override",
    "package",
    "parent",
    "plugin",
    "preset",
    "range",
    "reference",
    "shape",
    "stride",
    "sweep",
    "syntax",
    "tag",
    "type",
    "unavailable",
    "unknown-argument",
    "unknown-block",
    "unknown-class",
    "unknown-code",
    "unknown-entry",
    "unknown-key",
    "unknown-layer",
    "unknown-option",
    "unknown-output",
    "unknown-parent",
    "unknown-pass",
    "unknown-preset",
    "unknown-stage",
    "unknown-value",
    "unreadable",
    "unused",
    "value",
    "version",
    "weights",
]
"""Every code there is. A problem takes no other, which the type checker sees to."""


class Code(NamedTuple):
    """The meaning of a code. `mistake` and `fixed` are config texts, or commands; empty where no few lines show it."""

    meaning: str
    mistake: str = ""
    fixed: str = ""


_S = "defaults: [yolo_v8_s_backbone, _self_]\n"
_SHOW = "archdsl show yolo_v8_s_backbone"

CODES: dict[CodeName, Code] = {
    # The text of a file
    "alias": Code(
        "An alias (*name) comes before its anchor (&name), or has none.",
        _S + "stages: {p4: *wide, p5: &wide {width: 512}}\n",
        _S + "stages: {p4: &wide {width: 512}, p5: *wide}\n",
    ),
    "depth": Code(
        "Values are nested deeper than any config needs.",
        "stages: " + "[" * 70 + "]" * 70 + "\n",
        "stages: {p1: {width: 8, down: {block: conv, stride: 2}}}\n",
    ),
    "documents": Code(
        "The file contains more than one YAML document; a config is one document.",
        _S + "---\nscale: {width: 0.25}\n",
        _S + "scale: {width: 0.25}\n",
    ),
    "duplicate-key": Code(
        "A mapping has the same key twice; it would not be clear which one counts.",
        _S + "scale: {width: 0.25}\nscale: {depth: 0.5}\n",
        _S + "scale: {width: 0.25, depth: 0.5}\n",
    ),
    "empty": Code(
        "The file, the config or a stage has nothing to build.",
        "stages: {}\n",
        "stages: {p1: {width: 8, down: {block: conv, stride: 2}}}\n",
    ),
    "encoding": Code("The text is not UTF-8, or contains characters that YAML does not allow."),
    "key": Code(
        "A key is not text, or not a name: lower-case letters, digits and _, with a letter first.",
        _S + "stages: {4: {width: 512}}\n",
        _S + "stages: {p4: {width: 512}}\n",
    ),
    "leading-zero": Code(
        "A number begins with 0; YAML 1.1 reads it as octal, YAML 1.2 as decimal.",
        _S + "stages: {p4: {depth: 03}}\n",
        _S + "stages: {p4: {depth: 3}}\n",
    ),
    "limit": Code("Something is longer or larger than any config needs: a file, a text, a list, a chain of parents."),
    "merge-key": Code(
        "The merge key << is not part of the language.",
        _S + "stages: {p4: &a {width: 512}, p5: {<<: *a, depth: 2}}\n",
        _S + "stages: {p4: {width: 512}, p5: {width: 512, depth: 2}}\n",
    ),
    "syntax": Code(
        "The text is not YAML.",
        _S + "stages: {p4: {width: 512}\n",
        _S + "stages: {p4: {width: 512}}\n",
    ),
    "tag": Code(
        "A tag (!name) creates an object; a config is plain data.",
        _S + "scale: {width: !!float 0.25}\n",
        _S + "scale: {width: 0.25}\n",
    ),
    # Files and parents
    "cycle": Code(
        "A config inherits from itself, or a block in `blocks:` contains itself, perhaps through others.",
        _S + "blocks: {mine: {layers: {again: {block: mine}}}}\n",
        _S + "blocks: {mine: {layers: {once: {block: identity}}}}\n",
    ),
    "defaults": Code(
        "The Defaults List does not contain _self_ exactly once, which places the file itself among its parents.",
        "defaults: [yolo_v8_s_backbone]\nscale: {width: 0.25}\n",
        _S + "scale: {width: 0.25}\n",
    ),
    "duplicate-output": Code(
        "`outputs` names a stage twice.",
        _S + "outputs: [p3, p4, p3]\n",
        _S + "outputs: [p3, p4]\n",
    ),
    "duplicate-parent": Code(
        "A file is inherited twice; it would not be clear which place counts.",
        "defaults: [family/yolo_v8, yolo_v8_s_backbone, _self_]\n",
        _S,
    ),
    "group": Code(
        "A config group is chosen twice, or by a file that may not choose; or an override finds no choice.",
        "defaults: [yolo_v8_s_backbone, override neck: pan_c2f, _self_]\n",
        "defaults: [yolo_v8_s_backbone, neck: pan_c2f, _self_]\n",
    ),
    "missing-file": Code("There is no such file.", "archdsl show my_backbone.yaml"),
    "not-a-file": Code("The path is a folder or a device; a regular file is expected.", "archdsl show ."),
    "package": Code("A parent in a sub-folder does not begin with `# @package _global_`, or names another package."),
    "parent": Code(
        "An entry of the Defaults List is not a config name, or leads out of the config's folder.",
        "defaults: [../elsewhere, _self_]\n",
        _S,
    ),
    "unknown-option": Code(
        "There is no file of that name for the group, beside the config or among the shipped ones.",
        "archdsl show yolo_v8_s_backbone neck=pan_c2",
        "archdsl show yolo_v8_s_backbone neck=pan_c2f",
    ),
    "unknown-parent": Code(
        "There is no config of that name beside the file or among the shipped ones.",
        "defaults: [yolo_v8_small, _self_]\n",
        _S,
    ),
    "unknown-preset": Code(
        "There is no preset and no file of that name.",
        "archdsl show yolo_v8_small",
        "archdsl show yolo_v8_s_backbone",
    ),
    "unreadable": Code("The file exists, but cannot be read."),
    # Values
    "length": Code(
        "A list is too short or too long.",
        _S + "input: {shape: [640, 640]}\n",
        _S + "input: {shape: [640, 640, 3]}\n",
    ),
    "missing-key": Code(
        "A required key is missing.",
        "stages: {p1: {width: 8, down: {kernel: 3, stride: 2}}}\n",
        "stages: {p1: {width: 8, down: {block: conv, kernel: 3, stride: 2}}}\n",
    ),
    "missing-value": Code(
        "A parent leaves a value open (???), and the config does not give it.",
        _S + "scale: {width: '???'}\n",
        _S + "scale: {width: 0.5}\n",
    ),
    "range": Code(
        "A number is too small or too large.",
        _S + "stages: {p4: {depth: 0}}\n",
        _S + "stages: {p4: {depth: 1}}\n",
    ),
    "reference": Code(
        "A reference ${…} does not lead to a key of the same config, or leads back to itself.",
        _S + "stages: {p4: {depth: '${stages.p3.dpeth}'}}\n",
        _S + "stages: {p4: {depth: '${stages.p3.depth}'}}\n",
    ),
    "type": Code(
        "A value is of another kind than expected: text for a number, a list for a mapping.",
        _S + "scale: {width: half}\n",
        _S + "scale: {width: 0.5}\n",
    ),
    "unknown-key": Code(
        "There is no such key; unknown keys are never ignored.",
        _S + "stages: {p4: {widht: 512}}\n",
        _S + "stages: {p4: {width: 512}}\n",
    ),
    "unknown-value": Code(
        "The value is not one of those allowed here.",
        _S + "conventions: {activation: swish}\n",
        _S + "conventions: {activation: silu}\n",
    ),
    "value": Code(
        "The value does not have the expected form.",
        _S + f"published: {{sha256: {'G' * 64}}}\n",
        _S + f"published: {{sha256: {'a' * 64}}}\n",
    ),
    # Overrides
    "override": Code(
        "An override does not have the form key=value, or changes a key that does not exist.",
        f"{_SHOW} scale.widht=0.25",
        f"{_SHOW} scale.width=0.25",
    ),
    "sweep": Code(
        "An override has several values where one is expected, or a sweep has too many jobs.",
        f"{_SHOW} scale.width=0.25,0.5",
        f"{_SHOW} scale.width=0.25",
    ),
    "hydra": Code(
        "Hydra rejects its command line: an option, a config's name, an override or a launcher.",
        "python -m archdsl.hydra_app --config-name yolo_v8_s_backbon",
        "python -m archdsl.hydra_app --config-name yolo_v8_s_backbone",
    ),
    # Stages, layers and blocks
    "argument": Code(
        "An argument of a block in `blocks:` is used as a width and as a depth, which scale differently.",
        _S + "blocks: {mine: {arguments: {n: 2}, layers: {a: {block: c2f, width: $n, depth: $n}}}}\n",
        _S + "blocks: {mine: {arguments: {n: 2, m: 2}, layers: {a: {block: c2f, width: $n, depth: $m}}}}\n",
    ),
    "duplicate-block": Code(
        "Two blocks have the same name: two functions, or one in `blocks:` and a registered one.",
        _S + "blocks: {c2f: {layers: {a: {block: identity}}}}\n",
        _S + "blocks: {my_c2f: {layers: {a: {block: identity}}}}\n",
    ),
    "from": Code(
        "A block that merges has one input, or another block has several.",
        _S + "stages: {p4: {post: {sum: {block: add}}}}\n",
        _S + "stages: {p4: {post: {sum: {block: add, from: [p4_down, p4_body]}}}}\n",
    ),
    "keras-layer": Code("A Keras layer cannot be a block, or does not follow the rules given for it."),
    "block": Code("A block's function returns something other than a node."),
    "objective": Code(
        "The function that judges the networks of a search cannot be imported, fails, or gives no number."
    ),
    "plugin": Code("A plugin, whose blocks a config may use, cannot be imported."),
    "unknown-argument": Code(
        "A $name in a block of `blocks:` is not one of its arguments.",
        _S + "blocks: {mine: {layers: {a: {block: conv, width: $hidden}}}}\n",
        _S + "blocks: {mine: {arguments: {hidden: 8}, layers: {a: {block: conv, width: $hidden}}}}\n",
    ),
    "unknown-block": Code(
        "There is no such block; `archdsl blocks` lists them.",
        _S + "stages: {p4: {body: {block: c2ff}}}\n",
        _S + "stages: {p4: {body: {block: c2f}}}\n",
    ),
    "unknown-entry": Code(
        "`after` names an entry that does not exist.",
        _S + "stages: {p6: {width: 512, after: p55}}\n",
        _S + "stages: {p6: {width: 512, after: p5}}\n",
    ),
    "unknown-layer": Code(
        "`from` names something that is not a layer or stage before this one.",
        _S + "stages: {p4: {post: {side: {block: conv, from: p4_boddy}}}}\n",
        _S + "stages: {p4: {post: {side: {block: conv, from: p4_body}}}}\n",
    ),
    "unknown-output": Code(
        "`outputs` names a stage that does not exist.",
        _S + "outputs: [p3, p4, p6]\n",
        _S + "outputs: [p3, p4, p5]\n",
    ),
    "unknown-stage": Code(
        "`freeze` names a stage that does not exist.",
        _S + "freeze: [stem, p22]\n",
        _S + "freeze: [stem, p2]\n",
    ),
    "unused": Code(
        "An argument or a layer has no effect.",
        _S + "stages: {p4: {post: {side: {block: conv}, main: {block: conv, from: p4_body}}}}\n",
        _S + "stages: {p4: {post: {side: {block: conv}, main: {block: conv}}}}\n",
    ),
    # The graph
    "budget": Code(
        "The network exceeds the build budget.",
        _S + "scale: {width: 40}\n",
        _S + "scale: {width: 0.5}\n",
    ),
    "expect": Code(
        "A figure in the file's `expect` differs from that of the graph, or the graph has more than its `within`.",
        _S + "expect: {params: 5000000}\n",
        _S + "expect: {params: 5089760}\n",
    ),
    "shape": Code(
        "Maps that meet do not fit: their sides, channels or strides differ.",
        _S + "stages: {p4: {post: {sum: {block: add, from: [p4_body, p3]}}}}\n",
        _S + "stages: {p4: {post: {sum: {block: add, from: [p4_body, p4_down]}}}}\n",
    ),
    "stride": Code(
        "A stage named pN does not have stride 2^N.",
        _S + "stages: {p4: {stride: 1}}\n",
        _S + "stages: {p4: {stride: 2}}\n",
    ),
    # Models, weights and pictures
    "bench": Code("A runtime cannot be measured with this network; the message is what it says."),
    "checksum": Code("The file is not the expected one, or its config was changed after it was written."),
    "export": Code("The network has no form in the format, or the exported file gives other numbers than the network."),
    "fuse": Code("The model cannot be fused, or gives other numbers when it is fused."),
    "detector": Code("These are not boxes, or not the outputs of a detector: boxes (B, N, 4), scores (B, N, classes)."),
    "image": Code("The file is not an image that can be read."),
    "input": Code("The model does not take one photo."),
    "missing-package": Code("A package is not installed that only this needs; pip installs it as an extra of archdsl."),
    "model": Code("The file or the object is not a model that can be used here."),
    "no-backend": Code("Keras has no backend that works: pip install 'archdsl[tensorflow]'."),
    "no-config": Code("The weights file does not contain the config of its model."),
    "no-levels": Code("The model has no pyramid levels: it is not a Backbone, nor its features()."),
    "no-weights": Code("The preset has no trained weights."),
    "not-finite": Code("The model's output has values that are not finite numbers."),
    "output": Code(
        "The file cannot be written: its folder, name or suffix is wrong, or it is a file that must be kept.",
        "archdsl build yolo_v8_s_backbone -o model.h5",
        "archdsl build yolo_v8_s_backbone -o model.keras",
    ),
    "preset": Code("The folder is not a preset, is one of another class, or has parts that contradict each other."),
    "unavailable": Code("A file is not on this machine and cannot be downloaded; the message tells how to get it."),
    "unknown-class": Code("A preset's folder names a class that is not a backbone."),
    "unknown-code": Code(
        "There is no such error code.", "archdsl explain unknown-blok", "archdsl explain unknown-block"
    ),
    "unknown-pass": Code("There is no such pass over the graph."),
    "version": Code("The weights file was written in another version of the language."),
    "weights": Code("The file has no weights, has those of another model, or is damaged."),
}
