from __future__ import annotations

import pytest

from llmslo_exporter.families import MAX_FIELDS, asked, is_wanted


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", set()),
        ("name[]=a&name[]=b", {"a", "b"}),
        ("name%5B%5D=a", {"a"}),
        ("name=a&collect[]=b", set()),
        ("name[]=", set()),
        ("name[]=%ff", {"\ufffd"}),
    ],
)
def test_names_of_a_query(query, names):
    assert asked(query) == names


def test_a_query_of_many_fields_is_refused():
    with pytest.raises(ValueError, match="fields"):
        asked("&".join(["name[]=a"] * (MAX_FIELDS + 1)))


@pytest.mark.parametrize("name", ["llm_x", "llm_x_total", "llm_x_bucket", "llm_x_sum", "llm_x_count"])
def test_a_family_is_wanted_by_its_name_and_by_its_samples(name):
    assert is_wanted("llm_x", {name})
    assert not is_wanted("llm_xy", {name})
    assert is_wanted("llm_x", ())
