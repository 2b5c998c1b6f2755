"""The files that tell the gate what to do: settings and the baseline."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from imagepeel.errors import UsageError
from imagepeel.findings.gate import Baseline, GateOptions, read_baseline, read_options


def options_of(config: str | None) -> GateOptions:
    """Return the settings of a file, or of this directory; the defaults where there are none."""
    places = [Path(config)] if config is not None else [Path("imagepeel.toml"), Path("pyproject.toml")]
    for path in places:
        if config is None and not path.is_file():
            continue
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path} is no TOML: {error}", hint="correct the file") from error
        table: Any = document
        for name in ("tool", "imagepeel", "check") if path.name == "pyproject.toml" else ("check",):
            table = table.get(name) if isinstance(table, dict) else None
        if isinstance(table, dict):
            return read_options(table, str(path))
    return GateOptions()


def baseline_of(path: str) -> Baseline | None:
    if not path:
        return None
    try:
        return read_baseline(Path(path).read_bytes(), path)
    except OSError as error:
        raise UsageError(
            f"the baseline {path} cannot be read: {error.strerror}", hint="write one with --write-baseline"
        ) from error
