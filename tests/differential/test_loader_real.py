"""The predicted library closure against real loaders: list mode over this machine, and programs that really start.

The programs are compiled here, placed into a small tree and started in a chroot; what they print, the loader's
exact text and the exit code are compared with the prediction.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hosttree import DirRootfs
from imagepeel.process.loader.closure import closure
from imagepeel.process.loader.common import LoaderResult

GLIBC_LOADER = Path("/lib64/ld-linux-x86-64.so.2")
MUSL_LOADER = Path("/lib/ld-musl-x86_64.so.1")

pytestmark = [pytest.mark.judge, pytest.mark.skipif(sys.platform != "linux", reason="needs Linux loaders")]


def host_hwcaps() -> tuple[str, ...]:
    shown = subprocess.run([GLIBC_LOADER, "--help"], capture_output=True, text=True).stdout
    return tuple(re.findall(r"^  (x86-64-v\d) \(supported, searched\)", shown, re.MULTILINE))


def real_list(path: Path) -> tuple[list[str], list[str], int]:
    """(paths in load order without the loader, names not found, exit code) of the loader's list mode."""
    done = subprocess.run([GLIBC_LOADER, "--list", path], capture_output=True, text=True, errors="replace", env={})
    found, missing = [], []
    for line in done.stdout.splitlines():
        match = re.match(r"\t(\S+)(?: => (.*?))?(?: \(0x[0-9a-f]+\))?$", line)
        if match is None or match[1].startswith(("linux-vdso", "ld-linux")) or match[1] == str(GLIBC_LOADER):
            continue
        if match[2] == "not found":
            missing.append(match[1])
        else:
            found.append(match[2] or match[1])
    return found, missing, done.returncode


def compare_host(files: list[Path]) -> int:
    rootfs = DirRootfs("/")
    hwcaps = host_hwcaps()
    compared = 0
    wrong = []
    for path in files:
        predicted = closure(rootfs, os.fsencode(path), env={}, hwcaps=hwcaps, symbols=False)
        if predicted.family != "glibc":
            continue
        found, missing, code = real_list(path)
        ours = [
            item.path for item in predicted.libraries if item.path is not None and item.source != "the loader itself"
        ]
        compared += 1
        if missing:
            if predicted.failure is None or predicted.failure.about != missing[0]:
                wrong.append((path, missing, predicted.failure))
        elif ours != found or predicted.outcome != "ok" or code:
            wrong.append((path, ours, found))
    assert not wrong, wrong[:5]
    return compared


def host_programs() -> list[Path]:
    seen: dict[int, Path] = {}
    for folder in ("/usr/bin", "/usr/sbin"):
        for path in sorted(Path(folder).iterdir()):
            try:
                if path.is_file() and path.open("rb").read(4) == b"\x7fELF":
                    seen.setdefault(path.stat().st_ino, path.resolve())
            except OSError:
                continue
    return list(seen.values())


@pytest.mark.skipif(not GLIBC_LOADER.exists(), reason="needs glibc's loader for amd64")
def test_every_tenth_program_of_this_machine() -> None:
    assert compare_host(host_programs()[::10]) >= 10


@pytest.mark.slow
@pytest.mark.skipif(not GLIBC_LOADER.exists(), reason="needs glibc's loader for amd64")
def test_every_program_of_this_machine() -> None:
    count = compare_host(host_programs())
    print(f"closures compared: {count}")
    assert count >= 100


def in_tree(root: Path, *arguments: str) -> str:
    """Standard output of the tree's own loader, run in a chroot."""
    command = [str(GLIBC_LOADER), *arguments]
    return subprocess.run(
        command, preexec_fn=lambda: os.chroot(root), capture_output=True, text=True, errors="replace", env={}
    ).stdout


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("release", ["bullseye", "trixie"])
def test_every_program_of_another_debian(tmp_path: Path, release: str) -> None:
    """glibc 2.31 and 2.41: an unpacked system whose own loader lists what it would load."""
    _need_root()
    if shutil.which("mmdebstrap") is None or shutil.which("ldconfig") is None:
        pytest.skip("needs mmdebstrap and ldconfig")
    root = tmp_path / release
    made = subprocess.run(
        ["mmdebstrap", "--variant=extract", "--include=libc-bin,bash,coreutils,util-linux,curl", release, str(root)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"no Debian mirror in reach: {made.stderr.strip().splitlines()[-1:]}")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    rootfs = DirRootfs(root)
    hwcaps = tuple(re.findall(r"^  (x86-64-v\d) \(supported", in_tree(root, "--help"), re.MULTILINE))
    compared = 0
    for folder in ("usr/bin", "usr/sbin", "bin", "sbin"):
        for path in sorted((root / folder).iterdir()):
            if path.is_symlink() or not path.is_file() or path.open("rb").read(4) != b"\x7fELF":
                continue
            inside = f"/{folder}/{path.name}"
            predicted = closure(rootfs, inside, env={}, hwcaps=hwcaps)  # type: ignore[arg-type]
            if predicted.family != "glibc":
                continue
            shown = in_tree(root, "--list", inside)
            missing = re.findall(r"^\t(\S+) => not found", shown, re.MULTILINE)
            found = [
                path
                for path in re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", shown, re.MULTILINE)
                if path != str(GLIBC_LOADER)
            ]
            ours = [item.path for item in predicted.libraries if item.path and item.source != "the loader itself"]
            if missing:
                assert predicted.failure is not None and predicted.failure.about == missing[0], inside
            else:
                assert (ours, predicted.outcome) == (found, "ok"), inside
            compared += 1
    assert compared >= 100


class Lib(msgspec.Struct, frozen=True, kw_only=True):
    """A library `path` whose `who()` names itself; `code` is added C, `flags` are for the linker."""

    path: str
    code: str = ""
    flags: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A start: libraries and files are put into the tree, then `run` is executed in the chroot."""

    name: str
    libs: tuple[Lib, ...] = ()
    flags: tuple[str, ...] = ()
    link: tuple[str, ...] = ("/usr/lib/libfoo.so.1",)
    env: dict[str, str] = {}
    run: str = "/app/prog"
    cwd: str = "/"
    argv0: str = ""
    prepare: str = ""
    uid: int = 0
    main: str = ""
    expect: str = ""


FOO = "/usr/lib/libfoo.so.1"
NEW, OLD = "-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags"

COMMON = [
    Case(name="found", libs=(Lib(path=FOO),), expect="runs"),
    Case(name="missing", expect="fails"),
    Case(name="missing, other argv0", argv0="myself", expect="fails"),
    Case(
        name="library path",
        libs=(Lib(path="/x/libfoo.so.1"), Lib(path="/y/libfoo.so.1")),
        env={"LD_LIBRARY_PATH": "/nope:/y:/x"},
        expect="runs",
    ),
    Case(
        name="library path with empty parts",
        libs=(Lib(path="/x/libfoo.so.1"),),
        env={"LD_LIBRARY_PATH": "/nope:"},
        cwd="/x",
        expect="",
    ),
    Case(name="library path with semicolon", libs=(Lib(path="/x/libfoo.so.1"),), env={"LD_LIBRARY_PATH": "/nope;/x"}),
    Case(
        name="library path is empty",
        libs=(Lib(path="/x/libfoo.so.1"),),
        env={"LD_LIBRARY_PATH": ""},
        cwd="/x",
        expect="fails",
    ),
    Case(
        name="rpath before library path",
        flags=(OLD, "-Wl,-rpath,/r"),
        libs=(Lib(path="/r/libfoo.so.1"), Lib(path="/x/libfoo.so.1")),
        env={"LD_LIBRARY_PATH": "/x"},
        expect="runs",
    ),
    Case(
        name="runpath after library path",
        flags=(NEW, "-Wl,-rpath,/r"),
        libs=(Lib(path="/r/libfoo.so.1"), Lib(path="/x/libfoo.so.1")),
        env={"LD_LIBRARY_PATH": "/x"},
        expect="runs",
    ),
    Case(
        name="runpath before default",
        flags=(NEW, "-Wl,-rpath,/r"),
        libs=(Lib(path="/r/libfoo.so.1"), Lib(path=FOO)),
        expect="runs",
    ),
    Case(
        name="rpath with trailing slashes",
        flags=(OLD, "-Wl,-rpath,/nope///:/r///"),
        libs=(Lib(path="/r/libfoo.so.1"),),
        expect="runs",
    ),
    Case(
        name="origin", flags=(NEW, "-Wl,-rpath,$ORIGIN/../lib2"), libs=(Lib(path="/lib2/libfoo.so.1"),), expect="runs"
    ),
    Case(
        name="origin in braces",
        flags=(NEW, "-Wl,-rpath,${ORIGIN}/l"),
        libs=(Lib(path="/app/l/libfoo.so.1"),),
        expect="runs",
    ),
    Case(
        name="origin through a link",
        flags=(NEW, "-Wl,-rpath,$ORIGIN"),
        libs=(Lib(path="/app/libfoo.so.1"), Lib(path="/l/libfoo.so.1")),
        prepare="ln -s /app/prog l/p",
        run="/l/p",
        expect="runs",
    ),
    Case(
        name="origin through a linked directory",
        flags=(OLD, "-Wl,-rpath,$ORIGIN"),
        libs=(Lib(path="/app/libfoo.so.1"),),
        prepare="ln -s app zz",
        run="/zz/prog",
        expect="runs",
    ),
    Case(
        name="relative start",
        flags=(NEW, "-Wl,-rpath,$ORIGIN"),
        libs=(Lib(path="/app/libfoo.so.1"),),
        cwd="/app",
        run="./prog",
        expect="runs",
    ),
    Case(name="unknown token", flags=(NEW, "-Wl,-rpath,$NOPE/x:/r"), libs=(Lib(path="/r/libfoo.so.1"),)),
    Case(name="lib token", flags=(NEW, "-Wl,-rpath,/r/$LIB"), libs=(Lib(path="/r/lib/x86_64-linux-gnu/libfoo.so.1"),)),
    Case(
        name="runpath is not inherited",
        flags=(NEW, "-Wl,-rpath,/r"),
        libs=(
            Lib(path="/r/libfoo.so.1", flags=("-L.", "-l:libbar.so.1")),
            Lib(path="/r/libbar.so.1", code="int bar(void) { return 1; }"),
        ),
        link=("/r/libfoo.so.1",),
    ),
    Case(
        name="rpath is inherited",
        flags=(OLD, "-Wl,-rpath,/r"),
        libs=(
            Lib(path="/r/libfoo.so.1", flags=("-L.", "-l:libbar.so.1")),
            Lib(path="/r/libbar.so.1", code="int bar(void) { return 1; }"),
        ),
        link=("/r/libfoo.so.1",),
        expect="runs",
    ),
    Case(
        name="runpath of a library stops the rpath of its needer",
        flags=(OLD, "-Wl,-rpath,/r"),
        libs=(
            Lib(path="/r/libfoo.so.1", flags=(NEW, "-Wl,-rpath,/s", "-L.", "-l:libbar.so.1")),
            Lib(path="/r/libbar.so.1", code="int bar(void) { return 1; }"),
        ),
        link=("/r/libfoo.so.1",),
    ),
    Case(
        name="origin of a library",
        flags=(NEW, "-Wl,-rpath,/r"),
        libs=(
            Lib(path="/r/libfoo.so.1", flags=(NEW, "-Wl,-rpath,$ORIGIN/sub", "-L.", "-l:libbar.so.1")),
            Lib(path="/r/sub/libbar.so.1", code="int bar(void) { return 1; }"),
        ),
        link=("/r/libfoo.so.1",),
        expect="runs",
    ),
    Case(
        name="origin of a linked library",
        flags=(NEW, "-Wl,-rpath,/r"),
        libs=(
            Lib(path="/real/libfoo.so.1", flags=(NEW, "-Wl,-rpath,$ORIGIN/sub", "-L.", "-l:libbar.so.1")),
            Lib(path="/real/sub/libbar.so.1", code="int bar(void) { return 1; }"),
        ),
        link=("/real/libfoo.so.1",),
        prepare="mkdir r; ln -s /real/libfoo.so.1 r/libfoo.so.1",
    ),
    Case(
        name="needed path",
        libs=(Lib(path="/d/libfoo.so.1", flags=("-Wl,-soname,/d/libfoo.so.1",)),),
        link=("/d/libfoo.so.1",),
        expect="runs",
    ),
    Case(
        name="needed relative path",
        libs=(Lib(path="/d/libfoo.so.1", flags=("-Wl,-soname,d/libfoo.so.1",)),),
        link=("/d/libfoo.so.1",),
        expect="runs",
    ),
    Case(
        name="needed relative path elsewhere",
        libs=(Lib(path="/d/libfoo.so.1", flags=("-Wl,-soname,d/libfoo.so.1",)),),
        link=("/d/libfoo.so.1",),
        cwd="/d",
        expect="fails",
    ),
    Case(
        name="needed with origin",
        libs=(Lib(path="/app/libfoo.so.1", flags=("-Wl,-soname,$ORIGIN/libfoo.so.1",)),),
        link=("/app/libfoo.so.1",),
    ),
    Case(
        name="dangling link",
        libs=(Lib(path="/x/libfoo.so.1"),),
        prepare="ln -s /nope usr/lib/libfoo.so.1",
        env={"LD_LIBRARY_PATH": "/usr/lib"},
        expect="fails",
    ),
    Case(name="link loop", prepare="mkdir /x x; ln -s libfoo.so.1 x/libfoo.so.1", env={"LD_LIBRARY_PATH": "/x"}),
    Case(
        name="link loop, then a good one",
        libs=(Lib(path=FOO),),
        prepare="mkdir x; ln -s libfoo.so.1 x/libfoo.so.1",
        env={"LD_LIBRARY_PATH": "/x"},
    ),
    Case(
        name="path element is a file",
        libs=(Lib(path=FOO),),
        prepare="touch x",
        env={"LD_LIBRARY_PATH": "/x"},
        expect="runs",
    ),
    Case(name="empty file", prepare="touch usr/lib/libfoo.so.1", expect="fails"),
    Case(name="short file", prepare="printf '\\177ELF\\2\\1\\1' > usr/lib/libfoo.so.1", expect="fails"),
    Case(name="text file", prepare="seq 200 > usr/lib/libfoo.so.1"),
    Case(name="directory", prepare="mkdir usr/lib/libfoo.so.1", expect="fails"),
    Case(
        name="empty file in the library path",
        libs=(Lib(path=FOO),),
        prepare="mkdir x; touch x/libfoo.so.1",
        env={"LD_LIBRARY_PATH": "/x"},
        expect="fails",
    ),
    Case(
        name="directory in the library path",
        libs=(Lib(path=FOO),),
        prepare="mkdir -p x/libfoo.so.1",
        env={"LD_LIBRARY_PATH": "/x"},
        expect="fails",
    ),
    Case(name="relocatable", prepare="cp stub.o usr/lib/libfoo.so.1", expect="fails"),
    Case(name="a program as library", prepare="cp app/pie usr/lib/libfoo.so.1"),
    Case(
        name="unreadable",
        libs=(Lib(path=FOO), Lib(path="/x/libfoo.so.1")),
        prepare="chmod 0 x/libfoo.so.1",
        env={"LD_LIBRARY_PATH": "/x"},
        uid=65534,
        expect="runs",
    ),
    Case(
        name="unreadable and no other",
        libs=(Lib(path=FOO),),
        prepare="chmod 0 usr/lib/libfoo.so.1",
        uid=65534,
        expect="fails",
    ),
    Case(
        name="preload",
        libs=(Lib(path=FOO), Lib(path="/x/pre.so", code='const char *foo(void) { return "preloaded"; }')),
        env={"LD_PRELOAD": "/x/pre.so"},
        expect="runs",
    ),
    Case(
        name="preload missing",
        libs=(Lib(path=FOO),),
        env={"LD_PRELOAD": "/nope.so:/empty.so nope2.so"},
        prepare="touch empty.so",
        expect="runs",
    ),
    Case(
        name="one file, two names",
        libs=(
            Lib(path="/r/libfoo.so.1", flags=("-L.", "-l:libbar.so.1")),
            Lib(path="/r/libbar.so.1", code="int bar(void) { return 1; }"),
        ),
        flags=(OLD, "-Wl,-rpath,/r"),
        prepare="ln r/libbar.so.1 r/libbaz.so.1",
        link=("/r/libfoo.so.1", "/r/libbar.so.1"),
        expect="runs",
    ),
    Case(
        name="function gone, bound now",
        libs=(Lib(path=FOO, code="#define NOFOO"),),
        flags=("-Wl,-z,now",),
        expect="fails",
    ),
    Case(name="function gone, lazy", libs=(Lib(path=FOO, code="#define NOFOO"),), flags=("-Wl,-z,lazy",)),
    Case(
        name="function gone, LD_BIND_NOW",
        libs=(Lib(path=FOO, code="#define NOFOO"),),
        flags=("-Wl,-z,lazy",),
        env={"LD_BIND_NOW": "1"},
        expect="fails",
    ),
    Case(
        name="data gone",
        libs=(Lib(path=FOO, code="#define NODATA"),),
        main="data",
        flags=("-Wl,-z,lazy",),
        expect="fails",
    ),
    Case(name="weak reference gone", libs=(Lib(path=FOO, code="#define NODATA"),), main="weak", expect="runs"),
    Case(name="two libraries missing", libs=(), link=("/usr/lib/libfoo.so.1", "/usr/lib/libqux.so.1"), expect="fails"),
    Case(name="missing deep", libs=(Lib(path=FOO, flags=("-L.", "-l:libbar.so.1")),), expect="fails"),
]

GLIBC = [
    Case(
        name="cache",
        libs=(Lib(path="/opt/l/libfoo.so.1"),),
        prepare="echo /opt/l > etc/ld.so.conf; ldconfig -r . ",
        expect="runs",
    ),
    Case(
        name="configuration without cache",
        libs=(Lib(path="/opt/l/libfoo.so.1"),),
        prepare="echo /opt/l > etc/ld.so.conf",
        expect="fails",
    ),
    Case(
        name="cache before default",
        libs=(Lib(path="/opt/l/libfoo.so.1"), Lib(path=FOO)),
        prepare="echo /opt/l > etc/ld.so.conf; ldconfig -r . ",
        expect="runs",
    ),
    Case(
        name="stale cache",
        libs=(Lib(path="/opt/l/libfoo.so.1"),),
        prepare="echo /opt/l > etc/ld.so.conf; ldconfig -r . ; rm opt/l/libfoo.so.1",
        expect="fails",
    ),
    Case(
        name="stale cache, default has it",
        libs=(Lib(path="/opt/l/libfoo.so.1"), Lib(path=FOO)),
        prepare="echo /opt/l > etc/ld.so.conf; ldconfig -r . ; rm opt/l/libfoo.so.1",
        expect="runs",
    ),
    Case(name="damaged cache", libs=(Lib(path=FOO),), prepare="seq 100 > etc/ld.so.cache", expect="runs"),
    Case(
        name="old cache format",
        libs=(Lib(path="/opt/l/libfoo.so.1"),),
        prepare="echo /opt/l > etc/ld.so.conf; ldconfig -r . -c compat",
        expect="runs",
    ),
    Case(
        name="no default libraries",
        flags=("-Wl,-z,nodefaultlib",),
        libs=(Lib(path=FOO),),
        prepare="ldconfig -r .",
        expect="fails",
    ),
    Case(
        name="no default libraries, cache elsewhere",
        flags=("-Wl,-z,nodefaultlib", NEW, "-Wl,-rpath,/lib/x86_64-linux-gnu"),
        libs=(Lib(path="/opt/l/libfoo.so.1"),),
        prepare="echo /opt/l > etc/ld.so.conf; ldconfig -r .",
        expect="runs",
    ),
    Case(name="hwcaps", libs=(Lib(path="/usr/lib/glibc-hwcaps/x86-64-v2/libfoo.so.1"), Lib(path=FOO)), expect="runs"),
    Case(
        name="hwcaps in the cache",
        libs=(Lib(path="/usr/lib/glibc-hwcaps/x86-64-v2/libfoo.so.1"), Lib(path=FOO)),
        prepare="ldconfig -r .",
        expect="runs",
    ),
    Case(
        name="hwcaps of the library path",
        libs=(Lib(path="/x/glibc-hwcaps/x86-64-v2/libfoo.so.1"), Lib(path="/x/libfoo.so.1")),
        env={"LD_LIBRARY_PATH": "/x"},
        expect="runs",
    ),
    Case(name="lib64 is no default of Debian", libs=(Lib(path="/lib64/libfoo.so.1"),), expect="fails"),
    Case(name="other class", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 4 1", expect="fails"),
    Case(
        name="other class, then a good one",
        libs=(Lib(path=FOO),),
        prepare="mkdir x; python3 ../hdr.py x/libfoo.so.1 4 1",
        env={"LD_LIBRARY_PATH": "/x"},
        expect="runs",
    ),
    Case(name="other machine", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 18 183", expect="fails"),
    Case(name="other byte order", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 5 2", expect="fails"),
    Case(name="other ident version", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 6 2", expect="fails"),
    Case(name="other OS ABI", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 7 9", expect="fails"),
    Case(name="other ABI version", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 8 9", expect="fails"),
    Case(name="padding", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 9 9", expect="fails"),
    Case(name="other version", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 20 2", expect="fails"),
    Case(name="program header size", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 54 32", expect="fails"),
    Case(name="program headers outside", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 33 255", expect="fails"),
    Case(name="no program headers", prepare="python3 ../hdr.py usr/lib/libfoo.so.1 56 0", expect="fails"),
    Case(name="version missing", libs=(Lib(path=FOO, code="#define V1"),), main="v2", expect="fails"),
    Case(name="version there", libs=(Lib(path=FOO, code="#define V2"),), main="v2", expect="runs"),
    Case(name="no version table at all", libs=(Lib(path=FOO),), main="v2"),
    Case(
        name="no version information",
        libs=(Lib(path=FOO, code='extern int puts(const char *); int say(void) { return puts(""); }'),),
        main="v2",
        expect="runs",
    ),
    Case(
        name="version there, symbol gone",
        libs=(Lib(path=FOO, code="/* V2 */\n#define NOFOO"),),
        main="v2",
        flags=("-Wl,-z,now",),
        expect="fails",
    ),
    Case(
        name="system preload",
        libs=(Lib(path=FOO), Lib(path="/x/pre.so", code='const char *foo(void) { return "preloaded"; }')),
        prepare="printf '# no\\n/x/pre.so # c\\n/nope.so:pre2.so\\n' > etc/ld.so.preload",
        expect="runs",
    ),
]

MUSL = [
    Case(
        name="path file replaces the defaults",
        libs=(Lib(path=FOO),),
        prepare="echo /p > etc/ld-musl-x86_64.path",
        expect="fails",
    ),
    Case(
        name="path file",
        libs=(Lib(path="/p/libfoo.so.1"), Lib(path=FOO)),
        prepare="printf '\\n/q\\n\\n/p:/usr/lib' > etc/ld-musl-x86_64.path",
        expect="runs",
    ),
    Case(name="empty path file", libs=(Lib(path=FOO),), prepare="touch etc/ld-musl-x86_64.path", expect="fails"),
    Case(
        name="path file is a directory", libs=(Lib(path=FOO),), prepare="mkdir etc/ld-musl-x86_64.path", expect="fails"
    ),
    Case(name="usr local lib", libs=(Lib(path="/usr/local/lib/libfoo.so.1"), Lib(path=FOO)), expect="runs"),
    Case(name="lib first", libs=(Lib(path="/usr/local/lib/libfoo.so.1"), Lib(path="/lib/libfoo.so.1")), expect="runs"),
    Case(
        name="rpath after library path",
        flags=(OLD, "-Wl,-rpath,/r"),
        libs=(Lib(path="/r/libfoo.so.1"), Lib(path="/x/libfoo.so.1")),
        env={"LD_LIBRARY_PATH": "/x"},
        expect="runs",
    ),
    Case(
        name="glibc name is a link to musl",
        libs=(Lib(path=FOO),),
        flags=("-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2",),
        prepare="mkdir lib64; ln -s /lib/ld-musl-x86_64.so.1 lib64/ld-linux-x86-64.so.2",
        expect="runs",
    ),
    Case(
        name="reserved names",
        libs=(Lib(path=FOO),),
        flags=("-Wl,--no-as-needed", "-L.", "-l:libpthread.so.0"),
        expect="runs",
    ),
    Case(
        name="symbols of two objects gone",
        libs=(
            Lib(
                path=FOO, code="#define NOFOO\nextern int gone(void); int (*p)(void) = gone;", flags=("-Wl,-z,undefs",)
            ),
        ),
        expect="fails",
    ),
]

LIB_C = """
%(code)s
#ifdef V1
__asm__(".symver foo_v,foo@@V_1");
#endif
#ifdef V2
__asm__(".symver foo_v,foo@@V_2");
#endif
#if defined(V1) || defined(V2)
#define foo foo_v
#endif
#ifndef PRE
#ifndef NOFOO
const char *foo(void) { return "%(path)s"; }
#endif
#ifndef NODATA
const char *foo_data = "data";
#endif
#endif
%(extra)s
"""

MAIN_C = """
#include <stdio.h>
const char *foo(void);
#if defined(M_data)
extern const char *foo_data;
#elif defined(M_weak)
extern const char *foo_data __attribute__((weak));
#endif
int main(void) {
#if defined(M_data)
    puts(foo_data);
#elif defined(M_weak)
    if (&foo_data) puts(foo_data);
#endif
    puts(foo());
    return 0;
}
"""

HDR_PY = """
import sys
data = bytearray(open("good.so", "rb").read())
data[int(sys.argv[2])] = int(sys.argv[3])
open(sys.argv[1], "wb").write(data)
"""


class Lab:
    """A compiler and a loader in a tree that tests may chroot into."""

    def __init__(self, base: Path, compiler: str, family: str) -> None:
        self.base, self.compiler, self.family = base, compiler, family
        self.template = base / "template"
        for folder in ("app", "etc", "usr/lib", "proc"):
            (self.template / folder).mkdir(parents=True)
        if family == "glibc":
            (self.template / "lib64").mkdir()
            (self.template / "lib/x86_64-linux-gnu").mkdir(parents=True)
            shutil.copy(GLIBC_LOADER, self.template / "lib64" / GLIBC_LOADER.name)
            shutil.copy("/lib/x86_64-linux-gnu/libc.so.6", self.template / "lib/x86_64-linux-gnu/libc.so.6")
        else:
            (self.template / "lib").mkdir()
            shutil.copy(MUSL_LOADER, self.template / "lib" / MUSL_LOADER.name)
        (base / "hdr.py").write_text(HDR_PY)
        self.number = 0

    def compile(self, *arguments: str, cwd: Path) -> None:
        done = subprocess.run([self.compiler, *arguments], cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0, (arguments, done.stderr)

    def build(self, case: Case) -> Path:
        self.number += 1
        work = self.base / f"w{self.number}"
        root = work / "root"
        shutil.copytree(self.template, root, symlinks=True)
        shutil.copy(self.base / "hdr.py", work / "hdr.py")
        (work / "v.map").write_text("V_1 { local: *; };\nV_2 { global: foo; } V_1;\n")
        (work / "v1.map").write_text("V_1 { global: foo; };\n")
        # Libraries that exist at link time only, so that names and versions can be missing later.
        (work / "bar.c").write_text("int bar(void) { return 1; }\n")
        self.compile("-shared", "-fPIC", "-Wl,-soname,libbar.so.1", "-o", "libbar.so.1", "bar.c", cwd=work)
        (work / "pt.c").write_text("int nothing_here;\n")
        self.compile("-shared", "-fPIC", "-Wl,-soname,libpthread.so.0", "-o", "libpthread.so.0", "pt.c", cwd=work)
        (work / "stub.c").write_text(
            LIB_C
            % {
                "code": "#define V2" if case.main == "v2" else "",
                "path": "stub",
                "extra": "int qux(void) { return 1; }",
            }
        )
        stub_flags = ("-Wl,--version-script=v.map",) if case.main == "v2" else ()
        sonames = {lib.path: _soname(lib) for lib in case.libs}
        stubs = []
        for link in case.link:
            soname = sonames.get(link, link.rsplit("/", 1)[-1])
            out = f"stub{len(stubs)}.so"
            self.compile("-shared", "-fPIC", f"-Wl,-soname,{soname}", *stub_flags, "-o", out, "stub.c", cwd=work)
            stubs.append(out)
        self.compile("-c", "-o", str(root / "stub.o"), "stub.c", cwd=work)
        shutil.copy(work / stubs[0], root / "good.so")
        for lib in case.libs:
            target = root / lib.path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            code = lib.code
            is_foo = "libfoo" in lib.path
            extra = "int bar(void); int use_bar(void) { return bar(); }" if "libbar" in " ".join(lib.flags) else ""
            (work / "lib.c").write_text(LIB_C % {"code": code, "path": lib.path, "extra": extra} if is_foo else code)
            version: tuple[str, ...] = ()
            if "#define V1" in code:
                version = ("-Wl,--version-script=v1.map",)
            elif "V2" in code:
                version = ("-Wl,--version-script=v.map",)
            own = [flag for flag in lib.flags if "soname" not in flag]
            self.compile(
                "-shared", "-fPIC", f"-Wl,-soname,{_soname(lib)}", *version, "-o", str(target), "lib.c", *own, cwd=work
            )
        (work / "main.c").write_text(MAIN_C)
        self.compile("-o", str(root / "app/pie"), "main.c", *stubs, cwd=work)
        defines = (f"-DM_{case.main}",) if case.main else ()
        links = ("-Wl,--no-as-needed", *stubs)
        # A position-independent program asks for data by a plain relocation, not by a copy.
        self.compile("-fPIE", "-pie", *defines, "-o", str(root / "app/prog"), "main.c", *links, *case.flags, cwd=work)
        if case.prepare:
            script = case.prepare.replace("mkdir /x x", "mkdir x")
            done = subprocess.run(["sh", "-ec", script], cwd=root, capture_output=True, text=True)
            assert done.returncode == 0, (case.name, done.stderr)
        for folder in (self.base, work, root):
            folder.chmod(0o755)
        return root

    def start(self, case: Case, root: Path) -> tuple[int, str, str]:
        def enter() -> None:
            os.chroot(root)
            os.chdir(case.cwd)
            if case.uid:
                os.setgid(case.uid)
                os.setuid(case.uid)

        subprocess.run(["mount", "--bind", "/proc", str(root / "proc")], check=True)
        try:
            done = subprocess.run(
                [case.argv0 or case.run],
                executable=case.run,
                preexec_fn=enter,
                capture_output=True,
                env=case.env,
                timeout=10,
            )
        finally:
            subprocess.run(["umount", str(root / "proc")], check=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def _soname(lib: Lib) -> str:
    for flag in lib.flags:
        if flag.startswith("-Wl,-soname,"):
            return flag.split(",", 2)[2]
    return lib.path.rsplit("/", 1)[-1]


def predict(case: Case, root: Path) -> LoaderResult:
    def may_read(node: object) -> bool:
        return case.uid == 0 or bool(getattr(node, "mode", 0) & 0o4)

    return closure(
        DirRootfs(root),  # type: ignore[arg-type]
        case.run,
        env=case.env,
        cwd=case.cwd,
        argv0=case.argv0 or None,
        hwcaps=host_hwcaps(),
        may_read=may_read,  # type: ignore[arg-type]
    )


def judge(lab: Lab, case: Case) -> str:
    """Build, predict, start, compare; returns the predicted outcome."""
    root = lab.build(case)
    predicted = predict(case, root)
    code, out, err = lab.start(case, root)
    assert predicted.family == lab.family, predicted
    if predicted.outcome == "fails":
        assert predicted.failure is not None
        assert (code, err) == (predicted.failure.exit_code, predicted.failure.message + "\n"), (
            predicted.failure,
            code,
            err,
        )
        assert out == ""
    elif predicted.outcome == "ok":
        assert code == 0, (predicted, code, err)
        assert err == "".join(line + "\n" for line in predicted.warnings)
        who = out.splitlines()[-1]
        if who not in ("preloaded",):
            chosen = next(item for item in predicted.libraries if "libfoo" in item.name)
            assert chosen.real == os.path.realpath(f"{root}{who}")[len(str(root)) :], (who, chosen)
    if case.expect:
        assert predicted.outcome == {"runs": "ok", "fails": "fails"}[case.expect], predicted
    return predicted.outcome


def _need_root() -> None:
    if os.geteuid() != 0 or not hasattr(os, "chroot"):
        pytest.skip("a chroot needs root")
    if shutil.which("mount") is None:
        pytest.skip("needs mount")


@pytest.fixture(scope="module")
def glibc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    _need_root()
    if shutil.which("gcc") is None or not Path("/lib/x86_64-linux-gnu/libc.so.6").exists():
        pytest.skip("needs gcc and Debian's glibc on amd64")
    yield Lab(tmp_path_factory.mktemp("glibc"), "gcc", "glibc")


@pytest.fixture(scope="module")
def musl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    _need_root()
    if shutil.which("musl-gcc") is None or not MUSL_LOADER.exists():
        pytest.skip("needs musl-gcc")
    yield Lab(tmp_path_factory.mktemp("musl"), "musl-gcc", "musl")


def _names(cases: list[Case]) -> Callable[[Case], str]:
    return lambda case: case.name


@pytest.mark.root
@pytest.mark.parametrize("case", [*COMMON, *GLIBC], ids=_names(COMMON))
def test_glibc(glibc: Lab, case: Case) -> None:
    judge(glibc, case)


MUSL_EXPECT = {
    # musl differs from glibc in these, on purpose.
    "rpath before library path": "runs",
    "preload missing": "runs",
    "function gone, lazy": "fails",
    "empty file in the library path": "fails",
}


@pytest.mark.root
@pytest.mark.parametrize("case", [*COMMON, *MUSL], ids=_names(MUSL))
def test_musl(musl: Lab, case: Case) -> None:
    if case in COMMON and case.expect:
        case = msgspec.structs.replace(case, expect=MUSL_EXPECT.get(case.name, ""))
    judge(musl, case)
