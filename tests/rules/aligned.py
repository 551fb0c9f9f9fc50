"""The same scenarios by `promtool test rules`, with every scrape and evaluation on the full minute.

Groups are evaluated as a server does it, one rule after the other, with marks where a series ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from llmslo_rulegen import yaml_text
from llmslo_rulegen.rule import Group, RecordingRule
from tests.rules.backend import BackendError, Labels, Series, said
from tests.rules.counters import EPOCH_S

MINUTE_S = 60
LIMIT_S = 900.0
ASKED = "asked"
GOT = re.compile(r"\{(?P<labels>[^{}]*)\} (?P<value>[-+.\dEeNaInf]+)")

Asked = Sequence[tuple[str, int]]  # expression, seconds since the first sample


def values(
    folder: Path, rules: Sequence[RecordingRule], series: Sequence[Series], evaluation_s: int, asked: Asked
) -> dict[int, list[tuple[Labels, float]]]:
    """Return what each expression gives, by its place; nothing where it has no value.

    Samples move to the full minute at or before them.
    """
    rule_file, test_file = folder / "rules.yaml", folder / "test.yaml"
    rule_file.write_text(yaml_text.rules([Group("truth", tuple(rules))]))
    # promtool prints the values of an expectation that fails; none is expected, so all are printed.
    questions = [
        {"expr": _marked(expression, place), "eval_time": f"{at_s}s", "exp_samples": []}
        for place, (expression, at_s) in enumerate(asked)
    ]
    test = {
        "interval": f"{MINUTE_S}s",
        "input_series": [{"series": _selector(each), "values": _values(each)} for each in series],
        "promql_expr_test": questions,
    }
    whole = {"rule_files": [rule_file.name], "evaluation_interval": f"{evaluation_s}s", "tests": [test]}
    test_file.write_text(json.dumps(whole))  # JSON is YAML
    return _printed(said("promtool", "test", "rules", test_file, timeout_s=LIMIT_S, folder=folder))


def _printed(text: str) -> dict[int, list[tuple[Labels, float]]]:
    found: dict[int, list[tuple[Labels, float]]] = {}
    for line in text.splitlines():
        if "got:" not in line:
            continue
        for sample in GOT.finditer(line):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample["labels"]))
            found.setdefault(int(labels.pop(ASKED)), []).append((labels, float(sample["value"])))
    if not found and "SUCCESS" not in text:
        raise BackendError(text[-2000:])
    return found


def _marked(expression: str, place: int) -> str:
    return f'label_replace({expression}, "{ASKED}", "{place}", "", "")'


def _selector(series: Series) -> str:
    labels = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(series.labels.items()))
    return f"{series.name}{{{labels}}}"


def _values(series: Series) -> str:
    return " ".join(_notation(series.samples))


def _notation(samples: Sequence[tuple[float, float]]) -> Iterator[str]:
    places = [(int(at_s - EPOCH_S) // MINUTE_S, value) for at_s, value in samples]
    if places[0][0]:
        yield f"_x{places[0][0]}"
    for (place, value), (then, _) in pairwise(places):
        yield f"{value:.0f}"
        if then - place > 1:
            yield "stale"
        if then - place > 2:
            yield f"_x{then - place - 2}"
    # A target that is down is marked at once.
    yield f"{places[-1][1]:.0f} stale"
