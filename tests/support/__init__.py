"""Helpers of the tests: where things are; oracles, generated inputs and files."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent
EXAMPLES = REPOSITORY / "examples"
