"""A baseline for people and for scripts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from llmslo_rulegen.baseline.baseline import HOUR_S
from llmslo_rulegen.baseline.cell import OK, Cell, Kind, Quantity, merged
from llmslo_rulegen.baseline.survey import Survey
from llmslo_rulegen.finding import printable

SHARES = (0.5, 0.95, 0.99)
_TIMES = (Quantity.DURATION, Quantity.TTFT, Quantity.TPOT)
_MS = 1000
_UNTOLD = "-"


def as_text(summed: Survey) -> str:
    """Return a block a kind of calls, most frequent first."""
    blocks = [_block(kind, cell) for kind, cell in _by_kind(summed)]
    return "\n".join([f"{summary(summed)}\n", *blocks])


def as_record(summed: Survey) -> dict[str, object]:
    """Return the same for JSON: seconds, tokens and counts; quantiles are within 1 %."""
    return {**totals(summed), "kinds": [_record(kind, cell) for kind, cell in _by_kind(summed)]}


def totals(summed: Survey) -> dict[str, object]:
    """Return what was read, in numbers: calls, kinds, hours, the first and the last, spans skipped by reason."""
    hours = summed.baseline.hours
    return {
        "calls": summed.baseline.count,
        "kinds": len(list(summed.baseline.kinds())),
        "hours": len(hours),
        "begin": _time(hours[0]) if hours else None,
        "end": _time(hours[-1] + 1) if hours else None,
        "spans": summed.spans,
        "skipped": dict(sorted((reason.name.lower(), count) for reason, count in summed.skipped.items())),
    }


def summary(summed: Survey) -> str:
    """Return one line: how many calls of how many kinds within which time."""
    found = totals(summed)
    return (
        f"{_many(found['calls'], 'call')} of {_many(found['kinds'], 'kind')} in {_many(found['hours'], 'hour')}, "
        f"from {found['begin']} to {found['end']}"
    )


def skipped_text(summed: Survey) -> str:
    """Return a line a reason for which spans gave no call; without any, nothing."""
    return "".join(
        f"skipped {_many(count, 'span')}: {reason.value}\n" for reason, count in summed.skipped.most_common()
    )


def _many(count: object, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _by_kind(summed: Survey) -> list[tuple[Kind, Cell]]:
    found = [(kind, merged(cells.values())) for kind, cells in summed.baseline.kinds()]
    return sorted(found, key=lambda item: (-item[1].count, item[0]))


def _record(kind: Kind, cell: Cell) -> Mapping[str, object]:
    return {
        "source": kind.source,
        "service": kind.service,
        "operation": kind.operation,
        "provider": kind.provider,
        "model": kind.model,
        "stream": kind.stream,
        "prompt": kind.prompt,
        "calls": cell.count,
        "outcomes": dict(cell.outcomes),
        "finishes": dict(cell.finishes),
        "quantiles": {
            quantity.value: {
                "count": sketch.count,
                **{f"p{share * 100:g}": float(f"{sketch.quantile(share):.4g}") for share in SHARES},
            }
            for quantity, sketch in cell.spreads
        },
    }


def _block(kind: Kind, cell: Cell) -> str:
    named = (kind.service, kind.operation, kind.provider, kind.model, "stream" if kind.stream else "")
    prompt = f"prompt {kind.prompt}" if kind.prompt else ""
    head = printable("  ".join(part for part in (*named, prompt, f"({kind.source})") if part))
    failed = ", ".join(f"{count} {name}" for name, count in cell.outcomes if name != OK)
    lines = [
        head,
        f"  calls      {cell.count}, {cell.count - cell.outcome(OK)} failed" + (f": {failed}" if failed else ""),
    ]
    lines += [_line(quantity, cell) for quantity, _ in cell.spreads]
    return "".join(f"{line}\n" for line in lines)


def _line(quantity: Quantity, cell: Cell) -> str:
    sketch = cell.spread(quantity)
    told = (f"p{share * 100:g} {_value(quantity, sketch.quantile(share))}" for share in SHARES)
    return f"  {quantity.name.lower():<10} {', '.join(told)} ({sketch.count})"


def _value(quantity: Quantity, value: float) -> str:
    if math.isnan(value):
        return _UNTOLD
    if quantity not in _TIMES:
        return f"{value:.3g}" if value < _MS else f"{value:.0f}"
    return f"{value * _MS:.3g} ms" if value < 1 else f"{value:.3g} s"


def _time(hour: int) -> str:
    return datetime.fromtimestamp(hour * HOUR_S, UTC).strftime("%Y-%m-%dT%H:%MZ")
