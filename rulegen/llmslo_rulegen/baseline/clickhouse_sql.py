"""The SQL that sums up a table of spans as the reader of spans does, by one GROUP BY that a cluster can spread.

The table is the one that OpenTelemetry's exporter for ClickHouse makes: attributes as text in maps, events as arrays,
a duration in nanoseconds. Every expression stands for a function of `traces.genai`, `traces.text`, `traces.failures`,
`baseline.gathering` or `baseline.sketch` and is made of the same tables. Nothing is nested but the search for spans
that enclose others: a query around a query would bring every span of a distributed table to one server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmslo_rulegen.baseline.cell import LARGER, OK, PROMPTS, Quantity
from llmslo_rulegen.baseline.clickhouse_let import Named, bound
from llmslo_rulegen.baseline.gathering import FEWEST_TOKENS, HOUR_NS, MAX_NAME, OTHERS
from llmslo_rulegen.baseline.sketch import edges
from llmslo_rulegen.traces import failures, naming
from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.traces.otlp import ERROR_TEXTS, UNKNOWN_SERVICE

KEYS = ("skipped", "source", "service", "operation", "provider", "model", "stream", "prompt", "hour")
SCOPE_COLUMN = "ScopeName"  # newer tables; older ones hold it as an attribute
_SCOPE_ATTRIBUTE = "otel.scope.name"
_PERIOD = "Timestamp >= fromUnixTimestamp64Nano({begin:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})"
_NS = 1_000_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of spans; raises ValueError for names that are no identifiers."""

    database: str
    name: str

    def __post_init__(self) -> None:
        for name in (self.database, self.name):
            if not _NAME.fullmatch(name):
                msg = f"{name[:100]!r} is no name of a ClickHouse database or table: letters, digits and _ make one"
                raise ValueError(msg)

    def __str__(self) -> str:
        return f"`{self.database}`.`{self.name}`"


def statement(table: Table, *, has_scope: bool) -> str:
    """Return the query; its parameters `begin` and `end` are nanoseconds since the epoch, half open.

    Its columns: `KEYS`, then outcomes, finishes and each `Quantity` as (keys, counts), then the calls of the kind in
    all hours. Rows whose `skipped` is not empty count spans that were no calls, as outcomes.
    """
    keys = ", ".join(f"key_{name}" for name in KEYS)
    kind = ", ".join(f"key_{name}" for name in KEYS[:-1])
    fields = ", ".join((*(f"key_{name}" for name in KEYS), "call_outcome", "call_finish", "call_buckets"))
    call = bound(_expressions(table, has_scope=has_scope), f"tuple({fields})")
    selected = ", ".join(f"call.{place} AS key_{name}" for place, name in enumerate(KEYS, 1))
    return (
        f"SELECT {selected},\n    {', '.join(_sums())},\n"
        f"    sum(count()) OVER (PARTITION BY {kind}) AS kind_count\n"
        f"FROM {table}\nARRAY JOIN [{call}] AS call\n"
        f"WHERE {_PERIOD}\n"
        f"GROUP BY {keys}\n"
        f"ORDER BY kind_count DESC, {keys}"
    )


def _sums() -> Iterator[str]:
    outcome, finish, buckets = (f"call.{len(KEYS) + place}" for place in (1, 2, 3))
    yield f"sumMap([{outcome}], [1]) AS outcomes"
    yield f"sumMapIf([{finish}], [1], {finish} != '') AS finishes"
    for place, quantity in enumerate(Quantity, 1):
        bucket = f"{buckets}[{place}]"
        yield f"sumMapIf([{bucket}], [1], {bucket} >= 0) AS buckets_{quantity.name.lower()}"


def _expressions(table: Table, *, has_scope: bool) -> Iterator[Named]:
    """Yield names with what they stand for; what uses names reads no columns."""
    scope = SCOPE_COLUMN if has_scope else _attribute(_SCOPE_ATTRIBUTE)
    yield "call_scope", f"lower(substringUTF8({scope}, 1, {naming.LONG}))"
    yield from _operation()
    yield from _skipped(table)
    yield from _source()
    yield from _outcome()
    yield from _times()
    yield from _tokens()
    yield from _values()
    yield from _keys()
    yield from _buckets()


def _operation() -> Iterator[Named]:
    yield "call_start", "toUnixTimestamp64Nano(Timestamp)"
    yield "call_end", "toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)"
    kind, generation = naming.CHAT_IF_EQUAL
    name, endings = naming.CHAT_IF_ENDS
    chat = (
        f"SpanName = {_quoted(naming.VLLM_SPAN)}",
        *(f"{_attribute(there)} != ''" for there in naming.CHAT_IF_THERE),
        f"{_attribute(kind)} = {_quoted(generation)}",
        *(f"endsWith({_attribute(name)}, {_quoted(ending)})" for ending in endings),
    )
    yield "call_is_chat", f"({' OR '.join(chat)})"
    upper = "call_named = upper(call_named) AND call_named != lower(call_named)"
    upper += f" AND length(call_named) <= {naming.LONG}"
    yield "call_named", _first(naming.OPERATION)
    yield "call_lowered", f"if({upper} AND length(call_named) = lengthUTF8(call_named), lower(call_named), call_named)"
    mapped = _mapped("call_lowered", naming.OPERATIONS, "call_lowered")
    yield "call_operation", f"multiIf(call_named != '', {mapped}, call_is_chat, 'chat', '')"
    is_no_call = f"call_operation = '' OR call_operation IN {_tuple(naming.NO_MODEL)}"
    has_no_time, has_no_end = "call_start <= 0 OR call_end <= 0", "call_end < call_start"
    reasons = (is_no_call, Skipped.NOT_LLM), (has_no_time, Skipped.NO_TIME), (has_no_end, Skipped.NO_END)
    yield "call_unread", f"multiIf({', '.join(f'{each}, {_quoted(reason.name)}' for each, reason in reasons)}, '')"


def _skipped(table: Table) -> Iterator[Named]:
    """Yield why a span counts as no call: it is none, or it encloses another of its service, found by its hash.

    GLOBAL: one server asks all others for the parents, once.
    """
    parents = (
        f"SELECT sipHash64(ServiceName, TraceId, ParentSpanId) FROM {table}\n"  # noqa: S608 -- an identifier
        f"WHERE {_PERIOD} AND ParentSpanId NOT IN ('', SpanId) AND {bound(_operation(), 'call_unread')} = ''"
    )
    yield "call_is_parent", f"sipHash64(ServiceName, TraceId, SpanId) GLOBAL IN (\n{parents}\n)"
    enclosing = _quoted(Skipped.ENCLOSING.name)
    yield "call_skipped", f"multiIf(call_unread != '', call_unread, call_is_parent, {enclosing}, '')"


def _source() -> Iterator[Named]:
    yield "call_is_engine", f"(SpanName = {_quoted(naming.VLLM_SPAN)} OR {_attribute(naming.VLLM_QUEUE)} != '')"
    yield "call_generation", f"if({_attribute(naming.B_PROVIDER)} != '', 'otel-genai-b', 'otel-genai-a')"
    engine = "if(position(call_scope, 'sglang') > 0, 'sglang', 'vllm')"
    proxy = "position(call_scope, 'litellm') > 0, 'litellm'"
    yield "call_source", f"multiIf(call_is_engine, {engine}, {proxy}, call_generation)"


def _outcome() -> Iterator[Named]:
    own = ", ".join(_attribute(name) for name in naming.ERROR_WORDS)
    theirs = ", ".join(f"m[{_quoted(name)}]" for name in naming.ERROR_WORDS)
    event = f"n = {_quoted(naming.ERROR_EVENT)}"
    events = f"arrayFilter((m, n) -> {event}, Events.Attributes, Events.Name)"
    words = f"arrayConcat([{own}], arrayFlatten(arrayMap(m -> [{theirs}], {events})), [StatusMessage])"
    is_error = f"StatusCode IN {_tuple(ERROR_TEXTS)} OR {_attribute(naming.ERROR)} != ''"
    tail = f"replaceRegexpAll(lower(splitByChar('.', w)[-1]), '[{failures.REMOVED}]', '')"
    classes = f"arrayMap(w -> {_mapped(tail, failures.CLASSES, _quoted(''))}, call_words)"
    is_status = _matches("s", naming.STATUS_PATTERN)
    yield "call_words", f"if({is_error}, {words}, [])"
    yield "call_class", f"arrayFirst(c -> c != '', {classes})"
    yield "call_status_text", _first(naming.STATUS)
    statuses = "arrayConcat([call_status_text], call_words)"
    yield "call_status", f"toUInt16OrZero(arrayFirst(s -> {is_status}, {statuses}))"
    ranges = "call_status >= 500 AND call_status < 600, 'server_error'"
    ranges += ", call_status >= 400 AND call_status < 500, 'invalid_request'"
    by_status = f"multiIf({_statuses()}, {ranges}, {_quoted(failures.OTHER)})"
    yield "call_error", f"multiIf(empty(call_words), '', call_class != '', call_class, {by_status})"
    yield "call_outcome", f"if(call_skipped != '' OR call_error = '', {_quoted(OK)}, call_error)"


def _statuses() -> str:
    return ", ".join(f"call_status = {status}, {_quoted(outcome)}" for status, outcome in failures.STATUSES.items())


def _times() -> Iterator[Named]:
    yield "call_streaming", _first(naming.STREAM)
    yield "call_instant", _attribute(naming.FIRST_AT)
    # A day that its month does not have is not that day again once it was read.
    instant = "parseDateTime64BestEffortOrNull(trim(BOTH '\"' FROM call_instant), 9, 'UTC')"
    day = "substring(trim(BOTH '\"' FROM call_instant), 1, 10)"
    is_instant = f"{_matches('call_instant', naming.INSTANT_PATTERN)} AND toString(toDate32OrNull({day})) = {day}"
    yield "call_first_at", f"if({is_instant}, toUnixTimestamp64Nano({instant}), NULL)"
    chunks = f"arrayFilter((t, n) -> n IN {_tuple(naming.CHUNKS)}, Events.Timestamp, Events.Name)"
    yield "call_chunks", chunks
    yield "call_first_chunk", "if(empty(call_chunks), NULL, toUnixTimestamp64Nano(arrayMin(call_chunks)))"
    yield from _number("call_seconds", naming.SECONDS_TO_FIRST)
    yield from _number("call_seconds_of_stream", naming.SECONDS_TO_FIRST_OF_STREAM)
    yield from _number("call_ms", naming.MS_TO_FIRST)
    of_stream = f"if(call_streaming IN {_tuple(naming.TRUE)}, call_seconds_of_stream, NULL)"
    instant = f"(coalesce(call_first_at, call_first_chunk) - call_start) / {_NS}"
    yield "call_told", f"coalesce(call_seconds, {of_stream}, call_ms / 1000, {instant})"
    yield "call_duration", f"(call_end - call_start) / {_NS}"
    is_whole = "(call_told = call_duration AND call_streaming = '')"
    is_told = f"call_told >= 0 AND call_told <= call_duration AND NOT {is_whole}"
    yield "call_ttft", f"if(call_streaming NOT IN {_tuple(naming.FALSE)} AND ifNull({is_told}, 0), call_told, NULL)"
    yield "call_stream", f"call_ttft IS NOT NULL OR call_streaming IN {_tuple(naming.TRUE)}"


def _tokens() -> Iterator[Named]:
    for way, names, member in (
        ("input", naming.INPUT, naming.INPUT_DETAIL),
        ("output", naming.OUTPUT, naming.OUTPUT_DETAIL),
    ):
        yield from _number(f"call_{way}_told", names)
        details = f"{_attribute(naming.DETAILS)}, {_quoted(member)}"
        is_number = f"JSONType({details}) IN ('Int64', 'UInt64', 'Double')"
        yield f"call_{way}_detail", f"if({is_number}, JSONExtractFloat({details}), NULL)"
        yield f"call_{way}", f"trunc(coalesce(call_{way}_told, {_bounded(f'call_{way}_detail')}))"


def _values() -> Iterator[Named]:
    yield "value_duration", "if(call_error = '', call_duration, NULL)"
    yield "value_ttft", "call_ttft"
    computed = "if(call_output > 1, (call_duration - call_ttft) / (call_output - 1), NULL)"
    yield from _number("call_per_token", naming.PER_TOKEN)
    yield "value_tpot", f"if(call_error = '' AND call_ttft IS NOT NULL, coalesce(call_per_token, {computed}), NULL)"
    is_rate = f"value_tpot > 0 AND ifNull(call_output, 0) >= {FEWEST_TOKENS}"
    yield "value_throughput", f"if({is_rate}, 1 / value_tpot, NULL)"
    yield "value_input", "call_input"
    yield "value_output", "call_output"
    yield from _finish()


def _finish() -> Iterator[Named]:
    in_list = _quoted(f'^\\["({naming.FINISH_PATTERN})"')
    is_nothing = "call_finishes IN ('', '[]') OR startsWith(call_finishes, '[\"\"')"
    is_word = _matches("call_finishes", naming.FINISH_PATTERN)
    first = f"match(call_finishes, {in_list}), extract(call_finishes, {in_list}), {_quoted(naming.OTHER_FINISH)}"
    yield "call_finishes", _first(naming.FINISH)
    yield "call_finish", f"multiIf(call_skipped != '' OR {is_nothing}, '', {is_word}, call_finishes, {first})"


def _keys() -> Iterator[Named]:
    sizes = ", ".join(f"call_input <= {most}, {_quoted(name)}" for name, most in PROMPTS)
    yield "call_service", f"if(ServiceName = '', {_quoted(UNKNOWN_SERVICE)}, toString(ServiceName))"
    yield "call_provider", f"lower({_first(naming.PROVIDER)})"
    yield "call_model", _first(naming.MODEL)
    yield "call_prompt", f"multiIf(call_input IS NULL, '', {sizes}, {_quoted(LARGER)})"
    yield "call_hour", f"intDiv(call_start, {HOUR_NS})"
    yield "key_skipped", "call_skipped"
    for name in KEYS[1:]:
        nothing = "0" if name in {"stream", "hour"} else "''"
        yield f"key_{name}", f"if(call_skipped = '', {_key(name)}, {nothing})"


def _key(name: str) -> str:
    if name in {"stream", "hour"}:
        return f"toInt64(call_{name})"
    return f"if(lengthUTF8(call_{name}) > {MAX_NAME}, {_quoted(OTHERS)}, call_{name})"


def _buckets() -> Iterator[Named]:
    """Yield the bucket of each quantity, -1 where there is none."""
    values = ", ".join(f"ifNull(value_{quantity.name.lower()}, -1)" for quantity in Quantity)
    place = f"if(call_skipped != '' OR v < 0, -1, {_bucket('v')})"
    yield "call_buckets", f"arrayMap(v -> {place}, [{values}])"


def _bucket(value: str) -> str:
    """Return the number of edges that are below a value: `roundDown` finds the last edge that is not above it."""
    known = f"[{', '.join(map(repr, map(float, edges())))}]"
    place = f"transform(e, {known}, range(toUInt64({len(edges())})), toUInt64(0))"
    return f"arrayMap(e -> toInt32({place} + (e < {value})), [roundDown({value}, {known})])[1]"


def _attribute(name: str) -> str:
    return f"SpanAttributes[{_quoted(name)}]"


def _first(names: Sequence[str]) -> str:
    """Return the first attribute that is not empty: a map gives an empty text for what it does not hold."""
    found = ", ".join(f"nullIf({_attribute(name)}, '')" for name in names)
    return f"coalesce({found}, '')"


def _number(name: str, names: Sequence[str]) -> Iterator[Named]:
    text, read = f"{name}_text", f"{name}_read"
    yield text, _first(names)
    yield read, f"if({_matches(text, naming.NUMBER_PATTERN)}, toFloat64OrNull({text}), NULL)"
    yield name, _bounded(read)


def _bounded(number: str) -> str:
    return f"if({number} >= 0 AND {number} < {naming.NUMBER_BOUND!r}, {number}, NULL)"


def _matches(text: str, pattern: str) -> str:
    return f"match({text}, {_quoted(f'^(?:{pattern})$')})"


def _mapped(text: str, table: Mapping[str, str], otherwise: str) -> str:
    return f"transform({text}, {_array(table)}, {_array(table.values())}, {otherwise})"


def _array(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _tuple(texts: Iterable[str]) -> str:
    return f"({', '.join(map(_quoted, texts))})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
