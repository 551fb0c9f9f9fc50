"""Faults put into calls: a call as it would have been; values that belong together change together.

Which calls are hit is the chance of a seed, the same on every machine; who is hit at a share is hit at a larger one.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from llmslo_rulegen.traces.call import Call
from llmslo_rulegen.verify.fault import Fault, FaultKind

SLICE_NS = 30 * 1_000_000_000  # a fault that is not always there comes and goes in steps of this time
REFUSED_S = 0.002  # until a connection is refused: 1.5 to 5 ms on loopback
_WORD = 1 << 64
# The golden ratio in 64 bits: of any run of slices, about the same part is hit (Knuth, TAOCP 3, 6.4).
_GOLDEN = 0x9E3779B97F4A7C15


def struck(call: Call, fault: Fault, seed: int) -> Call:
    """Return the call as it is under a fault; the same object where it is not hit, or has nothing left to lose."""
    if not _is_hit(call, fault, seed):
        return call
    if fault.kind.is_delay:
        return _delayed(call, float(fault.added_s))
    if call.error:
        return call
    if fault.kind is FaultKind.TRUNCATED_STREAMS:
        return _cut(call, fault.outcome, _chance(call, fault, seed, "cut"))
    return _failed(call, fault)


def _is_hit(call: Call, fault: Fault, seed: int) -> bool:
    if fault.service is not None and call.service != fault.service:
        return False
    if fault.kind.is_of_streams and not call.stream:
        return False
    if fault.during < 1 and not _is_there(call, fault, seed):
        return False
    return fault.share >= 1 or _chance(call, fault, seed, "hit") < fault.share


def _delayed(call: Call, added_s: float) -> Call:
    """Whatever comes, comes later by so much; the time per token after the first stays."""
    ttft_s = None if call.ttft_s is None else call.ttft_s + added_s
    return msgspec.structs.replace(call, duration_s=call.duration_s + added_s, ttft_s=ttft_s)


def _failed(call: Call, fault: Fault) -> Call:
    """An error instead of the answer, at the time of its first token; a refused connection at once."""
    is_refused = fault.kind is FaultKind.OUTAGE
    answered_s = call.duration_s if call.ttft_s is None else call.ttft_s
    return msgspec.structs.replace(
        call,
        error=fault.outcome,
        duration_s=min(answered_s, REFUSED_S) if is_refused else answered_s,
        ttft_s=None,
        tpot_s=None,
        output_tokens=None,
        finish="",
    )


def _cut(call: Call, outcome: str, part: float) -> Call:
    """The stream ends at some point after its first token; nobody says why, and what came is what was read."""
    begin_s = call.ttft_s or 0.0
    tokens = None if call.output_tokens is None else min(call.output_tokens, 1 + int(part * call.output_tokens))
    return msgspec.structs.replace(
        call,
        error=outcome,
        duration_s=begin_s + part * (call.duration_s - begin_s),
        tpot_s=None,
        output_tokens=tokens,
        finish="",
    )


def _is_there(call: Call, fault: Fault, seed: int) -> bool:
    offset = _hash(f"{seed}|{fault.kind.value}|{call.service}")
    return ((call.start_ns // SLICE_NS) * _GOLDEN + offset) % _WORD / _WORD < fault.during


def _chance(call: Call, fault: Fault, seed: int, what: str) -> float:
    """Return a number from 0 to 1 that belongs to this call, whatever the fault's size."""
    named = f"{seed}|{fault.kind.value}|{what}|{call.service}|{call.model}|{call.start_ns}|{call.duration_s!r}"
    return _hash(named) / _WORD


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
