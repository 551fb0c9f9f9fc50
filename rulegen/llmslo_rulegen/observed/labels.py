"""Which label of a source's metrics tells what of a call, and the other way round."""

from __future__ import annotations

from llmslo_exporter import catalog
from llmslo_rulegen import measures
from llmslo_rulegen.baseline.cell import Kind
from llmslo_rulegen.traces.call import Call

SERVICE = "service"
FIELDS = ("operation", "model", "provider", "stream")  # of a kind of call, in the order in which they are told apart


def label(source: str, sli: str, field: str) -> str | None:
    """Return the label by which `source` tells a field of a call, its service included; None: it has none."""
    measure = measures.measure(sli, source)
    if measure is None:
        return None
    if field == SERVICE and source in catalog.JOBS:
        return catalog.JOB.name
    has = {one.name for one in measure.labels}
    return next((one.name for one in catalog.TELLING.get(field, ()) if one.name in has), None)


def value(source: str, sli: str, label_name: str, call: Call | Kind) -> str | None:
    """Return what a label of `source` would be of a call, or of calls of a kind; None: they do not tell.

    Where no label of a source names the service, the scrape's `job` is taken for it.
    """
    field = next((one for one in (SERVICE, *FIELDS) if label(source, sli, one) == label_name), None)
    if field is None and label_name == catalog.JOB.name and label(source, sli, SERVICE) is None:
        field = SERVICE
    return None if field is None else text(getattr(call, field))


def text(field: object) -> str:
    """Return a field of a call as the value of its label."""
    return str(field).lower() if isinstance(field, bool) else str(field)
