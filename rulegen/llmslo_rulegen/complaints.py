"""What pydantic found wrong with a document, in our words: where, what was found, what was needed, what to do."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from llmslo_rulegen import names
from llmslo_rulegen.fields import RefusedError, shown
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import Document, member
from llmslo_rulegen.spec import SHAPES, VERSION

Path = tuple[str | int, ...]
SHAPE = "spec/shape"
KEY = "spec/key"
_MAX_FINDINGS = 100  # of one document; whoever has more has one mistake many times

_NEEDS = {
    "dict_type": "is needed as a mapping of names to values",
    "model_type": "is needed as a mapping",
    "list_type": "is needed as a list: write one item a line, each after `- `",
    "bool_type": "is needed as true or false",
    "union_tag_not_found": "is needed as the name of an SLI, or as a mapping such as {bad: ..., total: ...}",
}


def findings(error: ValidationError, document: Document) -> tuple[Finding, ...]:
    """Return one finding for each thing that is wrong, in the order of lines."""
    found: dict[Finding, None] = {}
    for detail in error.errors(include_url=False):
        kind, loc = detail["type"], detail["loc"]
        if kind == "none_required":  # the other half of an optional value, whose own error says it
            continue
        path = _path(loc, document)
        check = KEY if kind == "extra_forbidden" else _check(detail.get("ctx", {}))
        text = (
            _ours(detail.get("ctx", {}))
            if kind == "value_error"
            else _said(kind, path, str(loc[-1]) if loc else "", detail["input"])
        )
        text = f"`{_shown_path(path)}`: {text}" if kind == "value_error" else text or detail["msg"]
        found[Finding(check, document.file, document.line_of(path), Level.ERROR, text)] = None
    return tuple(sorted(found, key=lambda finding: finding.line))[:_MAX_FINDINGS]


def _check(context: Mapping[str, object]) -> str:
    """Return the code of the sentence of `fields` that refused a value, if it has one of its own."""
    error = context.get("error")
    return error.check or SHAPE if isinstance(error, RefusedError) else SHAPE


def _ours(context: Mapping[str, object]) -> str:
    """Return the sentence of `fields` that refused a value."""
    return str(context["error"])


def _said(kind: str, path: Path, last: str, given: object) -> str:
    """Return what is wrong at `path`, by pydantic's word for it; empty where we have none of our own."""
    if kind == "extra_forbidden":
        shape = SHAPES.get(tuple(step for step in path[:-1] if isinstance(step, str)), SHAPES[()])
        return f"unknown key `{last[:60]}`: {names.hint(last, shape.model_fields)}"
    if kind == "missing":
        return f"`{last}` is missing: add it"
    if kind == "literal_error":
        return f"`{last}` is {shown(given)}: write {VERSION}"
    if kind == "enum":
        return f"`{last}` is {shown(given)}: write page or ticket"
    if kind == "too_short":
        return f"`{last}` has no items: add one, or leave the key out"
    return f"`{_shown_path(path)}` is {shown(given)}, it {_NEEDS[kind]}" if kind in _NEEDS else ""


def _path(loc: Path, document: Document) -> Path:
    """Return the steps of `loc` that lead through the document: pydantic names union members between them."""
    path: list[str | int] = []
    here = document.value
    for step in loc:
        below = member(here, step)
        if below is not None:
            path.append(step)
            here = below[1]
    return tuple(path)


def _shown_path(path: Path) -> str:
    """Return the end of a path that a reader needs: `select.model`, not `slos.0.select.model`."""
    inner = path[1:] if len(path) > 1 and path[0] == "slos" else path
    steps = [step for step in inner if isinstance(step, str)]
    return ".".join(step[:60] for step in steps) or ("the item" if path else "the document")
