"""A label or a value that a metric of the catalog never has."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_exporter import catalog
from llmslo_rulegen import names
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import Matcher, Op, Slo


def ask(case: Case) -> Iterator[Spot]:
    """Ask each matcher on a metric of the catalog for a label and a value of it; others a scrape may have added."""
    for slo in case.slos:
        for part in written.parts(slo.sli):
            for use in part.uses:
                metric = known.metric(use.name)
                for matcher in use.matchers if metric is not None else ():
                    yield from _asked(slo, part.at, metric, matcher)


def _asked(slo: Slo, at: tuple[str, ...], metric: catalog.Metric | None, matcher: Matcher) -> Iterator[Spot]:
    labels = {label.name: label for label in metric.labels} if metric is not None else {}
    label = labels.get(matcher.label)
    if label is None:
        near = None if matcher.label == "le" else names.nearest(matcher.label, labels)
        if near is not None:
            text = f"{metric.name if metric else ''} has no label {matcher.label}"
            yield Spot(slo.place, text, f"write `{near}`", at, matcher.label)
    elif label.values and matcher.op is Op.EQUAL and matcher.value not in ("", *label.values):
        near = names.nearest(matcher.value, label.values) or label.values[0]
        text = f"{label.name} of {metric.name if metric else ''} is never {matcher.value[:60]}"
        yield Spot(slo.place, text, f'write `{label.name}="{near}"`', at, matcher.value)


LINT = Lint("sli/unknown-label", Level.WARNING, "a label or value that the metric never has", ask)
