"""The page's table of traps: one row each, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAPS = 25  # known ones
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[([^`]+)\])?`")
ROWS = ROW.findall((ROOT / "docs" / "wires.md").read_text().partition("\n## Traps\n")[2])


@cache
def source(path: str) -> str:
    return (ROOT / path).read_text()


@cache
def names_of(path: str) -> frozenset[str]:
    return frozenset(node.name for node in ast.parse(source(path)).body if isinstance(node, ast.FunctionDef))


def test_every_trap_has_its_row():
    assert [int(number) for number, _, _ in ROWS] == list(range(1, TRAPS + 1))


@pytest.mark.parametrize(("number", "named"), [(number, named) for number, _, named in ROWS])
def test_every_row_names_tests_that_exist(number, named):
    found = TEST.findall(named)
    assert found, number
    assert named.count("::") == len(found)
    for path, name, case in found:
        assert name in names_of(path), f"{path}::{name}"
        assert case in source(path), f"{path}::{name}[{case}]"
