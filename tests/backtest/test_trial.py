"""Grids, bounds, and the trial itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from llmslo_rulegen import alerts, promtool
from llmslo_rulegen.backtest import history, trial
from llmslo_rulegen.backtest.points import Dialect
from llmslo_rulegen.backtest.trial import Grid, Setting
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.slo import LowTraffic
from llmslo_rulegen.tier import Severity
from tests.backtest import made
from tests.derive import backtest

ANY = Setting(60, Dialect.V2)


@pytest.fixture(scope="module")
def spans():
    return history.spans(made.calls(), [made.slo()], cross_source=False)


@pytest.mark.skipif(promtool.find() is None, reason="needs promtool")
@pytest.mark.timeout(300)
def test_the_trial_compares_and_says_what(capsys):
    assert backtest.main(["--cases", "1", "--first", "2000", "--no-speed"]) == 0
    assert "1 of 1 cases agree with promtool 2." in capsys.readouterr().out


def test_a_cell_is_what_a_replay_of_that_slo_says(spans):
    slo = made.slo()
    (found,) = trial.results([slo], spans, ANY, Grid((Decimal(99), Decimal("99.9")), (0.5, 1.0)))
    assert [(cell.objective, cell.factor) for cell in found.cells] == [
        (Decimal(99), 0.5),
        (Decimal(99), 1.0),
        (Decimal("99.9"), 0.5),
        (Decimal("99.9"), 1.0),
    ]
    for cell in found.cells:
        alone, given = _alone(slo, cell, spans, found), [answer.episode for answer in found.verdict.answers]
        assert len(given) == 1
        assert (cell.pages, cell.tickets) == (len(alone.burns(Severity.PAGE)), len(alone.burns(Severity.TICKET)))
        assert (cell.missed, cell.false_pages) == (alone.missed, alone.false(Severity.PAGE))
        assert cell.spent == max(budget.spent for budget in alone.budgets)


def _alone(slo, cell, spans, found):
    """Return what a replay of one cell says that shares nothing with another one."""
    other = replace(slo, objective=cell.objective)
    tiers = tuple(
        replace(tier, factor=tier.factor * cell.factor, min_bad=0, min_bad_short=0) for tier in alerts.tiers_of(other)
    )
    if cell.factor != 1:
        other = replace(other, alerting=replace(other.alerting, tiers=tiers))
    given = tuple(answer.episode for answer in found.verdict.answers)
    (told,) = trial.results([other], spans, replace(ANY, given=given), Grid())
    return told.verdict


def test_a_higher_factor_never_pages_more(spans):
    (found,) = trial.results([made.slo()], spans, ANY, Grid(factors=(0.25, 1.0, 4.0)))
    pages = [cell.pages for cell in found.cells]
    assert pages == sorted(pages, reverse=True)


def test_gates_of_the_team_stay_in_a_grid(spans):
    slo = made.slo(low_traffic=LowTraffic(min_bad=10_000))
    (found,) = trial.results([slo], spans, ANY, Grid(factors=(0.5,)))
    assert [cell.pages for cell in found.cells] == [0]


@pytest.mark.parametrize("every_s", [30, 60, 300])
def test_evaluations_stand_at_multiples_until_all_was_seen(spans, every_s):
    found = trial.instants(spans, every_s)
    assert (found % (every_s * 1000) == 0).all()
    assert found[0] - every_s * 1000 < spans.begin_ms <= found[0]
    assert found[-1] - every_s * 1000 < spans.end_ms <= found[-1]
    assert (np.diff(found) == every_s * 1000).all()


def test_too_many_evaluations_are_refused_before_anything_is_held(spans):
    with pytest.raises(UnsupportedError, match="--every"):
        trial.instants(replace(spans, end_ms=1 << 60), 60)


def test_no_calls_are_no_history():
    with pytest.raises(UnsupportedError, match="no LLM call"):
        history.spans([], [made.slo()], cross_source=False)


def test_more_services_than_the_slo_selects_are_told(spans):
    both = history.spans([*made.calls(), *made.calls("other")], [made.slo()], cross_source=False)
    assert both.warnings(made.slo()) == ("selects no service, so it counts the calls of all 2",)
    assert spans.warnings(made.slo()) == ()
