"""A PyTorch checkpoint → our .safetensors with the config it is of, or the config. Needs neither Keras nor PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import metadata
from archdsl.frontend.yaml.parser import read_text
from archdsl.ir.graph import Graph
from archdsl.weights.arrays import some
from archdsl.weights.fitting import matched_torch, misfits, transfer_of, with_hint
from archdsl.weights.formats import opened
from archdsl.weights.formats.contents import Contents
from archdsl.weights.formats.safetensors import write_arrays
from archdsl.weights.network import read_weights
from archdsl.weights.pytorch.difference import Difference, nearest_to
from archdsl.weights.pytorch.presets import nearest_of, presets_of
from archdsl.weights.pytorch.rows import text_of_checkpoint
from archdsl.weights.pytorch.units import owners_of
from archdsl.weights.transfer import Transfer

_PRESET = "# {name} has the layers of this preset.\ndefaults: [{preset}, _self_]\n"
_UNPACKED_BYTES = 1 << 30  # of an archive that is packed, which PyTorch's are not


class Imported(NamedTuple):
    """The config that a checkpoint was imported as, and which layer came from where."""

    config: Config
    transfer: Transfer


def import_torch(file: Path, output: Path, config: Config | None, budget: Budget = DEFAULT) -> Imported:
    """Write the weights of a checkpoint with their config; without `config`, with the preset that they fit, or what a
    checkpoint of a whole module says of itself.

    Every layer of the config must be in the file; modules that only the file has are in the report. Raises ArchError,
    and writes nothing, where they do not fit.
    """
    mark = Mark(str(file))
    with _opened(file) as contents:
        loaded = config or _config_of(contents, file, output, budget)
        graph = compile_graph(loaded, budget)
        values, found = read_weights(graph, loaded.name, contents, mark)
        nodes = {node.name: node for node in owners_of(graph)}
        with written_whole(output) as unfinished:
            by_node = {node: values[node.name] for node in graph.nodes if node.name in values}
            write_arrays(by_node, metadata(loaded.resolved, ()), unfinished)
    return Imported(loaded, transfer_of(nodes, found, found.pairs))


class Described(NamedTuple):
    """What a checkpoint was written as: the network, and the preset that it is, or the nearest with what differs."""

    graph: Graph
    preset: str | None
    difference: Difference | None


def import_config(file: Path, output: Path, budget: Budget = DEFAULT) -> Described:
    """Write the config of a checkpoint: that of its preset, or what a checkpoint of a whole module says of itself.

    Raises ArchError, and writes nothing, for one that is of no preset and says nothing, or says what its arrays do not.
    """
    mark = Mark(str(file))
    with _opened(file) as contents:
        preset = None if contents.modules and not presets_of(contents) else _preset_of(contents, mark)
        text = _PRESET.format(name=printable(file.name), preset=preset) if preset else _text_of(contents, file)
        graph = compile_graph(load(read_text(text, str(output)), (), budget), budget)
        _check_fit(graph, contents, file.stem, mark)
        difference = None if preset else nearest_to(contents)
    with written_whole(output) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return Described(graph, preset, difference)


@contextmanager
def _opened(file: Path) -> Iterator[Contents]:
    with opened(file, _UNPACKED_BYTES) as contents:
        if contents.layout != "torch":
            hint = "`archdsl build CONFIG --weights FILE` loads it"
            raise fail("weights", "not a PyTorch file, which alone is imported", mark=Mark(str(file)), hint=hint)
        yield contents


def _config_of(contents: Contents, file: Path, output: Path, budget: Budget) -> Config:
    """That of the preset it is, or of what it says of itself."""
    if not contents.modules or presets_of(contents):
        return load(_preset_of(contents, Mark(str(file))))
    return load(read_text(_text_of(contents, file), str(output.with_suffix(".yaml"))), (), budget)


def _text_of(contents: Contents, file: Path) -> str:
    return text_of_checkpoint(contents, file.name, Mark(str(file)))


def _check_fit(graph: Graph, contents: Contents, name: str, mark: Mark) -> None:
    """Raise ArchError unless every layer has its arrays in the file, and reads what its module reads."""
    found = matched_torch(graph, contents, partial=False, mark=mark)
    nodes = {node.name: node for node in owners_of(graph)}
    if problems := misfits(name, nodes, found, mark):
        raise ArchError(with_hint(problems, contents))


def _preset_of(contents: Contents, mark: Mark) -> str:
    """The one preset that has the layers of the file. Raises ArchError with the nearest one if there is none."""
    names = sorted(presets_of(contents), key=lambda name: (len(name), name))
    if len({tuple(map(str, compile_graph(load(name)).nodes)) for name in names}) == 1:  # others have other outputs
        return names[0]
    if names:
        raise fail("weights", f"it has the layers of {some(names)}", mark=mark, hint="say which: --config NAME")
    nearest = nearest_of(contents)
    if nearest is None or not nearest.same:
        hint = "--config takes the config that it is of"
        raise fail("weights", "it has the layers of no preset", mark=mark, hint=hint)
    message = f"it has the layers of no preset; the first {nearest.same} are those of {nearest.name}"
    is_whole = nearest.same == nearest.layers
    more = "imports these" if is_whole else f"says how it differs from that, which has {nearest.layers}"
    raise fail("weights", message, mark=mark, hint=f"--config {nearest.name} {more}")
