"""SLOs whose test files differ in nothing but names.

Fewer are alike than have rules of one shape: test input must meet the selectors of a rule, and miss them, so a value
stays where another one might be met otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from llmslo_exporter import catalog
from llmslo_rulegen import samples
from llmslo_rulegen.shape import ALERT, COMPARED, DASHBOARD_URL, DESCRIPTION, Holes, Shape, shape
from llmslo_rulegen.slo import CatalogSli, EventsSli, Op, Sli, Slo

EDGE = "le"  # of a bucket: a number, with more than one way to write it
_COMPARISON = re.compile(r"(?P<label>[A-Za-z_]\w*)\s*[=!]")


def alike(slo: Slo) -> Shape:
    """Return the shape of the test files of `slo`; without holes where it has private characters of its own.

    Labels of a team's stay: they stand within PromQL there, and would need escapes. So does what is a template of
    Prometheus: it decides how an alert is looked at.
    """
    found = shape(slo)
    if not found.texts:
        return found
    holes = Holes()
    common = replace(
        found.common,
        labels=slo.labels,
        alerting=replace(slo.alerting, name=ALERT),
        runbook_url=slo.runbook_url if "{{" in (slo.runbook_url or "") else found.common.runbook_url,
        dashboard_url=slo.dashboard_url if "{{" in (slo.dashboard_url or "") else found.common.dashboard_url,
        sli=_nameless(slo.sli, holes),
    )
    texts = {hole: text for hole, text in found.texts.items() if hole <= DASHBOARD_URL}
    return Shape(common, texts | {DESCRIPTION: slo.description} | holes.texts)


def _nameless(sli: Sli, holes: Holes) -> Sli:
    if isinstance(sli, CatalogSli):
        free = _free(sli)
        select = (replace(one, value=_hole(one.value, holes)) if one.label in free else one for one in sli.select)
        return replace(sli, select=tuple(select))
    if isinstance(sli, EventsSli):
        free = _compared_once(" ".join(text for text in (sli.total, sli.bad, sli.good) if text))
        total, bad, good = (text and _holed(text, free, holes) for text in (sli.total, sli.bad, sli.good))
        return replace(sli, total=total or "", bad=bad, good=good)
    return sli


def _hole(value: str, holes: Holes) -> str:
    return value if value in samples.STRANGERS else holes.of_tame(value)


def _free(sli: CatalogSli) -> set[str]:
    """Return the labels of `select` that are asked for one value, of no closed list."""
    found = catalog.source(sli.source).sli(sli.name)
    closed = {label.name for metric in found.metrics for label in metric.labels if label.values}
    chosen = {label.name for part in (*found.total, *found.bad, *found.good) for label, _ in part.values}
    asked = [one.label for one in sli.select]
    equal = {one.label for one in sli.select if one.op is Op.EQUAL and asked.count(one.label) == 1}
    return equal - closed - chosen


def _compared_once(expressions: str) -> set[str]:
    """Return the labels that are compared with one tame value only, and that by `=`."""
    values: dict[str, set[str | None]] = {}
    for compared in _COMPARISON.finditer(expressions):
        equal = COMPARED.match(expressions, compared.start())
        values.setdefault(compared["label"], set()).add(equal["value"] if equal else None)
    return {label for label, found in values.items() if label != EDGE and len(found) == 1 and None not in found}


def _holed(expression: str, labels: Collection[str], holes: Holes) -> str:
    def hole(found: re.Match[str]) -> str:
        return f'{found["is"]}"{_hole(found["value"], holes)}"' if found["label"] in labels else found[0]

    return COMPARED.sub(hole, expression)
