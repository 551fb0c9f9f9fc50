"""Which of the formats a client takes, by its Accept header (RFC 9110 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

OPENMETRICS_TYPE = "application/openmetrics-text"
TEXT_TYPE = "text/plain"
ANY_TYPES = ("*/*", "text/*")
# Escaping schemes that leave the catalog's names as they are; whoever asks for another one gets the last, and is told.
SCHEMES = ("allow-utf-8", "underscores")


class Format(Enum):
    """How samples are written; the value is the content type without an escaping scheme."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @property
    def is_openmetrics(self) -> bool:
        """Whether it is OpenMetrics, which has units and an end."""
        return self is Format.OPENMETRICS


def choose(accept: str) -> tuple[Format, str]:
    """Return the format of the best quality that we write, the first of equals, and its content type; else text."""
    best: tuple[float, Format, str] | None = None
    for kind, parameters in _items(accept):
        found = _format(kind, parameters.get("version", ""))
        quality = _quality(parameters.get("q", "1"))
        if found is not None and quality > (best[0] if best else 0.0):
            best = (quality, found, _content_type(found, parameters))
    return (best[1], best[2]) if best else (Format.TEXT, Format.TEXT.value)


def _items(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    for item in accept.lower().split(","):
        kind, *pairs = (part.strip() for part in item.split(";"))
        parameters = (pair.partition("=") for pair in pairs)
        yield kind, {name.strip(): value.strip() for name, _, value in parameters}


def _format(kind: str, version: str) -> Format | None:
    if kind == OPENMETRICS_TYPE:
        return Format.OPENMETRICS if version in {"", "1.0.0"} else None
    if kind == TEXT_TYPE:
        return {"": Format.TEXT, "0.0.4": Format.TEXT, "1.0.0": Format.TEXT_1}.get(version)
    return Format.TEXT if kind in ANY_TYPES else None


def _content_type(found: Format, parameters: dict[str, str]) -> str:
    """Name an escaping scheme to those who may have asked for one: from version 1.0.0 on."""
    if found is Format.TEXT or not parameters.get("version"):
        return found.value
    scheme = parameters.get("escaping", "")
    return f"{found.value}; escaping={scheme if scheme in SCHEMES else SCHEMES[-1]}"


def _quality(text: str) -> float:
    """Return the weight; what is no number from 0 to 1 is 1, as if it were not there."""
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if 0.0 <= value <= 1.0 else 1.0


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether the header allows gzip: named, or by `*`, and not with q=0 (RFC 9110 12.5.3)."""
    allowed = {coding: _quality(parameters.get("q", "1")) > 0 for coding, parameters in _items(accept_encoding)}
    return allowed.get("gzip", allowed.get("*", False))
