"""The SLO file: one document a service, each number with its reason above it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from llmslo_exporter import catalog
from llmslo_rulegen.derive import proposal, reasons
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.derive.proposal import Proposal
from llmslo_rulegen.finding import printable
from llmslo_rulegen.selecting import REGEX, quoted
from llmslo_rulegen.spec import DEFAULT_SOURCE, VERSION
from llmslo_rulegen.yaml_text import scalar

MARK = "# derived: "  # what `derive --update` may write anew
HEAD = "Each number's reason stands above it; `llmslo-rulegen derive --update FILE` looks again."
_WIDTH = 120


def text(found: Sequence[Proposal]) -> str:
    """Return the file; only promises make a document, and there must be one."""
    documents = []
    taken: set[str] = set()
    for service, members in groupby(found, key=lambda one: one.service):
        those = list(members)
        if any(isinstance(one.outcome, Promise) for one in those):
            documents.append("".join(f"{line}\n" for line in _document(_free(service, taken), those)))
    return "---\n".join(documents)


def _free(service: str, taken: set[str]) -> str:
    wanted = proposal.service_name(service)
    name, number = wanted, 1
    while name.casefold() in taken:
        number += 1
        name = f"{wanted[:90]}-{number}"
    taken.add(name.casefold())
    return name


def _document(name: str, members: Sequence[Proposal]) -> Iterator[str]:
    made = [(one, one.outcome) for one in members if isinstance(one.outcome, Promise)]
    said = [list(reasons.shared(one, promised)) for one, promised in made]
    common = [sentence for sentence in said[0] if all(sentence in others for others in said)]
    yield from comment(
        "Each number's reason stands above it; `llmslo-rulegen derive --update FILE` looks again.", "", "# "
    )
    for sentence in common:
        yield from comment(sentence, "")
    yield f"version: {VERSION}"
    if name != members[0].service:
        yield from comment(f"service.name is {shown(members[0].service)}, which cannot be a name here", "", "# ")
    yield f"service: {scalar(name)}"
    yield "# runbook_url: https://example.org/runbooks/ # where out/runbooks is published: each alert links to its page"
    yield "slos:"
    for one, promised in made:
        yield from entry(one, promised, common)
    for one in members:
        if isinstance(one.outcome, Refusal):
            yield from comment(f"Not promised: {one.name}. {one.outcome.why}", "  ", "# ")


def entry(one: Proposal, made: Promise, common: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of one SLO; what is `common` to the document stands above."""
    for sentence in (*reasons.own(one, made), *(each for each in reasons.shared(one, made) if each not in common)):
        yield from comment(sentence, "  ")
    yield f"  - name: {scalar(one.name)}"
    yield f"    description: {scalar(_description(one, made))}"
    yield f"    sli: {one.sli}"
    if one.source != DEFAULT_SOURCE:
        yield f"    source: {one.source}"
    if one.select:
        yield f"    select: {{{', '.join(f'{label}: {_choices(values)}' for label, values in one.select)}}}"
    if made.threshold is not None:
        yield from comment(reasons.threshold(one, made), "    ")
        yield f"    threshold: {reasons.edge(one, made.threshold)}"
    yield from comment(reasons.objective(made), "    ")
    if aspiration := reasons.aspiration(made):
        yield from comment(aspiration, "    ")
    yield f"    objective: {made.objective}"
    if made.provisional:
        yield "    alerting: {page: {disable: true}}"


def comment(sentence: str, indent: str, mark: str = MARK) -> Iterator[str]:
    """Yield a sentence as comment lines: a name in it may hold anything, it ends no line."""
    whole = shown(sentence).replace(" %", "\u00a0%")  # a number keeps its sign
    for line in wrap(whole, _WIDTH - len(indent) - len(mark), break_on_hyphens=False):
        yield f"{indent}{mark}{line}".replace("\u00a0%", " %")


def shown(name: str) -> str:
    """Return a stranger's name on one line, of characters that every YAML takes in a comment."""
    return printable(name).encode("utf-8", "backslashreplace").decode()


def _description(one: Proposal, made: Promise) -> str:
    said = catalog.source(one.source).sli(one.sli).description
    return f"Provisional. {said}" if made.provisional else said


def _choices(values: Iterable[str]) -> str:
    written = [scalar(_choice(value)) for value in values]
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"


def _choice(value: str) -> str:
    """Return a label's value as a choice: one that begins like a pattern is written as the pattern of itself."""
    return f"{REGEX}{quoted(value)}" if value.startswith(REGEX) else value
