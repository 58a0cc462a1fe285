"""The documents derived from the code are those in the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import REPOSITORY

from archdsl.blocks.registry import all_blocks
from archdsl.frontend.compose.search_path import preset_names

PATHS = [
    "configs/README.md",
    "archdsl/blocks/README.md",
    "archdsl/blocks/families.py",
    "configs/archdsl.schema.json",
    "configs/group.schema.json",
]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the command writes, in a process that no other test has registered blocks in."""
    folder: Path = tmp_path_factory.mktemp("checkout")
    for path in PATHS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "archdsl.tools.reference"], cwd=folder, check=True)
    return {path: (folder / path).read_text() for path in PATHS}


@pytest.mark.parametrize("path", PATHS)
def test_a_document_is_what_the_command_writes(path: str, documents: dict[str, str]) -> None:
    assert (REPOSITORY / path).read_text() == documents[path], "run: python -m archdsl.tools.reference"


def test_every_preset_key_and_block_is_described(documents: dict[str, str]) -> None:
    configs, blocks = documents["configs/README.md"], documents["archdsl/blocks/README.md"]
    assert not [name for name in preset_names() if f"| `{name}` | " not in configs]
    assert set(re.findall(r"^### `(\w+)`$", blocks, re.M)) == {
        name for name, block in all_blocks().items() if block.function.__module__.startswith("archdsl.")
    }
    rows = re.findall(r"^\| `\w+` \|.*\| (.*) \|$", configs.partition("## Keys")[2] + blocks, re.M)
    assert len(rows) > 150
    assert all(len(meaning) > 5 for meaning in rows)


@pytest.mark.parametrize("path", PATHS[:2])
def test_links_of_a_document_lead_somewhere(path: str, documents: dict[str, str]) -> None:
    headings = re.findall(r"^#+ (.*)$", documents[path], re.M)
    anchors = {re.sub(r"[^a-z -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", documents[path]):
        place = (REPOSITORY / path).parent / target
        assert target[1:] in anchors if target.startswith("#") else "://" in target or place.exists(), target
