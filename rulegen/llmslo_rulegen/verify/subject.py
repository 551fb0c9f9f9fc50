"""Which calls an SLO counts, and which of them are good: its selectors and its SLI, asked of a call."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from llmslo_exporter import catalog
from llmslo_rulegen.observed import labels, slis
from llmslo_rulegen.slo import CatalogSli, Matcher, Op, SlicedSli, Slo
from llmslo_rulegen.traces.call import Call

_MOST_VALUES = 4096  # of one label, remembered whether they match
OUT_OF_BOUNDS = ""  # why an event is bad that no error was


class UnverifiableError(ValueError):
    """Calls cannot say whether the SLO is kept; the text says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An SLO that calls can be held against.

    `source`: only calls of this one count, None for any. `service`: only its calls count, None where a selector says
    whose. `group_by` names fields of a call.
    """

    slo: Slo
    sli: CatalogSli
    reading: slis.Reading
    threshold: float | None
    source: str | None
    service: str | None
    matchers: tuple[tuple[str, Callable[[str], bool]], ...] = field(repr=False)
    group_by: tuple[tuple[str, str], ...] = ()  # label, field

    @property
    def services(self) -> tuple[str, ...]:
        """The services that the SLO names itself."""
        named = [
            one.value for one in self.sli.select if one.op is Op.EQUAL and _field(self.sli, one.label) == labels.SERVICE
        ]
        return tuple(named) or ((self.service,) if self.service is not None else ())

    def takes(self, call: Call) -> bool:
        """Tell whether a call is one of those that the selectors name, whatever measured it."""
        if self.service is not None and call.service != self.service:
            return False
        return all(is_wanted(_value(call, name)) for name, is_wanted in self.matchers)

    def is_good(self, call: Call) -> bool | None:
        """Return whether a call that it takes is a good event; None: it is none."""
        return self.reading.is_good(call, self.threshold)

    def group(self, call: Call) -> tuple[str, ...]:
        """Return the values of the labels by which the SLO is promised apart."""
        return tuple(_value(call, name) for _, name in self.group_by)


def subject(slo: Slo, *, cross_source: bool) -> Subject:
    """Return what an SLO asks of calls; raises UnverifiableError. `cross_source`: calls of any source count."""
    sli = slo.sli
    if not isinstance(sli, CatalogSli):
        what = "time, slice by slice, with" if isinstance(sli, SlicedSli) else "by"
        msg = f"it counts {what} PromQL of its own, and traces hold no such series"
        raise UnverifiableError(msg)
    reading = slis.reading(sli.source, sli.name)
    if reading is None:
        raise UnverifiableError(slis.untold(sli.source, sli.name))
    matchers = tuple(found for one in sli.select for found in _matchers(sli, one))
    names_service = any(name == labels.SERVICE for name, _ in matchers)
    return Subject(
        slo,
        sli,
        reading,
        sli.threshold,
        None if cross_source else sli.source,
        None if names_service else slo.service,
        matchers,
        tuple((label, _told(sli, label)) for label in slo.group_by),
    )


def _matchers(sli: CatalogSli, one: Matcher) -> list[tuple[str, Callable[[str], bool]]]:
    if sli.source in catalog.ONE_OF and one.label == catalog.ONE_OF[sli.source][0].name:
        if one.value == catalog.ONE_OF[sli.source][1]:
            return []  # a span is the caller's view
        msg = f"it selects {one.label}={one.value}, and spans are seen from the other side"
        raise UnverifiableError(msg)
    return [(_told(sli, one.label), _test(one))]


def _told(sli: CatalogSli, label: str) -> str:
    found = _field(sli, label)
    if found is None:
        msg = f"it selects or groups by {label}, which no span tells"
        raise UnverifiableError(msg)
    return found


def _field(sli: CatalogSli, label: str) -> str | None:
    """Return the field of a call that a label tells."""
    fields = (labels.SERVICE, *labels.FIELDS)
    return next((one for one in fields if labels.label(sli.source, sli.name, one) == label), None)


def _value(call: Call, name: str) -> str:
    return labels.text(getattr(call, name))


def _test(one: Matcher) -> Callable[[str], bool]:
    if one.op in {Op.EQUAL, Op.NOT_EQUAL}:
        is_same = one.op is Op.EQUAL
        return lambda value: (value == one.value) == is_same
    try:
        pattern = re.compile(one.value)
    except re.error as error:
        msg = f"its regular expression {one.value[:60]!r} cannot be used here: {error}"
        raise UnverifiableError(msg) from error
    is_match = one.op is Op.MATCH
    return lru_cache(_MOST_VALUES)(lambda value: (pattern.fullmatch(value) is not None) == is_match)
