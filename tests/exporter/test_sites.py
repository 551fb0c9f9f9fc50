"""Where probes stand: every rule with a hand-made prologue, then real libraries."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from llmslo_exporter.elf import ElfFile, opened
from llmslo_exporter.prologue import is_emulated
from llmslo_exporter.sites import Hook, Site, choose
from tests.exporter.elf_image import (
    ADD,
    ENDBR,
    LEA_R8,
    LEA_R9,
    LEA_RCX,
    MOV_RCX_R8,
    MOV_RDI_RBX,
    MOV_RSP_RCX,
    MOVSLQ,
    POP,
    PUSH,
    RET,
    SUB,
    TEST_EDX,
    TEST_RDI,
    XOR_EAX,
    XOR_ECX,
    Call,
    Jump,
    Slot,
    SlotCall,
    image,
    start,
)

JS = bytes.fromhex("7804")  # js over four bytes: taken or not, the call is reached
NOP5 = bytes.fromhex("0f1f440000")
READ_PAIR = {
    "SSL_read": [SUB, TEST_EDX, MOVSLQ, LEA_RCX, Call("reader"), ADD, RET],
    "SSL_read_ex": [SUB, Call("reader"), ADD, RET],
}
WRITE = {"SSL_write": [PUSH, RET]}
READ = {"SSL_read": [PUSH, RET]}


def sites(functions, hook, **options):
    return [site for site in choose(ElfFile.of_bytes(image(functions, **options))) if site.hook is hook]


@pytest.mark.parametrize(
    ("code", "emulated"),
    [
        ("50", True),  # push %rax
        ("57", True),
        ("4157", True),  # push %r15
        ("4055", False),  # push %rbp with an empty REX
        ("6655", False),
        ("6a01", False),  # push $1
        ("ff30", False),  # push (%rax)
        ("90", True),
        ("6690", True),
        ("f390", False),  # pause
        ("f30f1efa", False),  # endbr64
        ("0f1f440000", False),
        ("e800000000", True),
        ("e900000000", True),
        ("eb00", True),
        ("f2e900000000", True),  # bnd jmp
        ("f2e800000000", True),
        ("66e800000000", False),
        ("7400", True),
        ("f27400", True),
        ("0f8400000000", True),
        ("0f05", False),  # syscall
        ("f20f1000", False),  # movsd
        ("f255", False),
        ("c3", False),
        ("4889e5", False),
        ("4883ec18", False),
        ("4885ff", False),
        ("31c0", False),
        ("e2fe", False),  # loop
        ("ffe0", False),
        ("", False),
        ("f2", False),
        ("41", False),
    ],
)
def test_the_kernels_list_of_emulated_instructions(code, emulated):
    assert is_emulated(bytes.fromhex(code)) is emulated


def test_an_emulated_entry_is_taken():
    functions = {**READ, "SSL_read_ex": [PUSH, RET], **WRITE}
    assert sites(functions, Hook.READ) == [
        Site(Hook.READ, "SSL_read", start(functions, "SSL_read"), emulated=True, length_at=None),
        Site(Hook.READ, "SSL_read_ex", start(functions, "SSL_read_ex"), emulated=True, length_at=4),
    ]


@pytest.mark.parametrize(
    ("before", "skipped"),
    [
        ([ENDBR], 4),
        ([ENDBR, XOR_EAX], 6),
        ([TEST_RDI], 3),
        ([XOR_EAX, TEST_EDX], 4),
        ([NOP5], 5),
        ([MOV_RDI_RBX], 3),  # a copy of the argument changes no argument
    ],
)
def test_instructions_that_leave_arguments_and_stack_alone_are_skipped(before, skipped):
    functions = {**READ, **WRITE, "SSL_do_handshake": [*before, PUSH, RET]}
    (site,) = sites(functions, Hook.HANDSHAKE)
    assert (site.offset, site.emulated) == (start(functions, "SSL_do_handshake") + skipped, True)


@pytest.mark.parametrize("code", [b"\x74\x10", b"\x0f\x84\x10\0\0\0"], ids=["je", "near je"])
def test_a_conditional_jump_is_itself_the_site(code):
    functions = {**READ, **WRITE, "SSL_free": [TEST_RDI, code, PUSH, RET, bytes(32)]}
    (site,) = sites(functions, Hook.FREE)
    assert (site.offset, site.emulated) == (start(functions, "SSL_free") + 3, True)


@pytest.mark.parametrize(
    "before",
    [
        SUB,
        bytes.fromhex("4889f7"),  # mov %rsi,%rdi
        bytes.fromhex("40b701"),  # mov $1,%dil
        bytes.fromhex("31ff"),  # xor %edi,%edi
        RET,
        b"\xff\xe0",  # jmp *%rax
        b"\x06",  # no instruction in 64-bit mode
    ],
)
def test_an_instruction_that_changes_them_ends_the_search(before):
    functions = {**READ, **WRITE, "SSL_do_handshake": [before, PUSH, RET]}
    (site,) = sites(functions, Hook.HANDSHAKE)
    assert (site.offset, site.emulated) == (start(functions, "SSL_do_handshake"), False)


def test_without_a_return_probe_the_stack_may_change():
    functions = {**READ, **WRITE, "SSL_shutdown": [SUB, PUSH, RET]}
    (site,) = sites(functions, Hook.SHUTDOWN)
    assert (site.offset, site.emulated) == (start(functions, "SSL_shutdown") + 4, True)


def test_a_long_nop_is_the_last_choice():
    functions = {**READ, **WRITE, "SSL_do_handshake": [ENDBR, NOP5, SUB, PUSH, RET]}
    (site,) = sites(functions, Hook.HANDSHAKE)
    assert (site.offset, site.emulated) == (start(functions, "SSL_do_handshake") + 4, True)


@pytest.mark.parametrize(("back", "emulated"), [(b"\xeb\xfc", True), (b"\xeb\xfa", False), (b"\xeb\xf8", False)])
def test_a_spot_that_a_loop_comes_back_to_is_not_taken(back, emulated):
    # test, je at 3, xor at 5, jmp at 7: back to 5, to the spot at 3, or before it to 1
    functions = {**READ, **WRITE, "SSL_free": [TEST_RDI, b"\x74\x04", XOR_EAX, back, RET]}
    (site,) = sites(functions, Hook.FREE)
    assert (site.offset - start(functions, "SSL_free"), site.emulated) == (3 if emulated else 0, emulated)


@pytest.mark.parametrize(
    ("address", "length_at"),
    [(LEA_RCX, 4), (MOV_RSP_RCX, 4), (XOR_ECX + LEA_R8, 5), (XOR_ECX + LEA_R9, 6)],
)
def test_the_shared_function_replaces_both_forms(address, length_at):
    functions = {
        "SSL_read": [SUB, TEST_EDX, JS, bytes.fromhex("0f1f4000"), MOVSLQ, address, Call("reader"), ADD, RET],
        "SSL_read_ex": [SUB, Call("reader"), ADD, RET],
        "reader": [b"\x41\x57", PUSH, RET],
        **WRITE,
    }
    assert sites(functions, Hook.READ) == [
        Site(Hook.READ, "SSL_read+SSL_read_ex", start(functions, "reader"), emulated=True, length_at=length_at)
    ]


def test_the_frame_pointer_is_the_stack_too():
    functions = {
        "SSL_read": [ENDBR, SUB, b"\x48\x89\xe5", b"\x48\x8d\x4d\xf8", Call("reader"), ADD, RET],  # lea -8(%rbp),%rcx
        "SSL_read_ex": [ENDBR, SUB, Call("reader"), ADD, RET],
        "reader": [ENDBR, PUSH, RET],
        **WRITE,
    }
    (site,) = sites(functions, Hook.READ)
    assert (site.offset, site.length_at) == (start(functions, "reader") + 4, 4)


@pytest.mark.parametrize("leap", [Jump("SSL_write_ex2"), Jump("stub"), SlotCall("SSL_write_ex2")])
def test_openssl_3_3_write_forms_meet_in_one_function(leap):
    functions = {
        **READ,
        "SSL_write": [SUB, XOR_ECX, MOVSLQ, LEA_R8, Call("writer"), ADD, RET],
        "SSL_write_ex2": [SUB, Call("writer"), ADD, RET],
        "SSL_write_ex": [MOV_RCX_R8, XOR_ECX, leap],
        "stub": [ENDBR, b"\xf2", Slot("SSL_write_ex2")],
        "writer": [PUSH, RET],
    }
    assert sites(functions, Hook.WRITE) == [
        Site(
            Hook.WRITE,
            "SSL_write+SSL_write_ex+SSL_write_ex2",
            start(functions, "writer"),
            emulated=True,
            length_at=5,
        )
    ]


def test_a_form_that_calls_another_gets_no_probe_of_its_own():
    functions = {
        **READ,
        "SSL_write": [PUSH, POP, RET],
        "SSL_write_ex": [PUSH, MOV_RCX_R8, XOR_ECX, Call("SSL_write_ex2"), POP, RET],
        "SSL_write_ex2": [PUSH, POP, RET],
    }
    assert [(site.symbol, site.length_at) for site in sites(functions, Hook.WRITE)] == [
        ("SSL_write", None),
        ("SSL_write_ex2", 5),
    ]


NOT_SHARED = {
    "the internal function is no cheaper": {**READ_PAIR, "reader": [SUB, RET]},
    "the forms call different functions": {
        **READ_PAIR,
        "reader": [PUSH, RET],
        "SSL_read_ex": [SUB, Call("other"), RET],
        "other": [PUSH, RET],
    },
    "SSL_peek uses it too": {**READ_PAIR, "reader": [PUSH, RET], "SSL_peek": [SUB, LEA_RCX, Call("reader"), RET]},
    "SSL_peek uses it through another": {
        **READ_PAIR,
        "reader": [PUSH, RET],
        "SSL_peek": [SUB, LEA_RCX, Call("peeker"), RET],
        "peeker": [SUB, Call("reader"), RET],
    },
    "the length could be either of two": {
        **READ_PAIR,
        "reader": [PUSH, RET],
        "SSL_read": [SUB, LEA_RCX, LEA_R8, Call("reader"), RET],
    },
    "the plain form passes no length": {**READ_PAIR, "reader": [PUSH, RET], "SSL_read": [SUB, Call("reader"), RET]},
    "the buffer is another": {
        **READ_PAIR,
        "reader": [PUSH, RET],
        "SSL_read": [SUB, bytes.fromhex("31f6"), LEA_RCX, Call("reader"), RET],
    },
    "another call comes first": {
        **READ_PAIR,
        "reader": [PUSH, RET],
        "SSL_read": [SUB, LEA_RCX, Call("other"), Call("reader"), RET],
        "other": [PUSH, RET],
    },
}


@pytest.mark.parametrize("functions", NOT_SHARED.values(), ids=NOT_SHARED.keys())
def test_what_is_not_sure_falls_back_to_the_entries(functions):
    functions = {**functions, **WRITE}
    assert sites(functions, Hook.READ) == [
        Site(Hook.READ, "SSL_read", start(functions, "SSL_read"), emulated=False, length_at=None),
        Site(Hook.READ, "SSL_read_ex", start(functions, "SSL_read_ex"), emulated=False, length_at=4),
    ]


def test_boringssl_has_entries_only():
    functions = {"SSL_read": [SUB, Call("reader"), RET], "reader": [PUSH, RET], **WRITE}
    assert [(site.symbol, site.emulated) for site in sites(functions, Hook.READ)] == [("SSL_read", False)]


def test_on_other_machines_probes_stand_at_the_entries():
    functions = {**READ, **WRITE, "SSL_write_ex2": [ENDBR, PUSH, RET]}
    assert sites(functions, Hook.WRITE, machine=183) == [
        Site(Hook.WRITE, "SSL_write", start(functions, "SSL_write"), emulated=False, length_at=None),
        Site(Hook.WRITE, "SSL_write_ex2", start(functions, "SSL_write_ex2"), emulated=False, length_at=5),
    ]


def test_a_file_with_half_the_functions_is_no_tls_library():
    assert choose(ElfFile.of_bytes(image({**READ, "SSL_free": [PUSH, RET]}))) == ()


def bundled():
    return [path for folder in sys.path for path in Path(folder or ".").glob("*.libs/libssl*.so*")]


REAL = [Path("/usr/lib/x86_64-linux-gnu/libssl.so.3"), Path(shutil.which("node") or "/usr/bin/node"), *bundled()]


@pytest.mark.parametrize("path", REAL, ids=str)
def test_real_builds_are_probed_cheaply(path):
    if not path.exists():
        pytest.skip(f"needs {path}")
    with opened(path) as elf:
        found = choose(elf)
        assert {site.hook for site in found} == set(Hook)
        assert all(site.emulated for site in found)
    stands_for = {name for site in found for name in site.symbol.split("+")}
    assert {"SSL_read", "SSL_read_ex", "SSL_write"} <= stands_for
    assert stands_for & {"SSL_write_ex", "SSL_write_ex2"}
    for site in found:
        shared = "+" in site.symbol
        assert site.length_at in ((4, 5) if shared or "_ex" in site.symbol else (None,))
