"""Baselines for tests: of single calls, with names that strangers chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from llmslo_rulegen.baseline import gathering, saved_file
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import PROMPTS, Kind
from llmslo_rulegen.derive import history
from llmslo_rulegen.traces.call import Call
from tests.derive import worlds
from tests.derive.worlds import World

HOUR_NS = 3600 * 10**9
FIRST = 490_000
HOSTILE = (
    "",
    "~.*",
    "# not a comment",
    "a\nslos: []",
    'x" } or vector(1) #',
    "<script>alert(1)</script>",
    "| a | b | `c`",
    "{{ 7 * 7 }}",
    "ünïcode/модель",
    "\u2028\x00\x1b[31m",
    "a" * 300,
    "-",
    "---",
)


def world(name: str, seed: int = 3) -> Baseline:
    """Return what a life of a named world would have been read as."""
    found: World = next(one for one in worlds.WORLDS if one.name == name)
    at = np.array(history.thresholds("ttft", found.traffic[0].kind.source))
    return worlds.baseline(worlds.live(found, np.random.default_rng(seed), round(found.days * 24), at))


def save(path: Path, baseline: Baseline) -> Path:
    """Write a baseline where a command reads it."""
    saved_file.write(path, baseline)
    return path


def of_calls(kind: Kind, hours: int, per_hour: int, seed: int, failing: float = 0.01) -> Baseline:
    """Return calls of one kind; every one has all that a span may tell."""
    rng = np.random.default_rng(seed)
    found = gathering.Gathering()
    for number in range(hours * per_hour):
        duration = float(rng.lognormal(0.5, 0.6))
        failed = rng.random() < failing
        ttft = duration / 4 if kind.stream else None
        found.add(
            Call(
                source=kind.source,
                service=kind.service,
                operation=kind.operation,
                provider=kind.provider,
                model=kind.model,
                stream=kind.stream,
                start_ns=(FIRST + number // per_hour) * HOUR_NS,
                duration_s=duration,
                error="server_error" if failed else "",
                ttft_s=ttft,
                tpot_s=duration / 50 if ttft is not None and not failed else None,
                input_tokens=dict(PROMPTS).get(kind.prompt, 1 << 20) if kind.prompt else None,
                output_tokens=40,
                finish="stop",
            )
        )
    return found.baseline()


def kinds(sources: tuple[str, ...]) -> st.SearchStrategy[Kind]:
    """Kinds of calls with any names."""
    text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
    return st.builds(
        Kind,
        source=st.sampled_from(sources),
        service=text,
        operation=st.one_of(st.just("chat"), text),
        provider=text,
        model=text,
        stream=st.booleans(),
    )
