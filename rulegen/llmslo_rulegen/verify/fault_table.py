"""Which SLIs a fault may fail, and the faults that every service is tried with.

| fault | SLIs at risk |
|---|---|
| latency | `ttft`, `latency`: every threshold that the delay crosses |
| slow-first-token | the same, of streams alone |
| errors | `availability` where the class counts; `ratelimit`, `quota`, `overload` where it is theirs |
| outage | `availability` |
| truncated-streams | `availability`, `completeness`, of streams alone |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec

from llmslo_rulegen.traces.call import Call
from llmslo_rulegen.verify.fault import Fault, FaultKind, usual
from llmslo_rulegen.verify.subject import Subject

_DELAYED = frozenset({"ttft", "latency"})
_FAILED = frozenset({"availability", "ratelimit", "quota", "overload"})
_AT_RISK = {
    FaultKind.LATENCY: _DELAYED,
    FaultKind.SLOW_FIRST_TOKEN: _DELAYED,
    FaultKind.ERRORS: _FAILED,
    FaultKind.OUTAGE: _FAILED,
    FaultKind.TRUNCATED_STREAMS: frozenset({"availability", "completeness"}),
}
_CLASSES = {"ratelimit": "rate_limited", "quota": "quota_exhausted", "overload": "overloaded"}
_FINE = Call("", "", "", "", "", stream=True, start_ns=1, duration_s=0.0)
_DELAY_S = Decimal(2)  # where no SLO has a threshold
_LEAST_BAD = 0.4  # of all events; 50 events with a budget of 10 % failed with each of 150 seeds
_TIMES_BUDGET, _AND = 3.0, 0.1  # of the largest budget


def is_at_risk(fault: Fault, subject: Subject) -> bool:
    """Tell whether calls that a fault hits may become bad events of an SLO; of other services' SLOs they never do."""
    if subject.sli.name not in _AT_RISK[fault.kind]:
        return False
    if fault.kind.is_delay:
        return True
    return subject.is_good(msgspec.structs.replace(_FINE, error=fault.outcome)) is False


def every_fault(subjects: Sequence[Subject]) -> Iterator[Fault]:
    """Yield each kind of fault for each service that SLOs name, as large as it takes to fail all that are at risk.

    Errors come again in each class that has an SLO of its own.
    """
    services: dict[str, list[Subject]] = {}
    for subject in subjects:
        for service in subject.services:
            services.setdefault(service, []).append(subject)
    for service, members in sorted(services.items()):
        for kind in FaultKind:
            yield _sized(usual(kind, service), members)
        for name, outcome in _CLASSES.items():
            if any(subject.sli.name == name for subject in members):
                yield _sized(replace(usual(FaultKind.ERRORS, service), outcome=outcome), members)


def _sized(fault: Fault, members: Sequence[Subject]) -> Fault:
    concerned = [subject for subject in members if is_at_risk(fault, subject)]
    if fault.kind.is_delay:
        crossed = [Decimal(str(subject.threshold)) for subject in concerned if subject.threshold is not None]
        return replace(fault, added_s=2 * max(crossed) if crossed else _DELAY_S)
    budget = max((float(subject.slo.budget) for subject in concerned), default=0.0)
    bad = min(1.0, max(_LEAST_BAD, _TIMES_BUDGET * budget + _AND))
    during = max(fault.during, bad)
    return replace(fault, during=during, share=max(fault.share, min(1.0, bad / during)))
