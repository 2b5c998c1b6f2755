"""SIGINT and SIGTERM at any moment of a command: no traceback, 130 or 143, and nothing partial.

A moment is a number of calls of functions, so that a loaded machine does not change which one it is.  Python looks
for signals where a function of its own begins and where one of C has returned; before a call of C it never does.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge

MOMENTS = int(os.environ.get("IMAGEPEEL_SIGNAL_MOMENTS", "4"))
"""Moments of each command and signal; `make soak` asks for more."""
DRIVER = """
import hashlib, json, os, shutil, signal, sys
words, place, sign, moments = json.loads(sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup and jobs in the background ignore it
import imagepeel.__main__

def tree():
    found = {}
    for top, folders, names in os.walk(place):
        for name in (*folders, *names):
            path = os.path.join(top, name)
            whole = name in names and not os.path.islink(path)
            found[os.path.relpath(path, place)] = hashlib.sha256(open(path, "rb").read()).hexdigest() if whole else ""
    return found

def run(moment, count):
    calls = 0
    def step(frame, event, value):
        nonlocal calls
        if event in ("call", "c_return"):
            calls += 1
            if calls == moment:
                sys.setprofile(None)
                os.kill(os.getpid(), sign)
    code = 99
    sys.setprofile(step)
    try:
        imagepeel.__main__.main()
    except SystemExit as leave:
        sys.setprofile(None)
        code = leave.code
    except BaseException:
        sys.setprofile(None)
        __import__("traceback").print_exc()
    sys.setprofile(None)
    os.write(count, b"%d" % calls)
    os._exit(code)

for moment in moments:
    shutil.rmtree(place)
    os.mkdir(place)
    (said, error), (counted, count) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(error, 2)
        sys.argv = ["imagepeel", *words]
        run(moment, count)
    os.close(error)
    os.close(count)
    with open(said) as stream, open(counted) as calls:
        text, total = stream.read(), calls.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([moment, code, text, tree(), int(total or 0)]), flush=True)
"""
WORDS = {
    "layers": ("layers", "ARCHIVE", "--no-cache"),
    "explain": ("explain", "ARCHIVE", "--no-cache", "--html", "OUT/page.html"),
    "flatten": ("flatten", "ARCHIVE", "--no-cache", "-o", "OUT/flat.tar"),
    "extract": ("extract", "ARCHIVE", "--no-cache", "OUT/tree"),
    "forge": ("forge", "hello", "OUT/hello.tar"),
}
MARKER = ".imagepeel-partial"
ENDS = {
    signal.SIGINT: {(130, "interrupted\n"), (-2, "")},
    signal.SIGTERM: {(143, "terminated\n"), (-15, "")},
}
"""Exit codes with what is said; a process that a signal ends by itself, before and behind the command, says nothing."""


def runs(
    words: list[str], place: Path, sign: int, moments: list[int]
) -> list[tuple[int, int, str, dict[str, str], int]]:
    given = [sys.executable, "-c", DRIVER, json.dumps([words, str(place), sign, moments])]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize("name", WORDS)
def test_a_signal_at_any_moment(name: str, tmp_path: Path, empty_tmp: Path) -> None:
    archive, place = forge.write(forge.build("hello"), tmp_path / "hello.tar", compression="gzip"), tmp_path / "out"
    place.mkdir()
    words = [word.replace("ARCHIVE", str(archive)).replace("OUT", str(place)) for word in WORDS[name]]
    ((_, code, said, whole, calls),) = runs(words, place, signal.SIGINT, [0])
    assert (code, said) == (0, "") and calls > 10_000
    for sign, ends in ENDS.items():
        chance = random.Random(f"{name} {sign}")
        moments = [2, *sorted(chance.randrange(calls) for _ in range(MOMENTS)), calls]
        note = f"note: {place}/tree is incomplete, as {MARKER} in it says\n"
        for moment, code, said, tree, reached in runs(words, place, sign, moments):
            marked = f"tree/{MARKER}" in tree
            said = said.removeprefix(note) if marked else said
            # Another run may end some calls earlier, so that no signal came; at its last call it comes too late.
            unhurt = code == 0 and tree == whole and (reached < moment or moment == calls)
            assert (code, said) in ends or unhurt, (sign, moment, code, said)
            assert tree in ({}, whole) or marked, (sign, moment, tree)


def test_little_is_loaded_before_signals_are_ours() -> None:
    program = "import sys; before = {*sys.modules}; import imagepeel.__main__; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours = {"imagepeel", *(f"imagepeel.{name}" for name in ("__main__", "_display", "_lazy", "_version"))}
    assert {name for name in done.stdout.split() if name.startswith("imagepeel")} == ours
    assert len(done.stdout.split()) < len(ours) + 4


def finalized() -> list[type]:
    """The project's classes of which Python calls a method when nobody has one any more."""
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(imagepeel.__path__, "imagepeel."):
        with suppress(ImportError):  # an optional library is absent
            for value in vars(importlib.import_module(module.name)).values():
                ours = isinstance(value, type) and value.__module__ == module.name
                if ours and (issubclass(value, io.IOBase) or hasattr(value, "__del__")):
                    found[value.__name__] = value
    return [*found.values()]


def test_what_an_interrupt_leaves_half_made_is_deleted_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = finalized()
    assert {"FileSource", "Fetched", "_Kept"} <= {kind.__name__ for kind in classes}
    lost: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    for kind in classes:
        half = kind.__new__(kind)
        if isinstance(half, io.IOBase):
            half.close()  # by itself, Python is silent about its errors before 3.13
        del half
        assert not lost, kind


MAKING = {
    "a class": "class Early:\n    __set_name__ = lambda *_: interrupt()\nclass Owner: early = Early()\n",
    "a module": "try: interrupt()\nexcept KeyboardInterrupt: raise SyntaxError('as the compiler does') from None\n",
}


@pytest.mark.parametrize("what", MAKING)
def test_an_interrupt_while_modules_are_loaded_is_one(what: str, tmp_path: Path) -> None:
    interrupt = "import os, signal\ninterrupt = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "click.py").write_text(interrupt + MAKING[what])
    program = (
        f"import sys, signal; sys.path.insert(0, {str(tmp_path)!r})\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from imagepeel.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_the_command_runs_in_a_thread_of_a_caller() -> None:
    program = (
        "import sys, threading\nfrom imagepeel.__main__ import main\nsys.argv = ['imagepeel', '--version']\n"
        "def call():\n    try: main()\n    except SystemExit as leave: print('left with', leave.code)\n"
        "one = threading.Thread(target=call); one.start(); one.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"imagepeel {imagepeel.__version__}\nleft with 0\n", "")


def test_an_interrupt_in_a_finalizer_leaves_no_lock_behind() -> None:
    program = (
        "import sys, threading\n"
        "from imagepeel import __main__ as ours\n"
        "sys.unraisablehook = ours._raise_again\n"
        "class Last:\n"
        "    def __del__(self): raise KeyboardInterrupt\n"
        "lock = threading.Lock()\n"
        "try:\n"
        "    with lock:\n"
        "        Last()\n"
        "    print('goes on')\n"
        "except KeyboardInterrupt: print('raised', lock.locked())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("raised False\n", "")


def test_an_interrupt_on_the_way_out_has_no_traceback() -> None:
    program = (
        "import atexit, os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "from imagepeel.__main__ import main\n"
        "sys.argv = ['imagepeel', 'version']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
    assert done.stdout


def test_an_interrupt_in_a_callback_of_the_interpreter_is_not_lost() -> None:
    program = (
        "import os, signal, sys, weakref\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import imagepeel.__main__, imagepeel.cli\n"
        "class Thing: pass\n"
        "def command():\n"
        "    thing = Thing()\n"
        "    watch = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))\n"
        "    del thing\n"
        "    len('where a call has returned')\n"
        "    print('not reached')\n"
        "imagepeel.cli.cli.main = command\n"
        "imagepeel.__main__.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_the_interpreter_makes_another_error_of_is_not_lost(sign: signal.Signals) -> None:
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import imagepeel.__main__, imagepeel.cli\n"
        "class Names:\n"  # the compiler loads unicodedata for a name of a character, and any error is a SyntaxError
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'unicodedata': os.kill(os.getpid(), {int(sign)}); print('not reached')\n"
        "sys.meta_path.insert(0, Names())\n"
        "sys.modules.pop('unicodedata', None)\n"
        "sys.argv = ['imagepeel', 'version']\n"
        "command = imagepeel.cli.cli.get_command(None, 'version')\n"
        r"""command.callback = lambda **_: eval('"\\N{EN DASH}"')"""
        "\n"
        "imagepeel.__main__.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    code, said = (130, "interrupted\n") if sign == signal.SIGINT else (143, "terminated\n")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


ENDINGS = {
    # What is done before the end -> (the program of the command line before it, exit code, standard error).
    "at once": ("", 0, ""),
    "a thread runs": (
        "import threading, time; threading.Thread(target=lambda: (time.sleep(.3), print('thread'))).start()",
        0,
        "",
    ),
    "a callback is left": ("import atexit; atexit.register(print, 'callback')", 0, ""),
    "warnings are asked for": ("sys.warnoptions.append('default')", 0, ""),
    "an interrupt": ("exit = lambda code: (os.kill(os.getpid(), signal.SIGINT), real(code))", -2, ""),
    "a termination": ("exit = lambda code: (os.kill(os.getpid(), signal.SIGTERM), real(code))", -15, ""),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_at_once_where_nobody_waits_for_its_end(ending: str, tmp_path: Path) -> None:
    before, code, error = ENDINGS[ending]
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "real = os._exit\n"
        "exit = lambda code: (sys.stdout.write('at once'), sys.stdout.flush(), real(code))\n"
        f"{before}\n"
        "os._exit = lambda code: exit(code)\n"
        "sys.argv = ['imagepeel', '--version']\n"
        "from imagepeel.__main__ import main\n"
        "main()\n"
    )
    (tmp_path / "imagepeel").write_text(program)  # as the one that is installed
    done = subprocess.run([sys.executable, tmp_path / "imagepeel"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, error)
    said = {"at once": "at once", "a thread runs": "thread\n", "a callback is left": "callback\n"}.get(ending, "")
    assert done.stdout == f"imagepeel {imagepeel.__version__}\n{said}"


def test_a_program_that_calls_the_command_goes_on(tmp_path: Path) -> None:
    program = (
        "import sys\nsys.argv = ['imagepeel', '--version']\nfrom imagepeel.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print('goes on')\n"
    )
    (tmp_path / "mine.py").write_text(program)
    for words in ([tmp_path / "mine.py"], ["-c", program]):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
        assert done.stdout == f"imagepeel {imagepeel.__version__}\ngoes on\n"


@pytest.mark.parametrize("watch", [("-m", "cProfile", "-m"), ("-i", "-m")])
def test_who_watches_the_end_of_a_process_sees_it(watch: tuple[str, ...]) -> None:
    words = [sys.executable, *watch, "imagepeel", "--version"]
    done = subprocess.run(words, input="print('a prompt')", capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(f"imagepeel {imagepeel.__version__}\n")
    assert {"-m": "function calls", "-i": "a prompt"}[watch[0]] in done.stdout


def test_a_caller_of_the_command_line_goes_on() -> None:
    program = (
        "import sys\n"
        "from imagepeel.__main__ import main\n"
        "sys.argv = ['imagepeel', '--version']\n"
        "def call():\n"
        "    try: main()\n"
        "    except SystemExit as leave: print('left with', leave.code)\n"
        "call()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nleft with 0\n")
