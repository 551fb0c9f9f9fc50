"""Ground truth of one exchange for each role, and how the exporter's line differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tests.e2e.answers import Answer, Truth, chunks_only
from tests.e2e.taps import Flight

# One exchange may meet a busy core; the p99 over many has the contract's bound (streams.py).
SLACK_S = 0.05
SLACK_RATIO = 0.05
# The contract's bound for TTFT: p99 within the larger of these.
TTFT_SLACK_S = 0.005
TTFT_SLACK_RATIO = 0.02
TIMES = ("first_byte_s", "first_token_s", "first_output_s", "last_token_s", "max_gap_s")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the exporter's line must say; None in `pid` and an absent time are not checked."""

    truth: Truth
    role: str
    transport: str
    events: int
    pid: int | None = None
    times: Mapping[str, float | None] | None = None
    end_s: float | None = None
    outcomes: tuple[str, ...] = ()  # where the contract leaves a choice; else the truth's

    def tokens(self) -> tuple[Mapping[str, Any], ...]:
        """Counted chunks where the bytes hold nothing better."""
        if self.truth.tokens is None:
            return chunks_only(self.events)
        return self.truth.tokens


def _instants(answer: Answer, flight: Flight) -> list[tuple[float, bool]]:
    """When each content event that passed was complete, and whether it was output."""
    found: list[tuple[float, bool]] = []
    passed = 0
    reads = iter(flight.reads)
    at_s = flight.start_s
    for mark in answer.marks:
        while passed < mark.at:
            step = next(reads, None)
            if step is None:
                return found
            at_s, passed = step[0], passed + step[1]
        found.append((at_s, mark.output))
    return found


def times_of(answer: Answer, flight: Flight) -> dict[str, float | None]:
    """The instants of the contract from a side's own stamps, in seconds from its t0."""
    instants = _instants(answer, flight)
    stamps = [at_s for at_s, _ in instants]
    outputs = [at_s for at_s, is_output in instants if is_output]
    gaps = [later - sooner for sooner, later in pairwise(stamps)]

    def since(at_s: float | None) -> float | None:
        return None if at_s is None else at_s - flight.start_s

    return {
        "first_byte_s": since(next((at_s for at_s, size in flight.reads if size), None)),
        "first_token_s": since(stamps[0] if stamps else None),
        "first_output_s": since(outputs[0] if outputs else None),
        "last_token_s": since(stamps[-1] if stamps else None),
        "max_gap_s": max(gaps, default=None),
    }


def expected(
    answer: Answer, role: str, *, tls: bool, flight: Flight | None, leaves: bool = False, pid: int | None = None
) -> Expected:
    """What a side must be said to have done. `leaves`: the client goes before the answer is complete."""
    truth = answer.truth
    passed = sum(size for _, size in flight.reads) if flight else len(answer.data)
    is_cut_short = leaves and (role == "client" or passed < len(answer.data))
    if is_cut_short:
        truth = cancelled(truth)
    events = sum(1 for mark in answer.marks if mark.at <= passed)
    times = times_of(answer, flight) if flight else None
    end_s = flight.reads[-1][0] - flight.start_s if flight and flight.reads else None
    if not truth.stream and times:
        times = {"first_byte_s": times["first_byte_s"]}
    return Expected(truth, role, "tls" if tls else "plain", events, pid, times, end_s)


def cancelled(truth: Truth) -> Truth:
    """The truth once the client has gone in the middle of a stream."""
    return replace(
        truth,
        outcome="client_cancelled",
        stream_outcome="client_cancelled" if truth.stream else None,
        closed_by="client",
        finishes=(),
        tokens=None,
    )


def is_close(want_s: float | None, got_s: float | None) -> bool:
    """Whether two stamps of one instant agree."""
    if want_s is None or got_s is None:
        return want_s is None and got_s is None
    return abs(got_s - want_s) <= max(SLACK_S, SLACK_RATIO * abs(want_s))


def _told_tokens(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = [{key: value for key, value in counts.items() if value is not None} for counts in line["tokens"]]
    return sorted(told, key=lambda counts: str(counts["source"]))


def _discrete(want: Expected, line: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    truth = want.truth
    yield "outcome", want.outcomes or (truth.outcome,), line["outcome"]
    yield "status", (truth.status,), line["status"]
    if truth.status is not None:
        yield "stream", (truth.stream,), line["stream"]
    yield "stream_outcome", (truth.stream_outcome,), line["stream_outcome"]
    yield "operation", (truth.operation,), line["operation"]
    yield "transport", (want.transport,), line["transport"]
    yield "finishes", (sorted(truth.finishes),), sorted(line["finishes"])
    tokens = sorted((dict(counts) for counts in want.tokens()), key=lambda counts: str(counts["source"]))
    yield "tokens", (tokens,), _told_tokens(line)
    if truth.stream_outcome is not None:
        yield "closed_by", (truth.closed_by,), line["closed_by"]
    if truth.stream:
        yield "content_events", (want.events,), line["content_events"]
        yield "first_token", (want.events > 0,), line["first_token"]
    if want.pid is not None:
        yield "pid", (want.pid,), line["pid"]


def differences(want: Expected, line: Mapping[str, Any]) -> list[str]:
    """Every field of a line that is not the truth, as `field: expected, got`; empty when it is right."""
    wrong = []
    for name, choices, got in _discrete(want, line):
        if got not in choices:
            wrong.append(f"{name}: want {' or '.join(map(str, choices))}, got {got}")
    for name, want_s in (want.times or {}).items():
        if not is_close(want_s, line[name]):
            wrong.append(f"{name}: want {_ms(want_s)}, got {_ms(line[name])}")
    if want.end_s is not None and want.truth.outcome == "ok" and line["duration_s"] > want.end_s + SLACK_S:
        wrong.append(f"duration_s: want at most {_ms(want.end_s)}, got {_ms(line['duration_s'])}")
    return wrong


def _ms(value_s: float | None) -> str:
    return "none" if value_s is None else f"{value_s * 1000:.1f} ms"


def ttft_error_s(want: Expected, line: Mapping[str, Any]) -> tuple[float, float] | None:
    """Error of TTFT and its bound for one exchange, in seconds; None where a side has no first token."""
    mine = (want.times or {}).get("first_token_s")
    theirs = line["first_token_s"]
    if mine is None or theirs is None:
        return None
    return abs(theirs - mine), max(TTFT_SLACK_S, TTFT_SLACK_RATIO * mine)
