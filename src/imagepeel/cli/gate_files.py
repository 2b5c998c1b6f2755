"""The files that tell the gate what to do: settings with suppressions, and the baseline."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.findings.budget import Budget, read_bound, read_size
from imagepeel.findings.gate import KEYS, Baseline, GateOptions, read_baseline, read_options
from imagepeel.findings.suppress import read_suppression
from imagepeel.history.attested import MOST_SOURCE

_HEADER = late(r"\s{0,200}(\[{1,2})\s{0,200}([^\[\]#\s]{1,200})\s{0,200}\]")
_KEY = late(r"\s{0,200}[\"']?([A-Za-z0-9_-]{1,100})[\"']?\s{0,200}=")


def options_of(config: str | None) -> GateOptions:
    """Return the settings of a file, or of this directory; the defaults where there are none.

    UsageError, which names the file and where it can the line, for what is no setting.
    """
    places = [Path(config)] if config is not None else [Path("imagepeel.toml"), Path("pyproject.toml")]
    for path in places:
        if config is None and not path.is_file():
            continue
        name = str(path)
        try:
            text = path.read_text(encoding="utf-8")
            document: Any = tomllib.loads(text)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", None, "check the path", name) from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path} is no TOML: {error}", None, "correct the file", name) from error
        within = ("tool", "imagepeel") if path.name == "pyproject.toml" else ()
        for step in within:
            document = document.get(step) if isinstance(document, dict) else None
        if isinstance(document, dict) and (document or not within):
            return _read(document, name, text, within)
    return GateOptions()


def _read(document: Mapping[str, Any], name: str, text: str, within: tuple[str, ...]) -> GateOptions:
    for key in document:
        if key not in ("check", "suppress"):
            hint = f"did you mean [{'.'.join((*within, 'check'))}]?" if key in KEYS or _near(key, ("check",)) else ""
            raise UsageError(
                f"{name} has an unknown table or setting {key!r}", None, hint or "known are check and suppress", name
            )
    table, suppress = document.get("check", {}), document.get("suppress", [])
    if not isinstance(table, dict):
        raise UsageError(f"check of {name} is no table", None, "write [check] and the settings below it", name)
    if not isinstance(suppress, list) or not all(isinstance(one, dict) for one in suppress):
        raise UsageError(f"suppress of {name} is no list of tables", None, "write [[suppress]] for each", name)
    lines = _Lines(text, ".".join((*within, "check")), ".".join((*within, "suppress")))
    for key in table:
        if key.replace("_", "-") not in KEYS:
            near = _near(key, KEYS)
            hint = f"did you mean {near}?" if near else "known are " + ", ".join(KEYS)
            raise UsageError(f"{name} has an unknown setting {key!r}", None, hint, lines.about(name, key))
    for key in table:
        with _said_of(lines.about(name, key)):
            _valid(read_options({key: table[key]}))
    with _said_of(name):
        options = read_options(table)
    places = lines.suppressions(len(suppress))
    known = tuple(read_suppression(one, name, line) for one, line in zip(suppress, places, strict=True))
    return msgspec.structs.replace(options, suppress=known)


def _valid(options: GateOptions) -> None:
    """UsageError for a rule or a size that is none, as the command line has it."""
    from imagepeel.findings.catalogue import select_rules  # start time

    select_rules(options.select, options.ignore)
    budget_of(options)


@contextmanager
def _said_of(about: str) -> Iterator[None]:
    """Name the place in the file in an error about what stands there."""
    try:
        yield
    except UsageError as error:
        raise UsageError(error.what, error.where, error.hint, about) from error


def _near(word: str, known: Any) -> str:
    return next(iter(difflib.get_close_matches(word.replace("_", "-"), list(known), n=1)), "")


class _Lines:
    """At which line of a TOML file a setting stands; nothing is said where that is not certain."""

    def __init__(self, text: str, check: str, suppress: str) -> None:
        self._keys: dict[str, list[int]] = {}
        self._suppressions: list[int] = []
        table = ""
        for number, line in enumerate(text.splitlines(), 1):
            if (header := _HEADER.match(line)) is not None:
                table = header[2]
                if table == suppress and header[1] == "[[":
                    self._suppressions.append(number)
            elif table == check and (key := _KEY.match(line)) is not None:
                self._keys.setdefault(key[1], []).append(number)

    def about(self, name: str, key: str) -> str:
        """The file, and the line of a setting."""
        found = self._keys.get(key, [])
        return f"{name}, line {found[0]}" if len(found) == 1 else name

    def suppressions(self, count: int) -> list[int | None]:
        """The line of each suppression."""
        return [*self._suppressions] if len(self._suppressions) == count else [None] * count


def budget_of(options: GateOptions) -> Budget | None:
    """Return the limits that were set, None without any.  UsageError for a word that is no limit."""
    if not (options.max_size or options.max_waste or options.max_layers is not None or options.max_growth):
        return None
    return Budget(
        size=read_size(options.max_size, "--max-size") if options.max_size else None,
        waste=read_bound(options.max_waste, "--max-waste") if options.max_waste else None,
        layers=options.max_layers,
        growth=read_bound(options.max_growth, "--max-growth") if options.max_growth else None,
    )


def dockerfile_of(path: str | None) -> str:
    """Return the text of a Dockerfile, "" without a path.  UsageError for a file that is not there, no text or huge."""
    if path is None:
        return ""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read(MOST_SOURCE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", None, "check the path", path) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no Dockerfile: it is no UTF-8", None, "name the Dockerfile", path) from error
    if len(text) > MOST_SOURCE:
        raise UsageError(f"{path} is too long for a Dockerfile", None, "name the Dockerfile", path)
    return text


def baseline_of(path: str) -> Baseline | None:
    """Return a baseline, None without a path.  UsageError, which names the file, for one that is none."""
    if not path:
        return None
    try:
        return read_baseline(Path(path).read_bytes(), path)
    except OSError as error:
        what = f"the baseline {path} cannot be read: {error.strerror}"
        raise UsageError(what, None, "write one with --write-baseline", path) from error
