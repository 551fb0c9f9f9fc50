"""Sloth's alert window catalogs: burn tiers for every SLO of one period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

from llmslo_rulegen import durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.foreign.draft import Burn, Draft
from llmslo_rulegen.foreign.node import CHANGED, Node
from llmslo_rulegen.tier import Severity

KIND = "AlertWindows"
SCRAPES_S = 240  # four of the default interval, which no file of Sloth's can change
_SHARE = 4  # a long window is at most a quarter of the SLO's
_SPEEDS = {"quick": "fast", "slow": "slow"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tiers for one period; a factor is the share of the budget x period / long window (slo-rules 3.1)."""

    days: int
    burns: tuple[Burn, ...]
    file: str
    line: int


def read(top: Node) -> Catalog | None:
    """Return a catalog; None: the findings say why not."""
    if not top.keys("apiVersion", "kind", "metadata", "spec") or not top.at("spec").keys("sloPeriod", "page", "ticket"):
        return None
    period = _seconds(top.at("spec", "sloPeriod"))
    if period is None or period % durations.DAY_S:
        if period is not None:
            top.at("spec", "sloPeriod").error("a period is needed as whole days, such as 30d")
        return None
    found = tuple(_burns(top.at("spec"), period))
    return (
        Catalog(period // durations.DAY_S, found, top.document.file, top.line)
        if len(found) == len(_SPEEDS) * 2
        else None
    )


def _burns(spec: Node, period: int) -> Iterator[Burn]:
    for severity in Severity:
        for speed, name in _SPEEDS.items():
            window = spec.at(severity.value, speed)
            if not window.keys("errorBudgetPercent", "shortWindow", "longWindow"):
                continue
            percent = window.at("errorBudgetPercent").number()
            long, short = _seconds(window.at("longWindow")), _seconds(window.at("shortWindow"))
            if percent is None or long is None or short is None:
                if percent is None and "errorBudgetPercent" not in window:
                    window.error("`errorBudgetPercent` is missing: add it")
                continue
            factor = (percent / 100 * period / long).quantize(Decimal("0.0001")).normalize()
            yield Burn(f"{severity.value}_{name}", severity, factor, long, short, window.line)


def _seconds(node: Node) -> int | None:
    text = node.needed()
    found = durations.parse(text) if text else None
    if text and (found is None or not found or found % 1):
        node.error(f"`{node.name}` is {text[:60]}: write a duration such as 5m, 6h, 30d")
        return None
    return int(found) if found else None


def apply(draft: Draft, catalogs: tuple[Catalog, ...], days: int) -> None:
    """Write the tiers of the catalog for this period, if there is one; those that cannot be are said."""
    catalog = next((one for one in reversed(catalogs) if one.days == days), None)
    if catalog is None:
        return
    objective = draft.slo.get("objective")
    highest = 100 / (100 - objective) if _is_percent(objective) else None
    never = [burn.name for burn in catalog.burns if highest is not None and burn.factor > highest]
    if never:
        draft.node.note(
            CHANGED,
            Level.WARNING,
            f"{', '.join(never)} of {catalog.file}:{catalog.line} can never fire at {objective} %: the SLO gets the"
            " tiers that are solved for its objective",
        )
        return
    draft.tiers((_fitting(burn, days, draft) for burn in catalog.burns), draft.node)


def _is_percent(value: object) -> TypeGuard[int | Decimal]:
    return isinstance(value, (int, Decimal)) and value < 100  # noqa: PLR2004 -- all of it leaves no budget


def _fitting(burn: Burn, days: int, draft: Draft) -> Burn:
    """Return a tier whose windows the rules can hold: as much of a budget in other windows is another factor."""
    long_s = min(burn.long_s, days * durations.DAY_S // _SHARE)
    short_s = min(max(burn.short_s, SCRAPES_S), long_s // 2)
    if (long_s, short_s) == (burn.long_s, burn.short_s):
        return burn
    was, now = (
        f"{durations.show(short)}/{durations.show(long)}"
        for short, long in ((burn.short_s, burn.long_s), (short_s, long_s))
    )
    why = "a short one holds four scrapes, a long one is at most a quarter of the SLO's"
    draft.node.note(CHANGED, Level.WARNING, f"{burn.name}: windows of {was} are {now} here: {why}")
    return Burn(burn.name, burn.severity, burn.factor, long_s, short_s, burn.line)
