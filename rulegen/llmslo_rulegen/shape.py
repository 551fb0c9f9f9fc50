"""SLOs that differ in nothing but names: what is rendered of one serves all, with holes where the names go.

A thousand SLOs of an organisation have a few dozen shapes. A hole is a private character of Unicode; where an SLO has
such characters itself there is nothing to tell holes by, so it is a shape of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from llmslo_rulegen.slo import CatalogSli, EventsSli, Place, Sli, SlicedSli, Slo

SERVICE, NAME, ALERT, DESCRIPTION, RUNBOOK_URL, DASHBOARD_URL = map(chr, range(0xE000, 0xE006))
_FIRST, _LAST = 0xE010, 0xE0FF  # of the holes that are given out by number
HOLE = re.compile(f"[{SERVICE}-{chr(_LAST)}]")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
# What needs no escape in PromQL, nor in YAML between single quotes, nor in a block of Markdown's code.
_TAME = re.compile(r"[A-Za-z0-9_.:/@%+, |*()?-]+")
COMPARED = re.compile(rf"(?P<is>(?P<label>[A-Za-z_]\w*)\s*=\s*)\"(?P<value>{_TAME.pattern})\"")


@dataclass(frozen=True, slots=True)
class Shape:
    """What SLOs of one shape have in common, and the text of one of them for each hole."""

    common: Slo
    texts: Mapping[str, str]


def shape(slo: Slo) -> Shape:
    """Return the shape of `slo`; without holes where it has private characters of its own."""
    bare = replace(slo, place=Place("", 0))
    if any(map(_PRIVATE.search, _texts(slo))):
        return Shape(bare, {})
    holes = Holes()
    texts = {
        SERVICE: slo.service,
        NAME: slo.name,
        ALERT: slo.alerting.name,
        DESCRIPTION: slo.description,
        RUNBOOK_URL: (slo.runbook_url or "").removesuffix("/"),
        DASHBOARD_URL: slo.dashboard_url or "",
    }
    nameless = replace(
        bare,
        service=SERVICE,
        name=NAME,
        description=DESCRIPTION if slo.description else "",
        sli=_nameless(slo.sli, holes),
        alerting=replace(slo.alerting, name=ALERT, labels=holes.of_labels(slo.alerting.labels)),
        labels=holes.of_labels(slo.labels),
        runbook_url=slo.runbook_url and RUNBOOK_URL + ("/" if slo.runbook_url.endswith("/") else ""),
        dashboard_url=slo.dashboard_url and DASHBOARD_URL,
    )
    return Shape(nameless, texts | holes.texts)


class Form:
    """Text with holes, taken apart once. `pattern` finds what is to be filled: a hole, or more text around it."""

    def __init__(self, text: str, pattern: re.Pattern[str] = HOLE) -> None:
        self._parts: list[str] = []
        end = 0
        for found in pattern.finditer(text):
            self._parts += (text[end : found.start()], found[0])
            end = found.end()
        self._parts.append(text[end:])
        self._distinct = tuple(dict.fromkeys(self._parts[1::2]))

    def filled(self, fill: Callable[[str], str]) -> str:
        """Return the text, each of what was found as `fill` makes it."""
        made = {each: fill(each) for each in self._distinct}
        parts = self._parts.copy()
        parts[1::2] = map(made.__getitem__, self._parts[1::2])
        return "".join(parts)


@dataclass(slots=True)
class Holes:
    """Gives a hole to each text, the same one to the same text, until there are no more."""

    texts: dict[str, str] = field(default_factory=dict)
    _holes: dict[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        if text not in self._holes:
            code = _FIRST + len(self._holes)
            if code > _LAST:
                return text
            self._holes[text] = chr(code)
            self.texts[chr(code)] = text
        return self._holes[text]

    def of_tame(self, text: str) -> str:
        return self.of(text) if _TAME.fullmatch(text) else text

    def of_labels(self, labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        # Alerts escape what templates of Prometheus would take for their own, records do not.
        return tuple((name, value if "{{" in value else self.of(value)) for name, value in labels)

    def of_compared(self, expression: str) -> str:
        """Return PromQL with holes for the values that labels are equal to."""
        return COMPARED.sub(lambda found: f'{found["is"]}"{self.of(found["value"])}"', expression)


def _nameless(sli: Sli, holes: Holes) -> Sli:
    if isinstance(sli, CatalogSli):
        return replace(sli, select=tuple(replace(each, value=holes.of_tame(each.value)) for each in sli.select))
    if isinstance(sli, EventsSli):
        total, bad, good = (text and holes.of_compared(text) for text in (sli.total, sli.bad, sli.good))
        return replace(sli, total=total or "", bad=bad, good=good)
    return sli  # what is judged by time is parsed, and a histogram's selector is told in prose


def _texts(slo: Slo) -> Iterator[str]:
    """Yield every text of a team's own."""
    yield from (slo.description, slo.runbook_url or "", slo.dashboard_url or "")
    alerting = slo.alerting
    yield from chain.from_iterable((*slo.labels, *alerting.labels, *alerting.annotations))
    for notice in (alerting.page, alerting.ticket):
        yield from chain.from_iterable((*notice.labels, *notice.annotations))
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        yield from (each.value for each in sli.select)
    elif isinstance(sli, EventsSli):
        yield from (sli.total, sli.bad or "", sli.good or "")
    elif isinstance(sli, SlicedSli):
        yield sli.expression
    else:
        yield sli.selector
