"""A rule file as Sloth 0.16 makes it, put together from its published formulas (slo-rules 4.1)."""

from __future__ import annotations

from llmslo_rulegen import yaml_text
from tests.rules.documents import ALL, FAILED, WINDOW

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
NOISE = "0.0009999999999999432"  # 1 - 0.999 as Sloth prints it


def rules(slo: str, objective: float = 99.9, days: int = 30, **labels: str) -> str:
    """Return the three groups of one SLO; `labels` are the team's, on every record."""
    service, _, name = slo.partition("-")
    identity = {"sloth_id": slo, "sloth_service": service, "sloth_slo": name}
    ids = "{" + ", ".join(f'{key}="{value}"' for key, value in identity.items()) + "}"
    budget = NOISE if objective == 99.9 else f"{1 - objective / 100:.6g}"
    every = {**labels, **identity}
    ratios = [_record(f"slo:sli_error:ratio_rate{one}", _ratio(one), every | {"sloth_window": one}) for one in WINDOWS]
    mean = f"sum_over_time(slo:sli_error:ratio_rate5m{ids}[{days}d])\n/ ignoring (sloth_window)\n"
    mean += f"count_over_time(slo:sli_error:ratio_rate5m{ids}[{days}d])\n"
    ratios.append(_record(f"slo:sli_error:ratio_rate{days}d", mean, every | {"sloth_window": f"{days}d"}))
    on = "/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio"
    about = [
        _record("slo:objective:ratio", f"vector({objective / 100!r})", every),
        _record("slo:error_budget:ratio", f"vector(1-{objective / 100!r})", every),
        _record("slo:time_period:days", f"vector({days})", every),
        _record("slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate5m{ids}\n{on}{ids}\n", every),
        _record("slo:period_burn_rate:ratio", f"slo:sli_error:ratio_rate{days}d{ids}\n{on}{ids}\n", every),
        _record("slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{ids}", every),
        _record("sloth_slo_info", "vector(1)", every | {"sloth_version": "v0.16.0", "sloth_objective": str(objective)}),
    ]
    alerts = [
        _alert("page", ids, budget, ("5m", "1h", "14.4"), ("30m", "6h", "6")),
        _alert("ticket", ids, budget, ("2h", "1d", "3"), ("6h", "3d", "1")),
    ]
    groups = {"sli-recordings": ratios, "meta-recordings": about, "alerts": alerts}
    found = [{"name": f"sloth-slo-{kind}-{slo}", "rules": members} for kind, members in groups.items()]
    return yaml_text.dump({"groups": found})


def _record(name: str, expr: str, labels: dict[str, str]) -> dict[str, object]:
    return {"record": name, "expr": expr, "labels": labels}


def _ratio(window: str) -> str:
    return "\n/\n".join(f"({query.replace(WINDOW, window)})" for query in (FAILED, ALL)) + "\n"


def _alert(severity: str, ids: str, budget: str, *tiers: tuple[str, str, str]) -> dict[str, object]:
    def over(window: str, factor: str) -> str:
        compared = f"slo:sli_error:ratio_rate{window}{ids} > ({factor} * {budget})"
        return f"    max({compared}) without (sloth_window)"

    each = [f"(\n{over(short, factor)}\n    and\n{over(long, factor)}\n)" for short, long, factor in tiers]
    labels = {"category": "availability", "sloth_severity": severity}
    word = {"page": {"severity": "pageteam", "routing_key": "shop"}, "ticket": {"severity": "chat"}}[severity]
    return {
        "alert": "ShopHighErrorRate",
        "expr": "\nor\n".join(each) + "\n",
        "labels": labels | word,
        "annotations": {"title": "x"},
    }
