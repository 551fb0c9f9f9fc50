"""Probes are removed behind everybody's back, each once."""

from __future__ import annotations

import threading

from llmslo_exporter.retiring import THREADS, Retiring

PATIENCE_S = 20.0


def test_every_probe_is_removed_once_by_few_threads():
    removed: list[object] = []
    all_gone = threading.Semaphore(0)

    def detach(link: object) -> None:
        removed.append(link)
        all_gone.release()

    before = threading.active_count()
    retiring = Retiring(detach)
    retiring.add(range(1000))
    assert threading.active_count() - before <= THREADS
    for _ in range(1000):
        assert all_gone.acquire(timeout=PATIENCE_S)
    assert sorted(map(int, map(str, removed))) == list(range(1000))
    retiring.close()


def test_what_waits_at_the_end_is_left_to_the_loader():
    is_open = threading.Event()
    begun: list[object] = []

    def detach(link: object) -> None:
        begun.append(link)
        assert is_open.wait(PATIENCE_S)

    retiring = Retiring(detach)
    retiring.add(range(100))
    retiring.close()
    is_open.set()
    assert len(begun) <= THREADS
    assert len(retiring) <= THREADS
