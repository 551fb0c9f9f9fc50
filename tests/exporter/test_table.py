"""The built table: what a start reads is what it would compile, and nothing else is taken for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from llmslo_exporter.automaton import compile_wires
from llmslo_exporter.dialects import WIRES
from llmslo_exporter.loaders.sources import TABLE, bpf_file
from llmslo_exporter.table import pack, tables, unpack

PACKED = pack(WIRES)


def test_the_built_table_is_of_the_code_as_it_is():
    built = unpack(bpf_file(TABLE).read_bytes(), WIRES)
    assert built is not None
    assert tuple(built) == compile_wires(WIRES).pack() == tuple(tables())


def test_every_build_gives_the_same_bytes():
    other = subprocess.run(
        [sys.executable, "-m", "llmslo_exporter.table"],
        env={"PYTHONHASHSEED": "7"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert other.stdout == PACKED


@pytest.mark.parametrize("data", [b"", PACKED[:31], PACKED[:-9], PACKED[:40] + b"\xff" * 40, PACKED[1:]])
def test_a_damaged_file_is_no_table(data):
    assert unpack(data, WIRES) is None


def test_a_table_of_other_dialects_is_not_taken():
    others = [replace(WIRES[0], paths=(*WIRES[0].paths, b"/v9/other")), *WIRES[1:]]
    assert unpack(PACKED, others) is None
