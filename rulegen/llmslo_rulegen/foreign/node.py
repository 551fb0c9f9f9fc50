"""A value of somebody else's document, with its place: typed reading, a finding for whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from llmslo_rulegen import names
from llmslo_rulegen.fields import shown
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import Document, Map, Seq, member

LOST = "convert/lost"  # set in the file, not to be held by what it becomes
CHANGED = "convert/changed"  # held, but written in another way
SHAPE = "convert/shape"
UNSUPPORTED = "convert/unsupported"


@dataclass(slots=True)
class Node:
    """What stands at `path` of a document; `findings` is shared by all nodes of it."""

    document: Document
    value: object
    path: tuple[str | int, ...] = ()
    findings: dict[Finding, None] = field(default_factory=dict)  # a set that keeps its order

    @property
    def line(self) -> int:
        """The line it stands in, or that of what would hold it."""
        return self.document.line_of(self.path)

    @property
    def name(self) -> str:
        """The keys that lead to it, as a reader writes them."""
        steps = [f"[{step}]" if isinstance(step, int) else f".{step[:60]}" for step in self.path]
        return "".join(steps).lstrip(".") or "the document"

    def note(self, check: str, level: Level, text: str) -> None:
        """Say something of this value."""
        self.findings[Finding(check, self.document.file, self.line, level, text)] = None

    def error(self, text: str, check: str = SHAPE) -> None:
        """Say that the document cannot be read because of this value."""
        self.note(check, Level.ERROR, text)

    def lost(self, text: str) -> None:
        """Say what of this value is left out: `render` goes on, `convert` only with --lossy."""
        self.note(LOST, Level.WARNING, f"`{self.name}` is left out: {text}")

    def changed(self, text: str) -> None:
        """Say how this value is written now."""
        self.note(CHANGED, Level.NOTE, f"`{self.name}`: {text}")

    def at(self, *steps: str | int) -> Node:
        """Return the value below; its value is None where there is none."""
        value = self.value
        for step in steps:
            below = member(value, step)
            value = None if below is None else below[1]
        return Node(self.document, value, (*self.path, *steps), self.findings)

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, Map) and key in self.value and self.value[key] is not None

    def keys(self, *known: str) -> bool:
        """Return whether this is a mapping; a key that is not `known` is an error, as it would be to its own tool."""
        if not isinstance(self.value, Map):
            self.error(f"`{self.name}` is {shown(self.value)}, it is needed as a mapping")
            return False
        for key in self.value:
            if key not in known:
                self.at(key).error(f"unknown key `{key[:60]}`: {names.hint(key, known)}")
        return True

    def items(self) -> Iterator[Node]:
        """Yield the items of a list; none where there is nothing."""
        if isinstance(self.value, Seq):
            yield from (self.at(number) for number in range(len(self.value)))
        elif self.value is not None:
            self.error(f"`{self.name}` is {shown(self.value)}, it is needed as a list")

    def members(self) -> Iterator[tuple[str, Node]]:
        """Yield the members of a mapping; none where there is nothing."""
        if isinstance(self.value, Map):
            yield from ((key, self.at(key)) for key in self.value)
        elif self.value is not None:
            self.error(f"`{self.name}` is {shown(self.value)}, it is needed as a mapping of names to values")

    def text(self) -> str | None:
        """Return text; None where there is none, which is an error if it is anything else."""
        if self.value is None or isinstance(self.value, str):
            return self.value
        self.error(f"`{self.name}` is {shown(self.value)}, it is needed as text: put it in quotes")
        return None

    def word(self) -> str | None:
        """Return a scalar as text, as its own tool reads it: `tier: 2` is "2"."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, (int, Decimal)):
            return str(self.value)
        return self.text()

    def needed(self) -> str:
        """Return text that has to be there; empty where it is not."""
        found = self.text()
        if (found is None and self.value is None) or found == "":
            self.error(f"`{self.name}` is missing: add it")
        return found or ""

    def flag(self, *, default: bool = False) -> bool:
        """Return true or false."""
        if self.value is None:
            return default
        if isinstance(self.value, bool):
            return self.value
        self.error(f"`{self.name}` is {shown(self.value)}, it is needed as true or false")
        return default

    def number(self) -> Decimal | None:
        """Return a number that can be reckoned with."""
        if isinstance(self.value, (int, Decimal)) and not isinstance(self.value, bool):
            found = Decimal(self.value)
            if found.is_finite():
                return found
        if self.value is not None:
            self.error(f"`{self.name}` is {shown(self.value)}, it is needed as a number")
        return None

    def one_of(self, *known: str) -> str | None:
        """Return one of a closed list of words."""
        found = self.text()
        if found is not None and found not in known:
            self.error(f"`{self.name}` is {shown(found)}: write one of {', '.join(known)}")
            return None
        return found
