"""Alerts of an SLO: one per burn tier, and three that are no burn.

A tier starts to fire while the bad share is factor x budget or more over both windows and bad events are not too few;
it goes on while the short window burns or nothing happens in it, and ends with the first short window in which
something happens and does not burn. So neither the gaps between rare calls nor a long window that remembers an outage
end or start an alert.
What "goes on" needs to know, whether it fired a moment ago, is a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from llmslo_exporter import catalog
from llmslo_rulegen import events, gate, promql, records, sloth, tiers
from llmslo_rulegen.rule import AlertRule, Labels, RecordingRule
from llmslo_rulegen.slo import CatalogSli, LowTraffic, Slo
from llmslo_rulegen.tier import Severity, Tier

ABSENT_FOR_S = 10 * 60  # a rollout or a restart is shorter
LEAST_COVERED = "0.2"  # of the window; a budget foretold from less is no reason for a ticket
MOST_BAD = "1.01"  # times total; more is no rounding
# How far back the state of a tier is looked for: a restart of Prometheus does not end an alert.
MEMORY_S = 65 * 60
# A share of 1, at 50 %: counts that are not whole (time, resets, native histograms) differ in their last digits.
ALL = Decimal("0.999999")
_NAMES = {catalog.ABSENT: "Absent", catalog.EXHAUSTED: "Exhausted", catalog.NONSENSE: "Nonsense"}


def tiers_of(slo: Slo) -> tuple[Tier, ...]:
    """Return the tiers in force: the team's or the solved ones, gated as it chose, without disabled severities."""
    own = slo.alerting.tiers
    solved = () if own is not None else tiers.solve(slo.objective, slo.window.seconds, slo.scrape_interval_s)
    found = solved if own is None else own
    return tuple(
        tier for tier in _gated(found, slo.low_traffic, slo.objective) if tier.severity not in slo.alerting.disabled
    )


@lru_cache(maxsize=1024)
def _gated(found: tuple[Tier, ...], low_traffic: LowTraffic, objective: Decimal) -> tuple[Tier, ...]:
    ungated = any(tier.min_bad == 0 for tier in found)
    solved = tuple(tier if tier.min_bad else gate.gated((tier,), objective)[0] for tier in found) if ungated else found
    if low_traffic.wilson is not None:
        return gate.ungated(solved)
    return solved if low_traffic.min_bad is None else gate.fixed(solved, low_traffic.min_bad)


def names(slo: Slo) -> dict[str, str]:
    """Return the names of the alerts that are no burn, by kind."""
    return {kind: f"{slo.alerting.name}{ending}" for kind, ending in _NAMES.items()}


def states(slo: Slo) -> Iterator[RecordingRule]:
    """Yield, per tier, whether it fires."""
    own = records.identity_labels(slo)
    for name, template in _states(tiers_of(slo), slo.low_traffic.wilson, slo.budget):
        yield RecordingRule(catalog.FIRING, records.named(template, slo), (*own, (catalog.TIER, name)))


def alerts(slo: Slo, *, with_sloth: bool) -> Iterator[AlertRule]:
    """Yield the alerts; they read the states and the records."""
    ids = events.identity(slo)
    for tier in tiers_of(slo):
        yield AlertRule(
            slo.alerting.name,
            f"{_state(ids, tier.name)} == 1",
            _labels(slo, _of_tier(tier), tier.severity, with_sloth=with_sloth),
            _annotations(slo, _burning(tier), f"{page(slo)}#{tier.name}", tier.severity),
        )
    if Severity.TICKET in slo.alerting.disabled:
        return
    called = names(slo)
    for kind, expression, text in (
        (catalog.ABSENT, _absent(slo, ids), "no data: the target is down or its metrics are gone"),
        (catalog.EXHAUSTED, _exhausted(ids), "the error budget of the window is spent"),
        (catalog.NONSENSE, _nonsense(ids), "more bad events than events: the SLI counts wrongly"),
    ):
        yield AlertRule(
            called[kind],
            expression,
            _labels(slo, {catalog.KIND: kind}, Severity.TICKET, with_sloth=with_sloth),
            _annotations(slo, text, page(slo, kind), Severity.TICKET, grouped=kind != catalog.ABSENT),
            for_s=ABSENT_FOR_S if kind == catalog.ABSENT else 0,
        )


@lru_cache(maxsize=1024)
def _states(found: tuple[Tier, ...], wilson: float | None, budget: Decimal) -> tuple[tuple[str, str], ...]:
    memories = {
        tier.severity: max(other.long_s for other in found if other.severity is tier.severity) for tier in found
    }
    return tuple((tier.name, _firing(tier, memories[tier.severity], wilson, budget)) for tier in found)


def _firing(tier: Tier, memory_s: int, wilson: float | None, budget: Decimal) -> str:
    limit = promql.number(min(_threshold(tier, budget), ALL))
    bad, total = _both(tier.short_s)
    start = [*_at_least(bad, tier.min_bad_short), f"{bad} / {total} >= {limit}", *_over(tier, wilson, limit)]
    state = _state(records.IDS, tier.name)
    # A range: at an interval of 5 minutes the last state is too old to be seen at this instant.
    previous = f"sum without ({catalog.TIER}) (last_over_time({state}[{promql.duration(MEMORY_S)}]) == 1)"
    hold = f"{previous} unless {bad} / {total} < {limit} and {_both(memory_s)[1]} > 0"
    return f"0 * ({' and '.join(start)} or {hold}) + 1 or 0 * {_both(tier.long_s)[1]}"


def _both(window_s: int) -> tuple[str, str]:
    ending = f"{catalog.INCREASE}{promql.duration(window_s)}{records.IDS}"
    return f"{catalog.BAD}{ending}", f"{catalog.TOTAL}{ending}"


def _state(ids: str, tier: str) -> str:
    return f"{catalog.FIRING}{ids[:-1]},{catalog.TIER}={promql.string(tier)}}}"


def threshold(slo: Slo, tier: Tier) -> Decimal:
    """Return the bad share from which on `tier` burns, exact."""
    return _threshold(tier, slo.budget)


def _threshold(tier: Tier, budget: Decimal) -> Decimal:
    return Decimal(repr(tier.factor)) * budget


def _over(tier: Tier, wilson: float | None, limit: str) -> list[str]:
    bad, total = _both(tier.long_s)
    if wilson is None:
        # A quotient is rounded to the number nearest to it, so that a share of just the limit is the limit.
        return [*_at_least(bad, tier.min_bad), f"{bad} / {total} >= {limit}"]
    # The lower end of Wilson's interval (slo-rules 3.4), numerator and denominator times total.
    z = round(gate.wilson_z(wilson), 6)
    half, quarter = (promql.number(round(z * z / part, 6)) for part in (2, 4))
    spread = f"sqrt({bad} * clamp_min({total} - {bad}, 0) / {total} + {quarter})"
    return [
        f"({bad} + {half} - {promql.number(z)} * {spread}) / ({total} + {promql.number(round(z * z, 6))}) >= {limit}"
    ]


def _at_least(bad: str, count: int) -> list[str]:
    # Half an event less: counts of ended series and of native histograms are not whole.
    return [f"{bad} > {promql.number(count - 0.5)}"] if count else []


def _absent(slo: Slo, ids: str) -> str:
    """No target answers, or one that gave this SLO's data within a day does not; what is idle still answers."""
    counters = events.counters(slo)
    if not counters:
        return f"absent({catalog.TOTAL}{catalog.INCREASE}1h{ids})"
    known = f"present_over_time({counters[0]}[1d:1h])"
    down = f"group(up == 0 and on (job, instance) group by (job, instance) ({known}))"
    if isinstance(slo.sli, CatalogSli):
        return f"group(absent({events.source(slo.sli.source).liveness})) or {down}"
    # Targets that were taken away with the rest of their job leave no `up`.
    gone = f"group by (job) ({known}) unless on (job) group by (job) (up == 1)"
    return f"group({gone} unless on (job) group by (job) ({counters[0]})) or {down}"


def _exhausted(ids: str) -> str:
    return f"{catalog.SPENT}{ids} >= 1 and {catalog.COVERED}{ids} >= {LEAST_COVERED}"


def _nonsense(ids: str) -> str:
    bad, total = (f"{name}{catalog.INCREASE}1h{ids}" for name in (catalog.BAD, catalog.TOTAL))
    return f"{bad} > {MOST_BAD} * {total} or ({bad} > 0 unless {total})"


def _of_tier(tier: Tier) -> dict[str, str]:
    return {
        catalog.TIER: tier.name,
        catalog.LONG_WINDOW: promql.duration(tier.long_s),
        catalog.SHORT_WINDOW: promql.duration(tier.short_s),
        catalog.BURN_RATE: promql.number(tier.factor),
    }


def _labels(slo: Slo, own: dict[str, str], severity: Severity, *, with_sloth: bool) -> Labels:
    notice = slo.alerting.notice(severity)
    found = {name: plain(value) for name, value in (*slo.labels, *slo.alerting.labels, *notice.labels)}
    found |= own | dict(records.identity_labels(slo))
    found[catalog.SEVERITY] = word(slo, severity)
    if with_sloth:
        found |= dict(sloth.identity_labels(slo)) | {catalog.SLOTH_SEVERITY: severity.value}
    return tuple(sorted(found.items()))


def word(slo: Slo, severity: Severity) -> str:
    """Return what the alerts of `severity` carry as the label of that name: ours, or the team's own word."""
    return dict(slo.alerting.notice(severity).labels).get(catalog.SEVERITY, severity.value)


def _burning(tier: Tier) -> str:
    windows = f"{promql.duration(tier.long_s)} and {promql.duration(tier.short_s)}"
    return f"errors burn the budget {promql.number(tier.factor)} times too fast or more over {windows}"


def page(slo: Slo, kind: str = "") -> str:
    """Return the path of a runbook page among them: of the burn alert, a section for each tier, or of a kind."""
    return f"{kind}/{slo.id}.md" if kind else f"{slo.id}.md"


def _annotations(slo: Slo, text: str, path: str, severity: Severity, *, grouped: bool = True) -> Labels:
    groups = ", ".join(f"{label} {{{{ $labels.{label} }}}}" for label in slo.group_by) if grouped else ""
    about = f"{slo.service}/{slo.name}"
    found = {
        "title": f"{plain(about)}: {text}",
        "summary": f"{plain(about)}{f' ({groups})' if groups else ''}: {text}"
        f" (objective {promql.number(slo.objective)} %)",
    }
    if slo.description:
        found["description"] = plain(slo.description)
    runbook = slo.runbook_url
    if runbook and runbook.endswith("/"):  # where the folder of the pages is published
        runbook += path
    urls = {"runbook_url": runbook, "dashboard_url": slo.dashboard_url}
    found |= {name: url for name, url in urls.items() if url}
    found |= dict(slo.alerting.annotations) | dict(slo.alerting.notice(severity).annotations)
    return tuple(sorted(found.items()))


def plain(text: str) -> str:
    """Return text that Prometheus' templates leave as it is."""
    return text.replace("{{", '{{ "{{" }}')
