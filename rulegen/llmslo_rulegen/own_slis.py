"""An SLI that a team wrote out: events by templates, a histogram, or slices of time."""

from __future__ import annotations

from llmslo_rulegen import templates
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.remarks import Remarks
from llmslo_rulegen.slo import EventFunction, EventsSli, HistogramSli, Sli, SlicedSli
from llmslo_rulegen.spec import OwnSli, SloShape

WAYS = (("bad", "total"), ("good", "total"), ("good_when",), ("histogram",), ("ratio",))
_NEED = "bad and total, good and total, histogram, ratio, or good_when"


def own_sli(one: SloShape, here: Remarks) -> Sli | None:
    """Return the SLI that `one` writes out; None: `here` says why not."""
    own = one.sli
    if not isinstance(own, OwnSli):
        msg = "an SLI of the catalog is not written out"
        raise TypeError(msg)
    for key in ("select", "source", "native"):
        if key in one.model_fields_set:
            here.error("own-sli", f"{key} is for SLIs of the catalog: write it into the expression", key)
    given = tuple(sorted(own.model_fields_set - {"native"}))
    if given not in WAYS:
        found = ", ".join(given) or "nothing"
        here.error("own-sli", f"an SLI of one's own is {_NEED}; found {found}: keep one way", "sli")
        return None
    if given == ("histogram",):
        return _histogram(one, own, here)
    if "native" in own.model_fields_set:
        here.error("own-sli", "native says how a histogram is kept, there is none: leave it out", "sli", "native")
    if one.threshold is not None:
        here.error("threshold", "only a histogram has a threshold: leave it out", "threshold")
    return _events(one, own, here) if "total" in given else _sliced(own, here)


def _histogram(one: SloShape, own: OwnSli, here: Remarks) -> Sli | None:
    try:
        selector = templates.histogram(own.histogram)
    except ExpressionError as error:
        here.error("promql", str(error), "sli", "histogram")
        return None
    if one.threshold is None:
        here.error("threshold", "a histogram needs a threshold: add the upper edge of one of its buckets", "sli")
        return None
    return HistogramSli(selector, float(one.threshold.value), own.native)


def _events(one: SloShape, own: OwnSli, here: Remarks) -> Sli | None:
    found: dict[str, tuple[str, EventFunction]] = {}
    for key in sorted(own.model_fields_set - {"native"}):
        try:
            found[key] = templates.template(getattr(own, key))
        except ExpressionError as error:
            here.error("promql", str(error), "sli", key)
            continue
        _check_template(key, found[key][0], one, here)
    if len(found) < len(own.model_fields_set - {"native"}):
        return None
    functions = {function for _, function in found.values()}
    if len(functions) > 1 and not all(function.is_sampled for function in functions):
        mixed = " and ".join(sorted(function.value for function in functions))
        here.error("promql", f"{mixed} are mixed: use one of them in both templates", "sli")
        return None
    bad, good = (found[key][0] if key in found else None for key in ("bad", "good"))
    return EventsSli(*found["total"], bad, good)


def _check_template(key: str, text: str, one: SloShape, here: Remarks) -> None:
    kept = templates.grouping(text)
    lost = [label for label in one.group_by if kept is not None and label not in kept]
    if lost:
        what = f"group_by needs {', '.join(lost)}, the expression sums it away"
        here.error("group-by", f"{what}: add by ({', '.join(one.group_by)})", "sli", key)


def _sliced(own: OwnSli, here: Remarks) -> Sli | None:
    is_condition = "good_when" in own.model_fields_set
    try:
        text = templates.condition(own.good_when) if is_condition else templates.instant(own.ratio)
    except ExpressionError as error:
        here.error("promql", str(error), "sli", "good_when" if is_condition else "ratio")
        return None
    return SlicedSli(text, condition=is_condition)
