"""What may go wrong with the calls of a service, as a value, as text and back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from llmslo_exporter import catalog
from llmslo_rulegen import durations
from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.finding import printable

_MOST_TEXT = 60
_PERCENT = 100


class FaultError(RulegenError):
    """A fault was described in a way that nobody can follow."""


class FaultKind(Enum):
    """Which of a call's values a fault changes."""

    LATENCY = "latency"
    ERRORS = "errors"
    OUTAGE = "outage"
    SLOW_FIRST_TOKEN = "slow-first-token"  # noqa: S105 -- of a model, it opens nothing
    TRUNCATED_STREAMS = "truncated-streams"

    @property
    def is_delay(self) -> bool:
        """It makes calls slower and ends none."""
        return self in {FaultKind.LATENCY, FaultKind.SLOW_FIRST_TOKEN}

    @property
    def is_of_streams(self) -> bool:
        """It hits no call that is none."""
        return self in {FaultKind.SLOW_FIRST_TOKEN, FaultKind.TRUNCATED_STREAMS}


# An error in every second call, an outage of one replica in two, for a part of the time: as incidents are.
_SHARES = {FaultKind.ERRORS: (0.5, 0.4), FaultKind.OUTAGE: (0.5, 0.4), FaultKind.TRUNCATED_STREAMS: (0.3, 1.0)}
_OUTCOMES = tuple(outcome for outcome in catalog.OUTCOMES if outcome != "ok")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `share` of the calls of `service` (None: of every service) in `during` of the time are hit.

    `added_s` is what a delay adds, `outcome` what an error is, in the exporter's words.
    """

    kind: FaultKind
    service: str | None = None
    added_s: Decimal = Decimal(0)
    share: float = 1.0
    during: float = 1.0
    outcome: str = ""

    def __str__(self) -> str:
        parts = [] if self.service is None else [f"service={self.service}"]
        if self.kind.is_delay:
            parts.append(f"+{durations.show(self.added_s)}")
        if self.kind is FaultKind.ERRORS:
            parts.append(f"class={self.outcome}")
        if self.share < 1:
            parts.append(f"share={self.share * _PERCENT:g}%")
        if self.during < 1:
            parts.append(f"during={self.during * _PERCENT:g}%")
        return f"{self.kind.value}:{','.join(parts)}" if parts else self.kind.value


def usual(kind: FaultKind, service: str | None = None, added_s: Decimal = Decimal(0)) -> Fault:
    """Return a fault with the shares that nobody has to name."""
    share, during = _SHARES.get(kind, (1.0, 1.0))
    return Fault(kind, service, added_s, share, during, _OUTCOME.get(kind, ""))


_OUTCOME = {
    FaultKind.ERRORS: "server_error",
    FaultKind.OUTAGE: "connection_error",
    FaultKind.TRUNCATED_STREAMS: "stream_interrupted",
}


def parse(text: str) -> Fault:
    """Return the fault that `text` describes: `latency:service=chat,+2s`; raises FaultError."""
    name, _, rest = text.partition(":")
    kind = next((kind for kind in FaultKind if kind.value == name), None)
    if kind is None:
        known = ", ".join(kind.value for kind in FaultKind)
        msg = f"no fault is called {_shown(name)}: known are {known}"
        raise FaultError(msg)
    found: dict[str, str | None] = dict.fromkeys(("service", "added", "share", "during", "class"))
    for part in filter(None, rest.split(",")):
        key, value = ("added", part[1:]) if part.startswith("+") else part.partition("=")[::2]
        if key not in found or not value:
            msg = f"{_shown(part)} says nothing of a fault: write {_example(kind)}"
            raise FaultError(msg)
        if found[key] is not None:
            msg = f"{_shown(text)} names {key} twice: leave one out"
            raise FaultError(msg)
        found[key] = value
    return _fault(kind, found)


def _fault(kind: FaultKind, found: dict[str, str | None]) -> Fault:
    fault = usual(kind)
    added, outcome = found["added"], found["class"]
    if kind.is_delay != (added is not None):
        what = "needs what it adds" if kind.is_delay else "adds no time"
        msg = f"{kind.value} {what}: write {_example(kind)}"
        raise FaultError(msg)
    if outcome is not None and (kind is not FaultKind.ERRORS or outcome not in _OUTCOMES):
        what = f"a class is one of {', '.join(_OUTCOMES)}" if kind is FaultKind.ERRORS else "only errors have a class"
        msg = f"class={_shown(outcome)}: {what}"
        raise FaultError(msg)
    return Fault(
        kind,
        found["service"],
        Decimal(0) if added is None else _seconds(added),
        fault.share if found["share"] is None else _share(found["share"]),
        fault.during if found["during"] is None else _share(found["during"]),
        outcome or fault.outcome,
    )


def _seconds(text: str) -> Decimal:
    found = durations.parse(text)
    if not found:
        msg = f"+{_shown(text)} is no time: write one such as +2s or +300ms"
        raise FaultError(msg)
    return found


def _share(text: str) -> float:
    number = text.removesuffix("%")
    try:
        found = float(number) / (_PERCENT if number != text else 1)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        msg = f"{_shown(text)} is no share: write one above 0 and at most 1, such as 30%"
        raise FaultError(msg)
    return found


def _example(kind: FaultKind) -> str:
    return f"{kind.value}:service=chat,+2s" if kind.is_delay else f"{kind.value}:service=chat,share=30%"


def _shown(text: str) -> str:
    return printable(repr(text[:_MOST_TEXT]))
