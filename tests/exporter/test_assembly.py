"""Pieces wait for their record, within a bound, and what was given up is said."""

from __future__ import annotations

from llmslo_exporter.assembly import Assembly
from llmslo_exporter.events import Identity, Shipped
from llmslo_exporter.summary import Piece

ONE: Identity = (1, 1, 1)
TWO: Identity = (2, 2, 2)


def _ship(assembly: Assembly, identity: Identity, *sizes: int) -> None:
    for at, size in enumerate(sizes):
        assembly.add(Shipped(identity, Piece(float(at), bytes(size))))


def test_pieces_come_back_in_order_and_once() -> None:
    assembly = Assembly()
    _ship(assembly, ONE, 3, 4)
    assert [len(piece.data) for piece in assembly.take(ONE) or ()] == [3, 4]
    assert assembly.take(ONE) == ()


def test_over_the_bound_the_oldest_is_given_up_and_said_so() -> None:
    assembly = Assembly(max_bytes=100)
    _ship(assembly, ONE, 60)
    _ship(assembly, TWO, 60)
    _ship(assembly, ONE, 10)  # it must not look whole again
    assert assembly.given_up_bytes == 70
    assert assembly.take(ONE) is None
    assert len(assembly.take(TWO) or ()) == 1
    assert assembly.take(ONE) == ()


def test_what_the_kernel_let_go_is_forgotten() -> None:
    assembly = Assembly(max_bytes=100)
    _ship(assembly, ONE, 60)
    _ship(assembly, TWO, 40)
    assert assembly.waiting() == {ONE, TWO}
    assembly.forget({ONE})
    assert assembly.take(ONE) == ()
    assert len(assembly.take(TWO) or ()) == 1
