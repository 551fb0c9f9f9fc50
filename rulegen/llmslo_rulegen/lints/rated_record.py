"""A rate of what is a rate or a sum already."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask what is under `rate` whether it is a recorded series: the sum of counters falls when one of them is reset."""
    for slo in case.slos:
        for part in written.parts(slo.sli):
            for name in dict.fromkeys(use.name for use in part.uses if use.calls[:1] in {("rate",), ("increase",)}):
                if ":" in name and not known.metric(name) and not name.startswith(("vllm:", "sglang:")):
                    text = f"{name[:80]} is a recorded series: a reset of one of its counters is none of the sum"
                    fix = f"count the counters themselves, such as `{name.split(':')[1][:80]}`"
                    yield Spot(slo.place, text, fix, part.at, name)


LINT = Lint("sli/rated-record", Level.WARNING, "rate or increase of a recorded series", ask)
