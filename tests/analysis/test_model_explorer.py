"""`archdsl show --format model-explorer`: the graph as Model Explorer reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import archdsl
from archdsl.analysis.model_explorer import explorer_data

NETS = ("yolo_v8_s_detect", "resnet50_classify", "vit_tiny_patch16_classify")


def graph_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    (graph,) = data["graphs"]
    return graph  # type: ignore[no-any-return]


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest) -> tuple[Any, Mapping[str, Any]]:
    """The report of a network, and what Model Explorer is given of it."""
    costs = archdsl.analyze(request.param, input_shape=(224, 224, 3))
    return costs, graph_of(json.loads(json.dumps(explorer_data(costs))))


def test_every_operation_and_every_edge_is_there_in_the_order_of_inputs(net: Any) -> None:
    costs, graph = net
    ids = [node["id"] for node in graph["nodes"]]
    assert len(set(ids)) == len(ids)
    found = {node["id"]: [edge["sourceNodeId"] for edge in node["incomingEdges"]] for node in graph["nodes"]}
    assert found == {node.name: [source.name for source in node.inputs] for node in costs.graph.nodes}
    for node in graph["nodes"]:
        assert [edge["targetNodeInputId"] for edge in node["incomingEdges"]] == [
            str(place) for place in range(len(node["incomingEdges"]))
        ]


def test_operations_are_folded_by_stage_and_layer_and_groups_have_the_costs(net: Any) -> None:
    costs, graph = net
    folded = {node["id"]: node["namespace"] for node in graph["nodes"]}
    for node in costs.graph.nodes:
        assert folded[node.name] == node.origin.path.replace("stages.", "", 1).replace(".", "/")
    groups = graph["groupNodeAttributes"]
    params = {name: int(facts.get("params", "0").replace(",", "")) for name, facts in groups.items()}
    assert sum(params[name] for name in params if "/" not in name) == costs.params
    for layer in costs.layers:
        assert groups[layer.path.replace("stages.", "", 1).replace(".", "/")].get("block", "") == layer.block


def test_values_are_texts_and_shapes_and_outputs_are_told(net: Any) -> None:
    costs, graph = net
    told = {}
    for node in graph["nodes"]:
        facts = {each["key"]: each["value"] for each in node["attrs"]}
        assert all(isinstance(value, str) and value for value in facts.values())
        (result,) = node["outputsMetadata"]
        assert result["id"] == "0"
        told[node["id"]] = result["attrs"][0]["value"], facts.get("outputs", "")
    for name, end in costs.graph.outputs.items():
        shape, levels = told[end.name]
        assert shape == " × ".join(map(str, end.type.shape)) and name in levels.split(", ")


def test_the_command_prints_one_collection_with_a_label(run: Any) -> None:
    done = run("show", "csp_darknet_tiny", "--size", "any", "--format", "model-explorer")
    assert done.returncode == 0 and done.stderr == ""
    data = json.loads(done.stdout)
    assert data["label"] == "csp_darknet_tiny" and list(data) == ["label", "graphs"]
