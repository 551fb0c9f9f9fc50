"""Every file of a rendering in one of the formats; `plain` is what `rendering` itself gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from llmslo_rulegen import followers, rendering, routing, runbook, yaml_text
from llmslo_rulegen.file import File
from llmslo_rulegen.formats import kubernetes
from llmslo_rulegen.groups import groups
from llmslo_rulegen.headers import header
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.rule import Group
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.target import MIMIR, OPENSLO, PLAIN, THANOS, Target


def files(slos: Sequence[Slo], options: Options, target: Target) -> Iterator[File]:
    """Yield every file. promtool reads plain rules only, so that tests come with those."""
    if target.name == PLAIN:
        yield from rendering.files(slos, options)
        return
    sources = _sources(slos)
    if target.name == OPENSLO:
        yield from _openslo(slos, options)
        return
    for service, members in _services(slos):
        yield from _rules(service, members, options, target)
    around = {
        path: text for path, text in routing.files(slos).items() if not path.startswith(f"{routing.FOLDER}/rules/")
    }
    for path, text in sorted({**around, **runbook.pages(slos)}.items()):
        yield _file(path, options, sources, [text])


def _rules(service: str, members: Sequence[Slo], options: Options, target: Target) -> Iterator[File]:
    own = [group for slo in members for group in groups(slo, sloth=options.sloth, pyrra=options.pyrra)]
    follower = followers.group(service, list(members))
    more = [follower] if follower.rules else []
    sources = _sources(members)
    if target.name == MIMIR:
        namespace = f"namespace: {yaml_text.scalar(target.namespace or service)}\n"
        yield _file(f"{MIMIR}/{service}.yaml", options, sources, chain([namespace], _groups([*own, *more])))
    elif target.name == THANOS:
        yield _file(rendering.rule_path(service), options, sources, _strategic(own, target))
        for group in more:
            yield _file(f"{routing.FOLDER}/rules/{service}.yaml", options, sources, _strategic([group], target))
    else:
        yield from _objects(service, list(zip(members, own, strict=True)), more, options, target)


def _objects(
    service: str, own: Sequence[tuple[Slo, Group]], more: Sequence[Group], options: Options, target: Target
) -> Iterator[File]:
    kind = kubernetes.KINDS[target.name]
    for slo, group in own:
        text = kubernetes.rules(kind, kubernetes.name("llmslo", slo.id), target.namespace, target.labels, [group])
        kubernetes.check_size(text, slo)
        yield _file(f"{target.name}/{slo.id}.yaml", options, (slo.place.file,), [text])
    for group in more:
        name = kubernetes.name("llmslo-followers", service)
        text = kubernetes.rules(kind, name, target.namespace, target.labels, [group])
        sources = _sources(slo for slo, _ in own)
        yield _file(f"{target.name}/{routing.FOLDER}/{service}.yaml", options, sources, [text])


def _groups(found: Iterable[Group]) -> Iterator[str]:
    yield yaml_text.GROUPS
    yield from map(yaml_text.group, found)


def _strategic(found: Iterable[Group], target: Target) -> Iterator[str]:
    """Yield a rule file of Thanos' ruler: each group says what a missing store does to it."""
    line = f"\n    partial_response_strategy: {target.partial_response}\n"
    for chunk in _groups(found):
        yield chunk.replace("\n", line, 1) if chunk.startswith("  - name:") else chunk


def _openslo(slos: Sequence[Slo], options: Options) -> Iterator[File]:
    from llmslo_rulegen.exports import openslo  # noqa: PLC0415 -- rules need not load it

    for service, members in _services(slos):
        yield _file(f"{OPENSLO}/{service}.yaml", options, _sources(members), [openslo.write(members).text])


def _services(slos: Iterable[Slo]) -> Iterator[tuple[str, list[Slo]]]:
    found: dict[str, list[Slo]] = {}
    for slo in sorted(slos, key=lambda slo: (slo.service, slo.name)):
        found.setdefault(slo.service, []).append(slo)
    yield from found.items()


def _sources(slos: Iterable[Slo]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slo.place.file for slo in slos))


def _file(path: str, options: Options, sources: tuple[str, ...], chunks: Iterable[str]) -> File:
    return File(path, chain([header(path, options.version, sources)], chunks))
