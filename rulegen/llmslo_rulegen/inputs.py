"""Input series of a promtool test: the events of a flow as samples of counters, in promtool's shorthand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmslo_rulegen.kinds import Kind, Kinds, Labels, Series
from llmslo_rulegen.scenarios import Flow, Run

DECOY_EVENTS = 1000  # per scrape, or as many as the flow's last run has: enough to show in any ratio


@dataclass(frozen=True, slots=True)
class Copy:
    """One process that counts a share of the events, 1 / `of` of them, under further labels.

    `dotted`: it writes the edges of its histograms as Prometheus 3 does, `2.0` for `2`.
    """

    labels: Labels = ()
    of: int = 1
    dotted: bool = False


ONE = (Copy(),)


def series(kinds: Kinds, flow: Flow, copies: Sequence[Copy] = ONE, *, late: Sequence[Kind] = ()) -> dict[str, str]:
    """Return series name -> values of one group. `late`: what no other kind counts up comes with the first of these."""
    decoys = (Run(sum(run.steps for run in flow), max(DECOY_EVENTS, flow[-1].total)),)
    named: dict[str, str] = {}
    for copy in copies:
        for each, adds in _increments(kinds, flow, copy.of).items():
            kept = [kind for kind in (*kinds.good, *kinds.bad) if kind not in late]
            hidden = bool(late) and not any(each == other for kind in kept for other, _ in kind.adds)
            values = _values(flow, adds, hidden=hidden)
            if values:
                named[_text(each, copy)] = values
        for each, amount in _decoys(kinds).items():
            named[_text(each, copy)] = _values(decoys, [amount * decoys[0].total], hidden=False)
    return named


def constant(name: str, labels: Labels, flow: Flow, value: float = 1) -> tuple[str, str]:
    """Return a series that holds `value` wherever the flow is not gone."""
    return _text(Series(name, labels), Copy()), _gauge(flow, value)


def absent_only(name: str, labels: Labels, flow: Flow) -> tuple[str, str]:
    """Return `up` of a target: 1, and 0 while the flow is gone."""
    tokens = (f"{0 if run.gone else 1}+0x{run.steps - 1}" for run in flow)
    return _text(Series(name, labels), Copy()), " ".join(("1" if not flow[0].gone else "0", *tokens))


def gauges(flow: Flow, states: Sequence[Mapping[Series, float]]) -> dict[str, str]:
    """Return gauges that hold the values of `states`, one per run."""
    tokens: dict[str, list[str]] = {}
    for run, state in zip(flow, states, strict=True):
        for each, value in state.items():
            so_far = tokens.setdefault(_text(each, Copy()), [_number(value)])
            so_far.append(f"{_number(value)}+0x{run.steps - 1}")
    return {name: " ".join(parts) for name, parts in tokens.items()}


def _increments(kinds: Kinds, flow: Flow, of: int) -> dict[Series, list[float]]:
    """Return per series what each scrape of each run adds."""
    found: dict[Series, list[float]] = {}
    for index, run in enumerate(flow):
        split = ((kinds.good, run.total - int(run.bad)), (kinds.bad, int(run.bad)))
        if run.bad > run.total:
            split = ((kinds.good, run.total), (kinds.alone, int(run.bad)))
        for kind, count in (pair for of, events in split for pair in _spread(of, events)):
            for each, amount in kind.adds:
                found.setdefault(each, [0.0] * len(flow))[index] += amount * count / of
    return found


def _decoys(kinds: Kinds) -> dict[Series, float]:
    found: dict[Series, float] = {}
    for kind in kinds.ignored:
        for each, amount in kind.adds:
            found[each] = found.get(each, 0.0) + amount
    return found


def _spread(kinds: Sequence[Kind], count: int) -> Iterator[tuple[Kind, int]]:
    """Yield each kind with its part of `count` events: as even as whole numbers allow."""
    for index, kind in enumerate(kinds):
        yield kind, count // len(kinds) + (index < count % len(kinds))


def _values(flow: Flow, adds: Sequence[float], *, hidden: bool) -> str:
    value = 0.0
    first = next((index for index, add in enumerate(adds) if add), None) if hidden else 0
    if first is None:
        return ""
    tokens = ["_" if hidden else "0"]
    for index, (run, add) in enumerate(zip(flow, adds, strict=True)):
        if run.reset:
            value = 0.0
        if run.gone or index < first:
            tokens.append(_blank(run))
            continue
        tokens.append(f"{_number(value + add)}+{_number(add)}x{run.steps - 1}")
        value += add * run.steps
    return " ".join(tokens)


def _gauge(flow: Flow, value: float) -> str:
    first = "stale" if flow[0].gone else _number(value)
    rest = (_blank(run) if run.gone else f"{_number(value)}+0x{run.steps - 1}" for run in flow)
    return " ".join((first, *rest))


def _blank(run: Run) -> str:
    if not run.gone:
        return f"_x{run.steps}"
    return "stale" + (f" _x{run.steps - 1}" if run.steps > 1 else "")


def _number(value: float) -> str:
    return f"{value:.15g}"


def text(each: Series, target: Labels) -> str:
    """Return a series of the process with the labels `target` as PromQL writes it."""
    return _text(each, Copy(target))


def _text(each: Series, copy: Copy) -> str:
    labels = dict(copy.labels) | dict(each.labels)
    if copy.dotted and labels.get("le", "").isdigit():
        labels["le"] += ".0"
    inside = ",".join(f"{name}={quoted(value)}" for name, value in sorted(labels.items()))
    return f"{each.name}{{{inside}}}" if inside else each.name


def quoted(value: str) -> str:
    """Return a label value as PromQL writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def labels_text(labels: Iterable[tuple[str, str]] | Mapping[str, str]) -> str:
    """Return `{a="b"}`, sorted."""
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in sorted(pairs)) + "}"
