"""What the clients saw against what the kernel saw: the table, and where the two disagree. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.demo.measured import Measured
from deploy.demo.prometheus import Sample

# Every client stamps just before its first send and after it has taken the first content out of TLS, HTTP and JSON,
# so its time holds the kernel's: its mean may be later by what that code costs on a machine busy with the model.
LATER_S = 0.010
LATER_SHARE = 0.10
EARLIER_S = 0.001  # the clients' clocks have microseconds; none may be earlier

# The proxy reads each exchange and writes it again, the model server reads it: each of them sees it in each role once.
HOPS = (("nginx", "server"), ("nginx", "client"), ("llama-server", "server"))


@dataclass(slots=True)
class Seen:
    """One client's exchanges, from either side."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ttft_s: float | None = None  # mean
    ttft_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def exchanges(self) -> int:
        return self.outcomes.total()


def by_client(measured: Sequence[Measured]) -> Seen:
    """Return a client's own view; tokens are summed over the exchanges whose usage it got."""
    return Seen(
        Counter(one.outcome for one in measured),
        sum(one.ttft_s for one in measured) / len(measured) if measured else None,
        len(measured),
        sum(one.input_tokens or 0 for one in measured),
        sum(one.output_tokens or 0 for one in measured),
    )


def by_kernel(
    workload: str,
    exchanges: Iterable[Sample],
    ttft: Iterable[Sample],
    counts: Iterable[Sample],
    tokens: Iterable[Sample],
) -> Seen:
    """Return what Prometheus says of `workload`, from the answers to the queries of the same names."""

    def mine(samples: Iterable[Sample]) -> list[Sample]:
        return [sample for sample in samples if sample.labels.get("workload") == workload]

    def total(kind: str) -> int:
        return round(sum(sample.value for sample in mine(tokens) if sample.labels.get("type") == kind))

    tokens = list(tokens)
    return Seen(
        Counter({sample.labels["outcome"]: round(sample.value) for sample in mine(exchanges)}),
        next((sample.value for sample in mine(ttft)), None),
        round(sum(sample.value for sample in mine(counts))),
        total("input"),
        total("output"),
    )


def disagreements(client: str, own: Seen, kernel: Seen) -> list[str]:
    """Return one sentence for each number on which the two sides differ by more than the clocks explain."""
    pairs = [
        ("outcomes", _outcomes(own), _outcomes(kernel)),
        ("first tokens", own.ttft_count, kernel.ttft_count),
        ("input tokens", own.input_tokens, kernel.input_tokens),
        ("output tokens", own.output_tokens, kernel.output_tokens),
    ]
    found = [
        f"{client}: {what}: the client saw {mine}, the kernel {theirs}"
        for what, mine, theirs in pairs
        if mine != theirs
    ]
    if own.ttft_s is not None and kernel.ttft_s is not None:
        later_s = own.ttft_s - kernel.ttft_s
        if not -EARLIER_S <= later_s <= max(LATER_S, LATER_SHARE * kernel.ttft_s):
            found.append(
                f"{client}: time to first token: the client saw {_ms(own.ttft_s)}, the kernel {_ms(kernel.ttft_s)}"
            )
    return found


def hops_missing(samples: Iterable[Sample], exchanges: int) -> list[str]:
    """Return one sentence for each hop behind the clients that did not see all of their exchanges."""
    seen = {(one.labels.get("workload"), one.labels.get("role")): round(one.value) for one in samples}
    return [
        f"{workload} as {role}: the clients had {exchanges} exchanges, the kernel saw {seen.get((workload, role), 0)}"
        for workload, role in HOPS
        if seen.get((workload, role), 0) != exchanges
    ]


def table(clients: Mapping[str, tuple[Seen, Seen]]) -> str:
    """Return one line a client: its own numbers beside the kernel's where both exist."""
    rows = [("client", "exchanges", "TTFT client", "TTFT kernel", "tokens in/out", "outcome")]
    for name, (own, kernel) in clients.items():
        rows.append(
            (
                name,
                _both(str(own.exchanges), str(kernel.exchanges)),
                _ms(own.ttft_s),
                _ms(kernel.ttft_s),
                _both(_tokens(own), _tokens(kernel)),
                _both(_outcomes(own), _outcomes(kernel)),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _both(own: str, kernel: str) -> str:
    return own if own == kernel else f"{own} (kernel: {kernel})"


def _outcomes(seen: Seen) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(seen.outcomes.items())) or "none"


def _tokens(seen: Seen) -> str:
    return f"{seen.input_tokens}/{seen.output_tokens}"


def _ms(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds * 1000:.1f} ms"
