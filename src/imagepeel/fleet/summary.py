"""What the facts of a fleet come to: one pass over each table, row by row."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

from imagepeel.fleet.parts import Form, part_names, part_rows, rows
from imagepeel.results.lineage import LineageNode, SourceFailure
from imagepeel.results.survey import (
    CauseBytes,
    EngineStarts,
    FailureCount,
    FileSharing,
    LayerSharing,
    RuleCount,
    Share,
    SurveyResult,
)

MOST_FAILURES = 20
MOST_NODES = 200
SECRETS = {
    "SHIPPED-SECRET": "ship a secret in a file",
    "DELETED-SECRET": "still ship a secret that was deleted",
    "SECRET-IN-ENV": "have a secret in ENV or in a label",
    "SECRET-IN-HISTORY": "have a secret in their history",
}
"""Rule -> what an image does that breaks it."""


ANY_SECRET = "have a secret in a layer, the config or the history"
IGNORES = "ignore SIGTERM: process 1 does not hear it"
SHELL = "start by a shell form"
SPLIT = "start on one engine and fail on another"


def summarise(
    out: str, form: Form, *, passed_over: int, nodes: tuple[LineageNode, ...] | None, unplaced: int
) -> SurveyResult:
    """Return what the facts in a folder come to.

    Arguments: `passed_over` counts files that were not opened; `nodes` is the forest, None where it is too large;
    `unplaced` counts the images that are not in it.
    """
    facts = _Facts(out, form)
    images, examined, incomplete = facts.images()
    causes, accounted, content = facts.causes()
    layers, files = facts.layers_and_files()
    failed, failures, sources = facts.sources()
    return SurveyResult(
        out=out,
        form=form,
        sources=sources,
        passed_over=passed_over,
        failed=failed,
        failures=failures,
        images=images,
        examined=examined,
        incomplete=incomplete,
        shares=tuple(facts.shares()),
        starts=facts.starts(),
        start_failures=facts.start_failures(),
        rules=tuple(RuleCount(rule=rule, images=count) for rule, count in _most(facts.by_rule)),
        layers=layers,
        files=files,
        unreachable=causes,
        content_bytes=content,
        accounted=accounted,
        packages=facts.packages(),
        nodes=(nodes or ())[:MOST_NODES],
        nodes_total=len(nodes) if nodes is not None else None,
        unplaced=unplaced,
    )


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


class _Facts:
    """The tables of one folder.  What is kept of them grows with rules, engines and failures, not with images."""

    def __init__(self, out: str, form: Form) -> None:
        self._out, self._form = out, form
        self.by_rule: Counter[str] = Counter()
        self._total = self._seen = 0
        self._answers: dict[str, Counter[bool | None]] = {}
        self._verdicts: dict[str, Counter[str]] = {}
        self._failures: Counter[str] = Counter()

    def _rows(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        return rows(self._out, self._form, table, columns)

    def sources(self) -> tuple[int, tuple[SourceFailure, ...], int]:
        """Return how many sources failed, the first of them, and how many there are."""
        count = failed = 0
        first: list[SourceFailure] = []
        for source, state, code, error in self._rows("sources", "source", "state", "code", "error"):
            count += 1
            failed += state != "ok"
            if state != "ok" and len(first) < MOST_FAILURES:
                first.append(SourceFailure(source=source, code=code, error=error))
        return failed, tuple(first), count

    def images(self) -> tuple[int, int, int]:
        """Read images, findings and starts part by part: those of an image lie in parts of the same name."""
        incomplete = 0
        for part in part_names(self._out, self._form, "images"):
            whole: dict[tuple[str, int], bool] = {}
            columns = ("source", "number", "examined", "complete", "hears_sigterm", "shell_form")
            for source, number, examined, complete, hears, shell in part_rows(
                self._out, self._form, "images", part, columns
            ):
                self._total += 1
                if examined:
                    self._seen += 1
                    incomplete += not complete
                    whole[source, number] = complete
                    self._answer(IGNORES, {"yes": False, "no": True}.get(hears))
                    self._answer(SHELL, shell)
            self._secrets(part, whole)
            self._starts(part)
        return self._total, self._seen, incomplete

    def _answer(self, what: str, answer: bool | None) -> None:
        self._answers.setdefault(what, Counter())[answer] += 1

    def _secrets(self, part: str, whole: dict[tuple[str, int], bool]) -> None:
        found: dict[tuple[str, int], set[str]] = {}
        for source, number, rule in part_rows(self._out, self._form, "findings", part, ("source", "number", "rule")):
            found.setdefault((source, number), set()).add(rule)
        for image, complete in whole.items():
            rules = found.get(image, set())
            self.by_rule.update(rules)
            # What is missing of an image may hold one.
            for rule, what in SECRETS.items():
                self._answer(what, True if rule in rules else False if complete else None)
            self._answer(ANY_SECRET, True if rules & SECRETS.keys() else False if complete else None)

    def _starts(self, part: str) -> None:
        failures: dict[tuple[str, int], set[str]] = {}
        runs: dict[tuple[str, int], set[str]] = {}
        columns = ("source", "number", "engine", "verdict", "failure")
        for source, number, engine, verdict, failure in part_rows(self._out, self._form, "starts", part, columns):
            self._verdicts.setdefault(engine, Counter())[verdict] += 1
            runs.setdefault((source, number), set()).add(verdict)
            if failure is not None:
                failures.setdefault((source, number), set()).add(failure)
        for verdicts in runs.values():
            proved = verdicts <= {"RUNS", "FAILS"}
            self._answer(SPLIT, True if {"RUNS", "FAILS"} <= verdicts else False if proved else None)
        for found in failures.values():
            self._failures.update(found)

    def shares(self) -> Iterator[Share]:
        """Yield the questions of yes or no; images that were not examined are unknown to all of them."""
        for what in (SPLIT, IGNORES, SHELL, ANY_SECRET, *SECRETS.values()):
            given = self._answers.get(what, Counter())
            unknown = self._total - given[True] - given[False]
            yield Share(what=what, yes=given[True], no=given[False], unknown=unknown)

    def starts(self) -> tuple[EngineStarts, ...]:
        """Return the verdicts by engine, in the order of the engines."""
        return tuple(
            EngineStarts(
                engine=engine,
                runs=counts["RUNS"],
                fails=counts["FAILS"],
                depends=counts["DEPENDS"],
                unknown=counts["UNKNOWN"],
                not_seen=self._total - counts.total(),
            )
            for engine, counts in self._verdicts.items()
        )

    def start_failures(self) -> tuple[FailureCount, ...]:
        """Return the ways to fail."""
        return tuple(FailureCount(failure=name, images=count) for name, count in _most(self._failures))

    def causes(self) -> tuple[tuple[CauseBytes, ...], int, int]:
        """Return the unreachable bytes by cause, of how many images, and the decompressed bytes of those."""
        content: Counter[str] = Counter()
        images: Counter[str] = Counter()
        total = 0
        last: tuple[str, int] | None = None
        count = 0
        for source, number, cause, reach, size in self._rows("causes", "source", "number", "cause", "reach", "content"):
            count += (source, number) != last
            last = (source, number)
            total += size
            if reach == "unreachable":
                content[cause] += size
                images[cause] += size > 0
        rows_ = tuple(
            CauseBytes(cause=cause, content=size, images=images[cause]) for cause, size in _most(content) if size
        )
        return rows_, count, total

    def layers_and_files(self) -> tuple[LayerSharing, FileSharing]:
        """Return how layers and file contents are shared.  Digests are sorted out on disk, not in memory."""
        with tempfile.TemporaryDirectory(prefix="imagepeel-", dir=os.path.join(self._out, ".survey")) as folder:
            db = sqlite3.connect(os.path.join(folder, "digests.sqlite"), isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = OFF")
                db.execute("PRAGMA synchronous = OFF")
                return self._sharing(db)
            finally:
                db.close()

    def _sharing(self, db: sqlite3.Connection) -> tuple[LayerSharing, FileSharing]:
        db.execute("CREATE TABLE layer (digest TEXT PRIMARY KEY, diff_id TEXT, size INT, damaged INT) WITHOUT ROWID")
        db.execute("CREATE TABLE file (digest BLOB PRIMARY KEY, size INT) WITHOUT ROWID")
        db.execute("CREATE TABLE once (digest TEXT PRIMARY KEY) WITHOUT ROWID")
        db.execute("BEGIN")
        db.executemany(
            "INSERT OR IGNORE INTO layer VALUES (?, ?, ?, ?)",
            (
                (digest, diff_id, size, error is not None)
                for digest, diff_id, size, error in self._rows("layers", "layer", "diff_id", "blob_size", "error")
            ),
        )
        # One content may be stored under several compressions: its files count once.
        db.execute("INSERT INTO once SELECT MIN(digest) FROM layer GROUP BY IFNULL(diff_id, digest)")
        uses = used = 0
        for (digest,) in self._rows("image_layers", "layer"):
            row = db.execute("SELECT size FROM layer WHERE digest = ?", (digest,)).fetchone()
            if row is not None:
                uses, used = uses + 1, used + row[0]
        distinct, size, contents, damaged = db.execute(
            "SELECT COUNT(*), IFNULL(SUM(size), 0), COUNT(DISTINCT diff_id), IFNULL(SUM(damaged), 0) FROM layer"
        ).fetchone()
        files = total = not_hashed = 0
        counted: dict[str, bool] = {}
        for digest, kind, length, sha256 in self._rows("files", "layer", "kind", "size", "sha256"):
            if kind != "file" or not length:
                continue
            if digest not in counted:
                counted = {digest: db.execute("SELECT 1 FROM once WHERE digest = ?", (digest,)).fetchone() is not None}
            if not counted[digest]:
                continue
            if sha256 is None:
                not_hashed += 1
                continue
            files, total = files + 1, total + length
            db.execute("INSERT OR IGNORE INTO file VALUES (?, ?)", (bytes.fromhex(sha256), length))
        unique, unique_bytes = db.execute("SELECT COUNT(*), IFNULL(SUM(size), 0) FROM file").fetchone()
        return (
            LayerSharing(
                uses=uses,
                distinct=distinct,
                used_bytes=used,
                distinct_bytes=size,
                distinct_diff_ids=contents,
                damaged=damaged,
            ),
            FileSharing(
                files=files, content_bytes=total, unique=unique, unique_bytes=unique_bytes, not_hashed=not_hashed
            ),
        )

    def packages(self) -> int:
        """Return how many distinct packages the images still have."""
        return len({purl for purl, installed in self._rows("packages", "purl", "installed") if installed})
