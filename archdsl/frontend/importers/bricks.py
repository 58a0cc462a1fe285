"""A convolution, the usual norm and an activation in a row → the block that is made of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from archdsl.frontend.importers.network import Entry, Layer, Layers, Network

NORM: Entry = {"block": "norm"}
_BRICKS: Mapping[str, str] = {"conv": "conv_bn_act", "depthwise_conv": "depthwise_bn_act"}
_LINEAR = "linear"
_WORLD, _SHARED = "", "share"  # among the readers of a layer


def with_bricks(network: Network) -> tuple[Network, str]:
    """The network with its bricks, and the activation that most of them have, which they need not state."""
    made: Layers = {}
    renamed: dict[str, str] = {}
    pending, readers = list(network.layers), _readers(network)
    while pending:
        run = _brick(network, pending, readers)
        first, last = pending[0], pending[len(run) - 1]
        entry = _joined(run) if len(run) > 1 else run[0].entry
        made[first] = Layer(entry, tuple([renamed.get(read, read) for read in run[0].reads]))
        renamed[last] = first
        del pending[: len(run)]
    usual = _usual(made)
    for name, (entry, reads) in made.items():
        if entry["block"] in _BRICKS.values() and entry["activation"] == usual:
            made[name] = Layer({key: value for key, value in entry.items() if key != "activation"}, reads)
    return Network(made, tuple([renamed[each] for each in network.results]), network.blocks), usual


def _usual(layers: Layers) -> str:
    functions = Counter(entry["activation"] for entry, _ in layers.values() if entry["block"] in _BRICKS.values())
    del functions[_LINEAR]
    return functions.most_common(1)[0][0] if functions else ""


def _brick(network: Network, names: list[str], readers: Mapping[str, list[str]]) -> list[Layer]:
    """The first of the layers, with those after it that make a brick of it. Shared layers stay as they are."""
    run = [network.layers[name] for name in names[:3]]
    entry = run[0].entry
    if entry["block"] not in _BRICKS or "share" in entry or (entry["block"] != "conv" and entry.get("bias", True)):
        return run[:1]
    if len(run) < 2 or run[1].entry != NORM or readers[names[0]] != [names[1]] or _SHARED in readers[names[1]]:
        return run[:1]
    is_active = len(run) > 2 and _function(run[2].entry) and readers[names[1]] == [names[2]]
    return run[: 3 if is_active else 2]


def _readers(network: Network) -> Mapping[str, list[str]]:
    """What reads each layer. A result is read by the world, and one whose weights are shared by more than its value."""
    found: dict[str, list[str]] = {name: [_WORLD] if name in network.results else [] for name in network.layers}
    for name, (entry, reads) in network.layers.items():
        for read in reads:
            found.setdefault(read, []).append(name)
        if "share" in entry:
            found[entry["share"]].append(_SHARED)
    return found


def _function(entry: Entry) -> str:
    """The activation that a layer is, if it is one without numbers of its own."""
    is_plain = entry["block"] == "activation" and set(entry) == {"block", "function"} and entry["function"] != "prelu"
    return str(entry["function"]) if is_plain else ""


def _joined(run: list[Layer]) -> Entry:
    own: dict[str, Any] = {"bias": True, **run[0].entry}
    own["block"] = _BRICKS[run[0].entry["block"]]
    if not own["bias"]:
        del own["bias"]  # as a convolution before a norm has none
    return {"block": own.pop("block"), **own, "activation": _function(run[2].entry) if len(run) > 2 else _LINEAR}
