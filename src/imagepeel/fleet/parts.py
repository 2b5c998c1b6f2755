"""Files of tables: one part a task, whole under its name or not there, as Parquet or as JSON Lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.fleet.tables import TABLES
from imagepeel.serialization import from_json, to_json

if TYPE_CHECKING:
    import pyarrow

Form = Literal["parquet", "jsonl"]
"""How tables are written."""

ROWS = 20_000
"""Rows that are in memory at a time."""
_PARTIAL = ".partial-"
_SURROGATE = late("[\ud800-\udfff]")


def default_form() -> Form:
    """Return `parquet` where pyarrow is installed, else `jsonl`."""
    return "parquet" if find_spec("pyarrow") is not None else "jsonl"


def require(form: Form) -> None:
    """UsageError where tables of this form cannot be written here."""
    if form == "parquet" and find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow", hint="pip install 'imagepeel[survey]', or take --format jsonl")


def schema(table: str) -> pyarrow.Schema:
    """Return the Parquet schema of a table."""
    import pyarrow as pa  # start time

    kinds: dict[Any, Any] = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), list[str]: pa.list_(pa.string())}
    fields = []
    for name, kind in get_type_hints(TABLES[table]).items():
        nullable = type(None) in getattr(kind, "__args__", ())
        base = next(one for one in kind.__args__ if one is not type(None)) if nullable else kind
        fields.append(pa.field(name, kinds[base], nullable=nullable))
    return pa.schema(fields)


class PartWriter:
    """Writes the parts of several tables under one name; they appear at `commit`, and before that nothing does.

    Arguments: `out` is the folder of the facts, `name` the name of the part, `tables` those that get one.
    """

    def __init__(self, out: str, form: Form, name: str, tables: Iterable[str]) -> None:
        self._out, self._form, self._name = out, form, name
        self._tables = {table: _Open(out, form, table, name) for table in tables}

    def add(self, table: str, row: msgspec.Struct) -> None:
        """Add a row."""
        self._tables[table].add(row)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for part in self._tables.values():
            part.close(keep=kind is None)


class _Open:
    """One part of one table while it is written."""

    def __init__(self, out: str, form: Form, table: str, name: str) -> None:
        self._form, self._table = form, table
        folder = os.path.join(out, table)
        os.makedirs(folder, exist_ok=True)
        self._path = os.path.join(folder, f"{name}.{form}")
        self._partial = os.path.join(folder, f"{_PARTIAL}{os.getpid()}-{os.urandom(6).hex()}-{name}")
        self._rows: list[msgspec.Struct] = []
        self._file: Any = None

    def add(self, row: msgspec.Struct) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._flush()

    def _flush(self) -> None:
        try:
            self._write()
        except UnicodeEncodeError:
            self._rows = [_readable(row) for row in self._rows]
            self._write()
        self._rows.clear()

    def _write(self) -> None:
        if self._form == "jsonl":
            if self._file is None:
                self._file = open(self._partial, "wb")  # noqa: SIM115 - `close` does
            self._file.write(b"".join(to_json(row) + b"\n" for row in self._rows))
        else:
            import pyarrow as pa  # start time
            import pyarrow.parquet as pq  # start time

            shape = schema(self._table)
            if self._file is None:
                self._file = pq.ParquetWriter(self._partial, shape, compression="zstd")
            columns = {name: [getattr(row, name) for row in self._rows] for name in shape.names}
            self._file.write_batch(pa.RecordBatch.from_pydict(columns, schema=shape))

    def close(self, *, keep: bool) -> None:
        try:
            if keep and (self._rows or self._file is None):
                self._flush()
        finally:
            if self._file is not None:
                self._file.close()
        if keep:
            os.replace(self._partial, self._path)
        elif os.path.exists(self._partial):
            os.unlink(self._partial)


def _readable(row: msgspec.Struct) -> msgspec.Struct:
    """The row with bytes that are not UTF-8 as `\\xNN`, and lone surrogates of documents as `\\uNNNN`."""

    def told(value: Any) -> Any:
        if isinstance(value, list):
            return [told(one) for one in value]
        return _SURROGATE.sub(_escape, value) if isinstance(value, str) else value

    return type(row)(**{name: told(getattr(row, name)) for name in row.__struct_fields__})


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"


def part_names(out: str, form: Form, table: str) -> list[str]:
    """Return the names of the parts of a table, sorted."""
    folder = os.path.join(out, table)
    if not os.path.isdir(folder):
        return []
    return sorted(name.removesuffix(f".{form}") for name in os.listdir(folder) if name.endswith(f".{form}"))


def rows(out: str, form: Form, table: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table, some columns of each, part by part."""
    for name in part_names(out, form, table):
        yield from part_rows(out, form, table, name, columns)


def part_rows(out: str, form: Form, table: str, name: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one part of a table, some columns of each; nothing where the table has no such part."""
    path = os.path.join(out, table, f"{name}.{form}")
    if os.path.exists(path):
        yield from _of_part(path, form, columns)


def _of_part(path: str, form: Form, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    if form == "jsonl":
        with open(path, "rb") as file:
            for line in file:
                row = from_json(line, dict)
                yield tuple(row[name] for name in names)
        return
    import pyarrow.parquet as pq  # start time

    with pq.ParquetFile(path) as part:
        for batch in part.iter_batches(ROWS, columns=list(names)):
            yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def sweep(out: str, form: Form, known: set[str]) -> None:
    """Remove parts that nobody answers for: those of a run that was cut off, and those of a worker that came late."""
    for table in TABLES:
        folder = os.path.join(out, table)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            stem, dot, ending = name.rpartition(".")
            if name.startswith(_PARTIAL) or (dot and (ending != form or stem not in known)):
                os.unlink(os.path.join(folder, name))
