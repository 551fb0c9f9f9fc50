"""Every parser of foreign bytes as one function: bytes in, an exception only where something is wrong with us."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import brotli

from llmslo_exporter import (
    cgroups,
    columns,
    configuration,
    events,
    mappings,
    negotiation,
    options,
    processes,
    providers,
    scraped,
    sites,
    workload,
)
from llmslo_exporter.catalog import RATELIMIT_KINDS
from llmslo_exporter.dialects import DIALECTS, find
from llmslo_exporter.dialects.dialect import Dialect
from llmslo_exporter.elf import ElfError, ElfFile
from llmslo_exporter.errors import ConfigurationError, DecodeError
from llmslo_exporter.excerpt import Events, event_facts, excerpt_facts
from llmslo_exporter.exchange import Exchange
from llmslo_exporter.fragments import members_from_start, members_to_end, parse_json
from llmslo_exporter.http1 import content_length, parse_request_head, parse_response_head
from llmslo_exporter.inflate import KNOWN_CODINGS, MAX_INFLATED_BYTES, Inflate, body_codings, codings
from llmslo_exporter.json_array import JsonArray
from llmslo_exporter.ndjson import NdjsonLines
from llmslo_exporter.ratelimits import ratelimits
from llmslo_exporter.reading import MAX_MODEL_CHARS, read
from llmslo_exporter.replay import replay
from llmslo_exporter.sample_lines import escaped, number
from llmslo_exporter.sse import Event, SseEvents
from llmslo_exporter.summary import Closer, End, Piece, Role, Summary, Transport
from tests.exporter.elf_image import RET, SUB, image
from tests.fuzz import trace_targets

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FIXTURES = Path(__file__).parents[1] / "exporter" / "fixtures"
STREAM_TYPES = ("text/event-stream", "application/x-ndjson", "application/json")
# A request of each dialect: what the kernel would ship for it.
PATHS = tuple(f"/v1{ending}" for dialect in DIALECTS for ending in dialect.wire.paths)
CODINGS = (*KNOWN_CODINGS, "identity", "other")
KEYS = frozenset({"model", "usage", "error", "stream"})


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, the inputs from which mutation starts, and words that its inputs hold."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    most_bytes: int = 1024  # a part of a body that is captured; an input four times as long is four times as slow


class WrongError(AssertionError):
    """A parser said what cannot be."""


def require(holds: bool, what: str) -> None:  # noqa: FBT001 - it is the condition itself
    """Raise WrongError unless it holds."""
    if not holds:
        raise WrongError(what)


def fixtures(*suffixes: str) -> Iterator[bytes]:
    """Yield the fixtures of all dialects."""
    for path in sorted(FIXTURES.rglob("*")):
        if path.suffix in suffixes:
            yield path.read_bytes()


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Return the input in two parts; its first byte says where."""
    at = len(data) * data[0] // 256 if data else 0
    return data[:at], data[at:]


def _heads(data: bytes) -> None:
    request, response = parse_request_head(data), parse_response_head(data)
    for head in (request, response):
        if head is not None:
            content_length(head.headers)
            body_codings(head.headers.joined("content-encoding"), data)
            for kind, share in ratelimits(head.headers):
                require(kind in RATELIMIT_KINDS, "a kind that is no label value")
                require(0 <= share <= 1, "a share is from 0 to 1")
    if response is not None:
        require(0 <= response.status <= 999, "a status has three digits")
        for dialect in DIALECTS:
            dialect.headers(response.headers)


def _head_seeds() -> Iterable[bytes]:
    for path in PATHS:
        yield f"POST {path}?key=x HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 12\r\n\r\n".encode()
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n folded\r\n\r\n"
    yield b"HTTP/1.1 429 Too Many\r\nx-ratelimit-remaining-tokens: 12\r\nanthropic-ratelimit-requests-limit: 4\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nopenai-processing-ms: 4\r\ntransfer-encoding: chunked\r\n\r\n"


def _splitter(make: Callable[[], SseEvents | NdjsonLines | JsonArray], data: bytes) -> None:
    """Whatever the read sizes, the same comes out."""
    whole, parts = make(), make()
    first, second = _cut(data)
    require(whole.feed(data) == [*parts.feed(first), *parts.feed(second)], "the cut changed what was read")
    require(whole.rest() == parts.rest(), "the cut changed the rest")
    kept = sum(len(value) for value in vars(parts).values() if isinstance(value, bytearray))
    require(kept <= len(data), "more is kept than came")


def _inflate(data: bytes) -> None:
    if not data:
        return
    first, second = CODINGS[data[0] % len(CODINGS)], CODINGS[data[0] // len(CODINGS) % len(CODINGS)]
    opened, size = Inflate(codings(f"{second}, {first}")), 0
    for part in _cut(data[1:]):
        size += len(opened.feed(part))
    require(size <= MAX_INFLATED_BYTES, "more was inflated than is allowed")


def _packed(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


def _inflate_seeds() -> Iterable[bytes]:
    identity = CODINGS.index("identity") * len(CODINGS)
    packers = (partial(_packed, wbits=31), partial(_packed, wbits=15), brotli.compress, zstd.compress)
    for text in (b'{"model":"m"}', b"data: {}\n\n" * 50, b"\0" * 100_000):
        for place, pack in enumerate(packers):
            yield bytes([identity + place, 0x80]) + pack(text)
        yield bytes([identity + 1, 0x80]) + _packed(text, -15)
        yield bytes([0, 0x80]) + _packed(_packed(text, 31), 31)


def _fragments(data: bytes) -> None:
    for member in (*members_from_start(data, KEYS), *members_to_end(data, KEYS)):
        require(member.key in KEYS, "a member that nobody asked for")
        _ = member.value
    parse_json(data)


def _dialect(dialect: Dialect, data: bytes) -> None:
    """One of the dialect's functions, by the first byte: all of them for each input would be as many inputs fewer."""
    which, data = data[0] % 7 if data else 0, data[1:]
    head, tail = _cut(data)
    if which == 0:
        request = dialect.request(dialect.wire.paths[0], head, tail)
        require(request.choices >= 1, "a request has a choice")
    elif which == 1:
        dialect.answer(data)
    elif which == 2:
        dialect.cut_answer(head, tail)
    elif which == 3:
        text = data.decode("latin-1")
        dialect.path_model(text)
        dialect.operation(text + dialect.wire.paths[0])
    elif which == 4:
        event_facts(dialect, Event(b"error", data))
    else:
        reader = Events(STREAM_TYPES[which - 5])
        for event in (*reader.feed(data), reader.rest()):
            if event is not None:
                event_facts(dialect, event)


def _dialect_seeds(dialect: Dialect) -> Iterable[bytes]:
    folders = (FIXTURES / dialect.wire.name, FIXTURES)
    chosen = next(folder for folder in folders if folder.is_dir())
    for path in sorted(chosen.rglob("*")):
        if path.is_file():
            whole = path.read_bytes()
            yield bytes([{".json": 1, ".ndjson": 6}.get(path.suffix, 5)]) + whole
            yield b"\2" + whole
            yield from (line.replace(b"data: ", b"\5", 1) for line in whole.splitlines() if line.startswith(b"data: "))
    yield b'\0{"model":"m","prompt":"x","messages":[],"input":"x","inputs":"x","stream":true,"n":2}'
    yield b"\3/openai/deployments/gpt-4o/chat/completions"


def _excerpt(data: bytes) -> None:
    if not data:
        return
    dialect = DIALECTS[data[0] % len(DIALECTS)]
    kind = STREAM_TYPES[data[0] // len(DIALECTS) % len(STREAM_TYPES)]
    head, tail = _cut(data[1:])
    excerpt_facts(dialect, kind, head, tail)
    answer = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\n\r\n".encode()
    response = parse_response_head(answer)
    if response is not None:
        replay(dialect, response, (Piece(1.0, head), Piece(2.0, tail)))


def _excerpt_seeds() -> Iterable[bytes]:
    for place, whole in enumerate(fixtures(".sse", ".ndjson")):
        yield bytes([place % 256]) + whole
        yield bytes([place % 256]) + _packed(whole, 31)


SUMMARY = struct.Struct("<BBBBHHBB8B")  # what is said beside the texts
TEXT_SIZE = struct.Struct("<H")
TEXTS = 6


def _summary(data: bytes) -> Summary | None:
    if len(data) < SUMMARY.size:
        return None
    flags, more, end, closer, content, status, choices, role, *finishes = SUMMARY.unpack_from(data)
    texts, at = [], SUMMARY.size
    for _ in range(TEXTS):
        size = TEXT_SIZE.unpack_from(data, at)[0] if at + TEXT_SIZE.size <= len(data) else 0
        texts.append(data[at + TEXT_SIZE.size : at + TEXT_SIZE.size + size])
        at += TEXT_SIZE.size + size
    first, second = _cut(data[at:])
    pieces = (Piece(101.0, first), Piece(102.0, second)) if first or second else ()
    instant = 100.5 if content else None
    return Summary(
        key=1,
        role=Role.SERVER if role & 1 else Role.CLIENT,
        transport=Transport.PLAIN if role & 2 else Transport.TLS,
        pid=7,
        cgroup=8,
        comm="python",
        sni=texts[3][:16].decode("latin-1"),
        peer="10.0.0.9:443",
        handshake_s=None,
        start_s=100.0,
        first_byte_s=100.1 if status else None,
        first_token_s=instant,
        first_output_s=instant,
        last_token_s=instant,
        end_s=103.0,
        max_gap_s=0.1 if content > 1 else None,
        content_events=content,
        reads=3,
        writes=1,
        bytes_in=1,
        bytes_out=1,
        choices_seen=choices,
        finishes=tuple(finishes),
        stream=bool(flags & 1),
        encoded=bool(flags & 2),
        error_seen=bool(flags & 4),
        terminal_seen=bool(flags & 8),
        response_complete=bool(flags & 16),
        scan_lost=bool(flags & 32),
        pieces_lost=bool(flags & 64),
        end=End(1 + end % len(End)),
        closer=Closer(closer % len(Closer)),
        request_head=texts[0],
        request_body=texts[1],
        request_tail=texts[2],
        response_head=texts[3],
        response_body=texts[4],
        response_tail=texts[5],
        pieces=pieces if more & 1 else (),
    )


def _reading(data: bytes) -> None:
    summary = _summary(data)
    exchange = read(summary, provider_map={"a.b": "c"}, process="vllm") if summary is not None else None
    if exchange is not None:
        _check(exchange)


def _check(exchange: Exchange) -> None:
    model = exchange.model
    require(model is None or (0 < len(model) <= MAX_MODEL_CHARS and model.isprintable()), "the model is no label")
    require(len(exchange.provider) <= 64, "the provider is no label")
    instants = (exchange.duration_s, exchange.first_byte_s, exchange.first_token_s, exchange.last_token_s)
    require(all(instant is None or instant >= 0 for instant in instants), "an instant before the request")
    require(len(exchange.finishes) <= 256, "more finishes than choices")
    require(exchange.content_events >= 0, "fewer than no events")
    for tokens in exchange.tokens:
        counts = (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, tokens.reasoning)
        require(all(count is None or 0 <= count < 10**12 for count in counts), "no number of tokens")


def _reading_seeds() -> Iterable[bytes]:
    body = b'{"model":"m","prompt":"x","messages":[],"input":"x","inputs":"x","stream":true}'
    wholes = [*fixtures(".sse", ".ndjson"), *fixtures(".json")]
    for place, whole in enumerate(wholes):
        path = PATHS[place % len(PATHS)]
        request = f"POST {path} HTTP/1.1\r\nhost: gw\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        is_stream = place < len(wholes) // 2
        kind = STREAM_TYPES[0] if is_stream else STREAM_TYPES[2]
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(whole)}\r\n\r\n".encode()
        fixed = SUMMARY.pack(0x11 if is_stream else 0x10, not is_stream, 1, 0, 3, 200, 1, 0, 1, *[0] * 7)
        texts = (request, body, body, head, whole[:1024], whole[-2048:])
        sized = b"".join(TEXT_SIZE.pack(len(text)) + text for text in texts)
        yield fixed + sized + (b"" if is_stream else whole)


def _records(data: bytes) -> None:
    with suppress(DecodeError, ValueError, struct.error):  # what the tracer counts as a loss
        events.decode_record(data.ljust(events.RECORD_BYTES, b"\0"), None)
    for decode in (events.decode_hot, events.decode_shipped, events.decode_process, events.decode_tls_failed):
        with suppress(DecodeError, ValueError, struct.error):
            decode(data)


def _elf(data: bytes) -> None:
    with suppress(ElfError):
        file = ElfFile.of_bytes(data)
        _ = file.build_id, file.is_go, file.needed
        file.symbols(("SSL_read", "SSL_write", "SSL_free"))
    with suppress(ElfError):
        sites.choose(ElfFile.of_bytes(data))


def _elf_seeds() -> Iterable[bytes]:
    for table in ("gnu", "sysv", "sections", "symtab"):
        yield image({"SSL_read": [SUB, RET], "SSL_write": [SUB, RET]}, table=table, needed=("libcrypto.so.3",))


def _node(data: bytes) -> None:
    """The texts of /proc that other processes choose, and names of hosts."""
    for mapping in mappings.parse(data):
        _ = mapping.name
    processes.parse_stat(data)
    path = cgroups.cgroup(data)
    workload.container(path)
    workload.unit(path)
    text = data.decode("latin-1")
    providers.known_host(text)
    providers.split_host(text)
    find(text)


def _node_seeds() -> Iterable[bytes]:
    yield b"0::/system.slice/docker-%b.scope\n" % (b"ab" * 32)
    yield b"12:pids:/lxc.payload.box/init\n1:name=systemd:/user.slice/user@1000.service/app-a\\x2db.scope\n"
    yield b"4242 (a) b) S 1 4242 4242 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 9 0 12345 1 2\n"
    yield b"7f00-7f01 r-xp 00000000 08:01 123  /usr/lib/libssl.so.3 (deleted)\n"
    yield b"my-resource.openai.azure.com:443"


def _settings(data: bytes) -> None:
    """What strangers send to our own server, and what is written for them."""
    text = data.decode("latin-1")
    negotiation.choose(text)
    negotiation.takes_gzip(text)
    for parse in (options.parse_address, options.parse_rule, options.parse_duration, options.parse_cap):
        with suppress(ValueError):
            parse(text)
    quoted = escaped(data.decode("utf-8", "replace"))
    require("\n" not in quoted, "a label value ends its line")
    if len(data) >= 8:
        number(struct.unpack_from("<d", data)[0])


def _settings_seeds() -> Iterable[bytes]:
    yield b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*"
    yield b"gzip;q=0, *"
    yield b"[::1]:9469"
    yield b"example.com:443=openai"


def _scraped(data: bytes) -> None:
    """A page that some address gives to `top --url`, and its names on a terminal."""
    text = data.decode("utf-8", "replace")
    for totals in scraped.parse(text).values():
        for buckets in totals.buckets.values():
            scraped.median(buckets)
    shown = columns.harmless(text[:200])
    require(columns.left(shown, 9).isprintable(), "a terminal is told what to do")


def _scraped_seeds() -> Iterable[bytes]:
    labels = 'model="a\\"b",namespace="",operation="chat",provider="p",role="client",workload="w"'
    yield f'llm_requests_total{{{labels},outcome="ok",retry="false"}} 4.0\n'.encode()
    yield f"llm_requests_in_flight{{{labels}}} 2\n".encode()
    yield b"m{" + b"a" * 500 + b"} 1"
    yield b"m{" + b'a="b' * 99 + b"} 1"
    yield f'llm_time_to_first_token_seconds_bucket{{le="0.05",{labels}}} 1\nx{{le="+Inf"}} NaN\n'.encode()


def _configuration(data: bytes) -> None:
    with suppress(ConfigurationError):
        configuration.parse(data, "settings.yaml")


def _configuration_seeds() -> Iterable[bytes]:
    yield b'web:\n  listen_address: "127.0.0.1:9469"\nloader: auto\nlog: {level: info}\n'
    yield b"limits:\n  models: 50\n  idle: 24h\n"
    yield b"providers:\n  gw.corp:8443: openai\ntls:\n  exclude: [nginx, 'cgroup:/system.slice/*']\n"
    yield b"a: &x [1, 2]\nb: *x\n? [complex]\n: !!binary aGk=\n--- \n..."


_JSON_WORDS = (b'"model"', b'"usage"', b'"error"', b'"choices"', b'"content"', b'"delta"', b'"type"', b"null", b"true")
_SSE_WORDS = (b"data: ", b"event: ", b"\n\n", b"\r\n", b"[DONE]", b"error: ")
_HEAD_WORDS = (b"HTTP/1.1 ", b"POST ", b"\r\n\r\n", b"content-type: ", b"content-length: ", b"text/event-stream")

TARGETS: dict[str, Target] = {
    "http1": Target(_heads, _head_seeds, _HEAD_WORDS),
    "sse": Target(partial(_splitter, SseEvents), partial(fixtures, ".sse"), _SSE_WORDS),
    "ndjson": Target(partial(_splitter, NdjsonLines), partial(fixtures, ".ndjson")),
    "json_array": Target(partial(_splitter, JsonArray), partial(fixtures, ".json"), (b"[{", b"},{", b"}]", b'\\"')),
    "inflate": Target(_inflate, _inflate_seeds),
    "fragments": Target(_fragments, partial(fixtures, ".json"), _JSON_WORDS),
    "excerpt": Target(_excerpt, _excerpt_seeds, _SSE_WORDS + _JSON_WORDS),
    "reading": Target(_reading, _reading_seeds, _HEAD_WORDS + _SSE_WORDS + _JSON_WORDS, most_bytes=4096),
    "events": Target(_records, lambda: [bytes(events.RECORD_BYTES), bytes([2, 0, 0, 0, 4]) + bytes(60)]),
    "elf": Target(_elf, _elf_seeds, (b"SSL_read\0", b"GNU\0")),
    "node": Target(_node, _node_seeds),
    "scraped": Target(_scraped, _scraped_seeds, (b'le="', b'"} ', b"\n", b"llm_requests_total{")),
    "configuration": Target(_configuration, _configuration_seeds, (b"web:", b"limits:", b"\n  ", b"- ", b"&a ", b"*a")),
    "settings": Target(_settings, _settings_seeds),
    "traces": Target(trace_targets.traces, trace_targets.trace_seeds, trace_targets.WORDS, trace_targets.MOST_BYTES),
    "baseline": Target(trace_targets.baseline, trace_targets.baseline_seeds, trace_targets.BASELINE_WORDS),
    **{
        f"dialect-{dialect.wire.name}-{place}": Target(
            partial(_dialect, dialect), partial(_dialect_seeds, dialect), _SSE_WORDS + _JSON_WORDS
        )
        for place, dialect in enumerate(DIALECTS)
    },
}
