"""A rule file that Sloth made: its records and alerts, SLO by SLO (slo-rules 4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import promql_parser as ast

from llmslo_exporter import catalog
from llmslo_rulegen import durations, located
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import MAX_BYTES, Map, Seq
from llmslo_rulegen.rule import Labels
from llmslo_rulegen.tier import Severity, Tier

_GROUPS = ("sloth-slo-sli-recordings-", "sloth-slo-meta-recordings-", "sloth-slo-alerts-", "sloth-slo-extra-rules-")
_SPEEDS = ("fast", "slow")


@dataclass(frozen=True, slots=True)
class OldRule:
    """A rule as it stands in the file; `labels` without those that tell the SLO."""

    name: str
    is_alert: bool
    labels: Labels
    expr: str
    line: int


@dataclass(frozen=True, slots=True)
class OldSlo:
    """All rules of one SLO."""

    id: str
    rules: tuple[OldRule, ...]

    def value(self, record: str) -> Decimal | None:
        """Return the number of a record that is `vector(N)`."""
        for rule in self.rules:
            if rule.name == record:
                return _number(rule.expr)
        return None

    @property
    def objective(self) -> Decimal | None:
        """Percent; Sloth writes floats, whose noise is rounded off."""
        share = self.value(catalog.SLOTH_OBJECTIVE_RATIO)
        return None if share is None else round(share * 100, 9).normalize() + 0

    @property
    def window_s(self) -> int | None:
        """Length of the window."""
        days = self.value(catalog.SLOTH_PERIOD)
        return None if days is None else int(days) * durations.DAY_S

    def tiers(self) -> tuple[Tier, ...]:
        """Return the burn conditions of its alerts."""
        found: list[Tier] = []
        for rule in self.rules:
            severity = dict(rule.labels).get(catalog.SLOTH_SEVERITY)
            if rule.is_alert and severity in {one.value for one in Severity}:
                found += _tiers(rule.expr, Severity(severity))
        return tuple(found)


def read(path: Path) -> tuple[OldSlo, ...]:
    """Return the SLOs of a rule file of Prometheus, or of a PrometheusRule; raise InputError."""
    try:
        with path.open("rb") as file:
            documents = located.read(file.read(MAX_BYTES + 1), str(path))
    except OSError as error:
        raise _error(path, 0, f"cannot be read: {error.strerror}; give the rule file that Sloth made") from error
    found: dict[str, list[OldRule]] = {}
    for document in documents:
        for slo, rule in _rules(document.value):
            found.setdefault(slo, []).append(rule)
    if not found:
        text = f"no group is called {_GROUPS[0]}...: give a rule file that Sloth made, with `groups`"
        raise _error(path, documents[0].line if documents else 0, text)
    return tuple(OldSlo(slo, tuple(rules)) for slo, rules in found.items())


def _rules(value: object) -> Iterator[tuple[str, OldRule]]:
    whole = value if isinstance(value, Map) else Map()
    spec = whole.get("spec")
    groups = whole.get("groups") or (spec.get("groups") if isinstance(spec, Map) else None)
    for group in groups if isinstance(groups, Seq) else ():
        name = str(group.get("name")) if isinstance(group, Map) else ""
        slo = next((name.removeprefix(one) for one in _GROUPS if name.startswith(one)), None)
        rules = group.get("rules") if isinstance(group, Map) else None
        for number, rule in enumerate(rules if slo is not None and isinstance(rules, Seq) else ()):
            if slo is not None and isinstance(rule, Map) and isinstance(rules, Seq):
                yield slo, _rule(rule, rules.lines[number])


def _rule(rule: Map, line: int) -> OldRule:
    given = rule.get("labels")
    labels = {key: str(value) for key, value in given.items()} if isinstance(given, Map) else {}
    name = rule.get("alert") or rule.get("record")
    return OldRule(str(name), "alert" in rule, tuple(sorted(labels.items())), str(rule.get("expr", "")).strip(), line)


def _number(expr: str) -> Decimal | None:
    """Return N of `vector(N)` and `vector(1-N)`."""
    inner = expr.removeprefix("vector(").removesuffix(")").replace(" ", "")
    left, minus, right = inner.partition("-")
    try:
        return Decimal(left) - Decimal(right) if minus and left else Decimal(inner)
    except ArithmeticError:
        return None


def _tiers(expr: str, severity: Severity) -> Iterator[Tier]:
    """Yield a tier for each pair of comparisons `ratio{...} > (factor * budget)`."""
    found: list[tuple[int, float]] = []
    try:
        nodes: list[ast.Expr] = []
        ast.walk(ast.parse(expr), nodes.append)
    except ValueError:
        return
    for node in nodes:
        if isinstance(node, ast.BinaryExpr) and str(node.op) == ">" and isinstance(node.lhs, ast.VectorSelector):
            length = durations.parse(str(node.lhs.name).removeprefix(catalog.SLOTH_RATIO))
            factor = _factor(node.rhs)
            if length is not None and factor is not None:
                found.append((int(length), factor))
    for speed, (one, other) in zip(_SPEEDS, zip(found[::2], found[1::2], strict=False), strict=False):
        short, long = sorted((one[0], other[0]))
        yield Tier(f"{severity.value}_{speed}", severity, one[1], long, short)


def _factor(node: ast.Expr) -> float | None:
    while isinstance(node, ast.ParenExpr):
        node = node.expr
    if isinstance(node, ast.BinaryExpr) and str(node.op) == "*" and isinstance(node.lhs, ast.NumberLiteral):
        return float(node.lhs.val)
    return None


def _error(path: Path, line: int, text: str) -> InputError:
    return InputError([Finding("file/read", str(path), line, Level.ERROR, text)])
