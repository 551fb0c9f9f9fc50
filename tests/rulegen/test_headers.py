from __future__ import annotations

import pytest

from llmslo_rulegen import headers


@pytest.mark.parametrize("path", ["rules/a.yaml", "runbooks/a.md"])
def test_a_header_tells_its_sources(path):
    line = headers.header(
        path,
        "0.1.0",
        (
            "teams/b/slo.yaml",
            "a.yaml",
            "x/a.yaml",
        ),
    )
    assert line.endswith("\n")
    assert headers.sources_in(line) == ("a.yaml", "slo.yaml")


def test_no_folder_of_a_machine_is_in_it():
    assert headers.header("a.yaml", "1", ("/srv/x/slo.yaml",)) == headers.header("a.yaml", "1", ("slo.yaml",))


@pytest.mark.parametrize(
    "name", ["a, b.yaml", "a: b.yaml", "a\nb.yaml", "-->.yaml", "# a.yaml", "\udcff.yaml", "ü.yaml"]
)
def test_whatever_a_file_is_called_the_header_is_one_line_and_reads_back(name):
    line = headers.header("runbooks/a.md", "1", (name,))
    assert line.count("\n") == 1
    assert line.count("-->") == 1
    assert headers.sources_in(line.rstrip("\n")) == (headers.name_of(name),)


@pytest.mark.parametrize(
    "line",
    ["", "# Rendered by", "groups:", "# Rendered by llmslo-rulegen", " # Rendered by llmslo-rulegen 1 from a: b"],
)
def test_other_lines_are_not_ours(line):
    assert headers.sources_in(line) is None
