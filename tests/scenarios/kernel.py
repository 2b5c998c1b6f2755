"""Scenarios of S7: what the kernel says to scripts, programs, loaders and capabilities."""

from __future__ import annotations

import struct

from model import REPORT, scenario, script

from imagepeel import forge
from imagepeel.forge import elf, programs

F, D, L = forge.file, forge.directory, forge.symlink


def shebang(name: str, rows: str, expect: str, line: str | bytes, *more: forge.Entry, **config: object) -> None:
    config.setdefault("cmd", ["one", "two words"])
    scenario(f"shebang-{name}", rows, expect, script("e.sh", line), *more, entrypoint=["/e.sh"], **config)


shebang("plain", "S7", "RUNS", "#!/bin/report\n")
shebang("one-argument", "S7", "RUNS", "#!/bin/report -x\n")
shebang("two-words-are-one-argument", "S7 W9", "RUNS", "#!/bin/report -x -y\n")
shebang("blanks-around", "S7", "RUNS", "#! \t /bin/report \t a b \t \n")
shebang("blank-after-mark", "S7", "RUNS", "#! /bin/report\n")
shebang("no-newline", "S7", "RUNS", "#!/bin/report")
shebang("no-newline-argument", "S7", "RUNS", "#!/bin/report arg")
shebang("body-follows", "S7", "RUNS", "#!/bin/report\nexit 1\n")
shebang("relative-interpreter", "S7", "RUNS", "#!bin/report\n")
shebang("relative-interpreter-elsewhere", "S7 F19", "F19", "#!bin/report\n", working_dir="/etc")
shebang("crlf", "S7 F18 W1", "F18", "#!/bin/report\r\n")
shebang("crlf-argument", "S7", "RUNS", "#!/bin/report -x\r\n")
shebang("missing", "S7 F19 W8", "F19", "#!/bin/bash\n")
shebang("missing-directory", "S7 F19", "F19", "#!/opt/x/bin/python3 -u\n")
shebang("below-a-file", "S7 F19", "F19", "#!/etc/passwd/x\n")
shebang("loop", "S7 F19", "F19", "#!/l\n", L("l", "l"))
shebang("through-link", "S7", "RUNS", "#!/usr/bin/r\n", L("usr/bin/r", "/bin/report"))
shebang("not-executable", "S7 F20", "F20", "#!/etc/passwd\n")
shebang("directory", "S7 F20", "F20", "#!/bin\n")
shebang("only-mark", "S7 F22", "F22", "#!\n")
shebang("only-mark-no-newline", "S7 F22", "F22", "#!")
shebang("only-blanks", "S7 F22", "F22", "#!   \n")
shebang("line-255", "S7 F26", "RUNS", "#!/bin/report " + "a" * (255 - 14) + "\n")
shebang("line-256-argument-cut", "S7 F26", "RUNS", "#!/bin/report " + "a" * (256 - 14) + "\n")
shebang("line-400-argument-cut", "S7 F26", "RUNS", "#!/bin/report " + "a" * 400 + "\n")
shebang("interpreter-253", "S7 F26", "RUNS", "#!" + "/" * (253 - 10) + "bin/report\n")
shebang("interpreter-254", "S7 F26", "F26", "#!" + "/" * (254 - 10) + "bin/report\n")
shebang("interpreter-too-long", "S7 F26", "F26", "#!/" + "x" * 300 + "\n")
shebang("interpreter-long-no-newline", "S7 F26", "F26", "#!/" + "x" * 300)
shebang("nul-ends-interpreter", "S7", "RUNS", b"#!/bin/report\0 junk\n")
shebang("blank-first-line", "S7 F22 W5", "F22", "\n#!/bin/report\n")
shebang("byte-order-mark", "S7 F22 W5", "F22", b"\xef\xbb\xbf#!/bin/report\n")
shebang("space-before", "S7 F22", "F22", " #!/bin/report\n")
shebang("none", "S7 F22 W5", "F22", "echo hi\n")
shebang("empty-file", "S7 F22", "F22", "")
shebang("one-byte", "S7 F22", "F22", "#")
shebang("utf16", "S7 F22", "F22", "#!/bin/report\n".encode("utf-16"))
shebang("json", "S7 F22", "F22", "{}\n")
shebang("high-bytes", "S7 F19", "F19", b"#!/bin/\xff\xfe\n")
shebang("no-arguments", "S7", "RUNS", "#!/bin/report\n", cmd=[])


def nested(depth: int, *, last: str = "/bin/report") -> list[forge.Entry]:
    """`depth` scripts, each the interpreter of the one before."""
    found = [script(f"s{index}", f"#!/s{index + 1} a{index}\n") for index in range(1, depth)]
    return [*found, script(f"s{depth}", f"#!{last} z\n")]


for depth in (2, 3, 4, 5):
    scenario(f"nesting-{depth}", "S7 F26", "RUNS", *nested(depth), entrypoint=["/s1"], cmd=["x"])
for depth in (6, 7):
    scenario(f"nesting-{depth}", "S7 F26", "F26", *nested(depth), entrypoint=["/s1"])
scenario("nesting-itself", "S7 F26", "F26", script("e.sh", "#!/e.sh\n"), entrypoint=["/e.sh"])
scenario("nesting-two-in-a-circle", "S7 F26", "F26", script("a", "#!/b\n"), script("b", "#!/a\n"), entrypoint=["/a"])
scenario("nesting-inner-missing", "S7 F19", "F19", script("a", "#!/b\n"), script("b", "#!/gone\n"), entrypoint=["/a"])
scenario("nesting-inner-not-executable", "S7 F20", "F20", script("a", "#!/b\n"), script("b", "#!/bin/report\n", 0o644),
         entrypoint=["/a"])  # fmt: skip
scenario(
    "nesting-inner-without-shebang", "S7 F22", "F22", script("a", "#!/b\n"), script("b", "hi\n"), entrypoint=["/a"]
)
scenario("shebang-on-path", "S7", "RUNS", script("bin/run", "#!/bin/report a\n"), entrypoint=["run"], cmd=["x"])
scenario(
    "shebang-script-through-link",
    "S7",
    "RUNS",
    script("e.sh", "#!/bin/report\n"),
    L("go", "e.sh"),
    entrypoint=["/go"],
)
scenario("shebang-relative-command", "S7", "RUNS", script("app/e.sh", "#!/bin/report\n"), entrypoint=["app/e.sh"])
scenario("shebang-write-only-script", "S7", "RUNS", script("e.sh", "#!/bin/report\n", 0o111), entrypoint=["/e.sh"],
         user="app")  # fmt: skip
scenario("shebang-interpreter-closed", "S7 F20", "F20", script("e.sh", "#!/p/r\n"), F("p/r", REPORT, 0o700),
         entrypoint=["/e.sh"], user="app", options={"cap_drop": ("ALL",)})  # fmt: skip
scenario("shebang-interpreter-closed-with-caps", "S7", "RUNS", script("e.sh", "#!/p/r\n"), F("p/r", REPORT, 0o700),
         entrypoint=["/e.sh"], user="app")  # fmt: skip


def patched(offset: int, data: bytes) -> bytes:
    return REPORT[:offset] + data + REPORT[offset + len(data) :]


def program(name: str, rows: str, expect: str, data: bytes, *more: forge.Entry, **config: object) -> None:
    scenario(f"elf-{name}", rows, expect, F("e", data, 0o755), *more, entrypoint=["/e"], **config)


program("static", "S7", "RUNS", REPORT)
program("exit-code-is-kept", "S7", "RUNS", programs.report(exit_code=42))
program("other-machine", "S7 F23 W4", "F23", programs.report(architecture="arm64"))
program("unknown-machine", "S7 F23", "F23", patched(18, b"\x34\x12"))
program("machine-386-header", "S7 F23", "F23", patched(18, b"\x08\x00"))
program("relocatable", "S7 F23", "F23", patched(16, b"\x01\x00"))
program("core-dump", "S7 F23", "F23", patched(16, b"\x04\x00"))
program("only-magic", "S7 F23", "F23", b"\x7fELF")
program("truncated-header", "S7 F23", "F23", REPORT[:40])
program("truncated-program-headers", "S7 F23", "F23", REPORT[:80])
program("no-program-headers", "S7 F23", "F23", patched(56, b"\x00\x00"))
program("odd-header-size", "S7 F23", "F23", patched(54, struct.pack("<H", 57)))
program("headers-outside", "S7 F23", "F23", patched(32, struct.pack("<Q", 1 << 40)))
program("magic-damaged", "S7 F22", "F22", patched(0, b"\x7fELG"))

DYNAMIC = elf.elf(interpreter="/lib64/ld-linux-x86-64.so.2")
MUSL = elf.elf(interpreter="/lib/ld-musl-x86_64.so.1")
program("loader-missing", "S7 F24 W2", "F24", DYNAMIC)
program("loader-missing-musl", "S7 F24 W2", "F24", MUSL)
program("loader-other-family", "S7 F24 W2", "F24", DYNAMIC, F("lib/ld-musl-x86_64.so.1", REPORT, 0o755))
program("loader-dangling", "S7 F24 W47", "F24", DYNAMIC, L("lib64/ld-linux-x86-64.so.2", "/usr/lib/ld.so"))
program("loader-below-file", "S7 F24", "F24", DYNAMIC, F("lib64", "x"))
program("loader-not-executable", "S7 F25", "F25", DYNAMIC, F("lib64/ld-linux-x86-64.so.2", REPORT, 0o644))
program("loader-directory", "S7 F25", "F25", DYNAMIC, D("lib64/ld-linux-x86-64.so.2"))
program("loader-other-machine", "S7 F25", "F25", DYNAMIC,
        F("lib64/ld-linux-x86-64.so.2", programs.report(architecture="arm64"), 0o755))  # fmt: skip
program("loader-is-text", "S7 F25", "F25", DYNAMIC, F("lib64/ld-linux-x86-64.so.2", "x" * 200, 0o755))
program("loader-is-empty", "S7 F25", "F25", DYNAMIC, F("lib64/ld-linux-x86-64.so.2", "", 0o755))
program("loader-relocatable", "S7", "UNKNOWN", DYNAMIC, F("lib64/ld-linux-x86-64.so.2", patched(16, b"\x01\0"), 0o755))
program("loader-path-without-nul", "S7 F23", "F23", elf.elf(interpreter="/lib/ld.so", interpreter_nul=False))
program("loader-path-too-long", "S7 F23", "F23", elf.elf(interpreter="/" * 5000))
program("loader-relative", "S7 F24", "F24", elf.elf(interpreter="lib/ld.so"))


def caps(permitted: int, *, effective: bool, version: int = 2, inheritable: int = 0) -> dict[str, bytes]:
    """The bytes of a security.capability attribute."""
    value = struct.pack(
        "<IIIII", version << 24 | int(effective), permitted & 0xFFFFFFFF, inheritable, permitted >> 32, 0
    )
    return {"security.capability": value + (struct.pack("<I", 0) if version == 3 else b"")}


NET_ADMIN, NET_BIND, NET_RAW, SYS_ADMIN = 1 << 12, 1 << 10, 1 << 13, 1 << 21


def capped(name: str, rows: str, expect: str, xattrs: dict[str, bytes], **config: object) -> None:
    scenario(f"caps-{name}", rows, expect, F("e", REPORT, 0o755, xattrs=xattrs), entrypoint=["/e"], **config)


capped("bind", "S7", "RUNS", caps(NET_BIND, effective=True), user="app")
capped("bind-root", "S7", "RUNS", caps(NET_BIND, effective=True))
capped("net-admin", "S7 F27 W50", "F27", caps(NET_ADMIN, effective=True), user="app")
capped("net-admin-root", "S7 F27 W50", "F27", caps(NET_ADMIN, effective=True))
capped("net-admin-not-effective", "S7", "RUNS", caps(NET_ADMIN, effective=False), user="app")
capped("one-of-two-outside", "S7 F27", "F27", caps(NET_BIND | SYS_ADMIN, effective=True), user="app")
capped(
    "net-admin-added", "S7", "RUNS", caps(NET_ADMIN, effective=True), user="app", options={"cap_add": ("NET_ADMIN",)}
)
capped("bind-drop-all", "S7 F27 W50", "F27", caps(NET_BIND, effective=True), user="app", options={"cap_drop": ("ALL",)})
capped("bind-drop-one", "S7 F27", "F27", caps(NET_BIND, effective=True), options={"cap_drop": ("net_bind_service",)})
capped("raw-no-new-privileges", "S7", "RUNS", caps(NET_RAW, effective=True), user="app",
       options={"no_new_privileges": True})  # fmt: skip
capped("outside-no-new-privileges", "S7 F27", "F27", caps(NET_ADMIN, effective=True), user="app",
       options={"no_new_privileges": True})  # fmt: skip
capped("version-3", "S7", "RUNS", caps(NET_BIND, effective=True, version=3), user="app")
capped("empty-effective", "S7", "RUNS", caps(0, effective=True), user="app")
scenario("caps-on-a-script-are-ignored", "S7", "RUNS",
         script("e.sh", "#!/bin/report\n", xattrs=caps(NET_ADMIN, effective=True)), entrypoint=["/e.sh"])  # fmt: skip
scenario("caps-on-the-interpreter-count", "S7 F27", "F27", script("e.sh", "#!/r\n"),
         F("r", REPORT, 0o755, xattrs=caps(NET_ADMIN, effective=True)), entrypoint=["/e.sh"])  # fmt: skip
scenario("caps-on-the-loader-are-ignored", "S7", "F25", F("e", DYNAMIC, 0o755), F("lib64/ld-linux-x86-64.so.2", "no",
         0o755, xattrs=caps(NET_ADMIN, effective=True)), entrypoint=["/e"])  # fmt: skip

KIB = 1024
scenario("big-argument-fits", "S7 F28", "RUNS", cmd=["a" * (128 * KIB - 1)])
scenario("big-argument", "S7 F28", "F28", cmd=["a" * (128 * KIB)])
scenario("big-variable-fits", "S7 F28", "RUNS", env=["A=" + "b" * (128 * KIB - 3)])
scenario("big-variable", "S7 F28", "F28", env=["A=" + "b" * (128 * KIB - 2)])
scenario("big-together", "S7 F28", "F28", cmd=["a" * (100 * KIB)] * 25)
