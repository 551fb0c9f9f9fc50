"""What a conversion does not keep: by SLO and key, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmslo_rulegen import names
from llmslo_rulegen.slo import LowTraffic, Slo

DEFAULT_SCRAPE_S = 60
SUFFIX = "BudgetBurn"


@dataclass(frozen=True, slots=True)
class Loss:
    """`key` of an SLO (as an `llmslo/v1` file calls it) and what becomes of it.

    `is_lost`: the target cannot hold it, so that it takes --lossy; else it is held, but written in another way.
    """

    slo: str
    key: str
    text: str
    is_lost: bool

    def as_record(self) -> dict[str, object]:
        """Return what `--json` shows of it."""
        return {"slo": self.slo, "key": self.key, "text": self.text, "lost": self.is_lost}

    def __str__(self) -> str:
        return f"{self.slo}: `{self.key}` {'is lost' if self.is_lost else 'changes'}: {self.text}"


@dataclass(frozen=True, slots=True)
class Exported:
    """A file in some format: its text, the SLOs in it, what is not, and what the target wants to be told by flags."""

    text: str
    slos: tuple[Slo, ...]
    losses: tuple[Loss, ...]
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class Losses:
    """Collects what is lost of one SLO."""

    slo: Slo
    found: list[Loss] = field(default_factory=list)

    def lost(self, key: str, text: str) -> None:
        """Note what the target cannot hold."""
        self.found.append(Loss(self.slo.id, key, text, is_lost=True))

    def changed(self, key: str, text: str) -> None:
        """Note what the target holds in another form."""
        self.found.append(Loss(self.slo.id, key, text, is_lost=False))

    def unless_default(self, tool: str) -> None:
        """Note what none of the other formats has a word for; what is as it would be anyway is no loss."""
        slo = self.slo
        if slo.scrape_interval_s != DEFAULT_SCRAPE_S:
            self.lost("scrape_interval", f"{tool} does not know how often its metrics are read")
        if slo.low_traffic != LowTraffic():
            self.lost("low_traffic", f"{tool} has no gate for few events")

    def links(self) -> dict[str, str]:
        """Return annotations and links as annotations."""
        found = dict(self.slo.alerting.annotations)
        for key, url in (("runbook_url", self.slo.runbook_url), ("dashboard_url", self.slo.dashboard_url)):
            if url is not None and key in found:
                self.lost(key, "the annotation of the same name stands in its place")
            elif url is not None:
                found[key] = url
        return found


def default_name(slo: Slo) -> str:
    """Return what the alerts of an SLO are called if nobody names them."""
    return names.camel(slo.name) + SUFFIX


def export(
    slos: Sequence[Slo], one: Callable[[Slo, Losses], object | None]
) -> tuple[list[tuple[Slo, object]], list[Loss]]:
    """Return each SLO with what `one` writes of it; those of which it writes nothing are left out."""
    written: list[tuple[Slo, object]] = []
    losses: list[Loss] = []
    for slo in slos:
        here = Losses(slo)
        found = one(slo, here)
        losses += here.found
        if found is not None:
            written.append((slo, found))
    return written, losses
