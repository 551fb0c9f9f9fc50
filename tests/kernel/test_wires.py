"""Every dialect through the kernel, in short; `python -m tests.e2e.wires` makes every call over both transports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sdks import CALLS
from tests.e2e.wires import trial


@pytest.mark.timeout(300)
def test_every_dialect_is_told_as_it_was(loader: str, tmp_path: Path) -> None:
    rows = trial(loader, tmp_path, is_short=True)
    assert len(rows) > 60
    assert {row.client for row in rows} == {"raw", *(sdk for sdk, _, _ in CALLS)}
    assert [row for row in rows if row.wrong] == []
