"""The course is walked: pages typed, solutions accepted, and for each level a wrong one refused with what helps."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagepeel.workshop import resources
from imagepeel.workshop.course import LEVELS, SPLIT, level_folder, write_course
from imagepeel.workshop.images import save, tell
from imagepeel.workshop.level import Level, Missing
from imagepeel.workshop.repair import tasks
from imagepeel.workshop.resources import page

Run = Callable[..., Any]
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
_BLOCK = re.compile(r"^```sh ?(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _walls() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-r", "-p", "-f", "true"], capture_output=True, check=False).returncode == 0


WALLS = _walls()
QEMU = shutil.which("qemu-aarch64-static")


def _bubblewrap() -> bool:
    """Whether bubblewrap is here and may make a namespace."""
    if shutil.which("bwrap") is None:
        return False
    words = ["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


ABLE = {"root": ROOT, "runc": ROOT and shutil.which("runc") is not None, "unshare": WALLS, "bwrap": _bubblewrap()}


def _shell(script: str, folder: Path, tools: Path) -> str:
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the command, as it is on the PATH of somebody who installed it."""
    folder = tmp_path_factory.mktemp("bin")
    source = Path(__file__).parents[2] / "src"
    (folder / "imagepeel").write_text(
        f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m imagepeel "$@"\n', encoding="utf-8"
    )
    (folder / "imagepeel").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Path:
    """The course with the solution of each level, in order: later levels begin with what earlier ones made."""
    top = write_course(tmp_path_factory.mktemp("workshop") / "course")
    for level in LEVELS:
        solve(top, level, tools)
    return top


def solve(top: Path, level: Level, tools: Path) -> None:
    if level.name == "run" and not WALLS:
        return
    for file in (top / "solutions" / level.folder).iterdir():
        shutil.copy(file, top / level.folder)
    if (top / level.folder / "solution.sh").exists():
        _shell("sh solution.sh", top / level.folder, tools)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_the_solution_holds_and_the_start_does_not(level: Level, course: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing) as error:
        fresh = tmp_path / level.folder
        fresh.mkdir()
        level.prepare(fresh)
        level.check(fresh)
    assert error.value.what and error.value.hint
    if level.name in ("run", "runtime") and not WALLS and not ROOT:
        pytest.skip("needs root or user namespaces")
    level.check(level_folder(course, level))


def _wrong(level: Level, folder: Path) -> tuple[str, str]:
    """Make a mistake in a solved level; return what must be said, and what must help."""
    name = level.name

    def edit(file: str, old: str, new: str) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))

    if name == "tar":
        edit("answers.txt", "header = ", "header = 1")
        return "'header'", "grep -abo"
    if name == "run":
        edit("pid1.txt", "pid=1\n", "pid=77\n")
        return "77, not 1", "pid namespace"
    if name == "header":
        data = bytearray((folder / "mine.tar").read_bytes())
        data[148] ^= 1
        (folder / "mine.tar").write_bytes(data)
        return "checksum", "counted as spaces"
    if name == "digests":
        edit("config.json", "sha256:", "sha256:0")
        subprocess.run(["tar", "-cf", "image.tar", "manifest.json", "config.json", "layer.tar"], cwd=folder, check=True)
        return "image.tar", "imagepeel explain"
    if name == "overlay":
        edit("overlay.py", "remove(os.path.join(directory(top, above), name[4:]))", "pass")
        return "case whiteout: brings back a/one", "removes NAME of the layers below"
    if name == "runtime":
        edit("runtime.py", "os.access(path, os.X_OK)", "True")
        return "case path-order", "execvp"
    if name == "break":
        edit("answers.txt", "no-loader.judge = kernel", "no-loader.judge = loader")
        return "no-loader.judge", "imagepeel process no-loader.tar"
    if name == "deleted":
        recipe = (Path(folder).parents[0] / "fresh.json").resolve()
        shutil.copy(folder / "recipe.json", recipe)
        text = recipe.read_text().replace('"srv/app"', '"srv/.env", "text": "x"},\n    {"file": "srv/app"', 1)
        recipe.write_text(text)
        subprocess.run(
            [sys.executable, "-m", "imagepeel", "forge", "--from", str(recipe), "fixed.tar", "--force"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        return "still ships a .env, in L1", "stays"
    if name == "engines":
        edit("answers.txt", "old.overlay = new secret", "old.overlay = new")
        return "old.overlay", "imagepeel ls resurrect.tar /data"
    assert name == "manual"
    edit("answers.txt", "owner = the shop team, by the number on the wall", "owner = me")
    return "owner", "sentence"


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_a_wrong_solution_is_refused_with_what_helps(level: Level, course: Path, tmp_path: Path) -> None:
    if level.name in ("run", "runtime") and not WALLS:
        pytest.skip("needs user namespaces")
    folder = tmp_path / level.folder
    shutil.copytree(course / level.folder, folder, symlinks=True)
    what, hint = _wrong(level, folder)
    with pytest.raises(Missing) as error:
        level.check(folder)
    assert what in error.value.what
    assert hint in error.value.hint


def test_the_recorded_run_is_accepted_where_nothing_can_be_started(course: Path, tmp_path: Path, tools: Path) -> None:
    level = LEVELS[1]
    level.prepare(tmp_path)
    unpack = 'mkdir box; tar -xOf tell.tar "$(tar -tf tell.tar | grep layer.tar)" | tar -x -C box'
    _shell(f"{unpack}; cp recorded/*.txt .; ls box > again.txt", tmp_path, tools)
    level.check(tmp_path)


@pytest.mark.parametrize("way", ["runc", "unshare", "bwrap"])
def test_each_way_to_start_it_as_process_1_is_accepted(way: str, course: Path, tmp_path: Path, tools: Path) -> None:
    if not ABLE[way]:
        pytest.skip(f"{way} is not here, or may not make namespaces")
    folder = tmp_path / "02-run"
    shutil.copytree(course / "02-run", folder, symlinks=True)
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    (folder / "second.txt").unlink()
    (script,) = (script for name, script in _blocks(LEVELS[1]) if name == way)
    _shell(script.replace("pid1.txt", "second.txt").replace("hello-pid-1", f"way-{os.getpid()}"), folder, tools)
    LEVELS[1].check(folder)


def test_the_recorded_run_of_the_other_machine_is_what_qemu_shows(tmp_path: Path) -> None:
    """The program for arm64 is started by an emulator of user space, plain and as process 1."""
    if QEMU is None or not WALLS:
        pytest.skip("qemu-user-static is not here, or no namespaces")
    save(tell("arm64"), tmp_path / "tell.tar")
    script = f"""
mkdir box
tar -xOf tell.tar "$(tar -tf tell.tar | grep layer.tar)" | tar -x -C box
cp {QEMU} box/qemu
env -i PATH=/bin GREETING=hello {QEMU} ./box/bin/tell one two > plain.txt
env -i PATH=/bin GREETING=hello "$(command -v unshare)" -r -p -f -R box /qemu /bin/tell one two > pid1.txt
"""
    _shell(script, tmp_path, tmp_path)
    assert set(_said(tmp_path / "pid1.txt")) == set(_said(starter("arm64-pid1.txt", tmp_path)))
    plain, recorded = _said(tmp_path / "plain.txt"), _said(starter("arm64-plain.txt", tmp_path))
    # Number, place, user and variables are those of whoever starts it.
    own = ("pid=", "cwd=", "exe=", "uid=", "gid=", "groups=", "env=")
    assert {one for one in plain if not one.startswith(own)} == {one for one in recorded if not one.startswith(own)}


def _said(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    assert any(line.startswith("pid=") for line in lines)
    return lines


def starter(name: str, folder: Path) -> Path:
    """The recorded file of a course, written into a folder."""
    (folder / f"recorded-{name}").write_text(resources.starter(f"recorded-{name}"))
    return folder / f"recorded-{name}"


def _blocks(level: Level) -> Iterator[tuple[str, str]]:
    task, _ = page(level.folder).split(SPLIT)
    yield from _BLOCK.findall(task)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_what_a_page_says_to_type_works(level: Level, course: Path, tmp_path: Path, tools: Path) -> None:
    """In a fresh folder, in order; what needs the exercise done is typed beside the solution."""
    top = tmp_path / "course"
    top.mkdir()
    shutil.copytree(course / "03-header", top / "03-header")
    folder = top / level.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    level.prepare(folder)
    assert list(_blocks(level))
    able = {"": True, **ABLE}
    for way, script in _blocks(level):
        if way == "solved":
            shutil.copytree(course / level.folder, folder, dirs_exist_ok=True, symlinks=True)
            (folder / "fresh").mkdir(exist_ok=True)
        elif not able[way]:
            continue
        if "judge" in script:
            script = f"! {script}"
        _shell(script, folder, tools)


def test_check_says_what_is_missing_and_helps_on_request(run_cli: Run, course: Path, tmp_path: Path) -> None:
    (tmp_path / "01-tar").mkdir()
    LEVELS[0].prepare(tmp_path / "01-tar")
    asked = run_cli("workshop", "check", "1", "--dir", str(tmp_path))
    assert asked.exit_code == 1 and "not yet" in asked.stdout and "  hint " not in asked.stdout
    helped = run_cli("workshop", "check", "1", "--hint", "--dir", str(tmp_path / "01-tar"))
    assert helped.exit_code == 1 and "How many members" in helped.stdout
    assert run_cli("workshop", "check", "1", "--dir", str(course)).exit_code == 0
    assert run_cli("workshop", "check", "11", "--dir", str(course)).exit_code == 2
    assert run_cli("workshop", "check", "one", "--dir", str(course)).exit_code == 2
    nowhere = run_cli("workshop", "check", "3", "--dir", str(tmp_path / "nowhere"))
    assert nowhere.exit_code == 2 and "03-header" in nowhere.stderr


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize("damage", ["empty", "binary", "folders", "links"])
def test_an_exercise_edited_beyond_recognition_gets_a_sentence(
    level: Level, damage: str, course: Path, tmp_path: Path, run_cli: Run
) -> None:
    folder = tmp_path / level.folder
    shutil.copytree(course / level.folder, folder, symlinks=True)
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        if damage == "binary":
            path.write_bytes(bytes(range(256)) * 9)
        elif damage == "folders":
            path.mkdir()
        elif damage == "links":
            path.symlink_to(name)
    done = run_cli("workshop", "check", str(level.number), "--hint", "--dir", str(tmp_path))
    assert done.exit_code in (1, 2, 10, 14), done.stderr
    assert "Traceback" not in done.stderr and "internal" not in done.stderr


def test_the_repair_round_goes_from_the_first_to_the_last(run_cli: Run, course: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repair"
    shutil.copytree(course / "07-break" / "repair", folder)
    first = run_cli("workshop", "watch", str(folder), "--once")
    assert first.exit_code == 1
    assert "0 of 10 images start" in first.stdout and "01-no-command.json" in first.stdout
    repairs = {
        "01": ('"config": {', '"config": {"Cmd": ["/bin/hello"], '),
        "02": ('"User": "shop"', '"User": "app"'),
        "03": ("PATH=$PATH:/app/bin", "PATH=/bin"),
        "04": ('"mode": "0644"', '"mode": "0755"'),
        "05": ("\\r\\n", "\\n"),
        "06": ('"text": "exec', '"text": "#!/bin/sh\\nexec'),
        "07": ('"elf": {"architecture": "arm64", "type": "exec"}', '"program": "hello"'),
        "08": ('"elf": {"interpreter": "/lib64/ld-linux-x86-64.so.2", "needed": ["libc.so.6"]}', '"program": "hello"'),
        "09": ('"libshop.so.1", ', ""),
        "10": (
            '{"hardlink": "bin/greet", "target": "bin/hello", "mode": "0755"}',
            '{"symlink": "bin/greet", "target": "hello"}',
        ),
    }
    for count, path in enumerate(sorted(folder.iterdir())):
        old, new = repairs[path.name[:2]]
        text = path.read_text()
        assert old in text, path.name
        assert f"{count} of 10 images start" in run_cli("workshop", "watch", str(folder), "--once").stdout
        path.write_text(text.replace(old, new))
        assert tasks(folder)[count].runs, (path.name, tasks(folder)[count])
    assert run_cli("workshop", "watch", str(folder)).exit_code == 0


def test_a_recipe_that_is_none_is_told_and_kept(run_cli: Run, course: Path, tmp_path: Path) -> None:
    shutil.copytree(course / "07-break" / "repair", tmp_path / "repair")
    (tmp_path / "repair" / "01-no-command.json").write_text("{")
    done = run_cli("workshop", "watch", str(tmp_path), "--once")
    assert done.exit_code == 1 and "is no JSON" in done.stdout


def test_a_folder_in_use_is_left_alone(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = run_cli("workshop", str(tmp_path))
    assert done.exit_code == 2 and "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_three_courses_are_as_long_as_they_say() -> None:
    for minutes in (20, 60, 120):
        spent = sum(level.minutes for level in LEVELS if minutes in level.paths)
        assert minutes * 0.8 <= spent <= minutes * 1.35, (minutes, spent)


def test_this_machine_is_judged(run_cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lacking = run_cli("workshop", "--ready")
    assert lacking.exit_code == 1
    assert "NO   tar: levels 1 to 4" in lacking.stdout and "not ready" in lacking.stdout


def test_slides_are_one_page_of_the_claims_of_explain(run_cli: Run, course: Path, tmp_path: Path) -> None:
    archive = str(course / "08-deleted" / "shop.tar")
    done = run_cli("workshop", "slides", archive, str(tmp_path / "slides.html"))
    assert done.exit_code == 0, done.stderr
    text = (tmp_path / "slides.html").read_text()
    story = run_cli("explain", archive, "--html", "-").stdout
    claims = re.findall(r'<div class="claim[^>]*><p>(.*?)</p>', story, re.DOTALL)
    assert len(claims) > 10
    for claim in claims:
        assert claim in text
    assert (
        "default-src 'none'" in text and text.count("<script>") == 1 and "http" not in re.sub(r"http-equiv", "", text)
    )
    same = run_cli("workshop", "--slides", str(tmp_path / "course.html"))
    assert same.exit_code == 0 and (tmp_path / "course.html").stat().st_size > 10_000


def test_the_commands_of_the_slides_run_in_the_folder_of_the_course(course: Path, tools: Path) -> None:
    text = (course / "slides.html").read_text()
    assert ".workshop-" not in text
    tried = [html.unescape(one) for one in re.findall(r'<div class="try"><span>try it</span><pre>(.*?)</pre>', text)]
    assert len(tried) >= 5
    for command in tried:
        assert _shell(command, course, tools), command
