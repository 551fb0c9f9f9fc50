import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import sketch
from llmslo_rulegen.baseline.sketch import Sketch

VALUES = st.lists(st.floats(1e-6, float(sketch.edges()[-1])), min_size=1, max_size=60)


@given(VALUES, st.floats(0, 1))
def test_a_quantile_is_within_one_percent(values, share):
    exact = sorted(values)[int(share * (len(values) - 1))]
    assert Sketch.of(values).quantile(share) == pytest.approx(exact, rel=sketch.ACCURACY * 1.001)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_sketches_add_up_in_any_order(parts):
    whole = Sketch.of([value for part in parts for value in part])
    assert Sketch.merged([Sketch.of(part) for part in parts]) == whole
    assert Sketch.merged([Sketch.of(part) for part in reversed(parts)]) == whole


EDGES = sorted(
    {edge for source in catalog.SOURCES for sli in source.slis for metric in sli.metrics for edge in metric.buckets}
)


@given(st.lists(st.sampled_from([edge for edge in EDGES if 1e-6 <= edge <= 1e8]), min_size=1))
def test_a_value_on_an_edge_of_the_catalog_is_within_it(values):
    found = Sketch.of(values)
    for edge in set(values):
        assert found.within(edge) == sum(value <= edge for value in values)
        assert found.within(math.nextafter(edge, 0)) == sum(value < edge for value in values)


def test_values_beyond_all_edges_are_kept():
    found = Sketch.of([0.0, 1e-9, 1e12, math.inf, math.nan])
    assert found.count == 4
    assert found.within(1e-6) == 2
    assert found.quantile(1) == pytest.approx(sketch.LARGEST, rel=0.02)
    assert math.isnan(Sketch().quantile(0.5))
    assert Sketch.of(np.array([])) == Sketch() == Sketch.merged([])


@given(VALUES)
def test_a_sketch_travels_as_it_is(values):
    found = Sketch.of(values)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 -- its own
    assert pickle.loads(pickle.dumps(Sketch())) == Sketch()  # noqa: S301


def test_edges_are_short_decimals_that_grow():
    found = sketch.edges()
    assert np.all(np.diff(found) > 0)
    assert all(len(f"{edge:.6g}".replace(".", "").lstrip("0")) <= 12 for edge in found)
    assert max(found[1:] / found[:-1]) <= sketch.GROWTH * 1.00001
