"""An interpreter of the classic Berkeley packet filter, as seccomp(2) runs it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ci_agent.sandbox.kernel.calls import AUDIT, number


@dataclass(frozen=True)
class Data:
    """`struct seccomp_data` of include/uapi/linux/seccomp.h."""

    number: int
    architecture: int
    arguments: tuple[int, ...] = ()
    pointer: int = 0

    def packed(self) -> bytes:
        arguments = (*self.arguments, *[0] * (6 - len(self.arguments)))
        whole = [argument & 0xFFFFFFFFFFFFFFFF for argument in arguments]
        return struct.pack("=IIQ6Q", self.number & 0xFFFFFFFF, self.architecture, self.pointer, *whole)


def called(machine: str, name: str, *arguments: int) -> Data:
    """A call by its name."""
    found = number(name, machine)
    assert found is not None
    return Data(found, AUDIT[machine], arguments)


def verdict(program: bytes, data: Data) -> int:
    """What the program returns. Whatever the kernel would not accept is an error."""
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    assert 0 < len(code) <= 4096  # BPF_MAXINSNS
    packed, accumulator, at = data.packed(), 0, 0
    while True:
        operation, if_true, if_false, operand = code[at]
        at += 1
        if operation == 0x06:  # BPF_RET | BPF_K
            return int(operand)
        if operation == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            assert operand % 4 == 0
            (accumulator,) = struct.unpack_from("=I", packed, operand)
        elif operation == 0x54:  # BPF_ALU | BPF_AND | BPF_K
            accumulator &= operand
        else:
            holds = {
                0x15: accumulator == operand,  # BPF_JMP | BPF_JEQ | BPF_K
                0x35: accumulator >= operand,  # BPF_JGE
                0x45: bool(accumulator & operand),  # BPF_JSET
            }[operation]
            at += if_true if holds else if_false
