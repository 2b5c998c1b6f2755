"""Tiny real programs for the images of the forge: static executables without a C library, written by hand.

They make Linux system calls and nothing else (numbers: arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h of the kernel).  Each exists for x86-64 and for AArch64.
"""

from __future__ import annotations

import platform
from collections.abc import Callable

from imagepeel.errors import UsageError
from imagepeel.evidence import Name, raw
from imagepeel.forge.assembler import X86, Arm64, Assembler
from imagepeel.forge.elf import static
from imagepeel.tables import go_name

ARCHITECTURES = ("amd64", "arm64")
"""The architectures that programs exist for, in the image config's spelling."""

_SH_USAGE = b"sh: a stand-in of a teaching image; it only runs: sh SCRIPT PROGRAM [ARG...]\n"
_SH_FAILED = b"sh: the program cannot be run\n"


def machine() -> str:
    """Return the architecture of this machine as image configs spell it; amd64 where no program is for it."""
    here = go_name(platform.machine())
    return here if here in ARCHITECTURES else ARCHITECTURES[0]


def hello(message: Name = "hello from a tarball\n", exit_code: int = 0, architecture: str = "amd64") -> bytes:
    """Writes `message` to stdout and exits."""
    return _build(
        architecture, lambda a: _x86_hello(a, raw(message), exit_code), lambda a: _arm_hello(a, raw(message), exit_code)
    )


def report(exit_code: int = 0, architecture: str = "amd64", banner: Name = b"") -> bytes:
    """Says what process it is, a line each, and exits with `exit_code`.

    The lines are `argv=...` for each argument, `env=...` for each variable, `uid=`, `gid=`, `groups=` (numbers
    separated by spaces), `pid=`, `cwd=` and `exe=` (readlink of /proc/self/exe; empty where that fails).  Values are
    written raw: a newline in one breaks its line.
    """
    return _build(
        architecture, lambda a: _x86_report(a, raw(banner), exit_code), lambda a: _arm_report(a, raw(banner), exit_code)
    )


def wait(message: Name = b"", architecture: str = "amd64", hears_sigterm: bool = True) -> bytes:
    """Writes `message` and waits.

    With `hears_sigterm` it exits 0 on SIGTERM or SIGINT, also as PID 1; else it pauses for ever, and as PID 1
    only SIGKILL ends it.
    """
    return _build(
        architecture,
        lambda a: _x86_wait(a, raw(message), hears_sigterm),
        lambda a: _arm_wait(a, raw(message), hears_sigterm),
    )


def sh(architecture: str = "amd64") -> bytes:
    """No shell, but what `#!/bin/sh` with the one command `exec "$@"` comes to: execve(argv[2], &argv[2], environ).

    It reads no script and searches no PATH.  Fewer than two arguments, or options such as `-c`: exit code 2;
    a program that cannot be run: 127 when it is not there, else 126.
    """
    return _build(architecture, _x86_sh, _arm_sh)


def _build(architecture: str, x86: Callable[[X86], None], arm: Callable[[Arm64], None]) -> bytes:
    code: Assembler
    if architecture == "amd64":
        code = X86()
        x86(code)
    elif architecture == "arm64":
        code = Arm64()
        arm(code)
    else:
        raise UsageError(f"no program is written for {architecture!r}", hint="known: " + ", ".join(ARCHITECTURES))
    return static(code.link(), architecture)


def _texts(a: Assembler, texts: dict[str, bytes]) -> None:
    for name, data in texts.items():
        a.label(name)
        a.raw(data)


# x86-64: arguments in rdi, rsi, rdx, r10; number in rax; rcx and r11 are lost in a call.


def _x86_put(a: X86, label: str, data: bytes) -> None:
    a.to("48 8d 35", label)  # lea rsi, [rip + label]
    a.imm("ba", len(data))  # mov edx, length
    a.to("e8", "write")  # call write


def _x86_exit(a: X86, code: int) -> None:
    a.imm("bf", code)  # mov edi, code
    a.imm("b8", 231)  # mov eax, exit_group
    a.op("0f 05")  # syscall


def _x86_write(a: X86) -> None:
    a.label("write")  # rsi = bytes, edx = count
    a.imm("b8", 1)  # mov eax, write
    a.imm("bf", 1)  # mov edi, 1
    a.op("0f 05")  # syscall
    a.op("c3")  # ret


def _x86_hello(a: X86, message: bytes, code: int) -> None:
    _x86_put(a, "message", message)
    _x86_exit(a, code)
    _x86_write(a)
    _texts(a, {"message": message})


def _x86_wait(a: X86, message: bytes, hears: bool) -> None:
    _x86_put(a, "message", message)
    if hears:
        a.imm("68", 1 << 14 | 1 << 1)  # push {SIGTERM, SIGINT}
        for number, how in ((14, 0), (128, 0)):  # rt_sigprocmask(SIG_BLOCK, set, 0, 8), rt_sigtimedwait(set, 0, 0, 8)
            if number == 14:
                a.imm("bf", how)  # mov edi, SIG_BLOCK
                a.op("48 89 e6")  # mov rsi, rsp
            else:
                a.op("48 89 e7")  # mov rdi, rsp
                a.op("31 f6")  # xor esi, esi
            a.op("31 d2")  # xor edx, edx
            a.op("41 ba 08 00 00 00")  # mov r10d, 8
            a.imm("b8", number)  # mov eax, number
            a.op("0f 05")  # syscall
        _x86_exit(a, 0)
    else:
        a.label("again")
        a.imm("b8", 34)  # mov eax, pause
        a.op("0f 05")  # syscall
        a.to("e9", "again")  # jmp again
    _x86_write(a)
    _texts(a, {"message": message})


def _x86_report(a: X86, banner: bytes, code: int) -> None:
    texts = _report_texts(banner)
    a.op("4c 8d 6c 24 08")  # lea r13, [rsp+8]: argv
    if banner:
        _x86_put(a, "banner", banner)
    for name in ("argv", "env"):
        a.label(name + "_next")
        a.op("49 8b 6d 00")  # mov rbp, [r13]
        a.op("49 83 c5 08")  # add r13, 8
        a.op("48 85 ed")  # test rbp, rbp
        a.to("0f 84", name + "_done")  # jz
        _x86_put(a, name, texts[name])
        a.to("e8", "puts")  # call puts
        a.to("e9", name + "_next")  # jmp
        a.label(name + "_done")
    for name, number in (("uid", 107), ("gid", 108), ("groups", 115), ("pid", 39)):  # geteuid getegid getgroups getpid
        _x86_put(a, name, texts[name])
        if name == "groups":
            _x86_groups(a)
        else:
            a.imm("b8", number)  # mov eax, number
            a.op("0f 05")  # syscall
            a.to("e8", "decimal")  # call decimal
        _x86_put(a, "newline", b"\n")
    a.imm("48 81 ec", 4096)  # sub rsp, 4096
    for name in ("cwd", "exe"):
        _x86_put(a, name, texts[name])
        a.op("c6 04 24 00")  # mov byte [rsp], 0
        if name == "cwd":
            a.op("48 89 e7")  # mov rdi, rsp
            a.imm("be", 4096)  # mov esi, 4096
            a.imm("b8", 79)  # mov eax, getcwd
            a.op("0f 05")  # syscall
        else:
            a.to("48 8d 3d", "link")  # lea rdi, [rip + link]
            a.op("48 89 e6")  # mov rsi, rsp
            a.imm("ba", 4095)  # mov edx, 4095
            a.imm("b8", 89)  # mov eax, readlink
            a.op("0f 05")  # syscall
            a.op("48 85 c0")  # test rax, rax
            a.to("0f 88", "no_link")  # js
            a.op("c6 04 04 00")  # mov byte [rsp+rax], 0
            a.label("no_link")
        a.op("48 89 e5")  # mov rbp, rsp
        a.to("e8", "puts")  # call puts
    _x86_exit(a, code)
    _x86_write(a)
    a.label("puts")  # rbp = bytes that end in NUL; writes them and a newline
    a.op("48 89 ee")  # mov rsi, rbp
    a.op("31 d2")  # xor edx, edx
    a.label("puts_next")
    a.op("80 3c 16 00")  # cmp byte [rsi+rdx], 0
    a.to("0f 84", "puts_done")  # je
    a.op("48 ff c2")  # inc rdx
    a.to("e9", "puts_next")  # jmp
    a.label("puts_done")
    a.to("e8", "write")  # call write
    a.to("48 8d 35", "newline")  # lea rsi, [rip + newline]
    a.imm("ba", 1)  # mov edx, 1
    a.to("e9", "write")  # jmp write
    a.label("decimal")  # eax = a number
    a.op("89 c0")  # mov eax, eax: clears the upper half
    a.op("48 83 ec 20")  # sub rsp, 32
    a.op("48 8d 74 24 20")  # lea rsi, [rsp+32]
    a.imm("b9", 10)  # mov ecx, 10
    a.label("digit")
    a.op("31 d2")  # xor edx, edx
    a.op("48 f7 f1")  # div rcx
    a.op("80 c2 30")  # add dl, '0'
    a.op("48 ff ce")  # dec rsi
    a.op("88 16")  # mov [rsi], dl
    a.op("48 85 c0")  # test rax, rax
    a.to("0f 85", "digit")  # jnz
    a.op("48 8d 54 24 20")  # lea rdx, [rsp+32]
    a.op("48 29 f2")  # sub rdx, rsi
    a.to("e8", "write")  # call write
    a.op("48 83 c4 20")  # add rsp, 32
    a.op("c3")  # ret
    _texts(a, texts)


def _x86_groups(a: X86) -> None:
    a.imm("48 81 ec", 4096)  # sub rsp, 4096
    a.imm("bf", 1024)  # mov edi, 1024
    a.op("48 89 e6")  # mov rsi, rsp
    a.imm("b8", 115)  # mov eax, getgroups
    a.op("0f 05")  # syscall
    a.op("89 c3")  # mov ebx, eax
    a.op("45 31 f6")  # xor r14d, r14d
    a.label("group")
    a.op("41 39 de")  # cmp r14d, ebx
    a.to("0f 8d", "groups_done")  # jge
    a.op("45 85 f6")  # test r14d, r14d
    a.to("0f 84", "first_group")  # jz
    _x86_put(a, "space", b" ")
    a.label("first_group")
    a.op("42 8b 04 b4")  # mov eax, [rsp+r14*4]
    a.to("e8", "decimal")  # call decimal
    a.op("41 ff c6")  # inc r14d
    a.to("e9", "group")  # jmp
    a.label("groups_done")
    a.imm("48 81 c4", 4096)  # add rsp, 4096


def _x86_sh(a: X86) -> None:
    a.op("48 83 3c 24 03")  # cmp qword [rsp], 3: argc
    a.to("0f 82", "usage")  # jb
    a.op("48 8b 44 24 10")  # mov rax, [rsp+16]: argv[1]
    a.op("80 38 2d")  # cmp byte [rax], '-'
    a.to("0f 84", "usage")  # je
    a.op("48 8b 7c 24 18")  # mov rdi, [rsp+24]: argv[2]
    a.op("48 8d 74 24 18")  # lea rsi, [rsp+24]: &argv[2]
    a.op("48 8b 04 24")  # mov rax, [rsp]: argc
    a.op("48 8d 54 c4 10")  # lea rdx, [rsp+rax*8+16]: environ
    a.imm("b8", 59)  # mov eax, execve
    a.op("0f 05")  # syscall
    a.imm("bb", 127)  # mov ebx, 127
    a.op("83 f8 fe")  # cmp eax, -ENOENT
    a.to("0f 84", "gone")  # je
    a.imm("bb", 126)  # mov ebx, 126
    a.label("gone")
    a.to("48 8d 35", "failed_text")  # lea rsi, [rip + failed_text]
    a.imm("ba", len(_SH_FAILED))  # mov edx, length
    a.to("e9", "complain")  # jmp
    a.label("usage")
    a.imm("bb", 2)  # mov ebx, 2
    a.to("48 8d 35", "usage_text")  # lea rsi, [rip + usage_text]
    a.imm("ba", len(_SH_USAGE))  # mov edx, length
    a.label("complain")
    a.imm("b8", 1)  # mov eax, write
    a.imm("bf", 2)  # mov edi, 2
    a.op("0f 05")  # syscall
    a.op("89 df")  # mov edi, ebx
    a.imm("b8", 231)  # mov eax, exit_group
    a.op("0f 05")  # syscall
    _texts(a, {"failed_text": _SH_FAILED, "usage_text": _SH_USAGE})


# AArch64: arguments in x0 to x3; number in x8; only x0 is lost in a call.


def _arm_call(a: Arm64, number: int) -> None:
    a.movz(8, number)
    a.svc()


def _arm_put(a: Arm64, label: str, data: bytes) -> None:
    a.adr(1, label)
    a.movz(2, len(data))
    a.bl("write")


def _arm_exit(a: Arm64, code: int) -> None:
    a.movz(0, code)
    _arm_call(a, 94)  # exit_group


def _arm_write(a: Arm64) -> None:
    a.label("write")  # x1 = bytes, x2 = count
    a.movz(0, 1)
    _arm_call(a, 64)  # write
    a.ret()


def _arm_hello(a: Arm64, message: bytes, code: int) -> None:
    _arm_put(a, "message", message)
    _arm_exit(a, code)
    _arm_write(a)
    _texts(a, {"message": message})


def _arm_wait(a: Arm64, message: bytes, hears: bool) -> None:
    _arm_put(a, "message", message)
    if hears:
        a.sub(31, 31, 16)
        a.movz(9, 1 << 14 | 1 << 1)  # {SIGTERM, SIGINT}
        a.store(9, 31)
        a.movz(0, 0)  # SIG_BLOCK
        a.add(1, 31, 0)
        a.movz(2, 0)
        a.movz(3, 8)
        _arm_call(a, 135)  # rt_sigprocmask
        a.add(0, 31, 0)
        a.movz(1, 0)
        _arm_call(a, 137)  # rt_sigtimedwait
        _arm_exit(a, 0)
    else:
        a.label("again")
        for register in range(4):
            a.movz(register, 0)
        _arm_call(a, 73)  # ppoll(0, 0, 0, 0): AArch64 has no pause
        a.b("again")
    _arm_write(a)
    _texts(a, {"message": message})


def _arm_report(a: Arm64, banner: bytes, code: int) -> None:
    texts = _report_texts(banner)
    a.add(19, 31, 8)  # x19 = argv
    if banner:
        _arm_put(a, "banner", banner)
    for name in ("argv", "env"):
        a.label(name + "_next")
        a.ldr(20, 19)
        a.add(19, 19, 8)
        a.cbz(20, name + "_done")
        _arm_put(a, name, texts[name])
        a.bl("puts")
        a.b(name + "_next")
        a.label(name + "_done")
    a.sub(31, 31, 4080)
    for name, number in (("uid", 175), ("gid", 177), ("groups", 158), ("pid", 172)):  # geteuid getegid getgroups getpid
        _arm_put(a, name, texts[name])
        if name == "groups":
            _arm_groups(a)
        else:
            _arm_call(a, number)
            a.bl("decimal")
        _arm_put(a, "newline", b"\n")
    for name in ("cwd", "exe"):
        _arm_put(a, name, texts[name])
        a.add(20, 31, 0)
        a.movz(9, 0)
        a.strb(9, 20)
        if name == "cwd":
            a.add(0, 31, 0)
            a.movz(1, 4080)
            _arm_call(a, 17)  # getcwd
        else:
            a.movz(0, 0)  # the path is absolute: no directory matters
            a.adr(1, "link")
            a.add(2, 31, 0)
            a.movz(3, 4079)
            _arm_call(a, 78)  # readlinkat
            a.tbnz_sign(0, "no_link")
            a.add_reg(10, 20, 0)
            a.movz(9, 0)
            a.strb(9, 10)
            a.label("no_link")
        a.bl("puts")
    _arm_exit(a, code)
    _arm_write(a)
    a.label("puts")  # x20 = bytes that end in NUL; writes them and a newline
    a.mov(22, 30)  # keeps the return address
    a.mov(1, 20)
    a.movz(2, 0)
    a.label("puts_next")
    a.ldrb(9, 1, 2)
    a.cbz_w(9, "puts_done")
    a.add(2, 2, 1)
    a.b("puts_next")
    a.label("puts_done")
    a.bl("write")
    _arm_put(a, "newline", b"\n")
    a.mov(30, 22)
    a.ret()
    a.label("decimal")  # x0 = a number
    a.mov(22, 30)
    a.sub(31, 31, 32)
    a.add(1, 31, 32)
    a.movz(9, 10)
    a.label("digit")
    a.udiv(10, 0, 9)
    a.msub(11, 10, 9, 0)
    a.add(11, 11, 0x30)
    a.sub(1, 1, 1)
    a.strb(11, 1)
    a.mov(0, 10)
    a.cbnz(0, "digit")
    a.add(2, 31, 32)
    a.sub_reg(2, 2, 1)
    a.bl("write")
    a.add(31, 31, 32)
    a.mov(30, 22)
    a.ret()
    _texts(a, texts)


def _arm_groups(a: Arm64) -> None:
    a.movz(0, 1020)
    a.add(1, 31, 0)
    _arm_call(a, 158)  # getgroups
    a.mov(23, 0)
    a.add(24, 31, 0)
    a.tbnz_sign(23, "groups_done")
    a.cbz(23, "groups_done")
    a.label("group")
    a.ldr_w(0, 24)
    a.add(24, 24, 4)
    a.bl("decimal")
    a.sub(23, 23, 1)
    a.cbz(23, "groups_done")
    _arm_put(a, "space", b" ")
    a.b("group")
    a.label("groups_done")


def _arm_sh(a: Arm64) -> None:
    a.ldr(9, 31)  # argc
    a.cmp(9, 3)
    a.b_lo("usage")
    a.ldr(10, 31, 16)  # argv[1]
    a.movz(11, 0)
    a.ldrb(11, 10, 11)
    a.cmp(11, 0x2D)
    a.b_eq("usage")
    a.ldr(0, 31, 24)  # argv[2]
    a.add(1, 31, 24)  # &argv[2]
    a.add(2, 31, 16)
    a.add_shifted(2, 2, 9, 3)  # environ
    _arm_call(a, 221)  # execve
    a.movz(19, 127)
    a.cmn(0, 2)  # -ENOENT
    a.b_eq("gone")
    a.movz(19, 126)
    a.label("gone")
    a.adr(1, "failed_text")
    a.movz(2, len(_SH_FAILED))
    a.b("complain")
    a.label("usage")
    a.movz(19, 2)
    a.adr(1, "usage_text")
    a.movz(2, len(_SH_USAGE))
    a.label("complain")
    a.movz(0, 2)
    _arm_call(a, 64)  # write
    a.mov(0, 19)
    _arm_call(a, 94)  # exit_group
    _texts(a, {"failed_text": _SH_FAILED, "usage_text": _SH_USAGE})


def _report_texts(banner: bytes) -> dict[str, bytes]:
    names = ("argv", "env", "uid", "gid", "groups", "pid", "cwd", "exe")
    return {
        **{name: name.encode() + b"=" for name in names},
        "newline": b"\n",
        "space": b" ",
        "link": b"/proc/self/exe\0",
        "banner": banner,
    }
