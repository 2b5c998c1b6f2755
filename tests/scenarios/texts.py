"""Writes which words of which judge tell which failures.

    python tests/scenarios/texts.py src/imagepeel/decoding/texts.json

Every scenario is predicted on every kind of engine, and from each text what belongs to that one image is taken away:
what is quoted, paths, numbers, and each word that no source of `imagepeel.process` or `imagepeel.loading` has.  What is
left are the judge's own words, which `imagepeel.decoding` looks for in what people paste.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "process"), str(HERE.parent / "differential"), str(HERE.parent)]

import msgspec  # noqa: E402
from corpus import SCENARIOS  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from load_archives import ARCHIVES  # noqa: E402
from model import Scenario  # noqa: E402

import imagepeel  # noqa: E402
from imagepeel.cli.failure_page import verdicts as failing  # noqa: E402
from imagepeel.loading.answer import Outcome  # noqa: E402
from imagepeel.loading.delivery import Delivery  # noqa: E402
from imagepeel.loading.registry import TOOLS  # noqa: E402
from imagepeel.process.loaded import failure_of  # noqa: E402
from imagepeel.process.predict import predict  # noqa: E402
from imagepeel.process.spec.failure import FailureCode, Judge  # noqa: E402
from imagepeel.process.spec.values import Verdict  # noqa: E402

SOURCES = HERE.parents[1] / "src" / "imagepeel"
ENGINES = (
    "runc@1.1", "runc", "crun@1.8", "crun", "runsc", "docker@20.10", "docker", "podman@4.3", "podman", "containerd@1.6",
    "containerd", "nerdctl", "k8s", "cri-o",
)  # fmt: skip
_NOT_SAID = {"why", "fix", "reason", "title", "detail", "what", "note", "hint"}
_PARTS = re.compile(
    r'"[^"\n]*"'  # quoted: belongs to the image
    r"|`[^`'\n]*[`']"
    r"|(?<![A-Za-z])'[^'\n]*'"
    r"|<[a-z-]+>[^\s:,]*"
    r"|[^\s\"'`\[\]():,;=]+(?:'[a-z]+)?"
    r"|."
)
_WORD = re.compile(r"[A-Za-z]+")
_LOGGED = re.compile(r'^level=fatal msg="(.*)"$')
"""A message as a logger quotes it."""
_IN_FRONT = re.compile(r"^(?:\0: )+(?![\1l])")
"""Names of programs that stand before the words: people leave them out."""
SURE = 20
_OF_GO = re.compile(r"\b(cannot unmarshal|parsing time|invalid character|cannot parse)\b.*")
"""Where Go goes on with the words of the document that it reads."""
KEPT = ("/etc/passwd", "/etc/group", "$PATH", "/bin/sh", "/proc/self/fd", "/dev/null")
RECORDS = tuple(json.loads((HERE / name).read_text()) for name in ("observed.json", "observed_engines.json"))
GVISOR = json.loads((HERE / "observed_gvisor.json").read_text())
HOLE, NUMBER = "\0", "\1"
LEAST = 8
"""Letters that a text must have at least to be told from others."""


def _said(tree: ast.AST) -> Iterator[str]:
    """Yield the constants of a module that can stand in a text: no docstrings, and no reasons and advice of our own."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg in _NOT_SAID:
            skipped.update(id(inner) for inner in ast.walk(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def vocabulary() -> set[str]:
    """All words that a judge can say."""
    found: set[str] = set()
    modules = [SOURCES / "tables.py", *(SOURCES / "process").rglob("*.py"), *(SOURCES / "loading").rglob("*.py")]
    for module in [*modules, SOURCES / "formats" / "passwd.py"]:
        for constant in _said(ast.parse(module.read_text())):
            found.update(_WORD.findall(constant))
    return found


NAMES = ({str(scenario.config.get("user", "")) for scenario in SCENARIOS} | {"run", "ghost", "bob"}) - {"root"}
"""Names of the corpus that a judge could say as well."""
WORDS = vocabulary() - NAMES | {"a", "in"}


def skeleton(line: str) -> str:
    """The line without what belongs to the image."""
    line = _OF_GO.sub(lambda found: found[1] + " <rest>", line)
    out: list[str] = []
    for part in _PARTS.findall(line):
        if part in KEPT or (len(part) == 1 and not part.isalnum()):
            out.append(part)
        elif part.isdigit():
            out.append(NUMBER)
        elif part[0] in "\"`'" and len(part) > 1:
            out += [part[0], HOLE, part[-1]]
        elif "/" in part or any(char.isdigit() for char in part) or part.startswith("<"):
            out.append(HOLE)
        elif _WORD.search(part) and set(_WORD.findall(part)) <= WORDS:
            out.append(part)
        else:
            out.append(HOLE)
    said = re.sub(r"\0[\0-]*", "\0", "".join(out)).strip()
    rest = _IN_FRONT.sub("", said)
    return rest if sum(map(str.isalpha, rest)) >= SURE else said


def lines_of(verdict: Verdict) -> list[str]:
    """The lines in which a verdict's judge says no."""
    if verdict.judge in (Judge.KERNEL, Judge.USERLAND):
        return [line for line in verdict.runtime_text.split("\n") if line.strip()]
    return [line for line in verdict.message.split("\n") if line.strip()]


def written(scenario: Scenario) -> str:
    """All that the image itself can say."""
    return "\n".join(entry.data.decode("latin-1") for entry in scenario.entries if len(entry.data) < 20000) + str(
        scenario.config
    )


def same_everywhere(scenario: Scenario) -> bool:
    """Whether its recorded starts wrote the same on all engines, and none of them has a word in it."""
    seen = [one for record in RECORDS for one in record.get(scenario.id, {}).values()]
    texts = {one.get("text") for one in seen if "refused" not in one}
    return len(texts) == 1 and not set(scenario.rows) & {"S2", "S3", "S4", "S5", "S6", "S7"}


def verdicts(scenario: Scenario) -> Iterator[Verdict]:
    """The different failures of a scenario; what a program inside says is the same on every engine."""
    tree = FakeRootfs(scenario.entries)
    for number, engine in enumerate(ENGINES):
        verdict = predict(tree, scenario.wanted(), scenario.start_options(engine)).verdict
        if verdict.kind == "FAILS":
            yield verdict
        inside = verdict.judge not in (Judge.ENGINE, Judge.RUNTIME, Judge.KERNEL)
        if number == 0 and inside and same_everywhere(scenario):
            return


def never_failed(scenario: Scenario) -> bool:
    """Whether every recorded start of it ended well."""
    seen = [one for record in RECORDS for one in record.get(scenario.id, {}).values() if isinstance(one, dict)]
    seen += [GVISOR[scenario.id]] if scenario.id in GVISOR else []
    return bool(seen) and all(one.get("exit") == 0 for one in seen)


def echoed(line: str, own: str) -> bool:
    """Whether the image's own script says this: nobody else's words are left of it."""
    said = [piece.strip(" :'\"`()[]") for piece in re.split("[\0\1]", skeleton(line))]
    return all(piece in own for piece in said if len(piece) > 3)


def loads() -> Iterator[tuple[str, str, str, str, int]]:
    """The same of the archives that stores were watched refusing."""
    for make in ARCHIVES.values():
        with imagepeel.open(io.BytesIO(make()), unread=True) as archive:
            answers = [tool.answer(image.derived(Delivery)) for image in archive.delivered() for tool in TOOLS]
            for answer in answers:
                if answer.outcome is Outcome.REFUSES and answer.cause is not None:
                    for line in answer.text.splitlines():
                        line = _LOGGED.sub(lambda found: found[1].replace('\\"', '"'), line)
                        yield line[:2000], str(failure_of(answer).code), str(Judge.LOAD), "", answer.exit_code or 0


def of_failures() -> Iterator[tuple[str, str, str, str, int]]:
    """The same of the image that the page of each failure shows."""
    for code in FailureCode:
        for verdict in failing(code).values():
            if verdict.kind == "FAILS" and verdict.judge is not None:
                exits = verdict.runtime_exit_code if verdict.judge is Judge.USERLAND else 0
                for line in lines_of(verdict):
                    yield line[:2000], str(verdict.id), str(verdict.judge), str(verdict.errno), exits or 0


def refused_root() -> Iterator[tuple[str, str, str, str, int]]:
    """What a kubelet says to the setting runAsNonRoot."""
    for scenario in SCENARIOS:
        if "S3" in scenario.rows:
            options = msgspec.structs.replace(scenario.start_options("k8s"), run_as_non_root=True)
            verdict = predict(FakeRootfs(scenario.entries), scenario.wanted(), options).verdict
            if verdict.id is FailureCode.RUN_AS_NON_ROOT:
                yield verdict.message, str(verdict.id), str(verdict.judge), "", 0


def lines() -> Iterator[tuple[str, str, str, str, int]]:
    """All lines in which the scenarios fail, with failure and judge."""
    for scenario in SCENARIOS:
        if scenario.missing():
            raise SystemExit(scenario.missing())
        if never_failed(scenario):
            continue
        own, seen = written(scenario), set()
        for verdict in verdicts(scenario):
            for line in lines_of(verdict):
                exits = verdict.runtime_exit_code if verdict.judge is Judge.USERLAND else 0
                key = line[:2000], str(verdict.id), str(verdict.judge), str(verdict.errno), exits or 0
                if key not in seen and not (verdict.judge is Judge.USERLAND and echoed(line, own)):
                    seen.add(key)
                    yield key


Table = dict[str, dict[str, dict[str, list[Any]]]]


def table(said: Iterable[tuple[str, str, str, str, int]]) -> Table:
    """Skeleton -> judge -> failures and exit codes; a text that a wider one covers is left out."""
    found: dict[tuple[str, str], tuple[set[str], set[int]]] = {}
    for line, code, judge, _, exits in said:
        text = skeleton(line)
        if sum(map(str.isalpha, text)) >= LEAST:
            codes, ended = found.setdefault((text, judge), (set(), set()))
            codes.add(code)
            ended.update([exits] if exits else ())
    kept: Table = {}
    for (text, judge), (codes, ended) in sorted(found.items()):
        told: dict[str, list[Any]] = {"codes": sorted(codes)}
        if ended:
            told["exits"] = sorted(ended)
        kept.setdefault(text, {})[judge] = told
    return kept


def written_table() -> str:
    """The file, from the predictions."""
    said = (*lines(), *of_failures(), *refused_root(), *loads())
    rows = (f"{json.dumps(text)}: {json.dumps(told)}" for text, told in table(said).items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written_table())
