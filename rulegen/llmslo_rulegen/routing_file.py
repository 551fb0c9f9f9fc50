"""A team's alertmanager.yml, read for its routes: who is told of which alert."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.lints.case import Route, Routing
from llmslo_rulegen.located import Document, Map, Seq, read
from llmslo_rulegen.slo import Matcher, Op

CHECK = "file/alertmanager"
_TELLING = re.compile(r".*_configs")
_MATCHER = re.compile(r"\s*\"?([^\s=!~\"]+)\"?\s*(=~|!=|!~|=)\s*(\"(?:\\.|[^\"\\])*\"|[^\",]*)\s*")
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def routing(raw: bytes, file: str) -> Routing:
    """Return the tree of routes; InputError where there is none."""
    documents = read(raw, file)
    value = documents[0].value if documents else None
    root = value.get("route") if isinstance(value, Map) else None
    if not isinstance(value, Map) or not isinstance(root, Map):
        raise _error(documents, file, 0, "no configuration of Alertmanager: it needs `route`")
    receivers = value.get("receivers")
    silent = frozenset(
        str(one.get("name"))
        for one in (receivers if isinstance(receivers, Seq) else ())
        if isinstance(one, Map) and not any(_TELLING.fullmatch(key) and found for key, found in one.items())
    )
    return Routing(file, _route(root, "", documents[0]), silent)


def _route(node: Map, receiver: str, document: Document) -> Route:
    own = str(node.get("receiver") or receiver)
    found = node.get("routes")
    below = tuple(
        _route(one, own, document) for one in (found if isinstance(found, Seq) else ()) if isinstance(one, Map)
    )
    return Route(own, tuple(_matchers(node, document)), below)


def _matchers(node: Map, document: Document) -> Iterator[Matcher]:
    listed = node.get("matchers")
    for number, text in enumerate(listed if isinstance(listed, Seq) else ()):
        yield from _parsed(str(text), document, listed.lines[number] if isinstance(listed, Seq) else 0)
    for key, op in (("match", Op.EQUAL), ("match_re", Op.MATCH)):
        old = node.get(key)
        for label, value in old.items() if isinstance(old, Map) else ():
            yield Matcher(label, op, str(value))


def _parsed(text: str, document: Document, line: int) -> Iterator[Matcher]:
    inside = text.strip()
    inside = inside[1:-1] if inside.startswith("{") and inside.endswith("}") else inside
    at = 0
    while at < len(inside):
        found = _MATCHER.match(inside, at)
        if found is None:
            raise _error(
                (document,), document.file, line, f'{text[:100]!r} is no matcher: write one as severity="page"'
            )
        yield Matcher(found[1], Op(found[2]), _plain(found[3].strip()))
        at = found.end()
        if at < len(inside) and inside[at] == ",":
            at += 1


def _plain(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), value[1:-1])


def _error(documents: tuple[Document, ...], file: str, line: int, text: str) -> InputError:
    first = documents[0].line if documents else 0
    return InputError([Finding(CHECK, file, line or first, Level.ERROR, text)])
