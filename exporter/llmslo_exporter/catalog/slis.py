"""SLIs: which events of which metrics are all, and which of them are good or bad."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from llmslo_exporter.catalog.metrics import (
    DURATION,
    FINISH_REASON,
    FINISHES,
    FIRST_TOKEN,
    HANDSHAKE,
    MAX_GAP,
    OUTCOME,
    OUTCOMES,
    REQUESTS,
    STREAM_OUTCOME,
    STREAM_OUTCOMES,
    STREAMS,
    THROUGHPUT,
    TLS_FAILURES,
    TPOT,
    TTFO,
    TTFT,
    Label,
    Metric,
)


class Part(Enum):
    """Which events of a metric a selection takes; the threshold is a bucket edge."""

    EVENTS = "events"  # a counter's value
    COUNT = "count"  # every observation of a histogram
    WITHIN = "within"  # observations <= the threshold


@dataclass(frozen=True, slots=True)
class Selection:
    """Events of one metric; `values` narrows a label to a list, label by label."""

    metric: Metric
    part: Part
    values: tuple[tuple[Label, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Sli:
    """A ratio of events: `total`, `bad` and `good` are sums of selections.

    Exactly one of `bad` and `good` is given, the other is the rest. `threshold` is the usual bucket edge, in the unit
    of the metric; None where no histogram decides. `objective` is the usual share of good events; 1.0 means that every
    bad event is one too many.
    """

    name: str
    description: str
    total: tuple[Selection, ...]
    objective: float
    threshold: float | None = None
    bad: tuple[Selection, ...] = ()
    good: tuple[Selection, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics it is made of, each once, in order of use."""
        return tuple({part.metric.name: part.metric for part in self.total + self.bad + self.good}.values())

    @property
    def edges(self) -> tuple[float, ...]:
        """The thresholds that a rule may use; empty where there is none."""
        parts = (part for part in self.bad + self.good if part.part is Part.WITHIN)
        return next((part.metric.buckets for part in parts), ())


def _without(values: tuple[str, ...], *excluded: str) -> tuple[str, ...]:
    return tuple(value for value in values if value not in excluded)


# Not the provider's fault: the caller's mistake or wish, or an answer withheld on purpose (an SLI of its own).
COUNTED = _without(OUTCOMES, "client_cancelled", "invalid_request", "auth", "not_found", "content_filter")


def _requests(*outcomes: str) -> tuple[Selection, ...]:
    return (Selection(REQUESTS, Part.EVENTS, ((OUTCOME, outcomes),)),)


def within(metric: Metric) -> tuple[Selection, ...]:
    """Observations up to the threshold."""
    return (Selection(metric, Part.WITHIN),)


def count(metric: Metric) -> tuple[Selection, ...]:
    """All observations."""
    return (Selection(metric, Part.COUNT),)


_ENDED = _without(STREAM_OUTCOMES, "client_cancelled")
# Without those that a client gave up before a first token: nobody knows when it would have come.
_AWAITED = (
    Selection(STREAMS, Part.EVENTS, ((STREAM_OUTCOME, _ENDED),)),
    Selection(STREAMS, Part.EVENTS, ((STREAM_OUTCOME, ("client_cancelled",)), (FIRST_TOKEN, ("true",)))),
)

SLIS = (
    Sli(
        "availability",
        "Attempts that the provider answered well; the caller's own mistakes and cancellations do not count.",
        _requests(*COUNTED),
        0.995,
        bad=_requests(*_without(COUNTED, "ok")),
    ),
    Sli(
        "ttft",
        "Streams whose first token came in time; a stream that ended without one is bad, unless the client cancelled.",
        _AWAITED,
        0.95,
        2,
        good=within(TTFT),
    ),
    Sli(
        "ttot",
        "Streams whose first token of the answer proper, after any reasoning, came in time.",
        count(TTFO),
        0.9,
        15,
        good=within(TTFO),
    ),
    Sli(
        "tpot",
        "Streams whose mean time per output token was in bounds.",
        count(TPOT),
        0.95,
        0.1,
        good=within(TPOT),
    ),
    Sli("gap", "Streams that never stalled for too long.", count(MAX_GAP), 0.99, 5, good=within(MAX_GAP)),
    Sli("latency", "Successful calls that ended in time.", count(DURATION), 0.95, 30, good=within(DURATION)),
    Sli(
        "throughput",
        "Streams faster than so many output tokens per second after the first.",
        count(THROUGHPUT),
        0.9,
        20,
        bad=within(THROUGHPUT),
    ),
    Sli(
        "completeness",
        "Streams that came to their end without an error; those the client cancelled do not count.",
        (Selection(STREAMS, Part.EVENTS, ((STREAM_OUTCOME, _ENDED),)),),
        0.999,
        bad=(Selection(STREAMS, Part.EVENTS, ((STREAM_OUTCOME, _without(_ENDED, "completed")),)),),
    ),
    Sli(
        "ratelimit",
        "Attempts that were not rate limited.",
        _requests(*COUNTED),
        0.99,
        bad=_requests("rate_limited"),
    ),
    Sli(
        "quota",
        "Attempts not refused for want of quota or credit; a retry never helps.",
        _requests(*COUNTED),
        1.0,
        bad=_requests("quota_exhausted"),
    ),
    Sli(
        "overload",
        "Attempts that met no overloaded provider.",
        _requests(*COUNTED),
        0.995,
        bad=_requests("overloaded"),
    ),
    Sli(
        "clean_finish",
        "Choices that were neither cut for length nor filtered or refused.",
        (Selection(FINISHES, Part.EVENTS),),
        0.98,
        bad=(Selection(FINISHES, Part.EVENTS, ((FINISH_REASON, ("length", "content_filter", "refusal")),)),),
    ),
    Sli(
        "tls",
        "TLS handshakes that succeeded in time.",
        (*count(HANDSHAKE), Selection(TLS_FAILURES, Part.EVENTS)),
        0.999,
        0.5,
        good=within(HANDSHAKE),
    ),
)
