"""What a promtool test looks at: alerts with all that they carry, and records to the last digit that is certain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from llmslo_exporter import catalog
from llmslo_rulegen.inputs import labels_text, quoted
from llmslo_rulegen.kinds import Labels
from llmslo_rulegen.recorded import Value
from llmslo_rulegen.rule import AlertRule
from llmslo_rulegen.slo import Slo

Data = dict[str, object]
STRANGER = "-too"  # ends the labels of records that are none of ours
_BRACES = '{{ "{{" }}'  # two braces that are none of a template


def seconds(instant_s: int) -> str:
    """Return an instant or a length of time as promtool reads it."""
    return f"{instant_s}s"


def expected(rule: AlertRule, labels: Labels) -> Data:
    """Return a firing alert of the group that `labels` are of."""
    return {
        "exp_labels": dict(labels) | dict(rule.labels),
        "exp_annotations": {name: _rendered(text, labels) for name, text in rule.annotations},
    }


def alert(name: str, at_s: int, firing: Sequence[Data]) -> Data:
    """Return the check that of this name just the alerts `firing` fire."""
    return {"eval_time": seconds(at_s), "alertname": name, "exp_alerts": list(firing)}


def apart(told: Iterable[Data], rules: Mapping[str, AlertRule], slo: Slo) -> dict[str, list[Data]]:
    """Return checks of alerts by the way of looking at them: texts that are a team's own templates are left out."""
    found: dict[str, list[Data]] = {"alert_rule_test": [], "promql_expr_test": []}
    plain = {name: _is_plain(rule, slo.group_by) for name, rule in rules.items()}
    for check in told:
        if plain[str(check["alertname"])]:
            found["alert_rule_test"].append(check)
        else:
            found["promql_expr_test"].append(_without_texts(check))
    return found


def _is_plain(rule: AlertRule, group_by: Sequence[str]) -> bool:
    """Say whether its texts hold no templates but the group's labels; others, a team's own, are not computed here."""
    return not any(
        "{{" in _rendered(text.replace(_BRACES, ""), [(label, "") for label in group_by])
        for _, text in (*rule.annotations, *rule.labels)
    )


def _without_texts(check: Data) -> Data:
    """Return the same check of an alert's labels alone, by the series that says that it fires."""
    name = str(check["alertname"])
    alerts_of = cast("list[dict[str, dict[str, str]]]", check["exp_alerts"])
    state = {"alertname": name, "alertstate": "firing"}
    if any("{{" in text for alert in alerts_of for text in alert["exp_labels"].values()):  # how many is all there is
        samples = [{"labels": "{}", "value": len(alerts_of)}]
        return {"expr": f"count(ALERTS{labels_text(state)})", "eval_time": check["eval_time"], "exp_samples": samples}
    return {
        "expr": f"ALERTS{labels_text(state)}",
        "eval_time": check["eval_time"],
        "exp_samples": [
            {"labels": f"ALERTS{labels_text(alert['exp_labels'] | state)}", "value": 1} for alert in alerts_of
        ],
    }


def _rendered(text: str, labels: Sequence[tuple[str, str]]) -> str:
    """Return an annotation as Prometheus would: only `{{ $labels.name }}` is known."""
    for name, value in labels:
        text = text.replace("{{ $labels." + name + " }}", value)
    return text.replace(_BRACES, "{{")


def records(slo: Slo, told: Iterable[Iterable[Value]], at_s: int) -> Iterator[Data]:
    """Yield the checks of records, group by group told: one for all that are exact, one for each other.

    A record that is not known of every group is not looked at.
    """
    groups = [list(values) for values in told]
    known = set.intersection(*({each.record for each in values} for values in groups))
    values = list(dict.fromkeys(each for group in groups for each in group if each.record in known))
    near = {each.record for each in values if each.slack and each.value is not None}
    exact = [each for each in values if each.record not in near]
    for identity in (
        ((catalog.SERVICE_LABEL, slo.service), (catalog.SLO_LABEL, slo.name)),
        ((catalog.SLOTH_ID, slo.id),),
    ):
        members = [each for each in exact if identity[0] in each.labels]
        if members:
            names = "|".join(sorted({each.record for each in members}))
            matchers = [f"__name__=~{quoted(names)}", *(f"{name}={quoted(text)}" for name, text in identity)]
            if any(each.record == catalog.FIRING for each in members):
                matchers.append(f'{catalog.TIER}!~".+{STRANGER}"')
            samples = [
                {"labels": f"{each.record}{labels_text(each.labels)}", "value": each.value}
                for each in members
                if each.value is not None
            ]
            yield {"expr": f"{{{','.join(matchers)}}}", "eval_time": seconds(at_s), "exp_samples": samples}
    for each in values:
        if each.record in near:
            yield _near(each, at_s)


def _near(each: Value, at_s: int) -> Data:
    """Return the check of what is known but for its last digits: promtool 2.42 compares them all."""
    labels = labels_text(each.labels)
    if each.value is None:
        return {"expr": f"{each.record}{labels}", "eval_time": seconds(at_s), "exp_samples": []}
    if each.value == 0:
        expression, wanted = f"round({each.record}{labels}, {each.slack / 10:g})", 0
    else:
        expression, wanted = f"round({each.record}{labels} / {each.value:.12g}, {each.slack:g})", 1
    return {"expr": expression, "eval_time": seconds(at_s), "exp_samples": [{"labels": labels, "value": wanted}]}


def written(name: str, step_s: int, series: Mapping[str, str], looks: Mapping[str, Sequence[Data]]) -> Data:
    """Return a test as promtool reads it."""
    inputs_of = [{"series": name, "values": values} for name, values in series.items()]
    found: Data = {"name": name, "interval": seconds(step_s), "input_series": inputs_of, **looks}
    return {name: part for name, part in found.items() if part}


def last_s(test: Data) -> int:
    """Return the last instant that a test looks at."""
    looks = (
        *cast("list[Data]", test.get("alert_rule_test", [])),
        *cast("list[Data]", test.get("promql_expr_test", [])),
    )
    return max(int(str(look["eval_time"]).removesuffix("s")) for look in looks)
