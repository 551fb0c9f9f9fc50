"""Which metric families a scrape shows: `/metrics?name[]=METRIC`, as Prometheus' exporters have it."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl

PARAMETER = "name[]"
MAX_FIELDS = 500  # of a query; the request line ends at 64 KiB anyway
_SAMPLES = ("", "_total", "_bucket", "_sum", "_count", "_created", "_info")


def asked(query: str) -> frozenset[str]:
    """Return the names in a query string; empty: all are wanted. Raise ValueError where it has too many fields."""
    return frozenset(
        value for name, value in parse_qsl(query, errors="replace", max_num_fields=MAX_FIELDS) if name == PARAMETER
    )


def is_wanted(family: str, names: Collection[str]) -> bool:
    """Tell whether one of `names` is the family or one of its samples; without names every family is wanted."""
    return not names or any(family + ending in names for ending in _SAMPLES)
