"""How an SLO's alerts are called, what they carry, and burn tiers of a team's own."""

from __future__ import annotations

from collections.abc import Iterable

from llmslo_exporter import catalog
from llmslo_rulegen import measures, names
from llmslo_rulegen.counting import REPLICAS
from llmslo_rulegen.remarks import Remarks
from llmslo_rulegen.slo import Alerting, Notice
from llmslo_rulegen.spec import AlertingShape, FileShape, SloShape, Switch
from llmslo_rulegen.tier import Severity, Tier

SUFFIX = "BudgetBurn"  # of an alert that nobody named


def check_groups(file: FileShape, one: SloShape, here: Remarks) -> None:
    """Note labels that cannot group."""
    if len(set(one.group_by)) != len(one.group_by):
        here.error("group-by", "a label stands twice in group_by: keep one", "group_by")
    for number, label in enumerate(one.group_by):
        alerting = one.alerting
        fixed = {*file.labels, *alerting.labels, *alerting.page.labels, *alerting.ticket.labels}
        if label in fixed:
            here.error("group-by", f"{label} is fixed by labels and cannot group as well: keep one", "group_by", number)
        elif _is_reserved(label):
            here.error("group-by", f"{label} is a label that the rules set: group by another", "group_by", number)
        elif label in REPLICAS:
            here.error("group-by", f"{label} tells copies of one series apart: group by another", "group_by", number)
        elif isinstance(one.sli, str) and (measure := measures.measure(one.sli, one.source)) and label in measure.taken:
            here.error("group-by", f"{label} is what this SLI itself chooses by: group by another", "group_by", number)


def check_labels(here: Remarks, labels: Iterable[str], *path: str) -> None:
    """Note labels of a team's that would overwrite ours."""
    for label in labels:
        if _is_reserved(label):
            here.error("label", f"{label} is a label that the rules set: choose another name", *path, label)


def _is_reserved(label: str) -> bool:
    return label in catalog.RESERVED_LABELS or label.startswith(catalog.SLOTH_PREFIX)


def alerting(one: SloShape, here: Remarks) -> Alerting:
    """Return how the alerts of `one` are called and what they carry; `here` says what is wrong."""
    shape = one.alerting
    check_labels(here, shape.labels, "alerting", "labels")
    _check_notices(here, shape)
    off = {Severity.PAGE: shape.page.disable, Severity.TICKET: shape.ticket.disable}
    return Alerting(
        name=shape.name or names.camel(one.name) + SUFFIX,
        labels=tuple(sorted(shape.labels.items())),
        annotations=tuple(sorted(shape.annotations.items())),
        disabled=frozenset(severity for severity, is_off in off.items() if is_off),
        tiers=_tiers(one, here),
        page=_notice(shape.page),
        ticket=_notice(shape.ticket),
    )


def _notice(shape: Switch) -> Notice:
    return Notice(tuple(sorted(shape.labels.items())), tuple(sorted(shape.annotations.items())))


def _check_notices(here: Remarks, shape: AlertingShape) -> None:
    words = {}
    for severity, switch in ((Severity.PAGE, shape.page), (Severity.TICKET, shape.ticket)):
        others = [label for label in switch.labels if label != catalog.SEVERITY]
        check_labels(here, others, "alerting", severity.value, "labels")
        words[severity] = switch.labels.get(catalog.SEVERITY, severity.value)
        if not names.WORD.fullmatch(words[severity]):
            text = f"{words[severity][:60]!r} cannot be routed by: write letters, digits, -, _ and . only"
            here.error("label", text, "alerting", severity.value, "labels", catalog.SEVERITY)
    if words[Severity.PAGE] == words[Severity.TICKET]:
        text = (
            f"pages and tickets are both called {words[Severity.PAGE][:60]}, nobody could tell them apart: rename one"
        )
        wrong = "page" if catalog.SEVERITY in shape.page.labels else "ticket"
        here.error("label", text, "alerting", wrong, "labels", catalog.SEVERITY)


def _tiers(one: SloShape, here: Remarks) -> tuple[Tier, ...] | None:
    if one.alerting.tiers is None:
        return None
    names_seen: set[str] = set()
    for number, tier in enumerate(one.alerting.tiers):
        if tier.name in names_seen:
            here.error("tier", f"two tiers are called {tier.name}: rename one", "alerting", "tiers", number)
        names_seen.add(tier.name)
    return tuple(
        Tier(tier.name, tier.severity, tier.factor, tier.long, tier.short, tier.min_bad or 0)
        for tier in one.alerting.tiers
    )
