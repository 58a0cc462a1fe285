"""The colours of a diagram, by the names that a scene calls them."""

from __future__ import annotations

from typing import Literal, get_args

ThemeName = Literal["light", "dark", "print", "page"]
THEMES: tuple[str, ...] = get_args(ThemeName)

_NAMES = (
    *("paper", "lane", "panel", "stage", "rule", "ink", "muted", "edge", "skip", "mark", "on-mark", "params", "macs"),
    *("input", "many", "down", "up", "attention", "join", "plain", "block", "outline"),
)
_LIGHT = (
    *("#ffffff", "#f5f7fa", "#e8ecf1", "#ffffff", "#d5dbe3", "#1d232b", "#5a6573", "#7b8794", "#4a7fc1"),
    *("#235a99", "#ffffff", "#3f7ccb", "#e08a3c"),
    *("#eceff3", "#e3e6f0", "#fde8cf", "#d5efe6", "#e7dcf7", "#eceff3", "#ffffff", "#dbe8fa", "#b4bfcc"),
)
_DARK = (
    *("#12161c", "#191f27", "#252d37", "#12161c", "#303944", "#e8edf3", "#a3afbd", "#77838f", "#6ea8ea"),
    *("#7db4f0", "#0f141a", "#6ea8ea", "#eca25c"),
    *("#262e38", "#2a2f45", "#46351f", "#1d3f37", "#3a2d55", "#262e38", "#1a212a", "#203552", "#4a5665"),
)
_PRINT = (
    *("#ffffff", "#ffffff", "#9a9a9a", "#ffffff", "#c0c0c0", "#000000", "#3d3d3d", "#3d3d3d", "#000000"),
    *("#000000", "#ffffff", "#1f1f1f", "#8a8a8a"),
    *("#ffffff", "#e6e6e6", "#cbcbcb", "#dedede", "#bdbdbd", "#ebebeb", "#ffffff", "#f6f6f6", "#4d4d4d"),
)
_PAGE = tuple([f"var(--arch-{name}, {colour})" for name, colour in zip(_NAMES, _LIGHT, strict=True)])

_COLOURS = {
    theme: dict(zip(_NAMES, colours, strict=True))
    for theme, colours in zip(THEMES, (_LIGHT, _DARK, _PRINT, _PAGE), strict=True)
}


def colours_of(theme: str) -> dict[str, str]:
    """The colour of each name, as CSS has it. `page` asks the page, --arch-ink, and is light where it sets none."""
    return _COLOURS[theme]
