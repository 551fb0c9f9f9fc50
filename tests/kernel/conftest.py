"""Exporters (one per loader and session) and the lab that the kernel tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import Exporter, kernel_is_open, running
from tests.e2e.lab import Lab, laboratory
from tests.kernel.bench import Bench

LOADERS = ("libbpf", "bcc")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder that takes an exporter loads programs: mark it, and say why it cannot run."""
    closed = kernel_is_open()
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and {"exporter", "bench", "loader", "inside"} & set(
            getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.kernel)
            if closed:
                item.add_marker(pytest.mark.skip(reason=closed))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="session", params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def exporter(loader: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    with running(loader, tmp_path_factory.mktemp(f"exporter-{loader}")) as ready:
        yield ready


@pytest.fixture
def bench(lab: Lab, exporter: Exporter) -> Bench:
    return Bench(lab, exporter)
