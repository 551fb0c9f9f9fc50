"""Hand-made ELF files for tests: functions from bytes and leaps, in one loaded segment."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BASE = 0x400000
CODE = 0x1000
GOT = 0x8000

ENDBR = bytes.fromhex("f30f1efa")
SUB = bytes.fromhex("4883ec18")  # sub $0x18,%rsp
ADD = bytes.fromhex("4883c418")
PUSH = b"\x55"
POP = b"\x5d"
RET = b"\xc3"
LEA_RCX = bytes.fromhex("488d4c2408")  # lea 0x8(%rsp),%rcx
LEA_R8 = bytes.fromhex("4c8d442408")
LEA_R9 = bytes.fromhex("4c8d4c2408")
MOV_RSP_RCX = bytes.fromhex("4889e1")
MOVSLQ = bytes.fromhex("4863d2")  # movslq %edx,%rdx
TEST_EDX = bytes.fromhex("85d2")
TEST_RDI = bytes.fromhex("4885ff")
XOR_EAX = bytes.fromhex("31c0")
XOR_ECX = bytes.fromhex("31c9")
MOV_RCX_R8 = bytes.fromhex("4989c8")  # mov %rcx,%r8
MOV_RDI_RBX = bytes.fromhex("4889fb")


@dataclass(frozen=True)
class Call:
    """A direct call of a function of the image; `Jump` and `Slot` alike."""

    to: str


@dataclass(frozen=True)
class Jump:
    to: str


@dataclass(frozen=True)
class Slot:
    """`jmp *slot(%rip)` through the GOT slot of an exported function, as a PLT stub does."""

    to: str


@dataclass(frozen=True)
class SlotCall:
    """`call *slot(%rip)`, as -fno-plt writes it."""

    to: str


Piece = bytes | Call | Jump | Slot | SlotCall
_LENGTH = {Call: 5, Jump: 5, Slot: 6, SlotCall: 6}


def image(
    functions: Mapping[str, Sequence[Piece]],
    *,
    machine: int = 62,
    table: str = "gnu",
    build_id: bytes = bytes(range(20)),
    needed: Sequence[str] = (),
    note: bytes = b"GNU\0",
) -> bytes:
    """Return the file; names that begin with SSL_ are symbols, others are not.

    `table`: how symbols are found: "gnu", "sysv", "sections" (.dynsym without a hash) or "symtab" (local symbols).
    """
    starts = _placed(functions)
    exported = [name for name in functions if name.startswith("SSL_")]
    got = {name: BASE + GOT + 8 * n for n, name in enumerate(exported)}
    out = bytearray(0xA000)
    for name, pieces in functions.items():
        code = _assembled(pieces, starts[name], starts, got)
        out[starts[name] - BASE : starts[name] - BASE + len(code)] = code

    at: dict[str, int] = {}

    def put(key: str, data: bytes) -> None:
        at[key] = len(out)
        out.extend(data + bytes(-len(data) % 16))

    strings = b"\0" + b"".join(name.encode() + b"\0" for name in (*exported, *needed))
    offsets = {name: strings.index(b"\0" + name.encode() + b"\0") + 1 for name in (*exported, *needed)}
    sizes = {name: _size(functions[name]) for name in exported}
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", offsets[name], 0x12, 0, 1, starts[name], sizes[name]) for name in exported
    )
    put("strtab", strings)
    put("symtab", symbols)
    put("gnu", _gnu_table(exported))
    put("sysv", struct.pack("<II", 1, len(exported) + 1) + struct.pack("<I", 1 if exported else 0) + _chain(exported))
    relocations = b"".join(struct.pack("<QQq", got[name], (n + 1) << 32 | 7, 0) for n, name in enumerate(exported))
    put("rela", relocations)
    put("note", struct.pack("<III", len(note), len(build_id), 3 if note == b"GNU\0" else 4) + note + build_id)
    note_size = 12 + len(note) + len(build_id)
    tags = [(1, offsets[name]) for name in needed]
    if table != "symtab":
        tags += [(5, BASE + at["strtab"]), (6, BASE + at["symtab"]), (23, BASE + at["rela"]), (2, len(relocations))]
    if table in ("gnu", "sysv"):
        tags.append((0x6FFFFEF5, BASE + at["gnu"]) if table == "gnu" else (4, BASE + at["sysv"]))
    dynamic = b"".join(struct.pack("<QQ", tag, value) for tag, value in (*tags, (0, 0)))
    put("dynamic", dynamic)
    kind = 2 if table == "symtab" else 11
    put(
        "sections",
        bytes(64)
        + struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, at["symtab"], len(symbols), 2, 0, 8, 24)
        + struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, at["strtab"], len(strings), 0, 0, 1, 0),
    )
    headers = (
        struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, len(out), len(out), 0x1000)
        + struct.pack("<IIQQQQQQ", 2, 4, at["dynamic"], 0, 0, len(dynamic), len(dynamic), 8)
        + struct.pack("<IIQQQQQQ", 4, 4, at["note"], 0, 0, note_size, note_size, 4)
    )
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, at["sections"], 0, 64, 56, 3, 64, 3, 0)
    out[: len(head) + len(headers)] = head + headers
    return bytes(out)


def start(functions: Mapping[str, Sequence[Piece]], name: str) -> int:
    """Return the file offset at which the function stands."""
    return _placed(functions)[name] - BASE


def _placed(functions: Mapping[str, Sequence[Piece]]) -> dict[str, int]:
    starts: dict[str, int] = {}
    address = BASE + CODE
    for name, pieces in functions.items():
        starts[name] = address
        address += _size(pieces) + 15 & ~15
    return starts


def _size(pieces: Sequence[Piece]) -> int:
    return sum(len(piece) if isinstance(piece, bytes) else _LENGTH[type(piece)] for piece in pieces)


def _assembled(pieces: Sequence[Piece], address: int, starts: Mapping[str, int], got: Mapping[str, int]) -> bytes:
    code = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            code += piece
            continue
        opcode = {Call: b"\xe8", Jump: b"\xe9", Slot: b"\xff\x25", SlotCall: b"\xff\x15"}[type(piece)]
        target = (starts if isinstance(piece, Call | Jump) else got)[piece.to]
        code += opcode + struct.pack("<i", target - (address + len(code) + _LENGTH[type(piece)]))
    return code


def _gnu_table(names: Sequence[str]) -> bytes:
    hashes = [_gnu_hash(name.encode()) & ~1 for name in names]
    if hashes:
        hashes[-1] |= 1
    head = struct.pack("<IIIIQ", 1, 1, 1, 6, 2**64 - 1)
    return head + struct.pack(f"<I{len(hashes)}I", 1 if hashes else 0, *hashes)


def _gnu_hash(name: bytes) -> int:
    code = 5381
    for byte in name:
        code = (code * 33 + byte) & 0xFFFFFFFF
    return code


def _chain(names: Sequence[str]) -> bytes:
    links = [0, *(n + 1 if n < len(names) else 0 for n in range(1, len(names) + 1))]
    return struct.pack(f"<{len(links)}I", *links)
