"""Transfer learning on real images: features learned on the digits 0–4 tell 5–9 apart. Half a minute.

    pip install '.[examples,tensorflow]'
    python examples/transfer_learning.py

The images are scikit-learn's 1,797 scans of handwritten digits (Alpaydin and Kaynak 1998), 8 × 8 pixels. A small
backbone learns the digits 0–4 and is saved as a preset. From there it is an ordinary transfer: `from_preset`, freeze,
a new head, a few epochs on a few images of the digits 5–9. The same head on the same backbone, frozen before it learned
anything, shows what the transfer is worth.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import keras
import numpy
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sklearn.datasets import load_digits

import archdsl

SIDE = 32
CLASSES = 5
OVERRIDES = ["scale.width=0.25", "~stages.p4", "~stages.p5"]  # two stages are enough for images of this size
PARTS = ["stem", "p2", "p3"]
Images = tuple[numpy.ndarray, numpy.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn the digits 0–4, transfer to 5–9.")
    parser.add_argument("--epochs", type=int, default=12, help="of learning the digits 0–4")
    parser.add_argument("--head-epochs", type=int, default=40, help="of training each new head")
    parser.add_argument("--shots", type=int, default=10, help="images of each of the digits 5–9 to train a head on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    first, second = digits(range(5)), digits(range(5, 10))
    keras.utils.set_random_seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder) / "digits"
        print(f"learning the digits 0–4 from {len(first[0])} images", flush=True)
        learn(preset, first, options.epochs)
        trained = archdsl.from_preset(preset, freeze=PARTS)
        untrained = archdsl.from_preset(preset, freeze=PARTS, load_weights=False)

    few, held_out = split(second, options.shots, options.seed)
    print(f"new heads for the digits 5–9 from {len(few[0])} images, on frozen backbones", flush=True)
    accuracies = {
        "trained on 0–4": head_accuracy(trained, few, held_out, options),
        "not trained": head_accuracy(untrained, few, held_out, options),
    }
    for name, accuracy in accuracies.items():
        print(f"backbone {name}: accuracy {accuracy:.1%} on {len(held_out[0])} held-out images")
    print(f"by chance: {chance(held_out[1]):.1%}")


def digits(numbers: range) -> Images:
    """Scans of these digits, pixels of 0 … 255, and which of them each is. -> (images, 32, 32, 3), (images,)."""
    found = load_digits()
    wanted = numpy.isin(found.target, numbers)
    scans = found.images[wanted][..., None].astype("float32") * (255 / 16)
    large = keras.ops.image.resize(scans, (SIDE, SIDE), interpolation="bilinear")
    return numpy.repeat(numpy.asarray(large), 3, axis=-1), found.target[wanted] - numbers.start


def split(images: Images, shots: int, seed: int) -> tuple[Images, Images]:
    """`shots` images of each class, and all others."""
    pixels, labels = images
    order = numpy.random.default_rng(seed).permutation(len(labels))
    few = numpy.concatenate([order[labels[order] == label][:shots] for label in range(CLASSES)])
    others = numpy.setdiff1d(order, few)
    return (pixels[few], labels[few]), (pixels[others], labels[others])


def learn(preset: Path, images: Images, epochs: int) -> None:
    """Train a backbone with a head on `images`, and save the backbone without the head."""
    backbone = archdsl.build_from_config("yolo_v8_xs_backbone", OVERRIDES, input_shape=(SIDE, SIDE, 3))
    fit(with_head(backbone), images, epochs, rate=2e-3)
    backbone.save_to_preset(preset)


def head_accuracy(backbone: archdsl.Backbone, few: Images, held_out: Images, options: argparse.Namespace) -> float:
    """Train a new head on a frozen backbone, and measure it on images that it has not seen."""
    keras.utils.set_random_seed(options.seed)  # the same head for every backbone
    model = with_head(backbone)
    fit(model, few, options.head_epochs, rate=1e-2)
    return float(model.evaluate(*held_out, verbose=0, return_dict=True)["accuracy"])


def with_head(backbone: archdsl.Backbone) -> keras.Model:
    """(batch, 32, 32, 3) -> (batch, 5): the logit of each class, from the mean of the last feature map."""
    features = keras.layers.GlobalAveragePooling2D()(backbone.outputs[0])
    features = keras.layers.LayerNormalization(center=False, scale=False)(features)
    return keras.Model(backbone.inputs[0], keras.layers.Dense(CLASSES)(features))


def fit(model: keras.Model, images: Images, epochs: int, rate: float) -> None:
    """Train with a progress bar."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    with Progress(BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")) as progress:
        task = progress.add_task("epochs", total=epochs)

        def show(epoch: int, logs: dict[str, float]) -> None:
            progress.update(task, advance=1, description=f"epochs, loss {logs['loss']:.3f}")

        callback = keras.callbacks.LambdaCallback(on_epoch_end=show)
        model.fit(*images, batch_size=32, epochs=epochs, verbose=0, callbacks=[callback])


def chance(labels: numpy.ndarray) -> float:
    """Accuracy of always saying the most frequent class."""
    return float(numpy.bincount(labels).max() / len(labels))


if __name__ == "__main__":
    main()
