"""Traces from Tempo's API: a search for those with LLM calls, and each of them by its id, several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.traces import naming
from llmslo_rulegen.traces.files import Tell
from llmslo_rulegen.traces.messages import unwrapped
from llmslo_rulegen.traces.packing import Format, Piece
from llmslo_rulegen.traces.web import NotThereError, Web

# What `genai` takes for a call.
_CALLS = (
    *(f"span.{name} != nil" for name in (*naming.OPERATION, *naming.CHAT_IF_THERE, naming.CHAT_IF_ENDS[0])),
    f'span.{naming.CHAT_IF_EQUAL[0]} = "{naming.CHAT_IF_EQUAL[1]}"',
    f'name = "{naming.VLLM_SPAN}"',
)
QUERY = f"{{ {' || '.join(_CALLS)} }}"
AT_ONCE = 8
MOST_TRACES = 500  # of one search; more: the time is halved
ALL_TRACES = 200_000
_WINDOW_S = 6 * 3600  # of one search; Tempo refuses those over a week
_PROTOBUF = ("application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf")
_ACCEPT = "application/protobuf, application/json;q=0.5"


class _Found(msgspec.Struct):
    id: str = msgspec.field(name="traceID", default="")


class _Answer(msgspec.Struct):
    traces: list[_Found] | None = None


_answer = msgspec.json.Decoder(_Answer).decode


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of a Tempo: a TraceQL query over seconds since the epoch, from `begin_s` to before `end_s`."""

    begin_s: int
    end_s: int
    query: str = QUERY


def pieces(web: Web, search: Search, tell: Tell) -> Iterator[Piece]:
    """Yield the traces that a search finds, each once; raises ServerError."""
    read = 0
    has_v2 = _HasV2()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way: deque[Future[Piece | None]] = deque()
        try:
            for name in _ids(web, search):
                under_way.append(pool.submit(_trace, web, name, has_v2))
                while len(under_way) >= 2 * AT_ONCE:
                    piece = under_way.popleft().result()
                    if piece is not None:
                        read += len(piece.data)
                        tell(web.url, read)
                        yield piece
            while under_way:
                piece = under_way.popleft().result()
                if piece is not None:
                    yield piece
        finally:
            for future in under_way:
                future.cancel()


def _ids(web: Web, search: Search) -> Iterator[str]:
    seen: set[str] = set()
    windows = [
        (begin, min(begin + _WINDOW_S, search.end_s)) for begin in range(search.begin_s, search.end_s, _WINDOW_S)
    ]
    windows.reverse()
    while windows:
        begin, end = windows.pop()
        found = _searched(web, search.query, begin, end)
        if len(found) >= MOST_TRACES and end - begin > 1:
            middle = (begin + end) // 2
            windows += [(middle, end), (begin, middle)]
            continue
        for name in found:
            if name and name not in seen:
                seen.add(name)
                yield name
        if len(seen) > ALL_TRACES:
            msg = f"{web.url} finds more than {ALL_TRACES} traces: ask for less time with --from and --to"
            raise ServerError(msg)


def _searched(web: Web, query: str, begin: int, end: int) -> list[str]:
    asked = urlencode({"q": query, "start": begin, "end": end, "limit": MOST_TRACES})
    try:
        answer = web.ask(f"api/search?{asked}", "application/json")
        return [found.id for found in _answer(answer.body).traces or ()]
    except NotThereError as error:
        msg = f"{error}: is it the URL of a Tempo, with the path before /api?"
        raise ServerError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{web.url} answers a search as no Tempo does: {error}"
        raise ServerError(msg) from error


class _HasV2:
    """Whether the server knows /api/v2: None until one answer told."""

    def __init__(self) -> None:
        self.told: bool | None = None


def _trace(web: Web, name: str, has_v2: _HasV2) -> Piece | None:
    """Return a trace; None for one that is there no more."""
    if has_v2.told is not False:
        try:
            answer = web.ask(f"api/v2/traces/{name}", _ACCEPT)
        except NotThereError:
            if has_v2.told:
                return None
        else:
            has_v2.told = True
            return _piece(web, name, answer.kind, answer.body, is_wrapped=True)
    try:
        answer = web.ask(f"api/traces/{name}", _ACCEPT)
    except NotThereError:
        return None
    has_v2.told = bool(has_v2.told)
    return _piece(web, name, answer.kind, answer.body, is_wrapped=False)


def _piece(web: Web, name: str, kind: str, body: bytes, *, is_wrapped: bool) -> Piece:
    file = f"{web.url}: trace {name[:64]}"
    if kind in _PROTOBUF:
        return Piece(file, Format.OTLP_PROTO, unwrapped(body) if is_wrapped else body)
    return Piece(file, Format.OTLP, b"[" + body + b"]")
