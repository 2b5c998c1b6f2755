"""Findings that a team has looked at and lives with: each with a reason, and until when."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.findings.finding import Finding
from imagepeel.text import listed

_FIELDS = ("rule", "where", "archive", "reason", "until")


class Suppression(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One `[[suppress]]` of the settings."""

    rule: str
    """Id of the rule."""
    where: str
    """The path or the JSON pointer (`#/config/User`) of the finding, or a pattern of it; "" for every place."""
    archive: str
    """The archive as it is named on the command line, or a pattern of it; "" for every one."""
    reason: str
    until: str
    """The last day on which it holds, as YYYY-MM-DD; "" for no end."""
    file: str
    """The file that has it."""
    line: int | None
    """Its line there, from 1; None where it is not known."""

    def __str__(self) -> str:
        at = f", line {self.line}" if self.line is not None else ""
        end = f"until {self.until}, " if self.until else ""
        where = f" {self.where}" if self.where else ""
        return f"{self.rule}{where} ({end}{self.file}{at}): {self.reason}"

    def expired(self, today: datetime.date) -> bool:
        """Whether its last day has passed."""
        return bool(self.until) and datetime.date.fromisoformat(self.until) < today

    def covers(self, finding: Finding, archive: str) -> bool:
        """Whether it is about this finding of this archive."""
        place = finding.key.removeprefix(finding.rule).strip()
        return self.rule == finding.rule and _fits(self.where, place) and _fits(self.archive, archive)


def _fits(pattern: str, name: str) -> bool:
    return not pattern or pattern == name or fnmatchcase(name, pattern)


def read_suppression(table: Mapping[str, Any], file: str, line: int | None) -> Suppression:
    """Return a `[[suppress]]` table of the file, which stands at this line.

    UsageError about that line where a field is missing, unknown or no such thing, and for a rule that does not exist.
    """
    from imagepeel.findings.catalogue import find_rule  # start time

    about = file + (f", line {line}" if line is not None else "")
    for key, value in table.items():
        if key not in _FIELDS:
            raise UsageError(f"a suppression has an unknown field {key!r}", None, f"known are {listed(_FIELDS)}", about)
        if key != "until" and not isinstance(value, str):
            raise UsageError(f"{key} of a suppression is no text", None, f'write {key} = "..."', about)
    if not table.get("rule"):
        raise UsageError("a suppression names no rule", None, 'write rule = "SHIPPED-SECRET"', about)
    if not table.get("reason", "").strip():
        raise UsageError(f"the suppression of {table['rule']} has no reason", None, 'write reason = "..."', about)
    try:
        rule = find_rule(table["rule"]).id
    except UsageError as error:
        raise UsageError(error.what, None, error.hint, about) from error
    return Suppression(
        rule=rule,
        where=table.get("where", ""),
        archive=table.get("archive", ""),
        reason=table["reason"].strip(),
        until=_day(table.get("until"), about),
        file=file,
        line=line,
    )


def _day(value: Any, about: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        try:
            value = datetime.date.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise UsageError(f"until is {value!s}, which is no day", None, "write until = 2030-12-31", about)
    return value.isoformat()
