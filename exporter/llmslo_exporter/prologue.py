"""What the first instructions of an x86-64 function do: where a probe is cheap there, and whom the function calls.

A uprobe replaces one instruction. The kernel emulates a few of them (arch/x86/kernel/uprobes.c, `push_setup_xol_ops`
and `branch_setup_xol_ops`) and single-steps all others out of line, at 10 to 20 times the cost in a virtual machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from iced_x86 import (
    Decoder,
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RegisterExt,
)

from llmslo_exporter.elf import ElfError, ElfFile, Symbol

# The System V call's integer arguments in order; argument n (1-based) is ARGUMENTS[n - 1].
ARGUMENTS = (Register.RDI, Register.RSI, Register.RDX, Register.RCX, Register.R8, Register.R9)

_MAX_PROLOGUE = 16  # instructions walked to find a cheap one; real ones stand within the first six
_MAX_FUNCTION = 4_096  # bytes decoded of one function; the SSL_ entries have at most 940
_UNSIZED_FUNCTION = 512  # bytes decoded where the symbol says no size
_MAX_INSTRUCTIONS = 1_024
_MAX_STUB = 16  # bytes of one PLT entry, of either kind
_WRITES = frozenset(
    (OpAccess.WRITE, OpAccess.READ_WRITE, OpAccess.COND_WRITE, OpAccess.READ_COND_WRITE),
)
_LONG_NOP = b"\x0f\x1f\x44\x00\x00"  # what -fpatchable-function-entry writes
_STACK_POINTER: frozenset[int] = frozenset((Register.RSP,))
_INFO = InstructionInfoFactory()


@dataclass(frozen=True, slots=True)
class Spot:
    """An instruction every call passes exactly once before it changes what a probe reads; `emulated`: a cheap one."""

    vaddr: int
    emulated: bool


@dataclass(frozen=True, slots=True)
class Leap:
    """A call, or a jump out of the function, reached with the first two arguments as they were at the entry.

    `on_stack`: the arguments from the fourth on (1-based) that then hold an address of the function's own stack.
    """

    target: int
    on_stack: tuple[int, ...]


def is_emulated(code: bytes) -> bool:
    """Whether the kernel emulates the one instruction whose bytes are `code`."""
    body = code.removeprefix(b"\xf2")  # BND, of branches alone: other prefixes the kernel does not emulate
    is_branch = body[:1] in (b"\xe8", b"\xe9", b"\xeb") or b"\x70" <= body[:1] <= b"\x7f"
    is_near_condition = body[:1] == b"\x0f" and b"\x80" <= body[1:2] <= b"\x8f"
    if is_branch or is_near_condition or len(body) != len(code):
        return is_branch or is_near_condition
    is_push = b"\x50" <= body.removeprefix(b"\x41") <= b"\x57" and len(body.removeprefix(b"\x41")) == 1
    return is_push or body in (b"\x90", b"\x66\x90")


def spot(elf: ElfFile, vaddr: int, size: int, arguments: int, *, returns: bool) -> Spot:
    """Return where a probe of the function at `vaddr` stands best; its entry, not emulated, where nothing is better.

    The instructions skipped write none of the first `arguments` argument registers and are straight-line code, so the
    probe sees each call once, as the entry would. With `returns` they leave the stack pointer alone too: a return probe
    replaces the return address it finds on top of the stack.
    """
    held = {*ARGUMENTS[:arguments], *((Register.RSP,) if returns else ())}
    code = _function(elf, vaddr, size)
    nop: int | None = None
    for instruction in _decoded(code, vaddr, _MAX_PROLOGUE):
        raw = code[instruction.ip - vaddr : instruction.next_ip - vaddr]
        if is_emulated(raw):
            return _unless_looped(code, vaddr, Spot(instruction.ip, emulated=True))
        if raw == _LONG_NOP:
            nop = instruction.ip if nop is None else nop
        if instruction.flow_control != FlowControl.NEXT or _written(instruction) & held:
            break
    # Emulated from Linux 6.17 on only, so the last choice.
    return Spot(vaddr, emulated=False) if nop is None else _unless_looped(code, vaddr, Spot(nop, emulated=True))


def leaps(elf: ElfFile, vaddr: int, size: int, known: Mapping[str, Symbol]) -> frozenset[Leap]:
    """Return the leaps of the function at `vaddr` that pass its first two arguments on.

    A leap through the PLT or the GOT to one of the functions in `known` has that function's address as its target.
    """
    code = _function(elf, vaddr, size)
    decoder = Decoder(64, code, ip=vaddr)
    found: set[Leap] = set()
    seen: set[int] = set()
    pending = [(vaddr, _STACK_POINTER)]  # address, registers that hold a stack address
    while pending and len(seen) < _MAX_INSTRUCTIONS:
        at, on_stack = pending.pop()
        if at in seen or not vaddr <= at < vaddr + len(code):
            continue
        seen.add(at)
        decoder.position = at - vaddr
        decoder.ip = at
        instruction = decoder.decode()
        target = _leap_target(elf, instruction, range(vaddr, vaddr + len(code)), known)
        if target is not None:
            found.add(Leap(target, tuple(n for n in range(4, 7) if ARGUMENTS[n - 1] in on_stack)))
        else:
            after = _on_stack_after(instruction, on_stack)
            pending += [(ip, after) for ip in _successors(instruction)]
    return frozenset(found)


def _leap_target(elf: ElfFile, instruction: Instruction, own: range, known: Mapping[str, Symbol]) -> int | None:
    flow = instruction.flow_control
    direct = instruction.near_branch_target
    if flow == FlowControl.CALL or (flow == FlowControl.UNCONDITIONAL_BRANCH and direct not in own):
        return _through_plt(elf, direct, known)
    if flow in (FlowControl.INDIRECT_CALL, FlowControl.INDIRECT_BRANCH) and instruction.is_ip_rel_memory_operand:
        symbol = known.get(elf.import_at(instruction.ip_rel_memory_address) or "")
        return symbol.vaddr if symbol else None
    return None


def _through_plt(elf: ElfFile, vaddr: int, known: Mapping[str, Symbol]) -> int:
    try:
        stub = elf.code(vaddr, _MAX_STUB)
    except ElfError:
        return vaddr
    instruction = next((i for i in Decoder(64, stub, ip=vaddr) if i.mnemonic != Mnemonic.ENDBR64), None)
    if (
        instruction is None
        or instruction.flow_control != FlowControl.INDIRECT_BRANCH
        or not instruction.is_ip_rel_memory_operand
    ):
        return vaddr
    symbol = known.get(elf.import_at(instruction.ip_rel_memory_address) or "")
    return symbol.vaddr if symbol else vaddr


def _successors(instruction: Instruction) -> tuple[int, ...]:
    """Return where control goes next with the first two arguments still in place."""
    match instruction.flow_control:
        case FlowControl.NEXT:
            passed_on = not instruction.is_invalid and not _written(instruction) & set(ARGUMENTS[:2])
            return (instruction.next_ip,) if passed_on else ()
        case FlowControl.CONDITIONAL_BRANCH:
            return (instruction.next_ip, instruction.near_branch_target)
        case FlowControl.UNCONDITIONAL_BRANCH:
            return (instruction.near_branch_target,)
    return ()


def _on_stack_after(instruction: Instruction, on_stack: frozenset[int]) -> frozenset[int]:
    written = _written(instruction)
    copied = (
        instruction.mnemonic == Mnemonic.LEA
        and instruction.memory_base in on_stack
        and instruction.memory_index == Register.NONE
    ) or (
        instruction.mnemonic == Mnemonic.MOV
        and instruction.op0_kind == instruction.op1_kind == OpKind.REGISTER
        and instruction.op1_register in on_stack
    )
    return (on_stack | written if copied else on_stack - written) | _STACK_POINTER


def _unless_looped(code: bytes, vaddr: int, found: Spot) -> Spot:
    """Fall back to the entry where a branch of the function comes back to the skipped instructions or the spot."""
    looped = any(vaddr < i.near_branch_target <= found.vaddr for i in _decoded(code, vaddr, _MAX_INSTRUCTIONS))
    return Spot(vaddr, emulated=False) if looped else found


def _decoded(code: bytes, vaddr: int, limit: int) -> Iterator[Instruction]:
    for instruction in islice(Decoder(64, code, ip=vaddr), limit):
        if instruction.is_invalid:
            return
        yield instruction


def _function(elf: ElfFile, vaddr: int, size: int) -> bytes:
    return elf.code(vaddr, min(size or _UNSIZED_FUNCTION, _MAX_FUNCTION))


def _written(instruction: Instruction) -> frozenset[int]:
    used = _INFO.info(instruction).used_registers()
    return frozenset(RegisterExt.full_register(u.register) for u in used if u.access in _WRITES)
