"""What a survey has done so far, in one SQLite file beside the facts: memory does not grow with the fleet."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator

from imagepeel.fleet.plan import Planned
from imagepeel.fleet.tables import ImageFact, LineageFact, SourceFact
from imagepeel.fleet.tasks import Copy, ImageDone, LayerDone, Stray, WantedImage, WantedLayer
from imagepeel.oci.identity import chain_ids
from imagepeel.results.lineage import LineageImage

PASSING = ("worker-died", "system", "memory", "internal", "fetch-failed")
"""Codes of errors that another run may not meet; with any other one, bytes that are the same fail again."""
COPIES = 1_000
"""Copies of a layer that are tried until one has the bytes that are stated."""

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS source (
    word BLOB PRIMARY KEY, run INT, stamp TEXT, code TEXT, error TEXT, kind TEXT, size INT, images INT);
CREATE TABLE IF NOT EXISTS image (
    word BLOB, number INT, layers INT, part TEXT, code TEXT, error TEXT, name TEXT, platform TEXT, top TEXT,
    PRIMARY KEY (word, number));
CREATE INDEX IF NOT EXISTS image_top ON image (top);
CREATE TABLE IF NOT EXISTS chain (word BLOB, number INT, depth INT, chain TEXT, PRIMARY KEY (word, number, depth));
CREATE TABLE IF NOT EXISTS copy (key TEXT, word BLOB, number INT, idx INT, size INT);
CREATE UNIQUE INDEX IF NOT EXISTS copy_key ON copy (key, word, number, idx);
CREATE INDEX IF NOT EXISTS copy_word ON copy (word);
CREATE TABLE IF NOT EXISTS layer (key TEXT PRIMARY KEY, part TEXT, code TEXT, error TEXT);
"""


class State:
    """The state of the survey in one folder; `about` is what its facts were made with.

    Another version of imagepeel or another form of tables means that nothing is done yet.
    """

    def __init__(self, out: str, about: str) -> None:
        folder = os.path.join(out, ".survey")
        os.makedirs(folder, exist_ok=True)
        self._db = sqlite3.connect(os.path.join(folder, "state.sqlite"), isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)
        known = self._one("SELECT value FROM about WHERE name = 'made'")
        if known is not None and known != about:
            for table in ("source", "image", "chain", "copy", "layer"):
                self._db.execute(f"DELETE FROM {table}")
        self._db.execute("INSERT OR REPLACE INTO about VALUES ('made', ?)", (about,))
        self.run: int = 1 + int(self._one("SELECT value FROM about WHERE name = 'run'") or 0)
        self._db.execute("INSERT OR REPLACE INTO about VALUES ('run', ?)", (str(self.run),))

    def close(self) -> None:
        self._db.close()

    def _one(self, query: str, given: tuple[object, ...] = ()) -> str | None:
        row = self._db.execute(query, given).fetchone()
        return row[0] if row is not None else None

    def _count(self, query: str, given: tuple[object, ...] = ()) -> int:
        return int(self._db.execute(query, given).fetchone()[0] or 0)

    # ---- the plan -------------------------------------------------------------------------------------------

    def stamp(self, word: str) -> str:
        """Return the stamp that a source had when it was planned, "" where it has to be planned anew."""
        known = self._db.execute("SELECT stamp, code FROM source WHERE word = ?", (_raw(word),)).fetchone()
        return str(known[0]) if known is not None and known[1] not in PASSING else ""

    def unchanged(self, word: str, stamp: str) -> bool:
        """Say whether a source is the same as when it was planned; if so, it belongs to this run as well."""
        if not stamp or self.stamp(word) != stamp:
            return False
        self._db.execute("UPDATE source SET run = ? WHERE word = ?", (self.run, _raw(word)))
        return True

    def note(self, planned: Planned) -> bool:
        """Take in what the documents of a source say; False where that is known already."""
        if self.unchanged(planned.source, planned.stamp):
            return False
        word = _raw(planned.source)
        self._db.execute("BEGIN")
        self._forget(word)
        self._db.execute(
            "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(word, self.run, planned.stamp, planned.code, _text(planned.error), planned.kind, planned.size),
                None if planned.code else len(planned.images),
            ),
        )
        for image in planned.images:
            known = [one for one in image.diff_ids if one is not None]
            chains = chain_ids(known) if len(known) == len(image.diff_ids) else ()
            named = (_text(image.name), image.platform, chains[-1] if chains else None)
            self._db.execute(
                "INSERT INTO image VALUES (?, ?, ?, NULL, '', '', ?, ?, ?)",
                (word, image.number, len(image.layers), *named),
            )
            self._db.executemany(
                "INSERT INTO chain VALUES (?, ?, ?, ?)",
                [(word, image.number, depth, chain) for depth, chain in enumerate(chains, 1)],
            )
            for layer in image.layers:
                if layer.key:
                    self._want(layer.key, Copy(planned.source, image.number, layer.index), layer.size)
        self._db.execute("COMMIT")
        return True

    def _want(self, key: str, copy: Copy, size: int) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO copy VALUES (?, ?, ?, ?, ?)", (key, _raw(copy.source), copy.number, copy.index, size)
        )
        # Another copy may have the bytes that those before it did not have.
        self._db.execute("DELETE FROM layer WHERE key = ? AND code != ''", (key,))

    def _forget(self, word: bytes) -> None:
        self._reopen("image", "SELECT part FROM image WHERE word = ?", (word,))
        for table in ("source", "image", "chain", "copy"):
            self._db.execute(f"DELETE FROM {table} WHERE word = ?", (word,))

    def _reopen(self, table: str, parts: str, given: tuple[object, ...]) -> None:
        """Let go of the parts that a query names: what else is in them is written again."""
        self._db.execute(f"UPDATE {table} SET part = NULL WHERE part IN ({parts})", given)

    def end_plan(self) -> None:
        """Forget the sources that this run does not name, and the layers that nobody has any more."""
        self._db.execute("BEGIN")
        for (word,) in self._db.execute("SELECT word FROM source WHERE run != ?", (self.run,)).fetchall():
            self._forget(word)
        gone = "SELECT key FROM layer WHERE key NOT IN (SELECT key FROM copy)"
        self._reopen("layer", f"SELECT part FROM layer WHERE key IN ({gone})", ())
        self._db.execute(f"DELETE FROM layer WHERE key IN ({gone})")
        # Bytes that a registry did not have may have been pushed since, and its manifest is the same then.
        lacks = "SELECT c.word, c.number FROM copy c JOIN layer l ON l.key = c.key WHERE l.code = 'missing-blob'"
        self._reopen("image", f"SELECT part FROM image WHERE (word, number) IN ({lacks})", ())
        self._db.execute("UPDATE layer SET code = '', error = '' WHERE code = 'missing-blob'")
        for table in ("layer", "image"):
            marks = ", ".join("?" * len(PASSING))
            self._db.execute(f"UPDATE {table} SET code = '', error = '' WHERE code IN ({marks})", PASSING)
        self._db.execute("COMMIT")

    # ---- layers ---------------------------------------------------------------------------------------------

    def count_layers(self) -> tuple[int, int]:
        """Return how many layers are still to be read, and their stored bytes."""
        sizes = f"SELECT MAX(size) AS size {_TO_READ} GROUP BY copy.key"
        row = self._db.execute(f"SELECT COUNT(*), SUM(size) FROM ({sizes})").fetchone()
        return int(row[0]), int(row[1] or 0)

    def layers_to_read(self) -> Iterator[tuple[WantedLayer, int]]:
        """Yield each layer that is still to be read, with all who have it, and its stored bytes, by digest."""
        after = ""
        while True:
            keys = self._db.execute(
                f"SELECT copy.key, MAX(size) {_TO_READ} AND copy.key > ? GROUP BY copy.key ORDER BY copy.key LIMIT 256",
                (after,),
            ).fetchall()
            if not keys:
                return
            for key, size in keys:
                copies = self._db.execute(
                    "SELECT word, number, idx FROM copy WHERE key = ? ORDER BY word, number, idx LIMIT ?", (key, COPIES)
                ).fetchall()
                yield WantedLayer(key, tuple(Copy(os.fsdecode(w), n, i) for w, n, i in copies)), int(size)
            after = keys[-1][0]

    def layer_done(self, part: str, done: LayerDone) -> None:
        """Take in what became of a layer."""
        self._db.execute(
            "INSERT OR REPLACE INTO layer VALUES (?, ?, ?, ?)",
            (done.key, None if done.code else part, done.code, _text(done.error)),
        )
        self._strays(done.strays)

    def _strays(self, strays: Iterable[Stray]) -> None:
        for stray in strays:
            self._want(stray.digest, stray.copy, 0)

    # ---- images ---------------------------------------------------------------------------------------------

    def count_images(self) -> int:
        """Return how many images are still to be examined."""
        return self._count(f"SELECT COUNT(*) {_TO_EXAMINE}")

    def images_to_examine(self) -> Iterator[WantedImage]:
        """Yield each image that is still to be examined, those of one source together."""
        after: tuple[bytes, int] = (b"", -1)
        while True:
            found = self._db.execute(
                f"SELECT word, number {_TO_EXAMINE} AND (word, number) > (?, ?) ORDER BY word, number LIMIT 1024",
                after,
            ).fetchall()
            if not found:
                return
            for word, number in found:
                yield WantedImage(os.fsdecode(word), number)
            after = found[-1]

    def image_done(self, part: str, done: ImageDone) -> None:
        """Take in what became of an image."""
        self._db.execute(
            "UPDATE image SET part = ?, code = ?, error = ? WHERE word = ? AND number = ?",
            (None if done.code else part, done.code, _text(done.error), _raw(done.source), done.number),
        )
        self._strays(done.strays)

    # ---- the end --------------------------------------------------------------------------------------------

    def parts(self) -> set[str]:
        """Return the names of all parts that hold facts."""
        found = self._db.execute("SELECT part FROM image UNION SELECT part FROM layer").fetchall()
        return {part for (part,) in found if part is not None}

    def sources(self) -> Iterator[SourceFact]:
        """Yield a row for each source, by name."""
        query = """SELECT s.word, s.code, s.error, s.kind, s.images, s.size, i.code, i.error, i.number
            FROM source s LEFT JOIN image i ON i.rowid =
                (SELECT rowid FROM image WHERE word = s.word AND code != '' ORDER BY number LIMIT 1)
            ORDER BY s.word"""
        for word, code, error, kind, images, size, of_image, why, number in self._db.execute(query):
            shown = error if code else f"image #{number}: {why}" if of_image else None
            yield SourceFact(
                source=os.fsdecode(word),
                state="failed" if code or of_image else "ok",
                code=code or of_image or None,
                error=shown,
                kind=kind or None,
                images=images,
                bytes=size,
            )

    def unexamined(self) -> Iterator[ImageFact]:
        """Yield a row for each image that could not be examined."""
        nothing = dict.fromkeys(ImageFact.__struct_fields__)
        query = "SELECT word, number, layers, name, platform, error FROM image WHERE code != '' ORDER BY word, number"
        for word, number, layers, name, platform, error in self._db.execute(query):
            told = {"source": os.fsdecode(word), "number": number, "layers": layers, "examined": False, "error": error}
            yield ImageFact(**{**nothing, **told, "name": name or None, "platform": platform or None})

    def count_placed(self) -> tuple[int, int]:
        """Return how many images have a place in the forest of bases, and of how many it is not known."""
        placed = self._count("SELECT COUNT(*) FROM image WHERE top IS NOT NULL")
        return placed, self._count("SELECT COUNT(*) FROM image") - placed

    def stacks(self) -> Iterator[tuple[LineageImage, tuple[str, ...]]]:
        """Yield each image that has a place, with the ChainIDs of its layers, base first."""
        query = "SELECT word, number, name, platform FROM image WHERE top IS NOT NULL ORDER BY word, number"
        chains = "SELECT chain FROM chain WHERE word = ? AND number = ? ORDER BY depth"
        for word, number, name, platform in self._db.execute(query):
            image = LineageImage(source=os.fsdecode(word), number=number, name=name, platform=platform)
            yield image, tuple(chain for (chain,) in self._db.execute(chains, (word, number)))

    def lineage(self) -> Iterator[LineageFact]:
        """Yield where each image stands in the forest of bases."""
        for word, number, layers, top in self._db.execute(
            "SELECT word, number, layers, top FROM image ORDER BY word, number"
        ):
            base: tuple[bytes, int, int] | None = None
            same: tuple[bytes, int] | None = None
            if top is not None:
                first = "SELECT word, number FROM image WHERE top = ? ORDER BY word, number LIMIT 1"
                same = self._db.execute(first, (top,)).fetchone()
                query = """SELECT i.word, i.number, c.depth FROM chain c JOIN image i ON i.top = c.chain
                    WHERE c.word = ? AND c.number = ? AND c.depth < ? ORDER BY c.depth DESC, i.word, i.number LIMIT 1"""
                base = self._db.execute(query, (word, number, layers)).fetchone()
            if same == (word, number):
                same = None
            yield LineageFact(
                source=os.fsdecode(word),
                number=number,
                chain_id=top,
                layers=layers,
                base_source=os.fsdecode(base[0]) if base is not None else None,
                base_number=base[1] if base is not None else None,
                base_layers=base[2] if base is not None else None,
                same_as_source=os.fsdecode(same[0]) if same is not None else None,
                same_as_number=same[1] if same is not None else None,
            )


_TO_READ = "FROM copy LEFT JOIN layer ON layer.key = copy.key WHERE layer.part IS NULL AND IFNULL(layer.code, '') = ''"
_TO_EXAMINE = "FROM image WHERE part IS NULL AND code = ''"


def _raw(word: str) -> bytes:
    return os.fsencode(word)


def _text(words: str) -> str:
    """A text that SQLite takes: without the surrogates that stand for bytes that are no UTF-8."""
    return words.encode("utf-8", "backslashreplace").decode()
