"""Packages that only a part of archdsl needs, and the extra of archdsl that installs each."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from archdsl.diagnostics.problems import ArchError, fail

EXTRAS = {
    **dict.fromkeys(("numpy", "safetensors"), "weights"),
    **dict.fromkeys(("PIL", "matplotlib"), "pictures"),
    **dict.fromkeys(("keras", "h5py", "tensorflow"), "tensorflow"),
    **dict.fromkeys(("pygls", "lsprotocol"), "lsp"),
    "pyarrow": "search",
    "optuna": "optuna",
    "distributed": "dask",
    "ray": "ray",
    "submitit": "slurm",
    **{name: name for name in ("duckdb", "onnx", "onnxruntime", "openvino", "jax", "torch")},
    "ai_edge_litert": "litert",
}
_TELLING = "openvino_telemetry"  # sends to OpenVINO's makers, from a copy of the process that may never end


def package(name: str) -> Any:
    """The module. Raises ArchError with the extra that installs it."""
    sys.modules.setdefault(_TELLING, None)  # type: ignore[arg-type]  # what importing it raises
    try:
        return importlib.import_module(name)
    except ImportError:
        raise _missing(name) from None


def require(*names: str) -> None:
    """Raise ArchError for a package that is not installed; none is imported."""
    for name in names:
        try:
            found = importlib.util.find_spec(name)
        except ImportError:
            found = None
        if found is None:
            raise _missing(name)


def is_installed(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def missing_package(error: BaseException) -> ArchError | None:
    """What to install, for the error of importing one of these packages where it is not installed."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    return _missing(name) if name and name.partition(".")[0] in EXTRAS else None


def _missing(name: str) -> ArchError:
    distribution = name.partition(".")[0]
    hint = f"pip install 'archdsl[{EXTRAS[distribution]}]'"
    return fail("missing-package", f"{distribution} is not installed", hint=hint)
