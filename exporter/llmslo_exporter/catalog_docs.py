"""docs/metrics.md, rendered from the catalog: `python -m llmslo_exporter.catalog_docs > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Label, Metric, MetricType, Selection, Sli

INTRO = f"""# Metrics

Rendered from the catalog; `python -m llmslo_exporter.catalog_docs > docs/metrics.md` writes it anew.

All times come from the kernel's clock. t0 is the first byte of the request, written (client) or read (server). One
exchange is one attempt on the wire: an SDK that tries again makes another. When a label set first appears, its counters
with closed labels start at 0. Where a cap is reached the value is `{catalog.OTHER}`.
"""


def render() -> str:
    """Return the page, the same every time."""
    return "\n".join([INTRO, *_labels(), *_metrics(), *_buckets(), *_slis()]).rstrip() + "\n"


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write(render())


def _labels() -> Iterator[str]:
    limits = catalog.Limits()
    yield "## Shared labels\n"
    yield from _table(
        ("label", "meaning", "values"), ([f"`{lb.name}`", lb.help, _values(lb)] for lb in catalog.EXCHANGE_LABELS)
    )
    yield (
        f"Caps, each an option: {limits.models} models, {limits.providers} providers, {limits.workloads} workloads,"
        f" {limits.series:,} series; what is unused for {limits.idle_s / 3600:.0f} h is forgotten.\n"
    )


def _metrics() -> Iterator[str]:
    for title, metrics, shared in (
        ("Exchanges", catalog.EXCHANGE_METRICS, "all shared labels"),
        ("Connections", catalog.CONNECTION_METRICS, "all shared labels but `model` and `operation`"),
        ("The exporter itself", catalog.SELF_METRICS, "no shared labels"),
    ):
        yield f"## {title}\n\nThese carry {shared}.\n"
        rows = ([f"`{m.name}`", m.type.value, _own_labels(m), m.help] for m in metrics)
        yield from _table(("metric", "type", "own labels", "meaning"), rows)


def _buckets() -> Iterator[str]:
    yield "## Buckets\n"
    rows = (
        [f"`{m.name}`", ", ".join(f"{edge:g}" for edge in m.buckets)]
        for m in catalog.METRICS
        if m.type is MetricType.HISTOGRAM
    )
    yield from _table(("metric", "upper edges"), rows)


def _slis() -> Iterator[str]:
    yield "## SLIs\n\nGood events are the total without the bad ones; a threshold must be a bucket edge.\n"
    rows = (
        [f"`{sli.name}`", sli.description, _sum(sli.bad, sli), _sum(sli.total, sli), f"{sli.objective:.4g}"]
        for sli in catalog.SLIS
    )
    yield from _table(("SLI", "meaning", "bad", "total", "usual objective"), rows)


def _table(head: tuple[str, ...], rows: Iterable[list[str]]) -> Iterator[str]:
    yield _row(list(head))
    yield _row(["---"] * len(head))
    for row in rows:
        yield _row(row)
    yield ""


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _own_labels(metric: Metric) -> str:
    return "<br>".join(f"`{lb.name}`" + (f": {_values(lb)}" if lb.values else "") for lb in metric.extra)


def _values(label: Label) -> str:
    return ", ".join(f"`{value}`" for value in label.values) or "from the traffic"


def _sum(selections: tuple[Selection, ...], sli: Sli) -> str:
    return " + ".join(_selection(selection, sli) for selection in selections)


def _selection(selection: Selection, sli: Sli) -> str:
    words = {
        catalog.Part.EVENTS: "",
        catalog.Part.COUNT: " observations",
        catalog.Part.WITHIN: f" at most {sli.threshold:g}" if sli.threshold is not None else "",
        catalog.Part.ABOVE: f" above {sli.threshold:g}" if sli.threshold is not None else "",
    }
    narrowed = "; ".join(f"{label.name} {', '.join(values)}" for label, values in selection.values)
    return f"`{selection.metric.name}`{words[selection.part]}" + (f" ({narrowed})" if narrowed else "")


if __name__ == "__main__":
    main()
