"""States that no bytes tell apart become one."""

from __future__ import annotations

import random

from llmslo_exporter.partition import partition
from llmslo_exporter.states import Builder, action_of, target_of


def chain(b, name, length):
    """Add a chain of states that raises 1 at its end and begins anew."""
    first = b.state(f"{name}0")
    for number in range(length):
        here = b.state(f"{name}{number}")
        b.otherwise(here, b.state(f"{name}{number + 1}") if number + 1 < length else first, number + 1 == length)
    return first


def test_twins_are_merged_and_others_are_not():
    b = Builder()
    one, two, other = chain(b, "a", 3), chain(b, "b", 3), chain(b, "c", 4)
    classes = partition(b.states, [0] * len(b.states))
    assert classes[one] == classes[two] != classes[other]
    assert len(set(classes)) == 3 + 4


def test_what_is_kept_apart_stays_apart():
    b = Builder()
    one, two = chain(b, "a", 3), chain(b, "b", 3)
    classes = partition(b.states, [0, 0, 0, 1, 1, 1])
    assert classes[one] != classes[two]


def test_the_smaller_automaton_raises_the_same_actions():
    rng = random.Random(23)
    b = Builder()
    numbers = [b.state(f"s{number}") for number in range(40)]
    for number in numbers:
        for byte in b"abc":
            # The second half is the first one's twin.
            b.on(number, [byte], (number * 7 + byte) % 20 + 20 * rng.randint(0, 1), (number % 20) % 3)
    classes = partition(b.states, [0] * len(numbers))
    assert len(set(classes)) <= 20
    of_class = {classes[number]: number for number in reversed(numbers)}
    here = there = 0
    for byte in rng.choices(b"abc", k=2000):
        left, right = b.states[here].moves[byte], b.states[of_class[classes[there]]].moves[byte]
        assert action_of(left) == action_of(right)
        here, there = target_of(left), target_of(right)
