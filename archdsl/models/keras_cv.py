"""keras_cv's backbone classes: the same names, arguments and presets. Each only writes a config and builds it.

A model's `config`, as YAML, is any of these calls in the language of configs.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from types import MethodType
from typing import Any, ClassVar

import keras

from archdsl.backends.keras.emit import dtype_policy
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.importers import keras_cv
from archdsl.frontend.importers.keras_cv_arguments import ANY_SIZE, FAMILIES, SIZES, arguments_of
from archdsl.frontend.importers.saved_model import checked
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.presets import PresetInfo, list_presets
from archdsl.frontend.sema.schema import Text
from archdsl.models.backbone import Backbone
from archdsl.models.hub import Preset, find_preset, weights_file
from archdsl.models.hub.preset_folder import PresetFolder
from archdsl.schemas.schema import Field, plain_data
from archdsl.weights import load as load_weights_file

ImageShape = Sequence[int | None]
_SAVED: dict[str, Any] = {  # a constructor's arguments, and the precision
    name: arguments.model_with(f"Saved{name}", {"dtype": Field(Text | None, None, "dtype")})
    for name, arguments in FAMILIES.items()
}
_NOT_ARGUMENTS = ("trainable", "frozen", "dtype")


class _ClassProperty:
    """A property of the class itself, as keras_cv's `presets` is: no instance is needed to ask for it."""

    def __init__(self, function: Any):
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        return self.function(owner)


class _ListsPresets:
    """A class method whose documentation ends with the presets of the class that it is taken from.

    Like keras_cv's. The presets are read when the method is first asked for, and not when Keras is imported.
    """

    def __init__(self, function: Any):
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type[KerasCVBackbone]) -> Any:
        @functools.wraps(self.function)
        def method(cls: type[KerasCVBackbone], *arguments: Any, **options: Any) -> Any:
            return self.function(cls, *arguments, **options)

        names = [f"{name} (trained)" if name in owner.presets_with_weights else name for name in owner.presets]
        method.__doc__ = f"{inspect.cleandoc(self.function.__doc__)}\n\nPresets: {', '.join(names)}."
        return MethodType(method, owner)


class KerasCVBackbone(Backbone):
    """The base of the three families: keras_cv's constructor arguments are its config, its levels are P2, P3, …"""

    kaggle_model: ClassVar[str] = ""  # of no preset

    def __init__(
        self,
        arguments: dict[str, Any],
        config: Mapping[str, Any],
        include_rescaling: bool,
        input_shape: ImageShape,
        input_tensor: Any,
        name: str | None = None,
        budget: Budget = DEFAULT,
        **kwargs: Any,
    ):
        shape = tuple(input_shape) if input_tensor is None else tuple(input_tensor.shape)[1:]
        loaded = load(config, (), budget).with_input(shape=shape, rescale=bool(include_rescaling))
        super().__init__(compile_graph(loaded, budget), loaded.resolved, input_tensor, name=name, **kwargs)
        arguments = {**arguments, "include_rescaling": bool(include_rescaling)}
        for key, value in arguments.items():
            setattr(self, key, value)
        self._arguments_json = json.dumps({**arguments, "input_shape": shape})  # as text, see Backbone

    def _numbered_levels(self) -> dict[str, str]:
        """Stages counted from P2 on, whatever their strides."""
        return {f"P{number}": level for number, level in enumerate(self.graph.levels, 2)}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._state(), **json.loads(self._arguments_json)}

    @classmethod
    def from_saved(cls, config: Mapping[str, Any], budget: Budget, fresh: bool = True) -> Any:
        saved = checked(_SAVED[cls._family_name()], config, budget)
        arguments = {key: value for key, value in plain_data(saved).items() if key not in _NOT_ARGUMENTS}
        with dtype_policy(saved.dtype):
            model = cls(**arguments, budget=budget, fresh=fresh)
        model.restore_state(saved.state)
        return model

    @_ClassProperty
    def presets(cls) -> dict[str, Any]:
        """{name: description, parameters and Kaggle handle} of every preset of this class."""
        return {info.name: _preset_entry(info) for info in list_presets() if cls._owns(info)}

    @_ClassProperty
    def presets_with_weights(cls) -> dict[str, Any]:
        """The presets that were trained."""
        return {info.name: _preset_entry(info) for info in list_presets() if cls._owns(info) and info.has_weights}

    @_ClassProperty
    def presets_without_weights(cls) -> dict[str, Any]:
        """The presets that are architectures only."""
        return {name: entry for name, entry in cls.presets.items() if name not in cls.presets_with_weights}

    @classmethod
    def _family(cls) -> type[KerasCVBackbone]:
        """The class that models are of; for a size's class, that of all sizes."""
        return cls

    @classmethod
    def _family_name(cls) -> str:
        return next(each.__name__ for each in cls.__mro__ if each.__name__ in FAMILIES)

    @classmethod
    def _owns(cls, info: PresetInfo) -> bool:
        return (info.kaggle_handle or "").startswith(f"kaggle://keras/{cls.kaggle_model}/")

    @_ListsPresets
    def from_preset(cls, preset: str | os.PathLike[str], load_weights: bool | None = None, **kwargs: Any) -> Any:
        """The model of a preset of this family; `kwargs` replace constructor arguments.

        `preset` is a name, a folder that keras_cv or save_to_preset wrote, or a kaggle:// handle. `load_weights`
        True asks for trained weights, False for fresh ones, None for trained ones where they exist.
        Raises ArchError for a preset that the family does not have, and for weights that cannot be had.
        """
        family = cls._family()
        names = [info.name for info in list_presets() if family._owns(info)]
        found = find_preset(preset, names, cls.__name__)
        return family._build_preset(found, weights_file(found, load_weights), kwargs)

    @classmethod
    def _build_preset(cls, preset: Preset, weights: str | os.PathLike[str] | None, kwargs: dict[str, Any]) -> Any:
        arguments = cls._arguments_in(preset)
        known = [key for key in inspect.signature(cls).parameters if key != "kwargs"] + ["name"]
        for key in kwargs:
            if key not in known:
                message = f"{cls.__name__} takes no '{key}'; {one_of(known)}"
                raise fail("unknown-key", message, path=key, hint=did_you_mean(key, known))
        model = cls(**{**arguments, **kwargs}, fresh=weights is None)
        if weights is not None:
            load_weights_file(model, weights)
        if isinstance(preset, PresetFolder):
            model.restore_state(preset.state)
        return model

    @classmethod
    def _arguments_in(cls, preset: Preset) -> dict[str, Any]:
        """The constructor arguments that a preset holds. Raises ArchError when it is one of another class."""
        family = cls._family_name()
        if isinstance(preset, PresetInfo):
            return arguments_of(family, preset.name)
        owner, size = SIZES.get(preset.class_name, (preset.class_name, None))
        if owner != family:
            message = f"the preset is a {preset.class_name}; expected a {family}"
            raise fail("preset", message, mark=Mark(str(preset.path)), hint="archdsl.from_preset takes any")
        return {**(arguments_of(owner, size) if size else {}), **preset.arguments}


@keras.saving.register_keras_serializable("archdsl")
class YOLOV8Backbone(KerasCVBackbone):
    """YOLOv8's backbone with keras_cv's arguments.

    (batch, H, W, 3) -> (batch, H/32, W/32, stackwise_channels[-1]) for four stages. `pyramid_level_inputs` has a
    P1 too, as in keras_cv: there it names the end of the stem, although that map already has stride 4, like P2.
    """

    kaggle_model = "yolov8"

    def __init__(
        self,
        stackwise_channels: Sequence[int],
        stackwise_depth: Sequence[int],
        include_rescaling: bool,
        activation: str = "swish",
        input_shape: ImageShape = ANY_SIZE,
        input_tensor: Any = None,
        **kwargs: Any,
    ):
        channels, depth = list(stackwise_channels), list(stackwise_depth)
        super().__init__(
            {"stackwise_channels": channels, "stackwise_depth": depth, "activation": activation},
            keras_cv.yolo_v8(channels, depth, activation),
            include_rescaling,
            input_shape,
            input_tensor,
            **kwargs,
        )

    @property
    def pyramid_level_inputs(self) -> dict[str, str]:
        first = next(iter(self.graph.levels))
        return {"P1": f"{first.lower()}_down_act", **super().pyramid_level_inputs}


@keras.saving.register_keras_serializable("archdsl")
class CSPDarkNetBackbone(KerasCVBackbone):
    """CSPDarknet of YOLOX with keras_cv's arguments.

    (batch, H, W, 3) -> (batch, H/32, W/32, stackwise_channels[-1]) for four stages.
    """

    kaggle_model = "cspdarknet"

    def __init__(
        self,
        *,
        stackwise_channels: Sequence[int],
        stackwise_depth: Sequence[int],
        include_rescaling: bool,
        use_depthwise: bool = False,
        input_shape: ImageShape = ANY_SIZE,
        input_tensor: Any = None,
        **kwargs: Any,
    ):
        channels, depth = list(stackwise_channels), list(stackwise_depth)
        super().__init__(
            {"stackwise_channels": channels, "stackwise_depth": depth, "use_depthwise": use_depthwise},
            keras_cv.csp_darknet(channels, depth, bool(use_depthwise)),
            include_rescaling,
            input_shape,
            input_tensor,
            **kwargs,
        )


@keras.saving.register_keras_serializable("archdsl")
class ResNetV2Backbone(KerasCVBackbone):
    """ResNet with pre-activation with keras_cv's arguments.

    (batch, H, W, 3) -> (batch, H/32, W/32, C) for the usual strides, where C is stackwise_filters[-1] for
    block_type "basic_block" and four times that for "block". keras_cv's P2 is the first stack, whatever its stride.
    """

    kaggle_model = "resnetv2"

    def __init__(
        self,
        *,
        stackwise_filters: Sequence[int],
        stackwise_blocks: Sequence[int],
        stackwise_strides: Sequence[int],
        include_rescaling: bool,
        stackwise_dilations: Sequence[int] | None = None,
        input_shape: ImageShape = ANY_SIZE,
        input_tensor: Any = None,
        block_type: str = "block",
        **kwargs: Any,
    ):
        arguments = {
            "stackwise_filters": list(stackwise_filters),
            "stackwise_blocks": list(stackwise_blocks),
            "stackwise_strides": list(stackwise_strides),
            "stackwise_dilations": None if stackwise_dilations is None else list(stackwise_dilations),
            "block_type": block_type,
        }
        config = keras_cv.resnet_v2(**arguments)  # type: ignore[arg-type]
        super().__init__(arguments, config, include_rescaling, input_shape, input_tensor, **kwargs)


def _alias(name: str, base: type[KerasCVBackbone]) -> Any:
    """keras_cv's class for one size. Calling it gives a model of the base class, which is what it is saved as."""
    _, preset = SIZES[name]

    def new(
        cls: type[KerasCVBackbone],
        include_rescaling: bool = True,
        input_shape: ImageShape = ANY_SIZE,
        input_tensor: Any = None,
        **kwargs: Any,
    ) -> Any:
        arguments = {"include_rescaling": include_rescaling, "input_shape": input_shape, "input_tensor": input_tensor}
        return base(**{**arguments_of(base.__name__, preset), **arguments, **kwargs})

    def owns(cls: type[KerasCVBackbone], info: PresetInfo) -> bool:
        return base._owns(info) and info.name.startswith(f"{preset}_")

    doc = f"{base.__name__} with the arguments of preset '{preset}', include_rescaling being True."
    methods = {"__new__": new, "_owns": classmethod(owns), "_family": classmethod(lambda cls: base)}
    return type(name, (base,), {**methods, "__doc__": doc, "__module__": __name__})


CSPDarkNetTinyBackbone = _alias("CSPDarkNetTinyBackbone", CSPDarkNetBackbone)
CSPDarkNetSBackbone = _alias("CSPDarkNetSBackbone", CSPDarkNetBackbone)
CSPDarkNetMBackbone = _alias("CSPDarkNetMBackbone", CSPDarkNetBackbone)
CSPDarkNetLBackbone = _alias("CSPDarkNetLBackbone", CSPDarkNetBackbone)
CSPDarkNetXLBackbone = _alias("CSPDarkNetXLBackbone", CSPDarkNetBackbone)
ResNet18V2Backbone = _alias("ResNet18V2Backbone", ResNetV2Backbone)
ResNet34V2Backbone = _alias("ResNet34V2Backbone", ResNetV2Backbone)
ResNet50V2Backbone = _alias("ResNet50V2Backbone", ResNetV2Backbone)
ResNet101V2Backbone = _alias("ResNet101V2Backbone", ResNetV2Backbone)
ResNet152V2Backbone = _alias("ResNet152V2Backbone", ResNetV2Backbone)


def _preset_entry(info: PresetInfo) -> dict[str, Any]:
    return {
        "metadata": {"description": info.description, "params": info.params},
        "kaggle_handle": info.kaggle_handle,
    }


def build_folder(
    folder: PresetFolder, weights: str | os.PathLike[str] | None, kwargs: dict[str, Any]
) -> KerasCVBackbone:
    """The model in a folder of one of these classes; `kwargs` replace constructor arguments."""
    family: type[KerasCVBackbone] = globals()[folder.class_name]._family()
    return family._build_preset(folder, weights, kwargs)  # type: ignore[no-any-return]
