"""The command line itself: laziness, help, exit codes, errors in three lines, interrupts and closed pipes."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import errors, forge
from imagepeel.cli import COMMANDS

Run = Callable[..., Any]
Make = Callable[..., Path]
HEAVY = ("rich", "magic", "pylibmagic", "zstandard", "tarfile", "jinja2", "elftools", "zlib_ng", "imagepeel.api")
SLOW = (*HEAVY, "msgspec", "html")
"""What --help does not need either: beside click, msgspec alone costs nearly as many instructions as a bare Python."""


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def imagepeel_process(*words: str | Path, **given: Any) -> subprocess.Popen[bytes]:
    given.setdefault("stdout", subprocess.PIPE)
    given.setdefault("stderr", subprocess.PIPE)
    # A parent that ignores Ctrl-C (nohup, a job in the background) hands that down; these tests hear it.
    given.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    return subprocess.Popen([sys.executable, "-m", "imagepeel", *map(str, words)], **given)


def wait_until_it_waits(running: subprocess.Popen[bytes]) -> None:
    """Return when the command has read what a pipe does not hold and sleeps, waiting for more of its input."""
    stat = Path(f"/proc/{running.pid}/stat")
    for _ in range(6_000):
        assert running.poll() is None
        if stat.read_text().rpartition(")")[2].split()[0] == "S":
            return
        time.sleep(0.01)
    raise AssertionError("the command never waited for its input")


def three_lines(stderr: str) -> tuple[str, str, str]:
    lines = stderr.splitlines()[-3:]
    assert [line.split(":")[0] for line in lines] == ["error", "where", "try"], stderr
    return lines[0], lines[1], lines[2]


# ---- laziness ---------------------------------------------------------------------------------------------------


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys\nfrom imagepeel.cli import cli, COMMANDS\n"
        "try: cli.main(['--help'])\nexcept SystemExit as leave: assert leave.code == 0\n"
        f"heavy = [n for n in {SLOW!r} if n in sys.modules]\n"
        "heavy += [m for m, _ in COMMANDS.values() if m in sys.modules]\n"
        "print('LOADED', heavy)"
    )
    out = python(code)
    assert out.splitlines()[-1] == "LOADED []"
    for name, (_, short) in COMMANDS.items():
        assert name in out
        assert " ".join(short.split()[:3]) in out


def test_a_command_that_reads_no_image_loads_no_reader() -> None:
    code = (
        "import sys\nfrom imagepeel.cli import cli\n"
        "try: cli.main(['forge', '--help'])\nexcept SystemExit as leave: assert leave.code == 0\n"
        "print('LOADED', [n for n in ('rich', 'zlib_ng', 'imagepeel.api') if n in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize(
    ("command", "also"), [("layers", ("imagepeel.process.predict", "imagepeel.receipts")), ("process", ())]
)
def test_a_command_loads_what_it_needs(forge_archive: Make, command: str, also: tuple[str, ...]) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "imagepeel", command, "--no-cache", str(forge_archive("shop"))]
    log = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    loaded = [line.rpartition("|")[2].strip() for line in log.splitlines() if line.startswith("import time:")]
    assert "imagepeel.api" in loaded and "imagepeel.render.layout" in loaded
    refused = ("tempfile", "lzma", "html", "jinja2", "rich", "imagepeel.findings", "imagepeel.forge", *also)
    assert not [name for name in loaded if name in refused]


def test_each_command_has_a_module_a_short_help_and_a_help_page(run_cli: Run) -> None:
    for name, (module, short) in COMMANDS.items():
        assert module.startswith("imagepeel.cli.")
        assert short.endswith(".") and len(short) <= 78
        result = run_cli(name, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: ")
        assert "--json" in result.stdout or name in ("cat", "schema", "cache", "peel", "browse", "workshop")


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "imagepeel", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"imagepeel {imagepeel.__version__}\n"
    assert done.stderr == ""


def test_without_a_command_the_help_is_shown(run_cli: Run) -> None:
    bare, asked = run_cli(), run_cli("--help")
    assert bare.exit_code == 0
    assert bare.stdout == asked.stdout


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_has_two_spellings(run_cli: Run, word: str) -> None:
    assert "The story:\n  explain" in run_cli(word).stdout


def test_help_lists_each_command_once(run_cli: Run) -> None:
    listed = [line.split()[0] for line in run_cli("--help").stdout.splitlines() if line.startswith("  ")]
    assert sorted(name for name in listed if name in COMMANDS) == sorted(COMMANDS)


def test_a_misspelt_command_gets_a_suggestion(run_cli: Run) -> None:
    result = run_cli("layrs", "x.tar")
    assert result.exit_code == 2
    what, _, _ = three_lines(result.stderr)
    assert "'layers'" in what


def test_completion_is_offered_for_commands() -> None:
    env = {**os.environ, "_IMAGEPEEL_COMPLETE": "bash_complete", "COMP_WORDS": "imagepeel la", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "imagepeel"], capture_output=True, text=True, env=env)
    assert "layers" in done.stdout


# ---- exit codes -------------------------------------------------------------------------------------------------


def cut(path: Path, tmp_path: Path, size: int) -> Path:
    out = tmp_path / "cut.tar"
    out.write_bytes(path.read_bytes()[:size])
    return out


def a_text_file(tmp_path: Path, make: Make) -> list[str]:
    (tmp_path / "notes.txt").write_text("no image at all\n" * 100)
    return ["layers", str(tmp_path / "notes.txt")]


def a_fifo(tmp_path: Path, make: Make) -> list[str]:
    os.mkfifo(tmp_path / "pipe")
    return ["layers", str(tmp_path / "pipe")]


def a_broken_document(tmp_path: Path, make: Make) -> list[str]:
    data = forge.encode([forge.file("manifest.json", '[{"Config": "c.json", "Layers": [')])
    (tmp_path / "broken.tar").write_bytes(data)
    return ["images", str(tmp_path / "broken.tar")]


def a_truncated_layer(tmp_path: Path, make: Make) -> list[str]:
    content = gzip.compress(forge.encode([forge.file("a", "x" * 5000), forge.file("b", os.urandom(4000))]))
    (tmp_path / "layer.tar.gz").write_bytes(content[:-600])
    return ["layers", str(tmp_path / "layer.tar.gz")]


def a_bomb(tmp_path: Path, make: Make) -> list[str]:
    spec = forge.image(forge.layer(forge.file("zeros", bytes(80 * 1024 * 1024))), names="bomb:1")
    path = forge.write(spec, tmp_path / "bomb.tar", kind="oci-archive", compression="gzip")
    return ["layers", "--limits", "strict", str(path)]


def two_images(tmp_path: Path, make: Make) -> list[str]:
    path = forge.write([forge.build("hello"), forge.build("deaf")], tmp_path / "two.tar", kind="docker-archive")
    return ["layers", str(path)]


CASES: dict[str, tuple[Callable[[Path, Make], list[str]], int, str]] = {
    "unknown option": (lambda t, make: ["layers", "--colour", str(make("hello"))], 2, "colour"),
    "missing argument": (lambda t, make: ["layers"], 2, "ARCHIVE"),
    "unknown view": (lambda t, make: ["ls", "--view", "nosuch", str(make("hello"))], 2, "nosuch"),
    "layer that is no number": (lambda t, make: ["ls", "--layer", "first", str(make("hello"))], 2, "first"),
    "bad platform": (lambda t, make: ["layers", "--platform", "a/b/c/d", str(make("hello"))], 2, "platform"),
    "unknown engine": (lambda t, make: ["process", "--engine", "lxc", str(make("hello"))], 2, "lxc"),
    "two outputs": (lambda t, make: ["explain", "--json", "--markdown", str(make("hello"))], 2, "choose one"),
    "unknown schema": (lambda t, make: ["schema", "nosuch"], 14, "nosuch"),
    "text file": (a_text_file, 10, ""),
    "fifo": (a_fifo, 10, "regular file"),
    "broken document": (a_broken_document, 11, "manifest.json"),
    "truncated layer": (a_truncated_layer, 11, "the archive ends inside the member"),
    "wrong digest": (lambda t, make: ["layers", str(make("wrong-digest"))], 12, "digest"),
    "wrong DiffID": (lambda t, make: ["ls", str(make("wrong-diff-id"))], 12, "DiffID"),
    "bomb": (a_bomb, 13, ""),
    "no such file": (lambda t, make: ["layers", str(t / "absent.tar")], 14, "absent.tar"),
    "no such image": (lambda t, make: ["layers", "--image", "nginx", str(make("hello"))], 14, "nginx"),
    "no such path": (lambda t, make: ["cat", str(make("hello")), "/etc/absent"], 14, "/etc/absent"),
    "no such layer": (lambda t, make: ["ls", "--layer", "9", str(make("hello"))], 14, "L9"),
    "no such teaching image": (lambda t, make: ["forge", "nosuch", str(t / "out.tar")], 14, "nosuch"),
    "missing blob": (lambda t, make: ["ls", "--layer", "2", str(make("missing-blob"))], 14, "L2"),
    "no such registry": (lambda t, make: ["layers", "registry:127.0.0.1:1/hello:1"], 16, "127.0.0.1:1"),
    "several images": (two_images, 15, "2 images"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_failure_has_its_exit_code_and_three_lines(case: str, run_cli: Run, tmp_path: Path,
                                                        forge_archive: Make) -> None:  # fmt: skip
    words, code, says = CASES[case][0](tmp_path, forge_archive), CASES[case][1], CASES[case][2]
    result = run_cli(*words)
    assert result.exit_code == code, result.stderr
    what, where, hint = three_lines(result.stderr)
    assert says in what + where
    assert len(where) > len("where: ") and len(hint) > len("try:   ")
    assert "Traceback" not in result.stderr


def test_the_cases_cover_every_error_class() -> None:
    covered = {code for _, code, _ in CASES.values()}
    assert covered == {kind.exit_code for kind in errors.ALL_ERRORS}
    assert all(kind.remedy for kind in errors.ALL_ERRORS)


def test_an_ambiguous_image_lists_how_to_choose(run_cli: Run, tmp_path: Path, forge_archive: Make) -> None:
    words = two_images(tmp_path, forge_archive)
    _, _, hint = three_lines(run_cli(*words).stderr)
    assert "#1 hello:1" in hint and "#2 deaf:1" in hint
    assert run_cli(*words, "--image", "#2").exit_code == 0
    assert "deaf:1" in run_cli(*words, "--image", "deaf:1").stdout


def test_the_place_of_an_error_names_the_archive_and_the_layer(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    result = run_cli("cat", path, "/srv/shop/.env")
    what, where, hint = three_lines(result.stderr)
    assert "removed by layer L5" in what
    assert str(path) in where and "layer L5" in where and "/srv/shop/.env" in where
    assert "--layer 4" in hint


def test_stdin_is_named_as_such(run_cli: Run) -> None:
    result = run_cli("layers", "-", stdin=b"nothing that is an image\n" * 50)
    assert result.exit_code == 10
    assert three_lines(result.stderr)[1].startswith("where: standard input")


def test_an_internal_error_asks_for_a_report(
    run_cli: Run, forge_archive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the unexpected \x1b[31m")

    monkeypatch.setattr("imagepeel.cli.layers.layers_result", fail)
    path = forge_archive("hello")
    result = run_cli("layers", path)
    assert result.exit_code == 70
    what, _, hint = three_lines(result.stderr)
    assert "RuntimeError: the unexpected \\x1b[31m" in what
    assert "report" in hint
    assert "Traceback" not in result.stderr
    with_debug = run_cli("layers", path, "--debug")
    assert with_debug.exit_code == 70
    assert "Traceback" in with_debug.stderr and "\x1b" not in with_debug.stderr


def test_debug_shows_a_traceback_before_the_three_lines(run_cli: Run) -> None:
    result = run_cli("layers", "/nonexistent/archive", "--debug")
    assert result.exit_code == 14
    assert "Traceback" in result.stderr
    three_lines(result.stderr)


def test_a_refusing_disk_is_no_defect_of_the_image(run_cli: Run, forge_archive: Make,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "/tmp/spool")

    monkeypatch.setattr("imagepeel.cli.layers.layers_result", full)
    result = run_cli("layers", forge_archive("hello"))
    assert result.exit_code == 70
    what, where, _ = three_lines(result.stderr)
    assert "No space left on device" in what
    assert "/tmp/spool" in where


# ---- streams ----------------------------------------------------------------------------------------------------


def test_every_command_reads_standard_input(forge_archive: Make) -> None:
    data = forge_archive("shop").read_bytes()
    for words in (["layers", "-"], ["images", "-"], ["ls", "-"], ["tree", "-"], ["process", "-"], ["explain", "-"],
                  ["cat", "-", "/etc/passwd"]):  # fmt: skip
        done = subprocess.run([sys.executable, "-m", "imagepeel", *words], input=data, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        assert done.stdout


@pytest.mark.parametrize("words", [["ls", "-R"], ["ls", "-0R"], ["ls", "-R", "--json"], ["tree"], ["cat"]])
def test_a_closed_pipe_ends_quietly(words: list[str], tmp_path: Path) -> None:
    entries = [forge.file(f"file-{i:05}", "") for i in range(20_000)] + [forge.file("large", bytes(3_000_000))]
    path = forge.write(forge.image(forge.layer(*entries), names="many:1"), tmp_path / "many.tar")
    more = ["/large"] if words == ["cat"] else []
    running = imagepeel_process(*words, path, *more)
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.read(10)
    running.stdout.close()
    assert running.wait(timeout=60) == 0
    assert running.stderr.read() == b""


EVERY_COMMAND = {
    "blame": ("blame", "ARCHIVE", "/etc/passwd"),
    "bundle": ("bundle", "ARCHIVE", "NEW"),
    "cache": ("cache", "info"),
    "cat": ("cat", "ARCHIVE", "/etc/passwd"),
    "diff": ("diff", "ARCHIVE", "OTHER"),
    "extract": ("extract", "ARCHIVE", "NEW"),
    "flatten": ("flatten", "ARCHIVE", "-o", "-"),
    "forge": ("forge", "shop", "-"),
    "log": ("log", "ARCHIVE", "/etc/passwd"),
    "report": ("report", "ARCHIVE", "-o", "-"),
    "schema": ("schema", "layers"),
    "survey": ("survey", "ARCHIVE", "--out", "NEW"),
    "trace": ("trace", "ARCHIVE", "/etc/passwd"),
    "version": ("version",),
    "why": ("why", "ARCHIVE", "127"),
    "workshop": ("workshop", "--ready"),
    "judge": ("judge", "layers", "--", "false", "{layout}", "{dir}"),
}
"""A call of each command that writes to standard output; of the others it is COMMAND ARCHIVE."""


@pytest.mark.parametrize("form", ["", "--json", "--markdown"])
def test_no_command_minds_a_closed_pipe(form: str, forge_archive: Make, tmp_path: Path) -> None:
    """The reader is gone before the first byte, so that also the shortest answer meets it."""
    archive, other = forge_archive("shop"), forge_archive("hello")
    running = {}
    for name in set(COMMANDS) - {"browse"}:  # which needs a terminal
        words = list(EVERY_COMMAND.get(name, (name, "ARCHIVE")))
        options = {word for option in import_module(COMMANDS[name][0]).command.params for word in option.opts}
        if form and (form not in options or name == "flatten"):  # whose standard output is a tar
            continue
        named = {"ARCHIVE": str(archive), "OTHER": str(other), "NEW": str(tmp_path / name)}
        read, write = os.pipe()
        os.close(read)
        running[name] = imagepeel_process(*(named.get(w, w) for w in words), *([form] if form else []), stdout=write)
        os.close(write)
    assert set(running) == set(COMMANDS) - {"browse"} if not form else len(running) >= 4
    ended = {name: (one.wait(timeout=120), one.stderr.read() if one.stderr else None) for name, one in running.items()}
    assert ended == dict.fromkeys(running, (0, b""))


def test_a_closed_pipe_ends_forge_quietly() -> None:
    running = imagepeel_process("forge", "shop", "-")
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.read(10)
    running.stdout.close()
    assert running.wait(timeout=60) == 0
    assert running.stderr.read() == b""


def test_a_full_disk_is_said_as_such(forge_archive: Make) -> None:
    for words in (
        ["ls", "-R", str(forge_archive("shop"))],
        ["layers", str(forge_archive("shop"))],
        ["forge", "shop", "-"],
    ):
        with open("/dev/full", "wb") as full:
            running = imagepeel_process(*words, stdout=full)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 70
        assert b"No space left on device" in err
        assert len(err.splitlines()) == 3


def test_closed_streams_do_no_harm(forge_archive: Make, tmp_path: Path) -> None:
    path = tmp_path / "own.tar"
    path.write_bytes(forge_archive("shop").read_bytes())
    before = path.read_bytes()
    command = f"{sys.executable} -m imagepeel"
    for rest, code in (("ls -l {} >&-", 0), ("layers {} 2>&-", 0), ("cat {} /absent 2>&-", 14), ("layers - <&-", 2),
                       ("ls {} >&- 2>&- <&-", 0)):  # fmt: skip
        done = subprocess.run(["bash", "-c", f"{command} {rest.format(path)}"], capture_output=True)
        assert done.returncode == code, (rest, done.stderr)
        assert b"Traceback" not in done.stderr
    assert path.read_bytes() == before


def test_an_interrupt_leaves_nothing_behind(empty_tmp: Path) -> None:
    running = imagepeel_process("layers", "-", stdin=subprocess.PIPE)
    assert running.stdin is not None and running.stderr is not None
    running.stdin.write(forge.to_bytes(forge.build("shop"), "docker-archive")[:100_000])
    running.stdin.flush()
    wait_until_it_waits(running)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=120) == 130
    assert running.stderr.read() == b"interrupted\n"


def test_a_terminated_command_leaves_nothing_behind(empty_tmp: Path) -> None:
    running = imagepeel_process("layers", "-", stdin=subprocess.PIPE)
    assert running.stdin is not None and running.stderr is not None
    running.stdin.write(bytes(100_000))
    running.stdin.flush()
    wait_until_it_waits(running)
    running.terminate()
    assert running.wait(timeout=120) == 143
    assert running.stderr.read() == b"terminated\n"


def test_a_signal_that_somebody_else_ignores_stays_ignored(empty_tmp: Path) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    running = imagepeel_process("layers", "-", stdin=subprocess.PIPE, preexec_fn=ignore)
    assert running.stdin is not None and running.stderr is not None
    wait_until_it_waits(running)
    running.terminate()
    running.stdin.close()
    assert running.wait(timeout=120) == 10
    assert b"terminated" not in running.stderr.read()


@pytest.mark.parametrize(("sign", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_flatten_that_is_stopped_leaves_no_partial_file(sign: str, code: int, tmp_path: Path, run_cli: Run) -> None:
    archive, out = tmp_path / "in.tar", tmp_path / "out"
    out.mkdir()
    forge.write(forge.build("hello"), archive, kind="docker-archive")
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # nohup and jobs in the background ignore it
        "from imagepeel.export import flatten\n"
        "whole = flatten._Writer.run\n"
        "def run(self):\n"
        "    whole(self)\n"
        f"    os.kill(os.getpid(), signal.{sign})\n"
        "flatten._Writer.run = run\n"
        "from imagepeel.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "flatten", str(archive), "-o", str(out / "new.tar")], capture_output=True
    )
    assert (done.returncode, list(out.iterdir())) == (code, [])
    assert b"Traceback" not in done.stderr


def test_an_interrupt_while_the_command_line_loads_has_no_traceback() -> None:
    program = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'imagepeel.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from imagepeel.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


def test_an_interrupted_forge_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: Run
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imagepeel.cli.forge.os.replace", interrupt)
    result = run_cli("forge", "hello", tmp_path / "out.tar")
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("flatten", "-o"), ("explain", "--html"), ("operate", "--html"), ("check", "--write-baseline")],
)
def test_no_output_replaces_the_archive_that_is_read(run_cli: Run, forge_archive: Make, words: tuple[str, str]) -> None:
    path = forge_archive("hello")
    before = path.read_bytes()
    other = path.with_name("link.tar")
    other.unlink(missing_ok=True)
    os.link(path, other)
    for out in (path, other):
        done = run_cli(words[0], path, words[1], out)
        assert done.exit_code == 2 and done.stdout == ""
        assert "is the archive that is read" in three_lines(done.stderr)[0]
        assert path.read_bytes() == before


def test_a_group_without_a_command_is_one_plain_error(run_cli: Run) -> None:
    done = run_cli("cache")
    assert done.exit_code == 2 and done.stdout == ""
    assert three_lines(done.stderr) == (
        "error: Missing command.",
        "where: imagepeel cache",
        "try:   imagepeel cache --help",
    )
    assert len(done.stderr.splitlines()) == 3


def test_an_option_without_its_value_names_the_command(run_cli: Run) -> None:
    result = run_cli("operate", "image.tar", "--html")
    assert result.exit_code == 2
    assert "requires an argument" in result.stderr
    assert "where: imagepeel operate\n" in result.stderr
    assert "imagepeel operate --help" in result.stderr


def test_a_file_in_the_place_of_a_command_is_explained(forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive("shop")
    assert run_cli(path).stdout == run_cli("explain", path).stdout
    assert run_cli("-", stdin=path.read_bytes()).stdout == run_cli("explain", "-", stdin=path.read_bytes()).stdout
    assert run_cli(path, "--json").stdout == run_cli("explain", path, "--json").stdout


def test_the_name_of_a_command_wins_over_a_file(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "version").write_bytes(forge_archive("shop").read_bytes())
    assert run_cli("version", cwd=tmp_path).stdout == run_cli("version").stdout
    assert "shop:1.4" in run_cli("./version", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("shop:1.4", ("docker save shop:1.4 | imagepeel explain -",)),
        ("registry.example/team/shop", ("docker save registry.example/team/shop | imagepeel explain -",)),
        ("no/such.tar", ("no/such.tar does not exist", "check the path")),
    ],
)
def test_the_name_of_an_image_is_answered_with_what_to_type(run_cli: Run, word: str, said: tuple[str, ...]) -> None:
    result = run_cli(word)
    assert result.exit_code == imagepeel.NotFound.exit_code
    for words in said:
        assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize("word", ["expalin", "foo"])
def test_a_word_that_is_neither_is_no_command(run_cli: Run, word: str) -> None:
    assert f"No such command '{word}'" in run_cli(word).stderr
