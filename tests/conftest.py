"""Who may run the kernel's tests, and that nobody skips them where they can run."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine must not fail a test; what takes too long is measured by tests/bench.
settings.register_profile("llmslo", deadline=None)
settings.load_profile("llmslo")

BTF = Path("/sys/kernel/btf/vmlinux")


def kernel_lacks() -> str | None:
    """Return why programs cannot be loaded here; None: they can."""
    if os.geteuid() != 0:
        return "needs root"
    if not BTF.exists():
        return f"needs a kernel with BTF ({BTF})"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = kernel_lacks()
    if reason:
        for item in items:
            if item.get_closest_marker("kernel"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a kernel test that skips on a machine that has all it needs: such a skip would hide a broken exporter."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("kernel") and not kernel_lacks():
        report.outcome = "failed"
        report.longrepr = f"skipped although root and BTF are here: {report.longrepr}"
    return report
