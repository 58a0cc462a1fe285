"""Forward passes and steps of training on a GPU, beside Keras's and timm's own models of the same networks:

python tests/benchmarks/gpu.py [--networks resnet50_v2] [--frameworks jax,torch] [--batches 1,32] [--profile]

Each setting of a framework is a process, in which its models take their turns; a ratio is to archdsl's first one. In
bfloat16 training keeps its weights in float32. `--device cpu` tries the program out where there is no GPU. timm's
models are measured where timm is installed, and always compiled, with channels last.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

Step = Callable[[], Any]
SLOWEST = 5  # operations of a profile


class Network(NamedTuple):
    """A preset, and what Keras and timm call the same network."""

    preset: str
    keras: str = ""
    timm: str = ""


NETWORKS = {
    "resnet50_v2": Network("resnet50_v2_classify", "ResNet50V2", "resnetv2_50"),
    "efficientnet_b0": Network("efficientnet_b0_classify", "EfficientNetB0", "efficientnet_b0"),
    "yolo_v8_s_detect": Network("yolo_v8_s_detect"),
}
RUNTIMES = {"jax": ("jax",), "torch": ("torch", "torch_compile")}
"""Of archdsl's models, by framework. PyTorch's compiler is given no training: it fails at what Keras pads."""


class Setting(NamedTuple):
    network: str
    framework: str
    mode: str
    batch: int
    precision: str
    side: int
    device: str
    rounds: int
    profile: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {
        "networks": ",".join(NETWORKS),
        "frameworks": "jax,torch",
        "modes": "forward,training",
        "batches": "1,32,256",
        "precisions": "float32,bfloat16",
    }.items():
        parser.add_argument(f"--{name}", default=default, help="with commas between (%(default)s)")
    parser.add_argument("--side", type=int, help="of the images; by default 224, and 640 for a detector")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="what takes most of the time of archdsl's first model")
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.setting:
        print(json.dumps(measure(Setting(**json.loads(options.setting)))))
        return
    names = [getattr(options, name).split(",") for name in ("networks", "frameworks", "modes", "batches", "precisions")]
    for network, framework, mode, batch, precision in product(*names):
        side = options.side or (640 if network.endswith("detect") else 224)
        rest = side, options.device, options.rounds, options.profile
        show(Setting(network, framework, mode, int(batch), precision, *rest))


def show(setting: Setting) -> None:
    """Measure in a process of its own, and print a row for each model."""
    from archdsl.tools.bench.contenders import RUNTIMES as KNOWN

    environment = {**os.environ, **KNOWN[setting.framework].environment(os.cpu_count() or 1, setting.device)}
    call = [sys.executable, __file__, "--setting", json.dumps(setting._asdict())]
    done = subprocess.run(call, check=False, env=environment, capture_output=True, text=True)
    title = f"{setting.network} | {setting.mode} | batch {setting.batch} | {setting.precision} | "
    if done.returncode:
        print(f"{title}{setting.framework} | failed: {done.stderr.strip().splitlines()[-1][:150]}", flush=True)
        return
    found = json.loads(done.stdout.splitlines()[-1])
    for name, seconds, ratio in found["rows"]:
        print(f"{title}{name} | {1000 * seconds:.2f} ms | {setting.batch / seconds:.0f} images/s | {ratio:.2f}")
    for share, operation in found["profile"]:
        print(f"    {share:6.1%}  {operation}")
    sys.stdout.flush()


def measure(setting: Setting) -> dict[str, Any]:
    from archdsl.tools.bench.measuring import measured, ratio, timed

    models = dict(contenders(setting))
    calls = [lambda count, step=step: list(timed(step, count, time.perf_counter)) for step in models.values()]
    times = measured(calls, setting.rounds)
    rows = [(name, own.median, ratio(own, times[0]).median) for name, own in zip(models, times, strict=True)]
    first = next(iter(models.values()))
    return {"rows": rows, "profile": list(PROFILES[setting.framework](first)) if setting.profile else []}


def contenders(setting: Setting) -> Iterator[tuple[str, Step]]:
    """The models of a framework, ready to run."""
    from archdsl.tools.bench.frameworks import FRAMEWORKS

    import_keras_with(setting)
    FRAMEWORKS[setting.framework].require(setting.device)
    network = NETWORKS[setting.network]
    for runtime in RUNTIMES[setting.framework]:
        if setting.mode == "forward":
            yield f"archdsl in {runtime}", FRAMEWORKS[runtime].of_model(fused_model(network, setting), images(setting))
        elif runtime != "torch_compile":
            yield f"archdsl in {runtime}", TRAINING[runtime](keras_model(network.preset, setting), images(setting))
    if network.keras:
        model = keras_model(network.keras, setting)
        of_model = TRAINING[setting.framework] if setting.mode == "training" else FRAMEWORKS[setting.framework].of_model
        yield f"Keras in {setting.framework}", of_model(model, images(setting))
    if network.timm and setting.framework == "torch" and has_timm():
        yield "timm, compiled", timm_step(network.timm, setting)


def import_keras_with(setting: Setting) -> None:
    from archdsl.models.registration import import_keras

    import_keras()
    import keras

    mixed = setting.mode == "training" and setting.precision == "bfloat16"
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else setting.precision)


def images(setting: Setting) -> Any:
    import numpy

    shape = setting.batch, setting.side, setting.side, 3
    return numpy.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def fused_model(network: Network, setting: Setting) -> Any:
    from archdsl.backends.form import Form
    from archdsl.backends.keras.serving import keras_model
    from archdsl.frontend.compose.config import load
    from archdsl.models.export import fused
    from archdsl.weights.network import network_of

    form = Form(batch=setting.batch)
    found = fused(network_of(load(network.preset).with_size(setting.side, setting.side)), form)
    return keras_model(found.graph, found.weights, form)


def keras_model(name: str, setting: Setting) -> Any:
    """A preset, or a model of keras.applications."""
    import keras

    import archdsl

    shape = setting.side, setting.side, 3
    if hasattr(keras.applications, name):
        return getattr(keras.applications, name)(weights=None, input_shape=shape)
    return archdsl.build_from_config(name, weights=False, input_shape=shape)


def loss_of(results: Any, mean: Callable[[Any], Any]) -> Any:
    """The mean square of all results: the same work for every model."""
    return sum(mean(each * each) for each in (results.values() if isinstance(results, dict) else [results]))


def jax_training(model: Any, batch: Any) -> Step:
    import jax

    from archdsl.tools.bench.frameworks import FRAMEWORKS

    def loss(trainable: Any, others: Any, given: Any) -> Any:
        results, others = model.stateless_call(trainable, others, given, training=True)
        return loss_of(results, lambda each: jax.numpy.mean(each.astype("float32"))), others

    def step(trainable: Any, others: Any, given: Any) -> Any:
        (found, others), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, others, given)
        return [one - 1e-3 * each for one, each in zip(trainable, gradients, strict=True)], others, found

    states = [[each.value for each in own] for own in (model.trainable_variables, model.non_trainable_variables)]
    return FRAMEWORKS["jax"].call(step, *states, batch)


def torch_training(model: Any, batch: Any) -> Step:
    """Of a Keras model; one of timm comes with a context in which it computes."""
    import keras

    placed = keras.ops.convert_to_tensor(batch)
    variables = [each.value for each in model.trainable_variables]
    return torch_step(lambda: model(placed, training=True), variables)


def torch_step(forward: Callable[[], Any], variables: Sequence[Any]) -> Step:
    import torch

    descent = torch.optim.SGD(variables, lr=1e-3)

    def step() -> None:
        descent.zero_grad(set_to_none=True)
        loss_of(forward(), lambda each: each.float().mean()).backward()
        descent.step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


TRAINING = {"jax": jax_training, "torch": torch_training}


def has_timm() -> bool:
    from archdsl.diagnostics.packages import is_installed

    return is_installed("timm")


def timm_step(name: str, setting: Setting) -> Step:
    import timm
    import torch

    device = "cuda" if setting.device == "gpu" else "cpu"
    half, is_training = setting.precision == "bfloat16", setting.mode == "training"
    model = timm.create_model(name).to(device, memory_format=torch.channels_last).train(is_training)
    batch = torch.from_numpy(images(setting)).to(device).permute(0, 3, 1, 2)
    if is_training:
        compiled, context = torch.compile(model), torch.autocast(device, torch.bfloat16) if half else nullcontext()

        def forward() -> Any:
            with context:
                return compiled(batch)

        return torch_step(forward, list(model.parameters()))
    kind = torch.bfloat16 if half else torch.float32
    compiled, batch = torch.compile(model.to(kind)), batch.to(kind)

    def run() -> Any:
        with torch.inference_mode():
            results = compiled(batch)
        if device == "cuda":
            torch.cuda.synchronize()
        return results

    return run


def jax_profile(step: Step) -> Iterator[tuple[float, str]]:
    """Operations as XLA names them, of what the device did; on the processor its threads."""
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(3):
                step()
        (file,) = Path(folder).rglob("*.xplane.pb")
        planes = list(jax.profiler.ProfileData.from_file(str(file)).planes)
        chosen = [each for each in planes if "GPU" in each.name] or [each for each in planes if "CPU" in each.name]
        found: Counter[str] = Counter()
        for event in [event for plane in chosen for line in plane.lines for event in line.events]:
            found[event.name] += event.duration_ns
    yield from slowest(found)


def torch_profile(step: Step) -> Iterator[tuple[float, str]]:
    from torch.profiler import profile

    with profile() as recorded:
        for _ in range(3):
            step()
    rows = recorded.key_averages()
    on_gpu = {each.key: each.self_device_time_total for each in rows}
    yield from slowest(
        Counter(on_gpu if any(on_gpu.values()) else {each.key: each.self_cpu_time_total for each in rows})
    )


def slowest(found: Counter[str]) -> Iterator[tuple[float, str]]:
    whole = sum(found.values())
    return ((each / whole, name[:120]) for name, each in found.most_common(SLOWEST))


PROFILES = {"jax": jax_profile, "torch": torch_profile}


if __name__ == "__main__":
    main()
