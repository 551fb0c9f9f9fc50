"""docs/metrics.md, rendered from the catalog: `python -m llmslo_exporter.catalog_docs > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Label, Metric, MetricType, Part, Selection, Sli, Source

INTRO = f"""# Metrics

Rendered from the catalog; `python -m llmslo_exporter.catalog_docs > docs/metrics.md` writes it anew.

All times come from the kernel's clock. t0 is the first byte of the request, written (client) or read (server). One
exchange is one attempt on the wire: an SDK that tries again makes another. When a label set first appears, its counters
with closed labels start at 0. Where a cap is reached the value is `{catalog.OTHER}`.
"""


def render() -> str:
    """Return the page, the same every time."""
    return "\n".join([INTRO, *_labels(), *_metrics(), *_buckets(), *_slis(), *_sources(), *_records()]).rstrip() + "\n"


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
    yield "## SLIs\n\nEvents that are not good are bad, and the other way round; a threshold must be a bucket edge.\n"
    rows = (
        [f"`{sli.name}`", sli.description, _share(sli), _sum(sli.total, sli), f"{sli.objective:.4g}"]
        for sli in catalog.SLIS
    )
    yield from _table(("SLI", "meaning", "good or bad", "total", "usual objective"), rows)


def _sources() -> Iterator[str]:
    yield "## Other sources of SLIs\n"
    yield (
        "Rules may also be made from what others measure. Each source has its own definitions, so two are never summed;"
        " an SLI that is not listed has no metric there. Where the liveness series is absent nobody measures.\n"
    )
    for source in catalog.SOURCES[1:]:
        yield f"### {source.name}\n\n{source.description} Liveness: `{source.liveness}`.\n"
        rows = ([f"`{sli.name}`", sli.description, _share(sli), _sum(sli.total, sli)] for sli in source.slis)
        yield from _table(("SLI", "meaning", "good or bad", "total"), rows)
        yield from _edges(source)


def _edges(source: Source) -> Iterator[str]:
    metrics = {metric.name: metric for sli in source.slis for metric in sli.metrics if metric.buckets}
    rows = ([f"`{metric.name}`", ", ".join(f"{edge:.6g}" for edge in metric.buckets)] for metric in metrics.values())
    yield from _table(("metric", "upper edges"), rows)


def _records() -> Iterator[str]:
    yield "## Records of the rules\n"
    yield (
        f"What rulegen records of each SLO. They carry `{catalog.SERVICE_LABEL}`, `{catalog.SLO_LABEL}` and the labels"
        " of `group_by`, nothing else. `W` is a window: `5m`, `1h`, `30d`. Events are counts, no rates.\n"
    )
    rows = ([f"`{name}`", meaning] for name, meaning in catalog.RECORDS)
    yield from _table(("record", "value"), rows)


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


def _share(sli: Sli) -> str:
    return f"good: {_sum(sli.good, sli)}" if sli.good else f"bad: {_sum(sli.bad, sli)}"


def _sum(selections: tuple[Selection, ...], sli: Sli) -> str:
    return " + ".join(_selection(selection, sli) for selection in selections)


def _selection(selection: Selection, sli: Sli) -> str:
    words = {
        Part.EVENTS: "",
        Part.COUNT: " observations",
        Part.WITHIN: f" at most {sli.threshold:.6g}" if sli.threshold is not None else "",
    }
    narrowed = "; ".join(f"{label.name} {_listed(values)}" for label, values in selection.values)
    return f"`{selection.metric.name}`{words[selection.part]}" + (f" ({narrowed})" if narrowed else "")


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(value or "empty" for value in values)


if __name__ == "__main__":
    main()
