"""Where the series come from that a replay reads, and the time that they are of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from llmslo_rulegen.backtest import traffic
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.traffic import Tally
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.observed import labels, slis
from llmslo_rulegen.slo import CatalogSli, Slo
from llmslo_rulegen.traces.call import Call


class History(Protocol):
    """Series of a stretch of time, in ms since the epoch."""

    @property
    def begin_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...
    def store(self, slo: Slo) -> Store:
        """Return what the rules of an SLO read; raises UnsupportedError where this history cannot tell it."""
        ...


@dataclass(frozen=True, slots=True)
class Spans:
    """Calls, as the counters of each SLO's source would have shown them."""

    tally: Tally
    begin_ms: int
    end_ms: int

    def store(self, slo: Slo) -> Store:
        """Return the counters; raises UnsupportedError where spans do not tell what the SLO counts."""
        sli = _catalog_sli(slo)
        told = traffic.told_labels(sli.source, sli.name)
        unknown = sorted({each.label for each in sli.select} - told)
        if unknown:
            msg = f"it selects by {', '.join(unknown)}, which spans do not tell; spans have {', '.join(sorted(told))}"
            raise UnsupportedError(msg)
        what = traffic.measured(sli)
        if not self.tally.counted(what):
            sources = ", ".join(sorted({str(kind[5]) for kind in self.tally.kinds}))
            msg = (
                f"none of {len(self.tally)} calls counts for {sli.name} of source {sli.source}; the spans are of"
                f" {sources}: choose an SLO of that source, or --cross-source"
            )
            raise UnsupportedError(msg)
        return self.tally.store(what, traffic.scrapes(self.begin_ms, self.end_ms, slo.scrape_interval_s))

    def warnings(self, slo: Slo) -> tuple[str, ...]:
        """Return what somebody might not expect of how an SLO counts these spans."""
        sli = slo.sli
        if not isinstance(sli, CatalogSli):
            return ()
        said = []
        sources = sorted({str(kind[5]) for kind in self.tally.kinds} - {sli.source})
        if self.tally.cross_source and sources:
            said.append(
                f"counts spans of {', '.join(sources)} as if {sli.source} had measured them, whose values differ"
            )
        service = labels.label(sli.source, sli.name, labels.SERVICE)
        services = self.tally.services
        if len(services) > 1 and service not in {each.label for each in sli.select}:
            said.append(f"selects no service, so it counts the calls of all {len(services)}")
        return tuple(said)


def spans(calls: Iterable[Call], slos: Iterable[Slo], *, cross_source: bool) -> Spans:
    """Return calls as a history; raises UnsupportedError where there is none."""
    wanted = dict.fromkeys(
        traffic.measured(slo.sli)
        for slo in slos
        if isinstance(slo.sli, CatalogSli) and slis.reading(slo.sli.source, slo.sli.name)
    )
    tally = traffic.tallied(calls, tuple(wanted), cross_source=cross_source)
    if not len(tally):
        msg = "there is no LLM call in what was read: nothing to replay"
        raise UnsupportedError(msg)
    return Spans(tally, *tally.span_ms)


def _catalog_sli(slo: Slo) -> CatalogSli:
    sli = slo.sli
    if not isinstance(sli, CatalogSli):
        msg = "its SLI is PromQL of your own, which spans do not tell: replay it from --prometheus"
        raise UnsupportedError(msg)
    if sli.native:
        msg = "it reads a native histogram: that is not replayed"
        raise UnsupportedError(msg)
    if slis.reading(sli.source, sli.name) is None:
        msg = f"{slis.untold(sli.source, sli.name)}: replay it from --prometheus"
        raise UnsupportedError(msg)
    return sli
