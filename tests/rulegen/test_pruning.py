from __future__ import annotations

import pytest

from llmslo_rulegen.headers import header
from llmslo_rulegen.pruning import leftovers

SLO = "version: llmslo/v1\nservice: {}\nslos: [{{name: up, sli: availability, objective: 99}}]\n"


@pytest.fixture
def here(tmp_path):
    """Return a folder that shares its parent with no other test's."""
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository"


@pytest.fixture
def out(here):
    """Return a folder with files of the services aa and bb, rendered from a.yaml and b.yaml, and one of nobody's."""
    for service in ("aa", "bb"):
        for path in (f"rules/{service}.yaml", f"tests/{service}-up.yaml"):
            target = here / "out" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(header(path, "1", (f"{service[0]}.yaml",)))
    (here / "out/rules/hand.yaml").write_text("groups: []\n")
    (here / "a.yaml").write_text(SLO.format("aa"))
    return here / "out"


A = {"rules/aa.yaml", "tests/aa-up.yaml"}
B = ("rules/bb.yaml", "tests/bb-up.yaml")


def test_files_of_a_source_that_is_gone_are_stale(out, here):
    found = leftovers(out, A, [here / "a.yaml"])
    assert (found.stale, found.kept) == (B, ())


def test_files_that_a_source_not_given_still_promises_stay(out, here):
    (here / "b.yaml").write_text(SLO.format("bb"))
    found = leftovers(out, A, [here / "a.yaml"])
    assert (found.stale, found.kept) == ((), B)


def test_files_that_a_source_not_given_promises_no_more_are_stale(out, here):
    (here / "b.yaml").write_text(SLO.format("cc"))
    assert leftovers(out, A, [here / "a.yaml"]).stale == B


def test_an_slo_taken_out_of_its_file_leaves_stale_files(out, here):
    assert leftovers(out, B, [here / "a.yaml"]).stale == tuple(sorted(A))


def test_two_teams_with_files_of_one_name_do_not_prune_each_other(out, here):
    for team, service in (("x", "aa"), ("y", "bb")):
        (here / "teams" / team).mkdir(parents=True)
        (here / "teams" / team / "b.yaml").write_text(SLO.format(service))
    assert leftovers(out, A, [here / "teams/x/b.yaml"]).kept == B
    assert leftovers(out, A, [here / "teams/x/b.yaml", here / "teams/y/b.yaml"]).stale == B


def test_a_source_that_is_no_slo_file_keeps_nothing(out, here):
    (here / "b.yaml").write_bytes(b"\xff")
    assert leftovers(out, A, [here / "a.yaml"]).stale == B
