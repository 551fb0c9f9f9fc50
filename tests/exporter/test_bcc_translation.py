"""The source in BCC's dialect, without BCC: nothing of the other build is left in it."""

from __future__ import annotations

import re

import pytest

from llmslo_exporter.loaders.bcc import _JUMPS, _PROGRAM, _TABLE, translate

BOTH = pytest.mark.parametrize("bounded", [False, True])
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def code(*, bounded=False):
    return COMMENT.sub("", translate(bounded=bounded))


@BOTH
def test_no_call_of_the_other_build_is_left(bounded):
    assert re.findall(r"\bm_\w+\(", code(bounded=bounded)) == []


@BOTH
def test_every_own_include_is_in_place(bounded):
    assert re.findall(r'#include ".*', code(bounded=bounded)) == []
    assert re.findall(r"#include <.*", code(bounded=bounded)) == ["#include <uapi/linux/ptrace.h>"]


def test_the_other_builds_headers_are_left_out():
    assert "bpf_helpers.h" not in code()
    assert "#ifndef LLMSLO_BCC" not in code()


def test_every_program_is_named_with_its_kind():
    heads = re.findall(r"^(\w+)\(([^)]*)\) \{", code(), re.MULTILINE)
    declared = {(kind, arguments.split(", ")[-1]) for kind, arguments in heads}
    assert set(_PROGRAM.findall(code())) == declared
    assert {
        ("PROBE", "tls_read_enter"),
        ("RETURN", "tls_data_return"),
        ("RAW", "socket_sent"),
        ("RAW", "socket_received"),
        ("RAW", "process_exec"),
    } <= declared


def test_every_jump_leads_from_a_table_to_a_program():
    assert set(_JUMPS) == set(re.findall(r"^M_JUMPS\((\w+)\)", code(), re.MULTILINE))
    assert set(_JUMPS) <= set(_TABLE.findall(code()))
    assert set(_JUMPS.values()) <= {name for _, name in _PROGRAM.findall(code())}


def test_every_method_is_of_a_table():
    tables = set(_TABLE.findall(code()))
    methods = r"(\w+)\.(?:lookup|update|delete|call|ringbuf_output|ringbuf_reserve|ringbuf_submit)\("
    assert set(re.findall(methods, code())) == tables


@BOTH
def test_the_loop_is_chosen_by_what_the_kernel_can(bounded):
    assert ("#define LLMSLO_BOUNDED 1\n" in translate(bounded=bounded)) is bounded


def test_no_value_of_a_table_is_a_large_array_of_numbers():
    # BCC makes a text parser of every map's value: one call argument for an element, except for bytes.
    sizes = dict(re.findall(r"^#define (\w+) (\d+)", code(), re.MULTILINE))
    for kind, bound in re.findall(r"^\t(u16|u32|u64) \w+\[(\w+)\];", code(), re.MULTILINE):
        assert int(sizes.get(bound, bound)) <= 64, (kind, bound)
