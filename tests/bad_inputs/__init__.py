"""Traps that a config can fall into, each spelling a case of its own."""

from bad_inputs.case import Case
from bad_inputs.composition import GROUPS, OPTIONS, OVERRIDES, PARENTS, PATHS, REFERENCES
from bad_inputs.files import FILES, TAGS, TEXTS
from bad_inputs.graph import GRAPH
from bad_inputs.keys import HABITS, KEYS
from bad_inputs.networks import NETWORKS
from bad_inputs.scalars import REAL, WHOLE, WORDS

CASES: list[Case] = [
    *FILES,
    *PATHS,
    *TEXTS,
    *TAGS,
    *KEYS,
    *WHOLE,
    *REAL,
    *WORDS,
    *HABITS,
    *GRAPH,
    *PARENTS,
    *OVERRIDES,
    *GROUPS,
    *REFERENCES,
    *OPTIONS,
    *NETWORKS,
]
