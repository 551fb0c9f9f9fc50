"""A prompt, an answer and a key stay out of everything the exporter writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.lab import Lab
from tests.kernel.privacy import CRASHES, canaries, crash, leaks, open_files, search

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]


def test_canaries_never_leave_the_parser(loader: str, lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    exchanges, seen, found = search(loader, lab, folder)
    assert found == []
    assert seen > exchanges, "the exchanges themselves must have been seen, in both roles"


@pytest.mark.parametrize("bug", list(CRASHES))
def test_a_crash_shows_its_place_and_no_canary(loader: str, lab: Lab, tmp_path: Path, bug: str) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    said, found = crash(loader, lab, folder, bug)
    assert found == []
    assert "RuntimeError: its text is not shown" in said


def test_search_finds_a_leak(tmp_path: Path) -> None:
    marked = canaries()
    (tmp_path / "core").write_bytes(b"\0" + marked["key"].encode())
    assert leaks(marked, {"log": f"x {marked['prompt']} y"}, tmp_path) == ["core: key", "log: prompt"]


def test_search_looks_into_open_files(tmp_path: Path) -> None:
    marked = canaries()
    with (tmp_path / "spool").open("w") as spool:
        spool.write(marked["answer"])
        spool.flush()
        found = leaks(marked, open_files(os.getpid()), tmp_path / "none")
    assert [line.rpartition(": ")[2] for line in found] == ["answer"]
