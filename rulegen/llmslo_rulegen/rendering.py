"""SLOs in, files out. Pure: the same SLOs give the same bytes, on every run and machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from llmslo_rulegen import routing, runbook, yaml_text
from llmslo_rulegen.alerts import plain
from llmslo_rulegen.alike import alike
from llmslo_rulegen.file import File
from llmslo_rulegen.groups import groups
from llmslo_rulegen.headers import header
from llmslo_rulegen.shape import DESCRIPTION, Form, shape
from llmslo_rulegen.slo import SlicedSli, Slo

RULES, TESTS = "rules", "tests"


@dataclass(frozen=True, slots=True)
class Options:
    """What is rendered beside the rules themselves; `version` is named in the headers."""

    version: str
    tests: bool = True
    sloth: bool = True
    pyrra: bool = False


def files(slos: Sequence[Slo], options: Options) -> Iterator[File]:
    """Yield every file, each beginning with the line that says what rendered it from what."""
    for service, members in _services(slos):
        path = rule_path(service)
        yield _file(path, options, _sources(members), _rules(members, options))
        if options.tests:
            yield from _tests(members, options)
    sources = _sources(slos)
    for path, text in sorted({**routing.files(slos), **runbook.pages(slos)}.items()):
        yield _file(path, options, sources, [text])


def rule_path(service: str) -> str:
    """Return where the rules of a service are."""
    return f"{RULES}/{service}.yaml"


def test_paths(slo: Slo) -> tuple[str, ...]:
    """Return where the tests of an SLO are: of what happens within hours, of its long windows and of its burn tiers.

    Slices of time have the first ones only. No name holds a plus sign, so no SLO's tests take another one's place.
    """
    first = f"{TESTS}/{slo.id}.yaml"
    more = () if isinstance(slo.sli, SlicedSli) else ("history", "burns")
    return (first, *(f"{TESTS}/{slo.id}+{part}.yaml" for part in more))


def _sources(slos: Iterable[Slo]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slo.place.file for slo in slos))


def _services(slos: Iterable[Slo]) -> Iterator[tuple[str, list[Slo]]]:
    by_service: dict[str, list[Slo]] = {}
    for slo in sorted(slos, key=lambda slo: (slo.service, slo.name)):
        by_service.setdefault(slo.service, []).append(slo)
    yield from by_service.items()


def untested(slos: Iterable[Slo]) -> Iterator[tuple[Slo, str]]:
    """Yield the SLOs that no test file is made for, and why."""
    for slo in slos:
        why = _skipped(alike(slo).common)
        if why is not None:
            yield slo, why


def _rules(members: Iterable[Slo], options: Options) -> Iterator[str]:
    yield yaml_text.GROUPS
    for slo in members:
        found = shape(slo)
        texts = {**found.texts, DESCRIPTION: plain(slo.description)}
        fill = partial(yaml_text.filled, fill=texts.__getitem__)
        more = (options.sloth, options.pyrra)
        yield _form(found.common, *more).filled(fill) if found.texts else _group(slo, *more)


@lru_cache(maxsize=128)  # of shapes in use at a time; one has 100 KB
def _form(slo: Slo, sloth: bool, pyrra: bool) -> Form:  # noqa: FBT001 -- a key of the cache
    return Form(_group(slo, sloth, pyrra), yaml_text.HOLED)


def _group(slo: Slo, sloth: bool, pyrra: bool) -> str:  # noqa: FBT001 -- as above
    return "".join(map(yaml_text.group, groups(slo, sloth=sloth, pyrra=pyrra)))


def _tests(members: Sequence[Slo], options: Options) -> Iterator[File]:
    shapes = [alike(slo) for slo in members]
    count = sum(_count(found.common, options.sloth) for found in shapes)
    for slo, found in zip(members, shapes, strict=True):
        if _skipped(found.common) is not None:
            continue
        fill = partial(yaml_text.filled, fill=found.texts.__getitem__) if found.texts else str
        for path, form in zip(test_paths(slo), _test_forms(found.common, options.sloth, count), strict=True):
            yield _file(path, options, (slo.place.file,), [form.filled(fill)])


@lru_cache(maxsize=4096)
def _skipped(slo: Slo) -> str | None:
    from llmslo_rulegen import unit_tests  # noqa: PLC0415 -- a render without tests need not load what makes them

    return unit_tests.skipped(slo)


@lru_cache(maxsize=4096)
def _count(slo: Slo, sloth: bool) -> int:  # noqa: FBT001 -- as above
    return sum(len(group.rules) for group in groups(slo, sloth=sloth))


@lru_cache(maxsize=64)  # of shapes in use at a time; one has 300 KB
def _test_forms(slo: Slo, sloth: bool, rules: int) -> tuple[Form, ...]:  # noqa: FBT001 -- as above
    """Return the test files of a shape, among so many rules of its service."""
    from llmslo_rulegen import unit_tests  # noqa: PLC0415 -- as above

    made = unit_tests.test_files(slo, f"../{rule_path(slo.service)}", sloth=sloth, rules_in_file=rules)
    return tuple(Form(yaml_text.dump(data), yaml_text.HOLED) for data in made)


def _file(path: str, options: Options, sources: tuple[str, ...], chunks: Iterable[str]) -> File:
    return File(path, _chunks(header(path, options.version, sources), chunks))


def _chunks(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest
