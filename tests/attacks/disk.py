"""Servers that send more than they should, and folders that are more than they seem."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from archdsl.files import folder_written_whole
from archdsl.presets import preset_info
from archdsl.pretrained import cache, network
from attacks.case import Attack

NAME = "yolo_v8_xs_backbone_coco"


class Endless:
    """A server's answer that announces `length` bytes and never ends."""

    def __init__(self, length: int | None):
        self.length = length

    def read(self, count: int) -> bytes:
        return bytes(count)


def downloaded(length: int | None) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        @contextmanager
        def response(url: str) -> Iterator[Any]:
            yield Endless(length)

        with (
            mock.patch.object(network, "_response", response),
            mock.patch.object(cache, "refusals", lambda urls: dict.fromkeys(urls, "")),
            mock.patch.object(cache, "_kagglehub", lambda handle, name: {}),
            mock.patch.object(cache, "cache_folder", lambda: folder / "cache"),
        ):
            try:
                return cache.trained_weights(preset_info(NAME))
            finally:
                if sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
                    raise AssertionError("the download is still there")

    return act


def saved(folder: Path) -> None:
    with folder_written_whole(folder / "preset", ("config.yaml",)) as partial:
        (partial / "config.yaml").write_text("stages: {}\n")


def with_notes(folder: Path) -> None:
    (folder / "preset").mkdir()
    (folder / "preset" / "notes.txt").write_text("of the user's")


ATTACKS = [
    Attack("three gigabytes announced", lambda folder: None, downloaded(3_000_000_000), "announces 3000000000 bytes"),
    Attack("nothing announced and no end", lambda folder: None, downloaded(None), "received more than"),
    Attack("less announced than comes", lambda folder: None, downloaded(1_000_000), "received more than"),
    Attack("a preset over a user's folder", with_notes, saved, "contains 'notes.txt'"),
    Attack("a preset over a link", lambda folder: (folder / "preset").symlink_to(".."), saved, "is in the way"),
    Attack("a preset over a pipe", lambda folder: os.mkfifo(folder / "preset"), saved, "is in the way"),
]
