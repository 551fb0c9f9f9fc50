"""An SLO file that is brought up to what a baseline says."""

from __future__ import annotations

import subprocess

import pytest

from llmslo_rulegen import reading
from llmslo_rulegen.derive import document, proposal, review, update
from llmslo_rulegen.derive.proposal import Wish
from llmslo_rulegen.derive.review import Verdict
from llmslo_rulegen.derive.update import LayoutError
from tests.derive import baselines

FILE = """\
# Ours, agreed in May.
version: llmslo/v1
service: assistant
labels: {team: chat} # who is woken
slos:
  - name: first-token # the one that matters
    sli: ttft
    source: vllm
    select: {model_name: [m-small]}
    threshold: 500ms
    # agreed with sales
    # derived: old reasons
    # derived: of two lines
    objective: 99.9 # too much
    description: >-
      First tokens
      of small answers.

  - name: up
    sli: availability
    source: vllm
    objective: 90
    alerting: {page: {disable: true}}
# the end of ours
"""


@pytest.fixture(scope="module")
def mixed():
    baseline = baselines.world("mixed models")
    return baseline, proposal.proposals(baseline, Wish())


def _updated(text, mixed):
    baseline, proposed = mixed
    slos = reading.read({"slo.yaml": text.encode()}).slos
    found = tuple(review.reviews(slos, baseline))
    return update.updated(text, "slo.yaml", found, proposed), found


def test_what_breaks_is_loosened_and_what_is_too_loose_tightened(mixed):
    new, found = _updated(FILE, mixed)
    assert [one.verdict for one in found] == [Verdict.LOOSEN, Verdict.TIGHTEN]
    assert "    objective: 98 # too much\n" in new.text
    assert "    objective: 99.5\n" in new.text
    assert new.added == ("assistant/ttft-m-large",)


def test_comments_and_what_it_does_not_own_stay(mixed):
    new, _ = _updated(FILE, mixed)
    kept = [line for line in FILE.splitlines() if "objective" not in line and "derived" not in line]
    rest = iter(new.text.splitlines())
    assert all(line in rest for line in kept)  # in this order
    assert "old reasons" not in new.text
    assert "it was 99.9 %" in new.text.replace("\n    # derived: ", " ")


def test_the_diff_applies_with_git(mixed, tmp_path):
    new, _ = _updated(FILE, mixed)
    (tmp_path / "slo.yaml").write_text(FILE)
    patch = update.diff(FILE, new.text, "slo.yaml")
    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "slo.yaml").read_text() == new.text


def test_an_updated_file_needs_no_update(mixed):
    new, _ = _updated(FILE, mixed)
    again, found = _updated(new.text, mixed)
    assert again.text == new.text
    assert {one.verdict for one in found} == {Verdict.KEEP}


def test_what_derive_wrote_needs_no_update(mixed):
    text = document.text(mixed[1])
    new, found = _updated(text, mixed)
    assert new.text == text
    assert {one.verdict for one in found} == {Verdict.KEEP}


def test_a_service_that_the_file_lacks_is_a_document_of_its_own(mixed):
    other = FILE.replace("service: assistant", "service: other")
    new, found = _updated(other, mixed)
    assert [one.verdict for one in found] == [Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert len(new.added) == 3
    assert new.text.startswith(other + "---\n")


@pytest.mark.parametrize("indent", ["", "  ", "      "])
def test_entries_take_the_indent_of_the_file(mixed, indent):
    head, items = FILE.split("slos:\n")
    items = "".join(line.replace("  ", indent, 1) for line in items.splitlines(keepends=True))
    new, _ = _updated(f"{head}slos:\n{items}", mixed)
    assert f"\n{indent}- name: ttft-m-large\n" in new.text


HEAD = "version: llmslo/v1\nservice: assistant\nslos:"
UP = "name: up, sli: availability, source: vllm"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD} [{{{UP}, objective: 99.5}}]\n", "does not begin an SLO by a dash"),
        (f"{HEAD}\n  - &a {{{UP}, objective: 90}}\n  - {{<<: *a, name: up-2}}\n", "line by line"),
        (f'{HEAD}\n  - {{"objective": 90, {UP}}}\n', "no line of its own"),
    ],
)
def test_a_layout_that_cannot_be_changed_by_line_is_refused(mixed, text, says):
    with pytest.raises(LayoutError, match=says):
        _updated(text, mixed)


@pytest.mark.parametrize(
    ("slo", "says"),
    [
        (
            "{name: own, sli: {bad: 'sum(rate(a[{{window}}]))', total: 'sum(rate(b[{{window}}]))'}, objective: 99}",
            "PromQL",
        ),
        ("{name: gap, sli: gap, objective: 99}", "no span tells what gap counts"),
        ("{name: ns, sli: ttft, objective: 99}", "no call that it selects"),
        ("{name: en, sli: ttft, source: vllm, select: {engine: '0'}, objective: 99}", "label engine"),
    ],
)
def test_what_calls_do_not_tell_is_left_as_it_is(mixed, slo, says):
    text = f"{HEAD}\n  - {slo}\n"
    new, found = _updated(text, mixed)
    assert found[0].verdict is Verdict.UNKNOWN
    assert says in found[0].says
    assert slo in new.text


def test_a_law_that_changed_is_told():
    baseline = baselines.world("step, just now")
    text = f"{HEAD}\n  - {{name: ttft, sli: ttft, source: vllm, threshold: 1s, objective: 95}}\n"
    (found,) = review.reviews(reading.read({"f": text.encode()}).slos, baseline)
    assert found.verdict is Verdict.CHANGED
    assert "rose from" in found.says
