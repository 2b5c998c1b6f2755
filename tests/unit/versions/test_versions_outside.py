"""blame and log held against other programs: GNU patch and GNU tar for patches, git blame for lines.

git and imagepeel may choose different lines where equal ones moved or occur twice; these texts have no such lines,
apart from the test that says so.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge

Make = Callable[..., Path]
Run = Callable[..., Any]

needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="GNU patch is absent")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is absent")


def drawn(seed: int, versions: int) -> list[bytes]:
    """Texts of which each has some lines of the last one and some that no other has."""
    chance = random.Random(seed)
    lines = [f"line {number} of the first text" for number in range(40)]
    out = []
    for version in range(versions):
        kept = [line for line in lines if chance.random() < 0.85]
        for number in range(chance.randrange(1, 6)):
            kept.insert(chance.randrange(len(kept) + 1), f"line {number} of text {version}")
        lines = kept
        end = "" if chance.random() < 0.3 else "\n"
        out.append(("\n".join(lines) + end).encode())
    return out


def layers_of(archive: Path, folder: Path) -> list[Path]:
    """Extract an archive and each of its layers with GNU tar; return the folders of the layers, base first."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    out = []
    for number, name in enumerate(manifest[0]["Layers"]):
        layer = folder / f"L{number + 1}"
        layer.mkdir()
        subprocess.run(["tar", "-xf", folder / name, "-C", layer], check=True)
        out.append(layer)
    return out


def patched(folder: Path, text: str) -> None:
    subprocess.run(["patch", "-p1", "--quiet", "--no-backup-if-mismatch"], cwd=folder, input=text.encode(), check=True)


@needs_patch
@pytest.mark.parametrize("seed", range(6))
def test_patch_makes_of_each_version_what_tar_extracts(
    seed: int, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    texts = drawn(seed, 7)
    spec = forge.image(*(forge.layer(forge.file("etc/my file.conf", text, 0o644 if at % 3 else 0o755))
                         for at, text in enumerate(texts)))  # fmt: skip
    archive = forge_archive(spec, name="texts.tar", kind="docker-archive")
    work = tmp_path / "work"
    work.mkdir()
    for number, layer in enumerate(layers_of(archive, tmp_path / "layers"), 1):
        done = run_cli("log", "-p", archive, "/etc/my file.conf", "--layer", f"L{number}")
        assert done.exit_code == 0, done.stderr
        patched(work, done.stdout)
        there = layer / "etc/my file.conf"
        assert (work / "etc/my file.conf").read_bytes() == there.read_bytes() == texts[number - 1]
        assert (work / "etc/my file.conf").stat().st_mode == there.stat().st_mode
    whole = tmp_path / "whole"
    whole.mkdir()
    patched(whole, run_cli("log", "-p", archive, "/etc/my file.conf").stdout)
    assert (whole / "etc/my file.conf").read_bytes() == texts[-1]


@needs_patch
def test_patch_makes_of_a_tree_what_the_layers_make(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    """Added, changed, removed, replaced by a link and back, empty, without a last newline, with a tab, é and \\."""
    name = 'odd "é\\.conf'
    spec = forge.image(
        forge.layer(
            forge.file("a", "one\n\ttwo\n"), forge.file("gone", "x\n"), forge.file("kind", "text\n"),
            forge.file(name, "é\n"), forge.file("empty", ""), forge.file("emptied", ""), forge.symlink("turned", "a"),
            forge.file("d/below", "1\n"), forge.file("same", "s\n"),
        ),
        forge.layer(
            forge.file("a", "one\n\ttwo\nthree"), forge.whiteout("gone"), forge.symlink("kind", "a"),
            forge.file(name, "é\nü\n"), forge.whiteout("d"), forge.file("mode", "#!/bin/sh\n", 0o755),
            forge.file("same", "s\n"), forge.whiteout("emptied"), forge.symlink("turned", "kind"),
        ),
        forge.layer(
            forge.file("a", "three\n"), forge.whiteout("kind"), forge.file("kind", "text again"),
            forge.file("gone", "back\n"), forge.file("empty", "no more\n"), forge.file("mode", "#!/bin/sh\n", 0o600),
        ),
    )  # fmt: skip
    archive = forge_archive(spec, name="tree.tar", kind="docker-archive")
    work = tmp_path / "work"
    work.mkdir()
    for number in (1, 2, 3):
        patched(work, run_cli("log", "-p", archive, "--layer", number).stdout)
        with imagepeel.open(archive) as opened:
            rootfs = opened.image().view_at(number - 1)
            for path, node in rootfs.walk():
                there = work / path.decode().lstrip("/")
                if node.kind == "file":
                    assert there.read_bytes() == rootfs.read(path), path
                    assert there.stat().st_mode & 0o777 == node.mode
                elif node.kind == "symlink":
                    assert there.readlink() == Path(node.target.decode())
            made = {"/" + str(path.relative_to(work)) for path in work.rglob("*") if not path.is_dir()}
            assert made == {path.decode() for path, node in rootfs.walk() if node.kind != "dir"}


def blamed_by_git(texts: list[bytes], folder: Path) -> list[int]:
    """Commit texts one after the other, and return for each line of the last the number of its commit."""
    folder.mkdir()

    def git(*words: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.autocrlf=false")
        return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    commits = []
    for number, text in enumerate(texts):
        (folder / "file").write_bytes(text)
        git("add", "file")
        git("commit", "-q", "--allow-empty", "-m", str(number))
        commits.append(git("rev-parse", "HEAD").strip())
    told = git("blame", "--porcelain", "file").splitlines()
    heads = [line.split() for line in told if len(line.split()) in (3, 4) and len(line.split()[0]) == 40]
    return [commits.index(head[0]) for head in sorted(heads, key=lambda head: int(head[2]))]


@needs_git
@pytest.mark.parametrize("seed", range(4))
def test_each_line_is_that_of_git_blame(seed: int, forge_archive: Make, tmp_path: Path) -> None:
    texts = [text if text.endswith(b"\n") else text + b"\n" for text in drawn(seed, 9)]
    assert all(len(set(text.splitlines())) == len(text.splitlines()) for text in texts)
    spec = forge.image(*(forge.layer(forge.file("etc/x.conf", text)) for text in texts))
    with imagepeel.open(forge_archive(spec, name="blamed.tar")) as archive:
        result = archive.image().blame("/etc/x.conf")
    assert [line.text.encode() for line in result.lines] == texts[-1].splitlines()
    assert [line.version for line in result.lines] == blamed_by_git(texts, tmp_path / "git")
    assert [line.label for line in result.lines] == [f"L{line.version + 1}" for line in result.lines]


@needs_git
def test_repeated_lines_may_be_told_apart_otherwise_but_never_wrong(forge_archive: Make, tmp_path: Path) -> None:
    """Where equal lines occur, each line is still in the version that is said to have brought it, and not later."""
    chance = random.Random(4)
    texts = [b"".join(chance.choice([b"{\n", b"}\n", b"\n", b"a\n"]) for _ in range(30)) for _ in range(6)]
    spec = forge.image(*(forge.layer(forge.file("x", text)) for text in texts))
    with imagepeel.open(forge_archive(spec, name="repeated.tar")) as archive:
        result = archive.image().blame("/x")
    theirs = blamed_by_git(texts, tmp_path / "git")
    ours = [line.version for line in result.lines]
    assert len(ours) == len(theirs)
    for line, origin in zip(result.lines, ours, strict=True):
        assert all(line.text.encode() in text.splitlines() for text in texts[origin:])
