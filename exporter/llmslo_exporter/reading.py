"""From what the kernel summed up to one finished exchange in the words of the contract.

No clock, no I/O: a summary in, an exchange out. Texts of the summary end here; the exchange holds a model's name and a
provider's, and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llmslo_exporter import outcome as outcomes
from llmslo_exporter.dialects import find
from llmslo_exporter.dialects.dialect import Dialect, Facts, RequestFacts
from llmslo_exporter.excerpt import excerpt_facts
from llmslo_exporter.exchange import ClosedBy, Exchange, Fault, Outcome, StreamOutcome
from llmslo_exporter.fragments import parse_json
from llmslo_exporter.http1 import (
    Headers,
    RequestHead,
    ResponseHead,
    content_length,
    parse_request_head,
    parse_response_head,
)
from llmslo_exporter.inflate import OTHER_CODING, Inflate, body_codings, coding
from llmslo_exporter.providers import Evidence, provider_of
from llmslo_exporter.ratelimits import ratelimits
from llmslo_exporter.replay import replay
from llmslo_exporter.summary import End, FinishReason, Summary
from llmslo_exporter.tokens import best_tokens

# Parsed JSON takes up to twenty times its bytes; of a longer body only both ends are read.
MAX_PARSED_BYTES = 2 * 1024 * 1024
# Longer than any model's name; a path of a fine-tuned one is about 80 characters.
MAX_MODEL_CHARS = 128


@dataclass(frozen=True, slots=True)
class _Reply:
    """What is known of the answer, whichever way it was read; instants on the kernel's clock."""

    facts: Facts = field(default_factory=Facts)
    first_token_s: float | None = None
    first_output_s: float | None = None
    last_token_s: float | None = None
    max_gap_s: float | None = None
    content_events: int = 0
    end_s: float | None = None  # None: the kernel's
    finishes: tuple[FinishReason, ...] = ()
    choices: int = 1
    is_error: bool = False
    is_ended: bool = False  # by its terminal event or its framing
    is_proven: bool = False  # the stream said all, whether or not it named finish reasons
    is_blind: bool = False  # events were missed: what was not seen may have been there
    ttft_unknown: bool = False
    coding: str | None = None  # of a compressed stream
    faults: frozenset[Fault] = frozenset()


def read(summary: Summary, *, provider_map: Mapping[str, str], process: str) -> Exchange | None:
    """Return the exchange; None when the bytes show that it was no call of an LLM.

    `provider_map` is the configured `host[:port]` -> provider, `process` the name of the traced process.
    """
    request = parse_request_head(summary.request_head)
    dialect = find(request.path) if request is not None and request.method == "POST" else None
    if request is None or dialect is None:
        return None
    asked = _request_facts(dialect, request, summary)
    if asked.foreign:
        return None
    head = parse_response_head(summary.response_head)
    if head is not None and _is_array(dialect, summary, head, asked):
        summary = replace(summary, stream=True, encoded=True)  # to the kernel it was a body like any other
    reply = _no_reply(summary) if head is None else _reply(dialect, summary, head, asked)
    evidence = Evidence(
        role=summary.role,
        transport=summary.transport,
        host=request.headers.first("host") or "",
        sni=summary.sni,
        peer=summary.peer,
        path=request.path,
        response=head.headers if head is not None else Headers(),
        process=process,
    )
    # The answer's model stands in where the request's lay between the captured parts of its body.
    model = asked.model or dialect.path_model(request.path) or reply.facts.model
    call = _Call(
        provider=provider_of(evidence, provider_map),
        model=_label(model),
        operation=dialect.operation(request.path),
        stream=summary.stream if head is not None else bool(asked.stream),
        retry=_is_retry(request.headers),
    )
    return _exchange(summary, call, head, reply)


@dataclass(frozen=True, slots=True)
class _Call:
    """What was asked of whom."""

    provider: str
    model: str | None
    operation: str
    stream: bool
    retry: bool


def _exchange(summary: Summary, call: _Call, head: ResponseHead | None, reply: _Reply) -> Exchange:
    outcome, stream_outcome, closed_by = _ending(summary, head, reply)
    counted = reply.content_events if stream_outcome is not None and not reply.is_blind else None
    start_s = summary.start_s
    return Exchange(
        role=summary.role,
        provider=call.provider,
        model=call.model,
        operation=call.operation,
        stream=call.stream,
        retry=call.retry,
        status=head.status if head is not None else None,
        outcome=outcome,
        stream_outcome=stream_outcome,
        closed_by=closed_by,
        duration_s=_since(start_s, summary.end_s if reply.end_s is None else reply.end_s) or 0.0,
        first_byte_s=_since(start_s, summary.first_byte_s),
        first_token_s=_since(start_s, reply.first_token_s),
        first_output_s=_since(start_s, reply.first_output_s),
        last_token_s=_since(start_s, reply.last_token_s),
        max_gap_s=reply.max_gap_s,
        content_events=reply.content_events,
        ttft_unknown=reply.ttft_unknown,
        tokens=best_tokens(reply.facts.usage, reply.facts.timings, counted),
        finishes=reply.finishes,
        handshake_s=summary.handshake_s,
        encoding=reply.coding,
        faults=reply.faults,
        ratelimits=ratelimits(head.headers) if head is not None else (),
    )


def _request_facts(dialect: Dialect, head: RequestHead, summary: Summary) -> RequestFacts:
    if coding(head.headers.joined("content-encoding")) != "identity":
        return RequestFacts()
    body, tail = summary.request_body, summary.request_tail
    length = content_length(head.headers)
    if length is not None and len(body) < length <= len(body) + len(tail):
        body = tail = body + tail[len(body) + len(tail) - length :]
    return dialect.request(head.path, body, tail)


def _reply(dialect: Dialect, summary: Summary, head: ResponseHead, asked: RequestFacts) -> _Reply:
    if not summary.stream:
        return _whole_reply(dialect, summary, head)
    reply = _replayed_reply if summary.encoded else _counted_reply
    return reply(dialect, summary, head, asked)


def _is_array(dialect: Dialect, summary: Summary, head: ResponseHead, asked: RequestFacts) -> bool:
    """Tell a stream that comes as a JSON array in pieces, which its content type does not."""
    if not (dialect.has_arrays and asked.stream and head.is_success) or summary.stream:
        return False
    return "json" in head.headers.joined("content-type")


def _no_reply(summary: Summary) -> _Reply:
    """Tell an answer that never came from one whose first line is no status line."""
    return _Reply(faults=_faults({Fault.HEAD: b"\n" in summary.response_head.lstrip(b"\r\n")}))


def _faults(found: Mapping[Fault, bool]) -> frozenset[Fault]:
    return frozenset(fault for fault, is_there in found.items() if is_there)


def _counted_reply(dialect: Dialect, summary: Summary, head: ResponseHead, asked: RequestFacts) -> _Reply:
    """Read a stream that the kernel's automaton counted; only words come from the captured texts."""
    content_type = head.headers.joined("content-type")
    facts = excerpt_facts(dialect, content_type, summary.response_body, summary.response_tail)
    if summary.error_seen and facts.error is None:
        facts = facts.then(Facts(error=facts.likely_error))
    is_first_unsaid = dialect.wire.omits_first and summary.choices_seen > 0 and not summary.first_choice_seen
    choices = max(asked.choices, summary.choices_seen + is_first_unsaid, 1)
    counted = tuple(reason for reason in FinishReason for _ in range(min(summary.finishes[reason], choices)))
    # The excerpt's reasons stand in only where the automaton saw none.
    finishes = counted or tuple(facts.finishes.values())
    lost = summary.scan_lost
    return _Reply(
        facts=facts,
        # A first token seen behind bytes that were not scanned may not have been the first.
        first_token_s=None if lost else summary.first_token_s,
        first_output_s=None if lost else summary.first_output_s,
        last_token_s=None if lost else summary.last_token_s,
        max_gap_s=None if lost else summary.max_gap_s,
        content_events=summary.content_events,
        finishes=_one_per_choice(finishes, choices),
        choices=choices,
        is_error=summary.error_seen or facts.error is not None,
        is_ended=_is_ended(summary, head, terminal=summary.terminal_seen),
        is_proven=facts.is_bare or (dialect.wire.terminal_proves and summary.terminal_seen),
        is_blind=lost,
        ttft_unknown=lost and head.is_success,
        faults=_faults({Fault.EVENT: facts.unreadable}),
    )


def _replayed_reply(dialect: Dialect, summary: Summary, head: ResponseHead, asked: RequestFacts) -> _Reply:
    """Read a compressed stream from its pieces."""
    run = replay(dialect, head, summary.pieces)
    lost = summary.pieces_lost or not run.readable
    name = coding(head.headers.joined("content-encoding"))
    if name == "identity" and not head.whole:
        name = OTHER_CODING  # the head was cut before the field
    return _Reply(
        facts=run.facts,
        first_token_s=run.first_token_s,
        first_output_s=run.first_output_s,
        last_token_s=None if lost else run.last_token_s,
        max_gap_s=None if lost else run.max_gap_s,
        content_events=run.content_events,
        end_s=run.terminal_s,
        finishes=tuple(run.facts.finishes.values()),
        choices=max(asked.choices, len(run.facts.choices), 1),
        is_error=run.facts.error is not None,
        is_ended=_is_ended(summary, head, terminal=run.facts.terminal),
        is_proven=run.facts.is_bare or (dialect.wire.terminal_proves and run.facts.terminal),
        is_blind=lost,
        ttft_unknown=lost and run.first_token_s is None and head.is_success,
        coding=None if name == "identity" else name,
        faults=_faults(
            {
                Fault.EVENT: run.facts.unreadable,
                Fault.ENCODING: not (run.opened or summary.pieces_lost),
                Fault.SIZE: run.overflowed,
            }
        ),
    )


def _whole_reply(dialect: Dialect, summary: Summary, head: ResponseHead) -> _Reply:
    """Read an answer that is no stream: its pieces, or what is left when some are missing."""
    start = summary.pieces[0].data if summary.pieces else b""
    inflate = Inflate(body_codings(head.headers.joined("content-encoding"), start))
    content = b"".join(inflate.feed(piece.data) for piece in summary.pieces)
    is_whole = bool(content) and inflate.readable and not summary.pieces_lost
    is_parsed = is_whole and len(content) <= MAX_PARSED_BYTES
    facts = dialect.answer(content) if is_parsed else Facts()
    is_json = facts != Facts() or (is_parsed and parse_json(content) is not None)
    if facts == Facts():
        end = summary.response_tail or (b"" if inflate.overflowed else content)
        facts = dialect.cut_answer(content or summary.response_body, end)
    facts = dialect.headers(head.headers).then(facts)
    is_ended = summary.response_complete or summary.end is End.NEXT or (head.ends_at_close and is_json)
    return _Reply(
        facts=facts,
        finishes=tuple(facts.finishes.values()),
        is_ended=is_ended,
        # An error may come as a page of HTML from whatever stands in between.
        faults=_faults(
            {
                Fault.JSON: is_parsed and is_ended and head.is_success and not is_json,
                Fault.ENCODING: not (inflate.opened or summary.pieces_lost),
                Fault.SIZE: inflate.overflowed,
            }
        ),
    )


def _is_ended(summary: Summary, head: ResponseHead, *, terminal: bool) -> bool:
    """Tell whether a stream's body ended properly: a next request on the connection shows it too."""
    if terminal or summary.response_complete or summary.end is End.NEXT:
        return True
    closed = outcomes.closed_by(summary.role, summary.closer, summary.end)
    return head.ends_at_close and closed is ClosedBy.SERVER


def _ending(
    summary: Summary, head: ResponseHead | None, reply: _Reply
) -> tuple[Outcome, StreamOutcome | None, ClosedBy]:
    closed = outcomes.closed_by(summary.role, summary.closer, summary.end)
    if head is None:
        return outcomes.without_response(summary.role, closed, summary.end), None, closed
    error = reply.facts.error
    if summary.stream and head.is_success:
        # What was missed of a stream that ended properly is not held against it.
        finished = reply.choices if reply.is_blind or reply.is_proven else len(reply.finishes)
        ending = outcomes.Ending(closed, reply.is_error, reply.is_ended, finished, reply.choices)
        stream = outcomes.of_stream(ending)
        closed = ClosedBy.NONE if stream is StreamOutcome.COMPLETED else closed
        return outcomes.outcome_of_stream(stream, error), stream, closed
    outcome = outcomes.of_answer(head.status, error)
    if outcome is not Outcome.OK:
        return outcome, None, closed
    if reply.is_ended:
        return outcome, None, ClosedBy.NONE
    cancelled = closed is ClosedBy.CLIENT
    return Outcome.CLIENT_CANCELLED if cancelled else Outcome.STREAM_INTERRUPTED, None, closed


def _one_per_choice(finishes: tuple[FinishReason, ...], choices: int) -> tuple[FinishReason, ...]:
    """Return at most one reason a choice: some servers repeat it in the usage chunk.

    Counts do not tell which choice said what, so the most frequent reason gives way first; of equals `stop` does.
    """
    left = sorted(finishes)
    while len(left) > choices:
        left.remove(max(left, key=left.count))
    return tuple(left)


def _is_retry(headers: Headers) -> bool:
    text = headers.first("x-stainless-retry-count") or ""
    return text.isascii() and text.isdigit() and text.strip("0") != ""


def _since(start_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else max(0.0, at_s - start_s)


def _label(model: str | None) -> str | None:
    """Return a model's name fit for a label: printable, bounded; None when nothing is left."""
    name = "".join(char for char in (model or "")[: 4 * MAX_MODEL_CHARS] if char.isprintable()).strip()
    return name[:MAX_MODEL_CHARS] or None
