"""A function as a call of each framework that Keras runs on. Imports Keras, with the backend of the environment.

Arguments lie where the framework computes, on the processor or a GPU, and a call ends when its results are there.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from archdsl.backends.form import Form
from archdsl.diagnostics.problems import fail
from archdsl.models.registration import import_keras
from archdsl.tools.bench.job import Call, Job
from archdsl.weights.network import Network

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array


class Framework(ABC):
    """What computes. It finds its devices by itself, among those that the environment leaves it."""

    name: str

    @property
    def module(self) -> Any:
        return importlib.import_module(self.name)

    @abstractmethod
    def gpu(self) -> str | None:
        """The name of the GPU that it computes on; None for the processor."""

    @abstractmethod
    def gpu_peak_bytes(self) -> int:
        """The most memory of the GPU that its arrays have taken."""

    @abstractmethod
    def call(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Run the function over arrays, or lists of arrays, which are placed once."""

    def of_model(self, model: Any, images: Array) -> Callable[[], Any]:
        return self.call(lambda batch: model(batch, training=False), images)

    def require(self, device: str) -> None:
        """Raise ArchError where a GPU is asked for and none is found."""
        if device == "gpu" and self.gpu() is None:
            hint = f"install {self.name} for the GPU of this machine, or leave out --device gpu"
            raise fail("bench", f"{self.name} finds no GPU", hint=hint)


class TensorFlow(Framework):
    """A tf.function, with XLA or without."""

    name = "tensorflow"

    def __init__(self, is_compiled: bool = False):
        self.is_compiled = is_compiled

    def gpu(self) -> str | None:
        found = self.module.config.list_physical_devices("GPU")
        details = self.module.config.experimental.get_device_details
        return str(details(found[0]).get("device_name", "GPU")) if found else None

    def gpu_peak_bytes(self) -> int:
        return int(self.module.config.experimental.get_memory_info("GPU:0")["peak"])

    def call(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        compiled = self.module.function(function, jit_compile=self.is_compiled)
        placed = [self.module.convert_to_tensor(each) for each in arguments]
        wait = self.module.test.experimental.sync_devices

        def run() -> Any:
            results = compiled(*placed)
            wait()
            return results

        return run


class Jax(Framework):
    name = "jax"

    def gpu(self) -> str | None:
        device = self.module.devices()[0]
        return str(device.device_kind) if device.platform == "gpu" else None

    def gpu_peak_bytes(self) -> int:
        return int(self.module.devices()[0].memory_stats()["peak_bytes_in_use"])

    def call(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        compiled, placed = self.module.jit(function), self.module.device_put(arguments)
        return lambda: self.module.block_until_ready(compiled(*placed))

    def of_model(self, model: Any, images: Array) -> Callable[[], Any]:
        """The weights are arguments: what a function reaches otherwise is a part of what is compiled."""
        states = [[each.value for each in own] for own in (model.trainable_variables, model.non_trainable_variables)]
        return self.call(lambda *given: model.stateless_call(*given, training=False)[0], *states, images)


class Torch(Framework):
    """PyTorch as Keras runs it: every operation by itself."""

    name = "torch"

    def gpu(self) -> str | None:
        cuda = self.module.cuda
        return str(cuda.get_device_name()) if cuda.is_available() else None

    def gpu_peak_bytes(self) -> int:
        return int(self.module.cuda.max_memory_allocated())

    def call(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        place = importlib.import_module("keras").ops.convert_to_tensor
        placed = [place(each) for each in arguments]
        with self.module.no_grad():
            made = self.made(function, placed)
        wait = self.module.cuda.synchronize if self.gpu() else lambda: None
        self.module.backends.cudnn.benchmark = True  # as the others look for the fastest convolution

        def run() -> Any:
            with self.module.inference_mode():
                results = made(*placed)
            wait()
            return results

        return run

    def made(self, function: Callable[..., Any], placed: list[Any]) -> Callable[..., Any]:
        return function


class TorchCompiled(Torch):
    """torch.compile, of PyTorch's own operations: of Keras's layers it makes pieces, which are slower than without."""

    def made(self, function: Callable[..., Any], placed: list[Any]) -> Callable[..., Any]:
        tracing = importlib.import_module("torch.fx.experimental.proxy_tensor")
        compiled: Callable[..., Any] = self.module.compile(tracing.make_fx(function)(*placed))
        return compiled


FRAMEWORKS: dict[str, Framework] = {
    "keras": TensorFlow(),
    "xla": TensorFlow(is_compiled=True),
    "jax": Jax(),
    "torch": Torch(),
    "torch_compile": TorchCompiled(),
}
"""By the name of the runtime."""


def framework_of(job: Job) -> Framework:
    """The framework of a job, with Keras imported. Raises ArchError if it does not find the device."""
    import_keras()
    framework = FRAMEWORKS[job.runtime]
    framework.require(job.device)
    if framework.name == "torch":
        framework.module.set_num_threads(job.threads)
    return framework


def model_call(network: Network, form: Form, images: Array, job: Job) -> Call:
    """A Keras model of the network, over images."""
    framework = framework_of(job)
    from archdsl.backends.keras.emit import dtype_policy
    from archdsl.backends.keras.serving import keras_model

    with dtype_policy(job.precision):
        model = keras_model(network.graph, network.weights, form)
    return Call(framework.of_model(model, images), _arrays, framework.gpu_peak_bytes if framework.gpu() else None)


def _arrays(results: Mapping[str, Any]) -> dict[str, Array]:
    keras = importlib.import_module("keras")
    return {name: keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for name, each in results.items()}
