"""Samples in the text of a running exporter's /metrics; a line that is not understood is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{([^\n]*)\})? ([0-9.eE+-]+|[+-]Inf|NaN)$", re.MULTILINE | re.ASCII)
# Possessive, and only from a name's begin: else a long name without a value takes quadratic time.
_LABEL = re.compile(r'(?<!\w)(\w++)="((?:[^"\\]|\\.)*+)"')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: the name of the series with its suffix, its labels, its value."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str) -> Iterator[Sample]:
    """Yield the samples of a page in the text format or OpenMetrics."""
    for name, labels, value in _SAMPLE.findall(text):
        try:
            number = float(value)
        except ValueError:
            continue
        found = {label: _ESCAPE.sub(_unescaped, escaped) for label, escaped in _LABEL.findall(labels)}
        yield Sample(name, found, number)


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[1])
