"""Layer stacks, and what real tools unpack from them.

An answer is a tree: path -> `dir`, `file: CONTENT` or `link: TARGET`; or None where the tool refuses.  Modes, owners
and times are not compared: without root nobody can keep them.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from imagepeel import forge
from imagepeel.evidence import text
from imagepeel.judge.command import Ran, known_command, run
from imagepeel.judge.verdict import JudgedCase, JudgeResult
from imagepeel.serialization import from_json

PLACES = ("{layout}", "{tag}", "{dir}")
TAG = "1"
_MOST = 10_000
"""Names of a result that are looked at."""
_LONGEST = 1 << 16

Tree = dict[str, str]


class LayerCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stack: `layers` are a recipe of the forge, base first; `answers` the tree of each tool, by name and version.

    The first answer is the one that differences are told from.
    """

    name: str
    rule: str
    source: str
    layers: list[dict[str, Any]]
    answers: dict[str, Tree | None] = {}


def layer_cases() -> list[LayerCase]:
    """Return the cases in the order of the file."""
    data = (Path(__file__).parent / "cases" / "layers.json").read_bytes()
    return from_json(data, list[LayerCase])


def judge_layers(words: Sequence[str], progress: Callable[[int, int], None] | None = None) -> JudgeResult:
    """Give every layer stack to a command and compare what it unpacks with what real tools do.

    Arguments: `words` of the command, with `{layout}` and `{tag}` (or `{layout}:{tag}`) for an OCI layout and `{dir}`
    for a directory that does not exist yet; what it writes there, or into `rootfs` beside a `config.json` there, is the
    result.  `progress(done, of)` is called after each case.
    UsageError for a command that lacks `{layout}` or `{dir}`, or cannot be run.
    """
    command = known_command(words, PLACES, ("{layout}", "{dir}"))
    cases = layer_cases()
    judged = []
    for number, case in enumerate(cases, 1):
        judged.append(judge_layer_case(case, command))
        if progress is not None:
            progress(number, len(cases))
    return JudgeResult(of="layers", command=command, cases=tuple(judged))


def judge_layer_case(case: LayerCase, command: Sequence[str]) -> JudgedCase:
    """Give one stack to a command."""
    ran, tree = unpacked(case, command)
    like = tuple(tool for tool, answer in case.answers.items() if ran.exit_code is not None and answer == tree)
    told: dict[str, Any] = {"name": case.name, "rule": case.rule, "source": case.source, "like": like}
    if like:
        return JudgedCase(held="holds", **told)
    if ran.exit_code is None:
        return JudgedCase(held="too slow", said=ran.last_words, **told)
    expected = next((answer for answer in case.answers.values() if answer is not None), None)
    if expected is None:
        return JudgedCase(held="takes", **told)
    if tree is None:
        return JudgedCase(held="refuses", said=ran.last_words, **told)
    return JudgedCase(
        held="differs",
        resurrects=tuple(sorted(tree.keys() - expected.keys())),
        loses=tuple(sorted(expected.keys() - tree.keys())),
        changes=tuple(
            f"{path}: {expected[path]!r}, not {tree[path]!r}"
            for path in sorted(expected.keys() & tree.keys())
            if expected[path] != tree[path]
        ),
        **told,
    )


def unpacked(case: LayerCase, command: Sequence[str]) -> tuple[Ran, Tree | None]:
    """Run a command on one stack; return how it ended and the tree that it wrote, None where it refused."""
    recipe = forge.load({"layers": case.layers, "names": [f"case:{TAG}"], "config": {"Cmd": ["/none"]}})
    with tempfile.TemporaryDirectory(prefix="imagepeel-judge-") as top:
        layout, folder, out = (os.path.join(top, name) for name in ("layout", "work", "out"))
        forge.write(recipe.specs, layout, "oci-dir")
        os.mkdir(folder)
        ran = run(command, {"layout": layout, "tag": TAG, "dir": out}, folder)
        outside = sorted(set(os.listdir(top)) - {"layout", "work", "out"})
        if ran.exit_code != 0 and not outside:
            return ran, None
        made = os.path.join(out, "rootfs")
        bundle = os.path.isfile(os.path.join(out, "config.json")) and os.path.isdir(made)
        tree = dict(_tree(made if bundle else out))
        # What was written beside the directory is told as what it is: a path that leads out.
        return ran, tree | {f"../{name}": "outside" for name in outside}


def _tree(root: str) -> Iterator[tuple[str, str]]:
    """Yield what is below a directory, links not followed."""
    todo, seen = [b""], 0
    top = os.fsencode(root)
    while todo:
        here = todo.pop()
        try:
            names = sorted(os.listdir(os.path.join(top, here)))
        except OSError:
            continue
        for name in names:
            seen += 1
            if seen > _MOST:
                return
            path = os.path.join(here, name)
            kind = _kind(os.path.join(top, path))
            yield text(path), kind
            if kind == "dir":
                todo.append(path)


def _kind(path: bytes) -> str:
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        return "dir"
    if stat.S_ISLNK(mode):
        return "link: " + text(os.readlink(path))
    if not stat.S_ISREG(mode):
        return "device, fifo or socket"
    with Path(os.fsdecode(path)).open("rb") as file:
        return "file: " + text(file.read(_LONGEST))
