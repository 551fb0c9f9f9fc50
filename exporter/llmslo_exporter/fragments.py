"""JSON cut anywhere: the members of an object of which only the beginning or only the end was captured.

SDKs write `model` and `stream` before or after a prompt of any length, and a capture keeps a head and a tail. A head is
read forwards. A tail may begin inside a string, but it ends outside of one: an unescaped quote is a delimiter, so the
number of them up to the end tells on which side the tail begins, and counting brackets back from the end gives the
depth of every key. Words inside strings, such as a prompt that holds JSON, are never taken for members.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

# Fragments come from captures of 1-2 KiB; a body whose pieces were lost may offer more than is worth reading.
MAX_FRAGMENT_BYTES = 16 * 1024

# A quote alone is a string that the cut left open. The quantifiers are possessive: no input makes them backtrack.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|"|[{}\[\]:,]|[^\s{}\[\]:,"]++', re.DOTALL)
_QUOTE = re.compile(rb'\\.|(")', re.DOTALL)
_CUT_ESCAPE = re.compile(rb"\\*+.?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value`; members of the outermost object have depth 1."""

    depth: int
    key: str
    raw: bytes | None  # the value's JSON; None: not whole in the fragment

    @property
    def value(self) -> object:
        """Return the parsed value; None also when it is not whole or no JSON."""
        return None if self.raw is None else parse_json(self.raw)


def parse_json(data: bytes) -> object:
    """Return the JSON value in `data`, or None when it is none; bytes that are no UTF-8 do not spoil the rest."""
    try:
        value: object = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return value


def members_from_start(fragment: bytes, keys: Collection[str]) -> tuple[Member, ...]:
    """Return the members named in `keys` of a JSON text whose end may be missing, in order."""
    members, _ = _scan(fragment[:MAX_FRAGMENT_BYTES], keys)
    return members


def members_to_end(fragment: bytes, keys: Collection[str]) -> tuple[Member, ...]:
    """Return the members named in `keys` of a JSON text whose beginning may be missing, in order.

    Nothing comes of a fragment that does not end where an object or array may end: its other side is unknown too.
    """
    fragment = fragment[-MAX_FRAGMENT_BYTES:].rstrip()
    if not fragment.endswith((b"}", b"]")):
        return ()
    members, depth = _scan(fragment[_outside_strings(fragment) :], keys)
    return tuple(replace(member, depth=member.depth - depth) for member in members)


def _outside_strings(tail: bytes) -> int:
    """Return the first offset of `tail` that is known to stand outside of strings."""
    # The character at the cut, or behind backslashes there, may be escaped by what was cut off.
    cut = _CUT_ESCAPE.match(tail)
    start = cut.end() if cut else 0
    quotes = [match.start() for match in _QUOTE.finditer(tail, start) if match[1]]
    return quotes[0] + 1 if len(quotes) % 2 else start


@dataclass(slots=True)
class _Open:
    """A container under way and the member whose value it is."""

    start: int
    member: int | None


def _scan(data: bytes, keys: Collection[str]) -> tuple[tuple[Member, ...], int]:
    """Return the wanted members with depths counted from the first byte, and the depth after the last one."""
    members: list[Member] = []
    opened: list[_Open] = []
    depth = 0
    key: str | None = None  # the key whose value comes next
    for kind, start, end in _tokens(data):
        if kind == ":":
            continue
        mine = None
        if key is not None:
            mine = len(members)
            members.append(Member(depth, key, None))
            key = None
        if kind == "{":
            opened.append(_Open(start, mine))
            depth += 1
        elif kind == "}":
            container = opened.pop() if opened else _Open(0, None)
            depth -= 1
            if container.member is not None:
                members[container.member] = replace(members[container.member], raw=data[container.start : end])
        elif kind == "key":
            name = data[start + 1 : end - 1].decode("utf-8", "replace")
            key = name if name in keys else None
        elif mine is not None and kind == "value" and (end < len(data) or data[end - 1 : end] == b'"'):
            # A number at the very end may be cut, a string shows that it is whole.
            members[mine] = replace(members[mine], raw=data[start:end])
    if key is not None:
        members.append(Member(depth, key, None))
    return tuple(members), depth


def _tokens(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, start, end); kinds are `{` and `}` for any bracket, `:`, `key`, and `value` for other scalars."""
    matches = _TOKEN.finditer(data)
    match = next(matches, None)
    while match is not None:
        following = next(matches, None)
        text = match[0]
        if text == b'"':
            return
        if text in b"{[":
            yield "{", match.start(), match.end()
        elif text in b"}]":
            yield "}", match.start(), match.end()
        elif text.startswith(b'"') and following is not None and following[0] == b":":
            yield "key", match.start(), match.end()
        elif text != b",":
            yield ":" if text == b":" else "value", match.start(), match.end()
        match = following
