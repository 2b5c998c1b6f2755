"""Just enough of an assembler to write small programs by hand: bytes, labels, relative jumps.

x86-64 code is given as hex with its mnemonic beside it (Intel SDM volume 2); AArch64 code by one function a kind
of instruction (Arm ARM, section C6).

Why a wheel ships an assembler: the teaching images must really start, on x86-64 and on arm64 alike, and a program of a
few hundred bytes that is written here in the open needs neither a compiler nor binaries that nobody can read.
"""

from __future__ import annotations

from collections.abc import Callable

from imagepeel.errors import UsageError


class Assembler:
    """Code and data with labels; `link` resolves the references."""

    def __init__(self) -> None:
        self._code = bytearray()
        self._labels: dict[str, int] = {}
        self._fixups: list[tuple[int, int, str, Callable[[int], bytes]]] = []

    def raw(self, data: bytes) -> None:
        """Puts bytes."""
        self._code += data

    def label(self, name: str) -> None:
        """Names the current position."""
        if name in self._labels:
            raise UsageError(f"the label {name} stands twice")
        self._labels[name] = len(self._code)

    def refer(self, name: str, size: int, base: int, encode: Callable[[int], bytes]) -> None:
        """Leaves `size` bytes for `encode(distance)`; the distance to `name` counts from `base` bytes further on."""
        self._fixups.append((len(self._code), base, name, encode))
        self._code += bytes(size)

    def link(self) -> bytes:
        """The finished bytes.  Raises `UsageError` for a label that was never set."""
        for at, base, name, encode in self._fixups:
            if name not in self._labels:
                raise UsageError(f"there is no label {name}")
            value = encode(self._labels[name] - at - base)
            self._code[at : at + len(value)] = value
        return bytes(self._code)


class X86(Assembler):
    """x86-64."""

    def op(self, code: str) -> None:
        """An instruction as hex."""
        self.raw(bytes.fromhex(code))

    def to(self, code: str, label: str) -> None:
        """An instruction whose last operand is a 32-bit distance to `label`: call, jmp, jcc, lea with rip."""
        self.op(code)
        self.refer(label, 4, 4, lambda distance: distance.to_bytes(4, "little", signed=True))

    def imm(self, code: str, value: int) -> None:
        """An instruction that ends in a 32-bit immediate."""
        self.op(code)
        self.raw(value.to_bytes(4, "little"))


class Arm64(Assembler):
    """AArch64; registers are numbers, 31 is sp or xzr as the instruction has it."""

    def word(self, value: int) -> None:
        """One instruction."""
        self.raw(value.to_bytes(4, "little"))

    def movz(self, rd: int, value: int) -> None:
        """movz xd, #imm16"""
        if not 0 <= value < 1 << 16:
            raise UsageError(f"{value} does not fit a movz; texts of AArch64 programs stay below 64 KiB")
        self.word(0xD2800000 | value << 5 | rd)

    def mov(self, rd: int, rm: int) -> None:
        """mov xd, xm"""
        self.word(0xAA0003E0 | rm << 16 | rd)

    def add(self, rd: int, rn: int, value: int) -> None:
        """add xd|sp, xn|sp, #imm12"""
        self.word(0x91000000 | value << 10 | rn << 5 | rd)

    def sub(self, rd: int, rn: int, value: int) -> None:
        """sub xd|sp, xn|sp, #imm12"""
        self.word(0xD1000000 | value << 10 | rn << 5 | rd)

    def add_reg(self, rd: int, rn: int, rm: int) -> None:
        """add xd, xn, xm"""
        self.word(0x8B000000 | rm << 16 | rn << 5 | rd)

    def sub_reg(self, rd: int, rn: int, rm: int) -> None:
        """sub xd, xn, xm"""
        self.word(0xCB000000 | rm << 16 | rn << 5 | rd)

    def add_shifted(self, rd: int, rn: int, rm: int, shift: int) -> None:
        """add xd, xn, xm, lsl #shift"""
        self.word(0x8B000000 | rm << 16 | shift << 10 | rn << 5 | rd)

    def udiv(self, rd: int, rn: int, rm: int) -> None:
        """udiv xd, xn, xm"""
        self.word(0x9AC00800 | rm << 16 | rn << 5 | rd)

    def msub(self, rd: int, rn: int, rm: int, ra: int) -> None:
        """msub xd, xn, xm, xa: xa - xn * xm"""
        self.word(0x9B008000 | rm << 16 | ra << 10 | rn << 5 | rd)

    def ldr(self, rt: int, rn: int, offset: int = 0) -> None:
        """ldr xt, [xn|sp, #offset]"""
        self.word(0xF9400000 | offset // 8 << 10 | rn << 5 | rt)

    def ldr_w(self, rt: int, rn: int) -> None:
        """ldr wt, [xn]"""
        self.word(0xB9400000 | rn << 5 | rt)

    def store(self, rt: int, rn: int, offset: int = 0) -> None:
        """str xt, [xn|sp, #offset]"""
        self.word(0xF9000000 | offset // 8 << 10 | rn << 5 | rt)

    def ldrb(self, rt: int, rn: int, rm: int) -> None:
        """ldrb wt, [xn, xm]"""
        self.word(0x38606800 | rm << 16 | rn << 5 | rt)

    def strb(self, rt: int, rn: int) -> None:
        """strb wt, [xn]"""
        self.word(0x39000000 | rn << 5 | rt)

    def svc(self) -> None:
        """svc #0: the system call whose number is in x8"""
        self.word(0xD4000001)

    def ret(self) -> None:
        """ret"""
        self.word(0xD65F03C0)

    def adr(self, rd: int, label: str) -> None:
        """adr xd, label"""
        self.refer(
            label, 4, 0, lambda d: (0x10000000 | (d & 3) << 29 | (d >> 2 & 0x7FFFF) << 5 | rd).to_bytes(4, "little")
        )

    def b(self, label: str) -> None:
        """b label"""
        self.refer(label, 4, 0, lambda d: (0x14000000 | d >> 2 & 0x3FFFFFF).to_bytes(4, "little"))

    def bl(self, label: str) -> None:
        """bl label"""
        self.refer(label, 4, 0, lambda d: (0x94000000 | d >> 2 & 0x3FFFFFF).to_bytes(4, "little"))

    def _branch(self, code: int, low: int, label: str) -> None:
        self.refer(label, 4, 0, lambda d: (code | (d >> 2 & 0x7FFFF) << 5 | low).to_bytes(4, "little"))

    def cbz(self, rt: int, label: str) -> None:
        """cbz xt, label"""
        self._branch(0xB4000000, rt, label)

    def cbz_w(self, rt: int, label: str) -> None:
        """cbz wt, label"""
        self._branch(0x34000000, rt, label)

    def cbnz(self, rt: int, label: str) -> None:
        """cbnz xt, label"""
        self._branch(0xB5000000, rt, label)

    def tbnz_sign(self, rt: int, label: str) -> None:
        """tbnz xt, #63, label: jump when xt is negative"""
        self.refer(label, 4, 0, lambda d: (0xB7F80000 | (d >> 2 & 0x3FFF) << 5 | rt).to_bytes(4, "little"))

    def cmp(self, rn: int, value: int) -> None:
        """cmp xn, #imm12"""
        self.word(0xF100001F | value << 10 | rn << 5)

    def cmn(self, rn: int, value: int) -> None:
        """cmn xn, #imm12: compares with -imm"""
        self.word(0xB100001F | value << 10 | rn << 5)

    def b_eq(self, label: str) -> None:
        """b.eq label"""
        self._branch(0x54000000, 0, label)

    def b_lo(self, label: str) -> None:
        """b.lo label: unsigned lower"""
        self._branch(0x54000000, 3, label)
