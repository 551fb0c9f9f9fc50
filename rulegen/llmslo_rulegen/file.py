"""One rendered file, before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """`path` is below the output folder. The text comes in chunks, once: the rules of 1 000 SLOs are 40 MB."""

    path: str
    chunks: Iterator[str]
