"""What promtool says of a case: records and alerts at some evaluations."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from llmslo_rulegen import yaml_text
from llmslo_rulegen.backtest.vector import Labels, labels
from llmslo_rulegen.rule import Group
from tests.backtest.cases import Case, Series

LIMIT_S = 600
ASKED = "asked"
_GOT = re.compile(r'\{(?P<labels>(?:[^{}"]|"(?:[^"\\]|\\.)*")*)\} (?P<value>[-+.\dEeNaInf]+)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Found = Mapping[int, Mapping[Labels, float]]


class PromtoolError(Exception):
    """promtool did not answer."""


def values(case: Case, groups: Sequence[Group], at_s: Sequence[int], program: str = "promtool") -> Found:
    """Return, per asked second, all records of SLOs and all alerts that are pending or firing."""
    test = {
        "interval": f"{case.scrape_s}s",
        "input_series": [{"series": _selector(each), "values": _values(each[1])} for each in case.series],
        "promql_expr_test": [
            {
                "expr": f'label_replace({{__name__=~"slo:.+|ALERTS"}}, "{ASKED}", "{each}", "", "")',
                "eval_time": f"{each}s",
            }
            for each in at_s
        ],
    }
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{case.evaluation_s}s", "tests": [test]}
    with TemporaryDirectory(prefix="llmslo-backtest-") as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(yaml_text.rules(groups))
        (folder / "test.yaml").write_text(json.dumps(whole))  # JSON is YAML
        done = subprocess.run(
            [program, "test", "rules", "test.yaml"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    return _printed(done.stdout + done.stderr, at_s)


def _printed(text: str, at_s: Sequence[int]) -> Found:
    """Promtool prints the values of an expectation that fails; none is expected, so all are printed."""
    found: dict[int, dict[Labels, float]] = {each: {} for each in at_s}
    if "got:" not in text and "SUCCESS" not in text:
        raise PromtoolError(text[-2000:])
    for line in text.splitlines():
        if "got:" not in line:
            if "err:" in line:
                raise PromtoolError(line)
            continue
        for sample in _GOT.finditer(line):
            own = dict(_LABEL.findall(sample["labels"]))
            found[int(own.pop(ASKED))][labels(own.items())] = float(sample["value"])
    return found


def _selector(series: Series) -> str:
    own = dict(series[0])
    name = own.pop("__name__")
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in own.items())}}}"


def _values(found: Sequence[str]) -> str:
    parts = []
    for value, same in groupby(found):
        count = len(list(same))
        if value == "stale":
            parts += ["stale"] * count
        elif value == "_":
            parts.append(f"_x{count}")
        else:
            parts.append(f"{value}+0x{count - 1}" if count > 1 else value)
    return " ".join(parts)
