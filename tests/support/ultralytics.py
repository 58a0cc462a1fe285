"""Model files in the form of Ultralytics, written by hand from the papers and the documentation of the networks."""

from __future__ import annotations

UP = '[-1, 1, nn.Upsample, [None, 2, "nearest"]]'


def rows(*lines: str) -> str:
    return "".join([f"  - {line}\n" for line in lines])


def join(row: int) -> str:
    return f"[[-1, {row}], 1, Concat, [1]]"


def file(scales: str, backbone: str, head: str) -> str:
    return f"# ours\nnc: 80 # classes\nscales: # [depth, width, most]\n{scales}\nbackbone:\n{backbone}\nhead:\n{head}\n"


def pan(block: str, td4: int, p3: int, p5: int, last: str, repeats: int = 3) -> str:
    """Top-down and bottom-up, after a backbone whose last row is `p5`."""
    first = p5 + 3
    return rows(
        *(UP, join(td4), f"[-1, {repeats}, {block}, [512, False]]", UP, join(p3)),
        *(f"[-1, {repeats}, {block}, [256, False]]", "[-1, 1, Conv, [256, 3, 2]]", join(first)),
        *(f"[-1, {repeats}, {block}, [512, False]]", "[-1, 1, Conv, [512, 3, 2]]", join(p5)),
        *(f"[-1, {repeats}, {block}, [1024, {last}]]", f"[[{first + 3}, {first + 6}, {first + 9}], 1, Detect, [nc]]"),
    )


def staged(block: str, repeats: tuple[int, ...], stem: str = "[64, 3, 2]") -> str:
    lines = [f"[-1, 1, Conv, {stem}]"]
    for width, depth in zip((128, 256, 512, 1024), repeats, strict=True):
        lines += [f"[-1, 1, Conv, [{width}, 3, 2]]", f"[-1, {depth}, {block}, [{width}, True]]"]
    return rows(*lines, "[-1, 1, SPPF, [1024, 5]]")


V8 = file(
    "  n: [0.33, 0.25, 1024]\n  s: [0.33, 0.50, 1024]\n  m: [0.67, 0.75, 768]\n  x: [1.00, 1.25, 512]",
    staged("C2f", (3, 6, 6, 3)),
    pan("C2f", 6, 4, 9, "False"),
)
V11 = file(
    "  n: [0.50, 0.25, 1024]\n  s: [0.50, 0.50, 1024]\n  m: [0.50, 1.00, 512]",
    rows(
        *("[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [128, 3, 2]]", "[-1, 2, C3k2, [256, False, 0.25]]"),
        *("[-1, 1, Conv, [256, 3, 2]]", "[-1, 2, C3k2, [512, False, 0.25]]", "[-1, 1, Conv, [512, 3, 2]]"),
        *("[-1, 2, C3k2, [512, True]]", "[-1, 1, Conv, [1024, 3, 2]]", "[-1, 2, C3k2, [1024, True]]"),
        *("[-1, 1, SPPF, [1024, 5]]", "[-1, 2, C2PSA, [1024]]"),
    ),
    pan("C3k2", 6, 4, 10, "True", 2),
)

V5 = file(  # its C3 says nothing about shortcuts in the backbone
    "  n: [0.33, 0.25, 1024]",
    staged("C3", (3, 6, 9, 3), "[64, 6, 2, 2]").replace(", True", ""),
    rows(
        *("[-1, 1, Conv, [512, 1, 1]]", UP, join(6), "[-1, 3, C3, [512, False]]", "[-1, 1, Conv, [256, 1, 1]]", UP),
        *(join(4), "[-1, 3, C3, [256, False]]", "[-1, 1, Conv, [256, 3, 2]]", join(14), "[-1, 3, C3, [512, False]]"),
        *("[-1, 1, Conv, [512, 3, 2]]", join(10), "[-1, 3, C3, [1024, False]]", "[[17, 20, 23], 1, Detect, [nc]]"),
    ),
)


def gelan(width: int, half: int, step: int, depth: int) -> str:
    return f"[-1, 1, RepNCSPELAN4, [{width}, {half}, {step}, {depth}]]"


def sizeless(backbone: str, head: str) -> str:
    return f"nc: 80\nbackbone:\n{backbone}\nhead:\n{head}\n"


def yolo_v9(
    stem: int, p2: str, levels: tuple[tuple[str, str], str, str], down: str, widths: tuple[int, ...], last: int
) -> str:
    p3, p4, p5 = levels
    first, second, third, down4, down5 = widths
    return sizeless(
        rows(
            *(f"[-1, 1, Conv, [{stem}, 3, 2]]", f"[-1, 1, Conv, [{2 * stem}, 3, 2]]", p2),
            *(f"[-1, 1, {down}, [{first}]]", p3[0], f"[-1, 1, {down}, [{second}]]", p4),
            *(f"[-1, 1, {down}, [{third}]]", p5, f"[-1, 1, SPPELAN, [{last}, {last // 2}]]"),
        ),
        rows(
            *(UP, join(6), p4, UP, join(4), p3[1], f"[-1, 1, {down}, [{down4}]]", join(12), p4),
            *(f"[-1, 1, {down}, [{down5}]]", join(9), p5, "[[15, 18, 21], 1, Detect, [nc]]"),
        ),
    )


V9T = yolo_v9(
    *(16, "[-1, 1, ELAN1, [32, 32, 16]]"),
    ((gelan(64, 64, 32, 3),) * 2, gelan(96, 96, 48, 3), gelan(128, 128, 64, 3)),
    *("AConv", (64, 96, 128, 48, 64), 128),
)
V9S = yolo_v9(
    *(32, "[-1, 1, ELAN1, [64, 64, 32]]"),
    ((gelan(128, 128, 64, 3),) * 2, gelan(192, 192, 96, 3), gelan(256, 256, 128, 3)),
    *("AConv", (128, 192, 256, 96, 128), 256),
)
V9C = yolo_v9(
    *(64, gelan(256, 128, 64, 1)),
    ((gelan(512, 256, 128, 1), gelan(256, 256, 128, 1)), gelan(512, 512, 256, 1), gelan(512, 512, 256, 1)),
    *("ADown", (256, 512, 512, 256, 512), 512),
)


def yolo_v10(scale: str, p5: str, td4: str, n4: str, n5: str) -> str:
    return file(
        scale,
        rows(
            *("[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [128, 3, 2]]", "[-1, 3, C2f, [128, True]]"),
            *("[-1, 1, Conv, [256, 3, 2]]", "[-1, 6, C2f, [256, True]]", "[-1, 1, SCDown, [512, 3, 2]]"),
            *("[-1, 6, C2f, [512, True]]", "[-1, 1, SCDown, [1024, 3, 2]]", f"[-1, 3, {p5}]"),
            *("[-1, 1, SPPF, [1024, 5]]", "[-1, 1, PSA, [1024]]"),
        ),
        rows(
            *(UP, join(6), f"[-1, 3, {td4}]", UP, join(4), "[-1, 3, C2f, [256]]", "[-1, 1, Conv, [256, 3, 2]]"),
            *(join(13), f"[-1, 3, {n4}]", "[-1, 1, SCDown, [512, 3, 2]]", join(10), f"[-1, 3, {n5}]"),
            "[[16, 19, 22], 1, v10Detect, [nc]]",
        ),
    )


C2F, LARGE = ("C2f, [512]", "C2f, [512]"), "C2fCIB, [1024, True, True]"
V10N = yolo_v10("  n: [0.33, 0.25, 1024]", "C2f, [1024, True]", *C2F, LARGE)
V10S = yolo_v10("  s: [0.33, 0.50, 1024]", LARGE, *C2F, LARGE)
V10B = yolo_v10("  b: [0.67, 1.00, 512]", "C2fCIB, [1024, True]", *["C2fCIB, [512, True]"] * 2, "C2fCIB, [1024, True]")
V12 = file(
    "  n: [0.50, 0.25, 1024]\n  m: [0.50, 1.00, 512]\n  l: [1.00, 1.00, 512]",
    rows(
        *("[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [128, 3, 2]]", "[-1, 2, C3k2, [256, False, 0.25]]"),
        *("[-1, 1, Conv, [256, 3, 2]]", "[-1, 2, C3k2, [512, False, 0.25]]", "[-1, 1, Conv, [512, 3, 2]]"),
        *("[-1, 4, A2C2f, [512, True, 4]]", "[-1, 1, Conv, [1024, 3, 2]]", "[-1, 4, A2C2f, [1024, True, 1]]"),
    ),
    rows(
        *(UP, join(6), "[-1, 2, A2C2f, [512, False, -1]]", UP, join(4), "[-1, 2, A2C2f, [256, False, -1]]"),
        *("[-1, 1, Conv, [256, 3, 2]]", join(11), "[-1, 2, A2C2f, [512, False, -1]]", "[-1, 1, Conv, [512, 3, 2]]"),
        *(join(8), "[-1, 2, C3k2, [1024, True]]", "[[14, 17, 20], 1, Detect, [nc]]"),
    ),
)


def with_head(text: str, head: str, more: str = "") -> str:
    """A model file with another head in the place of Detect."""
    return more + text.replace("Detect, [nc]", head)


def classifier(text: str) -> str:
    """The backbone of a model file without SPPF, and classes of its last map; the widest map is wider than there."""
    backbone = text[: text.index("head:")].replace("  - [-1, 1, SPPF, [1024, 5]]\n", "").replace("nc: 80", "nc: 1000")
    return f"{backbone}head:\n  - [-1, 1, Classify, [nc]]\n"


SEGMENT, POSE, OBB = "Segment, [nc, 32, 256]", "Pose, [nc, kpt_shape]", "OBB, [nc, 1]"
POINTS = "kpt_shape: [17, 3]\n"
V8_POSE, V11_POSE = [with_head(text, POSE, POINTS).replace("nc: 80", "nc: 1") for text in (V8, V11)]
FILES = {  # of a preset: the model file, and the size
    "yolo_v5u_n_detect": (V5, "n"),
    "yolo_v8_xs_detect": (V8, "n"),
    "yolo_v8_s_detect": (V8, "s"),
    "yolo_v8_m_detect": (V8, "m"),
    "yolo_v8_xl_detect": (V8, "x"),
    "yolo_v8_s_segment": (with_head(V8, SEGMENT), "s"),
    "yolo_v8_s_pose": (V8_POSE, "s"),
    "yolo_v8_s_obb": (with_head(V8, OBB), "s"),
    "yolo_v8_xs_classify": (classifier(V8), "n"),
    "yolo_v9_t_detect": (V9T, None),
    "yolo_v9_s_detect": (V9S, None),
    "yolo_v9_c_detect": (V9C, None),
    "yolo_v10_n_detect": (V10N, "n"),
    "yolo_v10_s_detect": (V10S, "s"),
    "yolo_v10_b_detect": (V10B, "b"),
    "yolo_11_n_detect": (V11, "n"),
    "yolo_11_s_detect": (V11, "s"),
    "yolo_11_m_detect": (V11, "m"),
    "yolo_11_n_segment": (with_head(V11, SEGMENT), "n"),
    "yolo_11_n_pose": (V11_POSE, "n"),
    "yolo_11_n_obb": (with_head(V11, OBB), "n"),
    "yolo_11_n_classify": (classifier(V11), "n"),
    "yolo_12_n_detect": (V12, "n"),
    "yolo_12_m_detect": (V12, "m"),
    "yolo_12_l_detect": (V12, "l"),
}
