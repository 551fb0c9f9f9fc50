"""A metric that nobody exposes, called nearly as one of the catalog."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import names
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot

# Beginnings of names that the exporter and the sources use and nobody else does.
_PREFIXES = ("llm_", "vllm:", "sglang:", "tgi_", "litellm_", "gen_ai_client_", "gen_ai_server_")


def ask(case: Case) -> Iterator[Spot]:
    """Ask each metric of our prefixes whether the catalog has it; of a source it has only what SLIs need."""
    for slo in case.slos:
        for part in written.parts(slo.sli):
            for name in dict.fromkeys(use.name for use in part.uses):
                near = None if known.metric(name) else _near(name)
                if near is not None:
                    yield Spot(slo.place, f"no metric is called {name[:80]}", f"write `{near}`", part.at, name)


def _near(name: str) -> str | None:
    if not name.startswith(_PREFIXES):
        return None
    ending = next((one for one in ("_bucket", "_count", "_sum") if name.endswith(one)), "")
    near = names.nearest(name.removesuffix(ending), known.metrics())
    return None if near is None else near + (ending if known.metric(near + ending) else "")


LINT = Lint("sli/unknown-metric", Level.WARNING, "a metric that the catalog does not know", ask)
