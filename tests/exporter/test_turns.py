"""Whoever waits for a turn gets the next one."""

from __future__ import annotations

import threading

import pytest

from llmslo_exporter.turns import Turns


def test_one_who_takes_turn_after_turn_lets_others_in_between():
    turns, asked, stopped = Turns(), threading.Event(), threading.Event()
    since_asked = []

    def work():
        while not stopped.is_set():
            with turns:
                if asked.is_set():
                    since_asked.append(1)
                sum(range(100_000))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(20):
            since_asked.clear()
            asked.set()
            with turns:
                asked.clear()
                # The turn under way, and one that may have begun before this thread stood in the line.
                assert len(since_asked) <= 2
    finally:
        stopped.set()
        worker.join(30)


def test_a_turn_ends_with_an_error_too():
    turns = Turns()
    for _ in range(2):
        with pytest.raises(ValueError, match="within"), turns:
            raise ValueError("within")  # noqa: EM101
