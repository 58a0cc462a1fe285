"""PyTorch checkpoints: pickles that would run something, sizes that are not the file's, archives that are odd."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.torch_files import (
    BEGIN,
    END,
    Call,
    Made,
    Name,
    Reference,
    Written,
    members_of,
    tensor,
    with_description,
    write_zip,
)

import archdsl.weights.pytorch.importing  # (before they are watched: named tuples compile their annotations)
import archdsl.weights.pytorch.template  # noqa: F401
from attacks.case import Attack, command

FILE = "a.pt"
CONFIG = """conventions: {padding: symmetric}
stages: {p1: {width: 8, down: {block: conv, bias: false, kernel: 3, stride: 2}}}
"""
NUMBERS = {"0": bytes(864)}
KERNEL = tensor(Reference("Float", "0", 216), 0, (8, 3, 3, 3), (27, 9, 3, 1))
STATE = {"model.0.weight": KERNEL}
MANY = [f"{first}{second}" for first in "abcdefghijklmnop" for second in "qrstuvwxyz"]
OLD = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")
Make = Callable[[Path], object]


def file(value: Any, numbers: dict[str, bytes] = NUMBERS) -> Make:
    """A checkpoint of this value."""
    return raw(Written().data(value), numbers)


def raw(description: bytes, numbers: dict[str, bytes] = NUMBERS) -> Make:
    return archive(with_description(description, numbers))


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Make:
    def make(folder: Path) -> None:
        (folder / "net.yaml").write_text(CONFIG)
        write_zip(folder / FILE, members, method)

    return make


def changed(before: bytes, after: bytes, count: int = -1) -> Make:
    """The bytes of a sound file with others in the place of some."""

    def make(folder: Path) -> None:
        file(STATE)(folder)
        data = (folder / FILE).read_bytes()
        assert before in data
        (folder / FILE).write_bytes(data.replace(before, after, count))

    return make


def contents(data: bytes) -> Make:
    def make(folder: Path) -> None:
        (folder / "net.yaml").write_text(CONFIG)
        (folder / FILE).write_bytes(data)

    return make


def overlapping(folder: Path) -> None:
    """Two entries of the directory lead to the same bytes."""
    file(STATE)(folder)
    data = bytearray((folder / FILE).read_bytes())
    places = [at for at in range(len(data)) if data.startswith(b"PK\x01\x02", at)]
    one, other = [at for at in places if b"net/data" in data[at + 46 : at + 58]]
    data[other + 42 : other + 46] = data[one + 42 : one + 46]
    (folder / FILE).write_bytes(data)


def longer_than_the_file(folder: Path) -> None:
    file(STATE)(folder)
    data = bytearray((folder / FILE).read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 1 << 31, 1 << 31)
    (folder / FILE).write_bytes(data)


def tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("storages"))
    return data.getvalue()


def link(folder: Path) -> None:
    (folder / "net.yaml").write_text(CONFIG)
    (folder / FILE).symlink_to(FILE)


def folder_there(folder: Path) -> None:
    (folder / "net.yaml").write_text(CONFIG)
    (folder / FILE).mkdir()


def pipe(folder: Path) -> None:
    (folder / "net.yaml").write_text(CONFIG)
    os.mkfifo(folder / FILE)


def link_inside(folder: Path) -> None:
    """A member that a careless program would make a link of."""
    (folder / "net.yaml").write_text(CONFIG)
    members = members_of(STATE) | {"net/data/0": bytes(864)}
    with zipfile.ZipFile(folder / FILE, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
        info = zipfile.ZipInfo("net/data/9")
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "../../secret.txt")


def itself(depth: int) -> bytes:
    """A module that is a module of itself."""
    inner = b"}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x00ah\x01ssb"
    return BEGIN + b"cx\nM\n)\x81q\x01" + inner + END


def doubling(depth: int) -> bytes:
    """A pair of pairs of pairs …, small in memory and without end to whoever walks through it."""
    return b")" + b"2\x86" * depth


def modules_doubling(depth: int) -> bytes:
    """A module of two modules, which are the same, of two modules, which are the same …"""
    data = BEGIN + b"cx\nM\nq\x000Nq\x01"
    for _ in range(depth):
        data += b"0h\x00)\x81}X\x08\x00\x00\x00_modules}(X\x01\x00\x00\x00ah\x01X\x01\x00\x00\x00bh\x01usbq\x01"
    return data + END


def shared(key: bytes, count: int) -> bytes:
    """Many modules, all of which have the same many things in them."""
    name = b"X" + struct.pack("<I", len(key)) + key
    things = b"".join(b"X\x05\x00\x00\x00" + f"{number:05}".encode() + b"N" for number in range(count))
    inner = b"cx\nM\nq\x000}(" + things + b"uq\x010}" + name + b"h\x01sq\x020"
    modules = b"".join(b"X\x05\x00\x00\x00" + f"{number:05}".encode() + b"h\x00)\x81h\x02b" for number in range(count))
    return BEGIN + inner + b"h\x00)\x81}X\x08\x00\x00\x00_modules}(" + modules + b"usb" + END


def long_name_often(count: int) -> bytes:
    """The same name of a megabyte for the storages of many tensors."""
    long = b"X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20) + b"q\x000ctorch\nFloatStorage\nq\x010"
    begin = b"ctorch._utils\n_rebuild_tensor_v2\nq\x020X\x07\x00\x00\x00storageq\x030}("
    one = b"h\x02((h\x03h\x01h\x00NK\x01tQK\x00)))\x89NtR"
    items = b"".join(b"X\x05\x00\x00\x00" + f"{number:05}".encode() + one for number in range(count))
    return BEGIN + long + begin + items + b"u" + END


def long_shape_often(count: int) -> bytes:
    """The same shape of a hundred thousand sides for many tensors."""
    long = b"(" + b"K\x01" * 100_000 + b"tq\x000ctorch._utils\n_rebuild_tensor_v2\nq\x020"
    one = b"h\x02(NK\x00h\x00h\x00\x89NtR0"
    return BEGIN + long + one * count + END


def colliding(count: int) -> bytes:
    """Numbers as keys that all have one hash."""
    keys = b"".join(b"\x8a\x20" + (number * (2**61 - 1)).to_bytes(32, "little") + b"N" for number in range(count))
    return BEGIN + b"}(" + keys + b"u" + END


def row(name: str, make: Make, answer: str, config: str = "net.yaml", **more: Any) -> Attack:
    act = command("import", FILE, "-o", "a.safetensors", "--config", config)
    return Attack(f"torch: {name}", make, act, answer, **more)


def template(name: str, make: Make, answer: str) -> Attack:
    """The names of the file are taken for weights that are saved."""

    def act(folder: Path) -> object:
        import archdsl

        return archdsl.weights.save(archdsl.build_from_config("net.yaml"), "b.safetensors", names=FILE)

    return Attack(f"torch: names of {name}", make, act, answer, keras=True)


def auxiliary(count: int) -> Make:
    """Heads for training, each of 64 MB that is the same in all."""
    large = tensor(Reference("Float", "1", 1 << 24), 0, (1 << 24,), (1,))
    more = {f"AuxLogits.x{number}.weight": large for number in range(count)}
    return file({"first.weight": KERNEL, **more}, {**NUMBERS, "1": bytes(1 << 26)})


def running(module: str, name: str, *arguments: Any) -> Make:
    """What would be run when the file is loaded as PyTorch did for years."""
    return file({"model.0.conv.weight": Call(Name(module, name), arguments)})


def key(*path: bytes) -> bytes:
    return BEGIN + b"}(" + b"".join(path) + b"Nu" + END


def telling(kind: str = "Conv", count: int = 1, **said: Any) -> Make:
    """A module that describes itself: rows of this kind, the convolutions of which say these things."""
    sides = dict.fromkeys(("kernel_size", "stride", "padding", "dilation"), (1, 1))
    conv = Made(
        Name("t", "Conv2d"), {"_parameters": {"weight": KERNEL}, "out_channels": 8, "groups": 1, **sides, **said}
    )
    parts = {"conv": conv, "act": Made(Name("t", "SiLU"), {}), "cv1": conv, "cv2": conv}
    rows = {str(number): Made(Name("u", kind), {"f": -1, "_modules": parts, **said}) for number in range(count)}
    return file(Made(Name("u", "Model"), {"_modules": {"model": Made(Name("t", "Sequential"), {"_modules": rows})}}))


def with_part(part: Any) -> Make:
    """A row of one convolution, with something beside its kernel in the place of its activation."""
    conv = Made(Name("t", "Conv2d"), {"_parameters": {"weight": KERNEL}})
    rows = {"0": Made(Name("u", "Conv"), {"f": -1, "_modules": {"conv": conv, "act": part}})}
    return file(Made(Name("u", "Model"), {"_modules": {"model": Made(Name("t", "Sequential"), {"_modules": rows})}}))


def like_resnet() -> Make:
    """Convolutions and batch norms of one stage, in an order that nothing tells."""
    large = Reference("Float", "0", 36_864)
    kernel, norm = tensor(large, 0, (64, 64, 3, 3), (576, 9, 3, 1)), tensor(large, 0, (64,), (1,))
    arrays = {"stem.weight": tensor(large, 0, (64, 3, 7, 7), (147, 49, 7, 1))}
    for letters in MANY:
        roles = ("weight", "bias", "running_mean", "running_var")
        arrays |= {f"{letters}x.weight": kernel, **{f"{letters}y.{role}": norm for role in roles}}
    return file(arrays, {"0": bytes(4 * 36_864)})


def described(name: str, make: Make, answer: str) -> Attack:
    return Attack(f"torch: described, {name}", make, command("import", FILE, "-o", "a.yaml"), answer)


NOTHING = "without a state dict or a module"
RUN = [
    ("os", "system", "touch ran"),
    ("posix", "system", "touch ran"),
    ("builtins", "eval", "__import__('os').system('touch ran')"),
    ("builtins", "exec", "open('ran', 'w')"),
    ("builtins", "__import__", "antigravity"),
    ("builtins", "open", "ran", "w"),
    ("builtins", "getattr", Name("os", "system"), "__call__"),
    ("subprocess", "Popen", ["touch", "ran"]),
    ("torch", "load", "b.pt"),
    ("torch.hub", "load_state_dict_from_url", "http://localhost"),
    ("importlib", "import_module", "webbrowser"),
    ("collections", "OrderedDict", ["x"]),
    ("numpy.core.multiarray", "_reconstruct", Name("numpy", "ndarray")),
]
NO_SENSE = "makes no sense"
TENSORS: dict[str, tuple[Any, str]] = {
    "beyond its storage": (tensor(Reference("Float", "0", 216), 1, (8, 3, 3, 3), (27, 9, 3, 1)), "beyond its storage"),
    "of petabytes": (tensor(Reference("Float", "0", 216), 0, (1 << 40, 1 << 10), (0, 0)), "beyond its storage"),
    "with steps back": (tensor(Reference("Float", "0", 216), 215, (216,), (-1,)), "a place that is not one"),
    "of a storage of petabytes": (tensor(Reference("Float", "0", 1 << 47), 0, (1,), (1,)), "864 bytes of values"),
    "of a storage that is not there": (tensor(Reference("Float", "7", 216), 0, (1,), (1,)), "nothing of values"),
    "of another file": (tensor(Reference("Float", "../../secret.txt", 1), 0, (1,), (1,)), "nothing of values"),
    "of a strange storage": (tensor(Reference("Secret", "0", 216), 0, (8, 3, 3, 3), (27, 9, 3, 1)), "of SecretStorage"),
    "of no storage": (tensor(None, 0, (1,), (1,)), NO_SENSE),
    "of a text": (tensor(Reference("Float", "0", 216), "0", (1,), (1,)), "a place that is not one"),
    "of a million dimensions": (tensor(Reference("Float", "0", 216), 0, (1,) * 10_000, (1,) * 10_000), "is not one"),
    "with other steps than sides": (tensor(Reference("Float", "0", 216), 0, (8, 3), (1,)), "is not one"),
    "of a true size": (tensor(Reference("Float", "0", 216), 0, (True,), (1,)), "is not one"),
    "without arguments": (Call(Name("torch._utils", "_rebuild_tensor_v2")), "damaged PyTorch file"),
}
PICKLES: dict[str, tuple[bytes, str]] = {
    "without an end": (BEGIN + b"}" * 10, "ends too early"),
    "of nothing": (b"", "ends too early"),
    "that takes from nothing": (BEGIN + b"0" + END, "what is not there"),
    "that closes what is not open": (BEGIN + b"t" + END, NO_SENSE),
    "that recalls nothing": (BEGIN + b"h\x09" + END, NO_SENSE),
    "of protocol 1": (b"\x80\x01}" + END, "protocol 1"),
    "of protocol 0": (b"(dp0\n.", "the operation"),
    "of a registered extension": (BEGIN + b"\x82\x01" + END, "the operation"),
    "of a number without end": (BEGIN + b"\x8b\xff\xff\xff\x7f" + END, "ends too early"),
    "of a negative length": (BEGIN + b"\x8b\xff\xff\xff\xff" + END, "ends too early"),
    "of a text of petabytes": (BEGIN + b"\x8d" + struct.pack("<Q", 1 << 50) + END, "ends too early"),
    "of a name without end": (BEGIN + b"c" + b"x" * 100_000 + END, "a name that does not end"),
    "of a name of bytes": (BEGIN + b"c\xff\xff\nx\n" + END, NO_SENSE),
    "of a million marks": (BEGIN + b"(" * 1_100_000 + END, "more than 1000000 operations"),
    "of a million sets": (BEGIN + b"\x8f" * 1_100_000 + END, "more than 1000000 operations"),
    "of a million memos": (BEGIN + b"}" + b"\x94" * 1_100_000 + END, "more than 1000000 operations"),
    "of 17 MB": (BEGIN + b"X" + struct.pack("<I", 17 << 20) + bytes(17 << 20) + END, "bytes; expected"),
    "with a key that is doubled a hundred times": (key(doubling(100)), "neither a name nor a number"),
    "doubled a hundred times": (BEGIN + doubling(100) + END, NOTHING),
    "nested 400,000 deep": (BEGIN + b")" + b"\x85" * 400_000 + END, NOTHING),
    "of lists nested 200,000 deep": (BEGIN + b"]" * 200_000 + b"a" * 199_999 + END, NOTHING),
    "with keys of one hash": (colliding(20_000), "neither a name nor a number"),
    "of a module in itself": (itself(1), "nested deeper than 64"),
    "of modules doubled sixty times": (modules_doubling(60), "more than 100000 modules"),
    "of modules with the same arrays": (shared(b"_parameters", 20_000), "more than 100000 modules"),
    "of modules with the same modules": (shared(b"_modules", 20_000), "more than 100000 modules"),
    "of a long name for many storages": (long_name_often(20_000), "what is not a storage"),
    "of a long shape for many tensors": (long_shape_often(50_000), NO_SENSE),
    "of a storage that is a text": (BEGIN + b"X\x01\x00\x00\x00aQ" + END, "damaged PyTorch file"),
    "of a storage made of arguments": (BEGIN + b")Q" + END, "damaged PyTorch file"),
}
SMALL = {"net/data.pkl": b"\x80\x02}.", "net/version": b"3\n"}
ATTACKS: list[Attack] = [
    *[row(f"{module}.{name}", running(module, name, *more), NOTHING) for module, name, *more in RUN],
    row("an object that runs when its state is set", file({"a": Made(Name("os", "system"), "touch ran")}), NOTHING),
    row("a class that is a module", file(Made(Name("os", "system"), {"_modules": {"0": 7}})), NOTHING),
    row("a call of what a call gave", raw(BEGIN + b"cos\nsystem\nX\x01\x00\x00\x00a\x85R)R" + END), NOTHING),
    *[row(f"a tensor {name}", file({"model.0.weight": value}), fact) for name, (value, fact) in TENSORS.items()],
    *[row(f"a pickle {name}", raw(description), fact) for name, (description, fact) in PICKLES.items()],
    row("a name of 5 MB", file({"model.0." + "x" * 5_000_000: KERNEL}), "a name of 5000008 characters"),
    row("100,000 tensors of one storage", file({f"model.{n}.x": KERNEL for n in range(50_000)}), "operations"),
    row("a layer number of 900 digits", file({"model." + "9" * 900 + ".conv.weight": KERNEL, **STATE}), "does not fit"),
    row("modules that fit in very many ways", file({f"{letter}x.weight": KERNEL for letter in MANY}), "does not fit"),
    described("modules that fit many presets in very many ways", like_resnet(), "it has the layers of no preset"),
    row("modules nested 400 deep", file({"a." * 400 + "weight": KERNEL}), "does not fit"),
    row("a million names of classes", file({"model": STATE, "names": ["x"] * 1_000_000}), None),
    row("names that are not names", file({"model": STATE, "names": {0: Made(Name("os", "system"), "ls")}}), ""),
    row("packed members", archive(members_of(STATE), zipfile.ZIP_DEFLATED), "packed or encrypted"),
    row("an archive that unpacks to a gigabyte", archive(SMALL | {"net/data/0": bytes(1 << 27)}, 8), "packed"),
    row("members that overlap", overlapping, "overlap"),
    row("a member longer than the file", longer_than_the_file, "damaged PyTorch file"),
    row("two descriptions", archive(SMALL | {"x/data.pkl": b""}), "it has 2 descriptions"),
    row("a program of TorchScript", archive(SMALL | {"net/constants.pkl": b""}), "a TorchScript file"),
    row("a program of TorchScript, packed", archive(SMALL | {"net/constants.pkl": b""}, 8), "a TorchScript file"),
    row("a big-endian machine's", archive(SMALL | {"net/byteorder": b"big"}), "big-endian"),
    row("other numbers than their checksum", changed(bytes(864), b"x" * 864), "does not have its checksum"),
    row("50,000 members", archive(SMALL | {f"net/data/{'x' * 30}{n}": b"" for n in range(50_000)}), "its directory"),
    row("a member that is a link", link_inside, ""),
    row("a member outside", archive(members_of({}) | {"../out": b""}), NOTHING),
    row("a form of before 1.6", contents(OLD + bytes(99)), "of before 1.6"),
    row("a tar archive", contents(tar()), "a tar archive"),
    row("a plain pickle", contents(pickle.dumps({"a": 1})), "which is never read"),
    row("a loop of links", link, "such weights file"),
    row("a folder", folder_there, "no such weights file"),
    row("a named pipe", pipe, "no such weights file"),
    row("nothing wrong with it", file(STATE), ""),
    template("a file that runs", running("os", "system", "touch ran"), NOTHING),
    template("an object that runs when its state is set", file({**STATE, "a": Made(Name("os", "system"), "ls")}), ""),
    template("a tensor of a strange storage", file({"model.0.weight": TENSORS["of a strange storage"][0]}), "Secret"),
    template("a thousand heads for training of the same 64 MB", auxiliary(1_000), "the same bytes"),
    template("nothing wrong with it", file(STATE), ""),
    described("a width of 10**15", telling(out_channels=10**15), "expected 0 to 65536"),
    described("a width of 10**400", telling("C2PSA", out_channels=10**400), "without a number"),
    described("no channels", telling("AConv", out_channels=0), "of no channels"),
    described("a width of lists", telling(out_channels=[[["x"] * 9] * 9] * 9), "without a number"),
    described("a stride of 0", telling(stride=(0, 0)), "a stride of 0"),
    described("a class with a long name", telling("x" * 1_000), "is not a module"),
    described("a factor without end", telling("Upsample", scale_factor=float("inf"), mode="nearest"), "2 to 32 times"),
    described(
        "maps of a quarter of a pixel", telling("Upsample", 9, scale_factor=2.0, mode="nearest"), "beyond the image"
    ),
    row("a module without a state", with_part(Call(Name("t", "SiLU"))), "is not in the file"),
    row("a module whose state is nothing", with_part(Made(Name("t", "SiLU"), None)), "is not in the file"),
    row("a module whose state is a number", with_part(Made(Name("t", "SiLU"), 5)), "is not in the file"),
    row("an epsilon of 10**400", with_part(Made(Name("t", "BatchNorm2d"), {"eps": 10**400})), "is not in the file"),
    row(
        "an epsilon that is none",
        with_part(Made(Name("t", "BatchNorm2d"), {"eps": float("nan")})),
        "of the file is nan",
    ),
    described("modules of nothing", telling("C2f"), "has no part 'm'"),
    described("a thousand modules", telling(count=900), "are not in the file"),
]
