"""A detector head on P3, P4 and P5, trained from scratch to find coloured rectangles. About a minute.

    python examples/detector_features.py

Each level looks for the rectangles of its size: a cell predicts whether it contains the centre of one, where in the
cell, and how large the rectangle is (CenterNet, Zhou et al. 2019, on a feature pyramid as in FCOS, Tian et al. 2019).
"""

from __future__ import annotations

import argparse
import time

import keras
import numpy
from keras import ops

import archdsl

SIDE = 128
STRIDES = {"P3": 8, "P4": 16, "P5": 32}
LARGEST = {"P3": 28, "P4": 56, "P5": SIDE}  # pixels; a rectangle belongs to the first level it is not too large for
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small detector on synthetic rectangles.")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--images", type=int, default=256, help="held-out images to measure the hit rate on")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)

    model = detector()
    print(f"{model.count_params():,} parameters; {options.steps} steps of {BATCH} images", flush=True)
    train(model, options.steps, numpy.random.default_rng(1))
    images, boxes = draw_batch(numpy.random.default_rng(2), options.images)
    report_hits(strongest_boxes(model.predict(images, batch_size=BATCH, verbose=0)), boxes)


def detector() -> keras.Model:
    """(batch, 128, 128, 3) -> {"P3": (batch, 16, 16, 5), "P4": (batch, 8, 8, 5), "P5": (batch, 4, 4, 5)}."""
    backbone = archdsl.build_from_config(
        "yolo_v8_xs_backbone", ["scale.width=0.125"], input_shape=(SIDE, SIDE, 3), name="backbone"
    )
    maps = backbone.features(STRIDES)(backbone.inputs[0])
    return keras.Model(backbone.inputs[0], {level: head(level, features) for level, features in maps.items()})


def head(level: str, features: keras.KerasTensor) -> keras.KerasTensor:
    """(H, W, C) -> (H, W, 5): logit of a centre, its place in the cell (x, y), logarithms of width and height."""
    x = keras.layers.Conv2D(64, 3, padding="same", activation="silu", name=f"{level}_hidden")(features)
    rare = keras.initializers.Constant([-3.0, 0.5, 0.5, 1.0, 1.0])  # hardly any cell has a centre
    return keras.layers.Conv2D(5, 1, bias_initializer=rare, name=level)(x)


def loss(target: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy of the centres, and the distance of the boxes where there is one; summed over the cells."""
    is_centre = target[..., 0]
    centres = ops.binary_crossentropy(is_centre, predicted[..., 0], from_logits=True)
    distances = is_centre * ops.sum(ops.abs(target[..., 1:] - predicted[..., 1:]), axis=-1)
    return ops.sum(centres + distances, axis=(1, 2))


def train(model: keras.Model, steps: int, random: numpy.random.Generator) -> None:
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)), loss)
    begin, recent = time.perf_counter(), []
    for step in range(1, steps + 1):
        images, boxes = draw_batch(random, BATCH)
        model.reset_metrics()  # else Keras reports the mean since the first step
        recent.append(float(model.train_on_batch(images, targets(boxes), return_dict=True)["loss"]))
        if step == 1 or step % 25 == 0 or step == steps:
            seconds = time.perf_counter() - begin
            print(f"step {step:4d}  loss {numpy.mean(recent):7.3f}  {seconds:5.1f} s", flush=True)
            recent = []


def draw_batch(random: numpy.random.Generator, count: int) -> tuple[numpy.ndarray, list[numpy.ndarray]]:
    """Noisy images of 0 … 255 with one or two plain rectangles, and for each its boxes (left, top, right, bottom)."""
    images = random.normal(random.uniform(60, 190, (count, 1, 1, 3)), 25, (count, SIDE, SIDE, 3))
    boxes = [numpy.array([draw_rectangle(random, image) for _ in range(random.integers(1, 3))]) for image in images]
    return images.clip(0, 255).astype("float32"), boxes


def draw_rectangle(random: numpy.random.Generator, image: numpy.ndarray) -> tuple[int, int, int, int]:
    size = numpy.exp(random.uniform(numpy.log(12), numpy.log(90)))
    width, height = (size * numpy.exp(random.uniform(-0.35, 0.35, 2))).clip(10, 110).astype(int)
    left, top = random.integers(0, SIDE - width), random.integers(0, SIDE - height)
    image[top : top + height, left : left + width] = random.uniform(0, 255, 3)
    return left, top, left + width, top + height


def targets(boxes: list[numpy.ndarray]) -> dict[str, numpy.ndarray]:
    """What each cell of each level should say, laid out as the model's outputs."""
    sides = {level: SIDE // stride for level, stride in STRIDES.items()}
    grids = {level: numpy.zeros((len(boxes), side, side, 5), "float32") for level, side in sides.items()}
    for number, of_image in enumerate(boxes):
        for left, top, right, bottom in of_image:
            width, height = right - left, bottom - top
            level = next(level for level, largest in LARGEST.items() if (width * height) ** 0.5 <= largest)
            stride = STRIDES[level]
            x, y = (left + right) / 2 / stride, (top + bottom) / 2 / stride
            box = x % 1, y % 1, numpy.log(width / stride), numpy.log(height / stride)
            grids[level][number, int(y), int(x)] = 1, *box
    return grids


def strongest_boxes(outputs: dict[str, numpy.ndarray]) -> numpy.ndarray:
    """The box of the cell that is surest of a centre, over all levels. -> (images, 4)."""
    best = [decode(output, STRIDES[level]) for level, output in outputs.items()]
    scores = numpy.stack([score for score, _ in best])
    boxes = numpy.stack([box for _, box in best])
    return boxes[scores.argmax(axis=0), numpy.arange(scores.shape[1])]


def decode(output: numpy.ndarray, stride: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The largest logit of one level and the box of its cell. (images, H, W, 5) -> (images,), (images, 4)."""
    columns = output.shape[2]
    cells = output.reshape(len(output), -1, 5)
    place = cells[..., 0].argmax(axis=1)
    score, x, y, width, height = cells[numpy.arange(len(cells)), place].T
    x, y = (place % columns + x) * stride, (place // columns + y) * stride
    width, height = numpy.exp(width) * stride, numpy.exp(height) * stride
    return score, numpy.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)


def report_hits(found: numpy.ndarray, boxes: list[numpy.ndarray]) -> None:
    """How often the surest box overlaps a rectangle of its image, and how often one of the next image by chance."""
    hits = numpy.mean([overlap(box, truth) >= 0.5 for box, truth in zip(found, boxes, strict=True)])
    elsewhere = boxes[1:] + boxes[:1]
    chance = numpy.mean([overlap(box, truth) >= 0.5 for box, truth in zip(found, elsewhere, strict=True)])
    print(f"hit rate {hits:.1%} on {len(boxes)} held-out images (overlap of at least 0.5); by chance {chance:.1%}")


def overlap(box: numpy.ndarray, others: numpy.ndarray) -> float:
    """Largest intersection over union of `box` with one of `others`. (4,), (n, 4) -> number."""
    sides = (numpy.minimum(box[2:], others[:, 2:]) - numpy.maximum(box[:2], others[:, :2])).clip(0)
    shared = sides.prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return float((shared / (areas - shared)).max())


if __name__ == "__main__":
    main()
