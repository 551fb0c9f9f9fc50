from __future__ import annotations

from llmslo_rulegen.plot import Column, Row, plot


def test_each_mark_stands_in_the_row_of_its_value():
    columns = [Column("1%", {"P": 700}), Column("10%", {"P": 60, "t": 600}), Column("100%", {})]
    assert plot(columns, [Row("10m", 600), Row("1m", 60), Row("less", 0)], "time") == (
        "time\n 10m |    P    t\n  1m |         P\nless |\n     +---------------\n         1%  10% 100%\n"
    )


def test_the_first_of_two_marks_in_one_place_is_shown():
    assert "P" in plot([Column("a", {"P": 5, "t": 5})], [Row("all", 0)], "x").splitlines()[1]
    assert "t" not in plot([Column("a", {"P": 5, "t": 5})], [Row("all", 0)], "x").splitlines()[1]


def test_values_below_the_lowest_row_stand_in_it():
    assert plot([Column("a", {"P": 0.1})], [Row("up", 60), Row("low", 1)], "x").splitlines()[2] == "low | P"
