"""A prompt, an answer and a key stay out of everything the exporter writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.daemon import running
from tests.e2e.lab import Lab
from tests.kernel.privacy import canaries, expose, leaks

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]


def test_canaries_never_leave_the_parser(loader: str, lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    marked = canaries()
    with running(loader, folder) as exporter:
        models = expose(lab, exporter, marked)
        pages = {path: exporter.fetch(path)[1] for path in ("/metrics", "/healthz", "/readyz", "/")}
    log = "".join(exporter.raw)
    assert all(model in log for model in models), "the exchanges themselves must have been seen"
    assert leaks(marked, {**pages, "log": log}, folder) == []


def test_search_finds_a_leak(tmp_path: Path) -> None:
    marked = canaries()
    (tmp_path / "core").write_bytes(b"\0" + marked["key"].encode())
    assert leaks(marked, {"log": f"x {marked['prompt']} y"}, tmp_path) == ["core: key", "log: prompt"]
