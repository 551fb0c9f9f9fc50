"""OpenSLO's alert policies: those that we wrote are burn tiers again, others hold one window where two are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from llmslo_rulegen import durations, tiers
from llmslo_rulegen.fields import CALENDAR_DAYS
from llmslo_rulegen.foreign.draft import Burn, Draft
from llmslo_rulegen.foreign.node import Node
from llmslo_rulegen.located import Map
from llmslo_rulegen.tier import Severity

# Annotations of what we write.
TIER, WINDOW, KIND = "llmslo/tier", "llmslo/window", "llmslo/kind"
ALERT, SEVERITY = "llmslo/alert", "llmslo/severity"
LONG, SHORT = "long", "short"
_DEFAULT_SCRAPE_S = 60


@dataclass(frozen=True, slots=True)
class _Condition:
    tier: str
    window: str
    severity: Severity
    factor: Decimal
    seconds: int
    line: int
    word: Node  # what the condition itself calls its severity
    alert: Node


def read(draft: Draft, found: Node, objects: Mapping[tuple[str, str], Node]) -> None:
    """Write the tiers that the policies of an SLO stand for; what cannot be kept is said."""
    conditions: list[_Condition] = []
    for policy in found.items():
        spec, metadata = _object(policy, "alertPolicyRef", "AlertPolicy", objects)
        if spec is None or metadata is None:
            continue
        if metadata.at("annotations", KIND).value is not None:
            continue  # the alert on missing data, which every SLO has
        for each in spec.at("conditions").items():
            condition = _condition(each, objects)
            if condition is None:
                policy.lost("an alert over one window; the SLO gets tiers of two, solved for its objective")
            else:
                conditions.append(condition)
    burns = _burns(conditions)
    if not burns:
        return
    draft.alert_name(conditions[0].alert)
    for severity in Severity:
        of = [condition for condition in conditions if condition.severity is severity]
        draft.severity(severity, found, labels=_word(of, severity), off=not of)
    if not _are_solved(draft, burns):
        draft.tiers(iter(burns), found)


def _object(
    node: Node, ref: str, kind: str, objects: Mapping[tuple[str, str], Node]
) -> tuple[Node | None, Node | None]:
    """Return spec and metadata of an object that stands here or is referred to."""
    # A name alone is how v1alpha refers to a policy.
    named = node if isinstance(node.value, str) else node.at(ref)
    if named.value is None:
        return (node.at("spec"), node.at("metadata")) if node.keys("kind", "metadata", "spec") else (None, None)
    name = named.needed()
    found = objects.get((kind, name))
    if found is None:
        named.lost(f"no {kind} is called {name[:60]}: give the file that holds it as well")
        return None, None
    return found.at("spec"), found.at("metadata")


def _condition(node: Node, objects: Mapping[tuple[str, str], Node]) -> _Condition | None:
    spec, metadata = _object(node, "conditionRef", "AlertCondition", objects)
    if spec is None or metadata is None:
        return None
    tier, window = (metadata.at("annotations", key).text() for key in (TIER, WINDOW))
    factor = spec.at("condition", "threshold").number()
    length = durations.parse(spec.at("condition", "lookbackWindow").text() or "")
    severity = metadata.at("annotations", SEVERITY).text()
    known = {one.value: one for one in Severity}
    if tier is None or window not in {LONG, SHORT} or factor is None or length is None or severity not in known:
        return None
    word, alert = spec.at("severity"), metadata.at("annotations", ALERT)
    return _Condition(tier, window, known[severity], factor, int(length), spec.line, word, alert)


def _word(conditions: list[_Condition], severity: Severity) -> Node | None:
    """Return what these alerts carry as severity, where it is not our word."""
    found = next((one.word for one in conditions if one.word.text() not in {None, severity.value}), None)
    if found is None:
        return None
    labels = Map()
    labels["severity"] = found.value
    labels.lines["severity"] = found.line
    return Node(found.document, labels, found.path, found.findings)


def _burns(conditions: list[_Condition]) -> tuple[Burn, ...]:
    both = {(one.tier, one.window): one for one in conditions}
    found = []
    for (tier, window), long in both.items():
        short = both.get((tier, SHORT))
        if window == LONG and short is not None:
            found.append(Burn(tier, long.severity, long.factor, long.seconds, short.seconds, long.line))
    return tuple(found)


def _are_solved(draft: Draft, burns: tuple[Burn, ...]) -> bool:
    """Return whether these are the tiers that the SLO has anyway."""
    objective, window = draft.slo.get("objective"), draft.slo.get("window")
    if not isinstance(objective, Decimal) or not 0 < objective < 100:  # noqa: PLR2004 -- percent
        return False
    days = {calendar.value: number for calendar, number in CALENDAR_DAYS.items()}.get(str(window))
    seconds = days * durations.DAY_S if days else durations.parse(str(window)) if isinstance(window, str) else None
    if not seconds:
        return False
    solved = {tier.name: tier for tier in tiers.solve(objective, int(seconds), _DEFAULT_SCRAPE_S)}
    switches = {key: draft.alerting.get(key) for key in ("page", "ticket")}
    off = {key for key, switch in switches.items() if isinstance(switch, Map) and switch.get("disable")}
    expected = {name: tier for name, tier in solved.items() if tier.severity.value not in off}
    return expected.keys() == {burn.name for burn in burns} and all(
        (Decimal(repr(expected[burn.name].factor)), expected[burn.name].long_s, expected[burn.name].short_s)
        == (burn.factor, burn.long_s, burn.short_s)
        for burn in burns
    )
