"""What an SLI counts of calls, source by source, as the selections of the catalog count it of metrics.

An SLI that needs what no span tells (the longest gap of a stream, a TLS handshake) has no reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from llmslo_exporter import catalog
from llmslo_rulegen import measures
from llmslo_rulegen.baseline.cell import OK, Cell, Quantity
from llmslo_rulegen.traces.call import Call

_QUANTITIES = {
    "ttft": Quantity.TTFT,
    "tpot": Quantity.TPOT,
    "latency": Quantity.DURATION,
    "throughput": Quantity.THROUGHPUT,
}
_CUT = "stream_interrupted"
_UNTOLD = "other"  # as the readers of spans name an error without a class
_FAULTS = frozenset({"server_error", "overloaded", "timeout", "connection_error", _CUT, _UNTOLD, catalog.OTHER})
# Of HTTP: what a server answers with 5xx.
_FIVES = frozenset({"server_error", "overloaded"})
_SHORTENED = frozenset({"length", "max_tokens", "MAX_TOKENS", "content_filter", "SAFETY", "refusal"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What an SLI counts of calls.

    With a `quantity` its values within a threshold are good (`good_within`) or bad, and calls that have none do not
    count. Else calls count by outcome: `bad` of those in `counted`, None for all of them. `finishes`: the reasons for
    which answers ended count, and those of `bad` are bad. `cut_is_bad`: a stream that ended before the quantity was
    known is bad. `streams`: only streams count.
    """

    quantity: Quantity | None = None
    good_within: bool = True
    counted: frozenset[str] | None = None
    bad: frozenset[str] | None = None  # None: whatever is not ok
    finishes: bool = False
    cut_is_bad: bool = False
    streams: bool = False

    def is_good(self, call: Call, threshold: float | None) -> bool | None:
        """Return whether a call is good; None: it does not count. `threshold` is in the unit of the quantity."""
        if self.streams and not call.stream:
            return None
        if self.quantity is not None:
            return self._is_within(call, threshold)
        if self.finishes:
            return None if not call.finish else call.finish not in (self.bad or ())
        outcome = call.error or OK
        if self.counted is not None and outcome not in self.counted:
            return None
        return outcome == OK if self.bad is None else outcome not in self.bad

    def counts(self, cell: Cell) -> tuple[int, int]:
        """Return bad and all of the calls of a cell that count by their outcome or finish."""
        found = dict(cell.finishes if self.finishes else cell.outcomes)
        counted = found if self.counted is None else {name: found.get(name, 0) for name in self.counted}
        bad = (name for name in counted if (name != OK if self.bad is None else name in self.bad))
        return sum(counted[name] for name in bad), sum(counted.values())

    def unseen(self, cell: Cell) -> int:
        """Return how many calls of a cell of streams count as bad though the quantity has no value of them."""
        if not self.cut_is_bad or self.quantity is None:
            return 0
        return max(0, cell.outcome(OK, _CUT) - cell.spread(self.quantity).count)

    def _is_within(self, call: Call, threshold: float | None) -> bool | None:
        value = _value(call, self.quantity)
        if value is None:
            return False if self.cut_is_bad and call.stream and call.error == _CUT else None
        if threshold is None:
            msg = "an SLI that compares needs a threshold"
            raise TypeError(msg)
        return (value <= threshold) == self.good_within


def _value(call: Call, quantity: Quantity | None) -> float | None:
    if quantity is Quantity.DURATION:
        return None if call.error else call.duration_s
    if quantity is Quantity.TTFT:
        return call.ttft_s
    if quantity is Quantity.TPOT:
        return call.tpot_s
    fewest = 20  # output tokens, as the exporter's own histogram of rates asks for
    is_known = call.tpot_s is not None and call.tpot_s > 0 and (call.output_tokens or 0) >= fewest
    return 1 / call.tpot_s if is_known and call.tpot_s else None


@cache
def reading(source: str, sli: str) -> Reading | None:
    """Return what `sli` of `source` counts of calls; None: the source does not measure it, or spans do not tell."""
    if measures.measure(sli, source) is None:
        return None
    if sli in _QUANTITIES:
        is_own = source == catalog.OWN
        return Reading(_QUANTITIES[sli], good_within=sli != "throughput", cut_is_bad=is_own and sli == "ttft")
    return _BY_OUTCOME.get((source, sli), Reading() if sli == "availability" else None)


def untold(source: str, sli: str) -> str:
    """Return why `reading` has none, in words."""
    if measures.measure(sli, source) is None:
        return f"source {source} has no metric for {sli}"
    return f"no span tells what {sli} counts ({_NEEDS.get(sli, 'more than outcome, duration and first token')})"


def names(source: str) -> tuple[str, ...]:
    """Return the SLIs of `source` that calls tell."""
    return tuple(name for name in measures.slis(source) if reading(source, name) is not None)


_NEEDS = {
    "gap": "the longest wait within a stream",
    "ttot": "the first token after reasoning",
    "tls": "handshakes",
}
_COUNTED = frozenset((*catalog.COUNTED, _UNTOLD))
_OWN = catalog.OWN
_PROXY = "litellm"
_BY_OUTCOME = {
    (_OWN, "availability"): Reading(counted=_COUNTED),
    (_OWN, "ratelimit"): Reading(counted=_COUNTED, bad=frozenset({"rate_limited"})),
    (_OWN, "quota"): Reading(counted=_COUNTED, bad=frozenset({"quota_exhausted"})),
    (_OWN, "overload"): Reading(counted=_COUNTED, bad=frozenset({"overloaded"})),
    (_OWN, "completeness"): Reading(counted=frozenset({OK, _CUT}), streams=True),
    (_OWN, "clean_finish"): Reading(finishes=True, bad=_SHORTENED),
    ("vllm", "availability"): Reading(counted=_FIVES | {OK}),
    (_PROXY, "availability"): Reading(counted=_FAULTS | {OK, "rate_limited"}),
    (_PROXY, "ratelimit"): Reading(counted=_FAULTS | {OK, "rate_limited"}, bad=frozenset({"rate_limited"})),
}
