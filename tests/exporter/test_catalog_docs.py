from __future__ import annotations

from pathlib import Path

from llmslo_exporter import catalog
from llmslo_exporter.catalog_docs import render

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_fresh():
    assert PAGE.read_text() == render(), "write it anew: python -m llmslo_exporter.catalog_docs > docs/metrics.md"


def test_the_page_names_everything():
    page = render()
    for metric in catalog.METRICS:
        assert f"| `{metric.name}` |" in page
        assert all(f"`{label.name}`" in page for label in metric.labels)
    for sli in catalog.SLIS:
        assert f"| `{sli.name}` |" in page
