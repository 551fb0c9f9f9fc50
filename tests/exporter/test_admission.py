from __future__ import annotations

from collections import Counter

import pytest

from llmslo_exporter.admission import Admission, Names, Place
from llmslo_exporter.catalog import EXCHANGE_LABELS, OTHER, Limits
from llmslo_exporter.identity import Workload
from llmslo_exporter.summary import Role
from tests.exporter.exchanges import CHAT

DAY = 86_400.0


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def place(admission, model, *, answered=True, provider="openai", workload=CHAT) -> Place:
    return admission.place(workload, provider, model, "chat", Role.CLIENT, answered=answered)


def test_a_model_is_unknown_until_it_was_answered():
    admission = Admission(Limits(), Clock())
    assert place(admission, "gpt-5", answered=False).model == OTHER
    assert place(admission, "gpt-5").model == "gpt-5"
    assert place(admission, "gpt-5", answered=False).model == "gpt-5"
    assert place(admission, "gpt-55", answered=False) == place(admission, "typo", answered=False)


def test_names_that_were_never_answered_take_no_room():
    admission = Admission(Limits(models=1), Clock())
    for number in range(1_000):
        assert place(admission, f"typo-{number}", answered=False).dropped == ()
    assert place(admission, "gpt-5").model == "gpt-5"


def test_a_model_that_is_no_name_never_becomes_a_label():
    admission = Admission(Limits(), Clock())
    for model in (None, "", "a" * 201, "two\nlines", "nul\0"):
        assert place(admission, model).model == OTHER


@pytest.mark.parametrize("odd", ["", "a" * 10_000, "two\nlines", "nul\0", "\ud800", "\u202e", "\x1b[2J"])
def test_what_is_no_name_is_dropped_and_counted(odd):
    admission = Admission(Limits(), Clock())
    assert place(admission, odd) == Place(CHAT, "openai", OTHER, "chat", Role.CLIENT, ("models",))
    assert place(admission, "m", provider=odd).provider == OTHER
    found = place(admission, "m", workload=Workload("shop", odd))
    assert (found.workload, found.dropped) == (Workload("shop", OTHER), ("workloads",))


def test_a_million_names_leave_no_more_than_the_caps():
    admission = Admission(Limits(), Clock())
    dropped = Counter()
    for number in range(1_000_000):
        name = f"n{number}"
        dropped.update(place(admission, name, provider=name, workload=Workload("", name)).dropped)
    assert dropped == {"models": 999_950, "providers": 999_975, "workloads": 999_800}
    assert [len(names) for names in (admission._models, admission._providers, admission._workloads)] == [50, 25, 200]


def test_the_model_cap_holds_and_counts():
    admission = Admission(Limits(models=3), Clock())
    places = [place(admission, f"model-{number}") for number in range(100_000)]
    assert {found.model for found in places} == {"model-0", "model-1", "model-2", OTHER}
    assert sum(found.dropped == ("models",) for found in places) == 99_997


def test_the_provider_cap_holds():
    admission = Admission(Limits(providers=2), Clock())
    found = [place(admission, "m", provider=name) for name in ("a", "b", "c", "a")]
    assert [f.provider for f in found] == ["a", "b", OTHER, "a"]
    assert [f.dropped for f in found] == [(), (), ("providers",), ()]


def test_a_workload_over_the_cap_keeps_its_namespace_only_if_that_is_known():
    admission = Admission(Limits(workloads=1), Clock())
    owners = [place(admission, "m", workload=Workload(*w)).workload for w in (("a", "x"), ("a", "y"), ("b", "x"))]
    assert owners == [Workload("a", "x"), Workload("a", OTHER), Workload(OTHER, OTHER)]


def test_an_idle_name_makes_room_and_a_used_one_does_not():
    clock = Clock()
    names = Names(2, DAY, clock)
    assert names.admit("old")
    assert names.admit("used")
    clock.now = DAY - 1
    assert names.admit("used")
    assert not names.admit("new")
    clock.now = DAY
    assert names.admit("new")
    assert ("old",) not in names
    assert not names.admit("newer")
    assert len(names) == 2


def test_values_come_in_the_order_of_the_catalogs_labels():
    found = place(Admission(Limits(), Clock()), "gpt-5")
    assert found.exchange == ("shop", "chat", "openai", "gpt-5", "chat", "client")
    assert len(found.exchange) == len(EXCHANGE_LABELS)
    assert found.connection == ("shop", "chat", "openai", "client")


def test_an_operation_outside_the_list_is_other():
    admission = Admission(Limits(), Clock())
    assert admission.place(Workload("", "x"), "p", "m", "images", Role.SERVER, answered=True).operation == OTHER
