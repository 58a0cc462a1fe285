"""A Keras model as a function of each backend. Imports Keras, with the backend that the environment names."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from archdsl.backends.form import Form
from archdsl.models.registration import import_keras
from archdsl.tools.bench.job import Call, Job
from archdsl.weights.network import Network

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array


def _model(network: Network, form: Form, precision: str) -> Any:
    import_keras()
    from archdsl.backends.keras.emit import dtype_policy
    from archdsl.backends.keras.serving import keras_model

    with dtype_policy(precision):
        return keras_model(network.graph, network.weights, form)


def _arrays(results: Mapping[str, Any]) -> dict[str, Array]:
    keras = importlib.import_module("keras")
    return {name: keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for name, each in results.items()}


def _tensorflow(network: Network, form: Form, images: Array, job: Job, is_compiled: bool) -> Call:
    model, tensorflow = _model(network, form, job.precision), importlib.import_module("tensorflow")
    function = tensorflow.function(lambda batch: model(batch, training=False), jit_compile=is_compiled)
    batch = tensorflow.constant(images)
    return Call(lambda: function(batch), _arrays)


def _jax(network: Network, form: Form, images: Array, job: Job) -> Call:
    model, jax = _model(network, form, job.precision), importlib.import_module("jax")
    states = [[each.value for each in own] for own in (model.trainable_variables, model.non_trainable_variables)]
    function = jax.jit(lambda *given: model.stateless_call(*given, training=False)[0])
    batch = jax.numpy.asarray(images)
    return Call(lambda: jax.block_until_ready(function(*states, batch)), _arrays)


def _torch(network: Network, form: Form, images: Array, job: Job) -> Call:
    model, torch = _model(network, form, job.precision), importlib.import_module("torch")
    torch.set_num_threads(job.threads)
    batch = torch.from_numpy(images)

    def run() -> Any:
        with torch.inference_mode():
            return model(batch, training=False)

    return Call(run, _arrays)


CALLS: dict[str, Callable[[Network, Form, Array, Job], Call]] = {
    "keras": partial(_tensorflow, is_compiled=False),
    "xla": partial(_tensorflow, is_compiled=True),
    "jax": _jax,
    "torch": _torch,
}
