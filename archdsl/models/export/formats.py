"""The formats that a network is exported as: what writes them, what runs them, and what they are compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.backends.form import Form
from archdsl.backends.runtimes import (
    is_installed,
    package,
    run_litert,
    run_onnx,
    run_openvino,
    run_reference,
    run_saved_model,
)
from archdsl.frontend.yaml.embedded import metadata
from archdsl.models.registration import import_keras
from archdsl.weights.network import Network

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Runner


class Format(ABC):
    """One kind of file, by the ending of its name; a folder has none."""

    ending: str
    packages: tuple[str, ...]

    def require(self) -> None:
        """Raise ArchError for a package that is not installed, with the extra that installs it."""
        for each in self.packages:
            package(each)

    @abstractmethod
    def expected(self, network: Network, form: Form) -> Runner:
        """What gives the results to compare with: the network as it is, in float32."""

    @abstractmethod
    def write(self, network: Network, form: Form, path: Path) -> None: ...

    @abstractmethod
    def run(self, path: Path) -> tuple[str, Runner]:
        """The name of the runtime, and what runs the file with it."""


class Onnx(Format):
    """Compared with what ONNX Runtime gives without its optimizer, or where that is not installed onnx's evaluator."""

    ending = ".onnx"
    packages: tuple[str, ...] = ("onnx",)

    def expected(self, network: Network, form: Form) -> Runner:
        from archdsl.backends import onnx

        plain = form._replace(precision="float32")
        model = onnx.model_of(network.graph, network.weights, plain).SerializeToString()
        return run_onnx(model, is_optimized=False) if is_installed("onnxruntime") else run_reference(model)

    def write(self, network: Network, form: Form, path: Path) -> None:
        from archdsl.backends import onnx

        header = metadata(network.config, network.passes)
        onnx.write(onnx.model_of(network.graph, network.weights, form, header), path)

    def run(self, path: Path) -> tuple[str, Runner]:
        if is_installed("onnxruntime"):
            return "ONNX Runtime", run_onnx(path)
        return "onnx's evaluator", run_reference(path)


class OpenVino(Onnx):
    """Made of the ONNX file: .xml, and .bin beside it."""

    ending = ".xml"
    packages = ("onnx", "openvino")

    def write(self, network: Network, form: Form, path: Path) -> None:
        openvino = package("openvino")
        between = path.with_suffix(".onnx")
        super().write(network, form._replace(precision="float32"), between)
        model = openvino.Core().read_model(between)
        openvino.save_model(model, path, compress_to_fp16=form.precision == "float16")
        for each in between.parent.glob(f"{between.name}*"):
            each.unlink()

    def run(self, path: Path) -> tuple[str, Runner]:
        return "OpenVINO", run_openvino(path)


class ThroughKeras(Format):
    """Compared with the Keras model, in which nothing is fused."""

    packages = ("tensorflow",)

    def require(self) -> None:
        super().require()
        import_keras()

    def expected(self, network: Network, form: Form) -> Runner:
        from archdsl.backends.keras.serving import keras_model

        model = keras_model(network.graph, network.weights, form)
        return lambda images: {name: each.numpy() for name, each in model(images, training=False).items()}


class LiteRt(ThroughKeras):
    """A .tflite file."""

    ending = ".tflite"

    def write(self, network: Network, form: Form, path: Path) -> None:
        from archdsl.backends.keras.serving import keras_model, save_litert

        save_litert(keras_model(network.graph, network.weights, form), path, form.precision)

    def run(self, path: Path) -> tuple[str, Runner]:
        return "LiteRT", run_litert(path)


class SavedModel(ThroughKeras):
    """TensorFlow's folder."""

    ending = ""

    def write(self, network: Network, form: Form, path: Path) -> None:
        from archdsl.backends.keras.serving import keras_model, save_model

        save_model(keras_model(network.graph, network.weights, form), path)

    def run(self, path: Path) -> tuple[str, Runner]:
        return "TensorFlow", run_saved_model(path)


FORMATS: dict[str, Format] = {
    "onnx": Onnx(),
    "openvino": OpenVino(),
    "litert": LiteRt(),
    "saved_model": SavedModel(),
}
