"""The trial of the dialects can be trusted: its truth fits the bytes, and every SDK is asked for an answer there is."""

from __future__ import annotations

import pytest

from tests.e2e.dialect_answers import cases
from tests.e2e.sdks import CALLS

CASES = {case.name: case for case in cases()}


def test_every_call_of_an_sdk_has_its_answer():
    assert {name for _, name, _ in CALLS} <= set(CASES)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_marks_lie_behind_the_head_and_within_the_answer(case):
    ends = [mark.at for mark in case.answer.marks]
    assert ends == sorted(ends)
    assert all(case.answer.head_bytes < end <= len(case.answer.data) for end in ends)
    assert bool(ends) == (case.stream and case.answer.truth.status == 200)
