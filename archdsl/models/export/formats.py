"""The formats that a network is exported as: what writes them, what runs them, and what they are compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.backends.form import Form, FormatName, Suppression
from archdsl.backends.runtimes import run_litert, run_onnx, run_openvino, run_reference, run_saved_model
from archdsl.diagnostics.packages import is_installed, package
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.wording import one_of
from archdsl.frontend.yaml.embedded import metadata
from archdsl.models.registration import import_keras

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Runner
    from archdsl.weights.network import Network


class Format(ABC):
    """One kind of file, by the ending of its name; a folder has none."""

    ending: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...] = ("float32", "float16", "int8")
    batch: int | None = None
    """Images at a time where the user does not say; None for any number."""
    suppresses = False
    """Whether it has an operator that leaves the best boxes."""

    def require(self, form: Form) -> None:
        """Raise ArchError for a package that is not installed, with the extra that installs it."""
        for each in self.packages:
            package(each)

    @abstractmethod
    def expected(self, network: Network, form: Form) -> Runner:
        """What gives the results to compare with: the network as it is, in float32."""

    @abstractmethod
    def make(self, network: Network, form: Form) -> Any:
        """The network in the terms of the format, in memory."""

    @abstractmethod
    def write(self, made: Any, form: Form, path: Path) -> None:
        """Write what was made."""

    def suppress(self, made: Any, form: Form) -> None:
        """Add to what was made that only the best boxes are left."""
        raise NotImplementedError

    def set_confidence(self, made: Any, confidence: float) -> None:
        """Change the score that these have more than."""
        raise NotImplementedError

    def second_file(self, path: Path) -> Path | None:
        """A file beside an older one at `path` that is a part of it, and may not be one of what replaces it."""
        return None

    @abstractmethod
    def run(self, path: Path) -> tuple[str, Runner]:
        """The name of the runtime, and what runs the file with it."""


class Onnx(Format):
    """Compared with what ONNX Runtime gives without its optimizer, or where that is not installed onnx's evaluator."""

    ending = ".onnx"
    packages: tuple[str, ...] = ("onnx",)
    suppresses = True
    style = "onnxruntime"

    def require(self, form: Form) -> None:
        super().require(form)
        if form.calibration or form.suppression:
            package("onnxruntime")

    def expected(self, network: Network, form: Form) -> Runner:
        from archdsl.backends import onnx

        model = onnx.model_of(network.graph, network.weights, form.plain).SerializeToString()
        return run_onnx(model, is_optimized=False) if is_installed("onnxruntime") else run_reference(model)

    def make(self, network: Network, form: Form) -> Any:
        from archdsl.backends import onnx

        model = onnx.model_of(network.graph, network.weights, form, metadata(network.config, network.passes))
        if form.calibration is None:
            return model
        from archdsl.backends.onnx.quantisation import quantised

        return quantised(model, form.calibration, self.style)

    def write(self, made: Any, form: Form, path: Path) -> None:
        from archdsl.backends import onnx

        onnx.write(made, path)

    def second_file(self, path: Path) -> Path | None:
        from archdsl.backends import onnx

        return onnx.second_file(path)

    def suppress(self, made: Any, form: Form) -> None:
        from archdsl.backends.onnx.suppression import suppress

        suppress(made, form.suppression or Suppression())

    def set_confidence(self, made: Any, confidence: float) -> None:
        from archdsl.backends.onnx.suppression import set_confidence

        set_confidence(made, confidence)

    def run(self, path: Path) -> tuple[str, Runner]:
        if is_installed("onnxruntime"):
            return "ONNX Runtime", run_onnx(path)
        return "onnx's evaluator", run_reference(path)


class OpenVino(Onnx):
    """Made of the ONNX file: .xml, and .bin beside it."""

    ending = ".xml"
    packages = ("openvino", "onnx")
    style = "openvino"

    def make(self, network: Network, form: Form) -> Any:
        return super().make(network, form if form.calibration else form.plain)

    def write(self, made: Any, form: Form, path: Path) -> None:
        openvino = package("openvino")
        between = path.with_suffix(".onnx")
        super().write(made, form, between)
        model = openvino.Core().read_model(between)
        for each in model.get_ops():
            if each.get_type_name() == "TopK":  # of equal scores ONNX has the first first
                each.set_attribute("stable", True)
        openvino.save_model(model, path, compress_to_fp16=form.precision == "float16")
        for each in between.parent.glob(f"{between.name}*"):
            each.unlink()

    def second_file(self, path: Path) -> Path | None:
        return None

    def suppress(self, made: Any, form: Form) -> None:
        """OpenVINO drops a box that overlaps by as much as `iou`, ONNX one that does by more. It has no denormals."""
        from numpy import finfo, float32, nextafter

        by = form.suppression or Suppression()
        above = max(nextafter(float32(by.iou), float32(2)), finfo(float32).tiny)
        super().suppress(made, form._replace(suppression=by._replace(iou=float(above))))

    def run(self, path: Path) -> tuple[str, Runner]:
        return "OpenVINO", run_openvino(path)


class ThroughKeras(Format):
    """Compared with the Keras model, in which nothing is fused."""

    packages = ("tensorflow",)

    def require(self, form: Form) -> None:
        super().require(form)
        import_keras()
        import keras

        if keras.backend.backend() != "tensorflow":
            hint = "set KERAS_BACKEND=tensorflow"
            raise fail("export", f"this format needs TensorFlow; Keras runs on {keras.backend.backend()}", hint=hint)

    def make(self, network: Network, form: Form) -> Any:
        from archdsl.backends.keras.serving import keras_model
        from archdsl.backends.keras.serving_graph import sized_by_the_image

        is_sized = None not in network.graph.image.shape
        return keras_model(network.graph if is_sized else sized_by_the_image(network.graph), network.weights, form)

    def expected(self, network: Network, form: Form) -> Runner:
        from archdsl.backends.keras.serving import keras_model

        model = keras_model(network.graph, network.weights, form)
        return lambda images: {name: each.numpy() for name, each in model(images, training=False).items()}


class LiteRt(ThroughKeras):
    """A .tflite file, of one image: for any number every shape is computed anew, and no convolution is dilated."""

    ending = ".tflite"
    batch = 1

    def make(self, network: Network, form: Form) -> Any:
        from archdsl.backends.keras.serving_graph import int8_graph

        graph = int8_graph(network.graph) if form.calibration else network.graph
        return super().make(network._replace(graph=graph), form), graph  # which has the names of the layers to keep

    def write(self, made: Any, form: Form, path: Path) -> None:
        from archdsl.backends.keras.serving import save_litert

        model, graph = made
        save_litert(model, graph, path, form)

    def run(self, path: Path) -> tuple[str, Runner]:
        return "LiteRT", run_litert(path)


class SavedModel(ThroughKeras):
    """TensorFlow's folder."""

    ending = ""
    precisions = ("float32",)

    def write(self, made: Any, form: Form, path: Path) -> None:
        from archdsl.backends.keras.serving import save_model

        save_model(made, path)

    def run(self, path: Path) -> tuple[str, Runner]:
        return "TensorFlow", run_saved_model(path)


FORMATS: dict[FormatName, Format] = {
    "onnx": Onnx(),
    "openvino": OpenVino(),
    "litert": LiteRt(),
    "saved_model": SavedModel(),
}


def format_of(output: Path) -> FormatName:
    """The format of a file by the ending of its name. Raises ArchError for another."""
    endings = {each.ending: name for name, each in FORMATS.items()}
    if output.name in {"-", *endings}:
        raise fail("output", "not the name of a file", mark=Mark(str(output)), hint="expected one such as net.onnx")
    if output.suffix not in endings:
        message = f"no format ends in '{output.suffix}'; {one_of([ending for ending in endings if ending])}"
        hint = "a name without an ending becomes a folder; or say --format"
        raise fail("output", message, mark=Mark(str(output)), hint=hint)
    return endings[output.suffix]
