"""The gate for CI: which findings are new, which are known, and whether the image may pass.  Values in, values out."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from imagepeel.errors import UsageError
from imagepeel.findings.finding import SEVERITIES, Finding, Severity, order
from imagepeel.findings.suppress import Suppression
from imagepeel.serialization import convert, from_json, indented, to_json

BASELINE = "imagepeel/baseline/1"
Threshold = Literal[Severity, "none"]
THRESHOLDS: tuple[Threshold, ...] = (*SEVERITIES, "none")
"""What `fail_on` takes: a severity, which counts that and all worse ones, or none."""


class GateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How strict the gate is; `select` and `ignore` name rules by id, code or lesson.

    `max_size`, `max_waste`, `max_layers` and `max_growth` are the limits of `findings/budget.py` in words, "" or None
    for none; `against` is the file that growth is measured from.
    """

    fail_on: Threshold = "high"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    baseline: str = ""
    max_size: str = ""
    max_waste: str = ""
    max_layers: int | None = None
    max_growth: str = ""
    against: str = ""
    suppress: tuple[Suppression, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a baseline accepts: its key, and the message it had, for people who read the file."""

    key: str
    rule: str
    message: str = ""


class Baseline(msgspec.Struct, frozen=True, kw_only=True, rename={"version": "schema"}):
    """The findings that are accepted, in the order of their keys."""

    version: str = BASELINE
    findings: tuple[Known, ...] = ()


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: `new` and `known` findings, worst first; `failing` are the new ones at or above `fail_on`.

    `stale` are entries of the baseline that nothing in the image matches any more; `suppressed` are findings with what
    suppresses them, `expired` new ones with what did until its last day, and `used` all suppressions that are about a
    finding.
    """

    fail_on: Threshold
    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    failing: tuple[Finding, ...]
    stale: tuple[Known, ...]
    suppressed: tuple[tuple[Finding, Suppression], ...] = ()
    expired: tuple[tuple[Finding, Suppression], ...] = ()
    used: tuple[Suppression, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing fails the gate."""
        return not self.failing


def threshold(word: str) -> Threshold:
    """Return the threshold of this name.  UsageError when there is none."""
    if word not in THRESHOLDS:
        raise UsageError(f"there is no severity {word!r}", hint="use " + ", ".join(THRESHOLDS))
    return word


def joined(own: Sequence[Finding], beside: Sequence[tuple[str, Sequence[Finding]]]) -> tuple[Finding, ...]:
    """Return the findings of an image and of those beside it, worst first; what several have stands once.

    `beside` has the name of each further image, which stands before its findings, and what was found in it.
    """
    said = {(finding.rule, finding.message) for finding in own}
    found = list(own)
    for name, findings in beside:
        for finding in findings:
            if (finding.rule, finding.message) not in said:
                found.append(msgspec.structs.replace(finding, message=f"{name}: {finding.message}"))
    return tuple(sorted(found, key=order))


def judge(
    found: Sequence[Finding],
    options: GateOptions,
    baseline: Baseline | None = None,
    *,
    archive: str = "",
    today: datetime.date | None = None,
) -> Gate:
    """Hold the findings of an archive against a threshold, the suppressions and a baseline.

    `today`, by default that of UTC, decides which suppressions hold.  UsageError for an unknown threshold.
    """
    limit = threshold(options.fail_on)
    day = today or datetime.datetime.now(datetime.UTC).date()
    covering = [(finding, one) for finding in found for one in options.suppress if one.covers(finding, archive)]
    held: dict[str, tuple[Finding, Suppression]] = {}
    for finding, one in covering:
        if not one.expired(day):
            held.setdefault(finding.key, (finding, one))
    suppressed = [(finding, held[finding.key][1]) for finding in found if finding.key in held]
    left = [finding for finding in found if finding.key not in held]
    accepted = {known.key for known in baseline.findings} if baseline is not None else set()
    new = tuple(finding for finding in left if finding.key not in accepted)
    keys = {finding.key for finding in found}
    worst = SEVERITIES[: SEVERITIES.index(limit) + 1] if limit != "none" else ()
    return Gate(
        fail_on=limit,
        new=new,
        known=tuple(finding for finding in left if finding.key in accepted),
        failing=tuple(finding for finding in new if finding.severity in worst),
        stale=tuple(known for known in (baseline.findings if baseline else ()) if known.key not in keys),
        suppressed=tuple(suppressed),
        expired=tuple((finding, one) for finding, one in covering if finding in new),
        used=tuple(one for one in options.suppress if any(one is other for _, other in covering)),
    )


def make_baseline(found: Iterable[Finding]) -> Baseline:
    """Return a baseline that accepts these findings; equal findings give equal bytes."""
    known = {f.key: Known(key=f.key, rule=f.rule, message=f.message) for f in found}
    return Baseline(findings=tuple(known[key] for key in sorted(known)))


def write_baseline(baseline: Baseline) -> bytes:
    """Return the bytes of a baseline file; text of the image that is no UTF-8 is replaced."""
    plain = [
        {name: value.encode("utf-8", "replace").decode() for name, value in msgspec.to_builtins(known).items()}
        for known in baseline.findings
    ]
    return indented(to_json({"schema": baseline.version, "findings": plain})) + b"\n"


def read_baseline(data: bytes, name: str) -> Baseline:
    """Return the baseline in `data`.  UsageError when the file `name` holds something else."""
    try:
        baseline = from_json(data, Baseline)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{name} is no baseline: {error}", hint="write one with --write-baseline", about=name
        ) from error
    if baseline.version != BASELINE:
        raise UsageError(
            f"{name} has the schema {baseline.version!r}, not {BASELINE}",
            hint="write it again with --write-baseline",
            about=name,
        )
    return baseline


KEYS = {
    "fail-on": "fail_on", "select": "select", "ignore": "ignore", "baseline": "baseline", "max-size": "max_size",
    "max-waste": "max_waste", "max-layers": "max_layers", "max-growth": "max_growth", "against": "against",
}  # fmt: skip
"""What settings are called in a file -> the field of `GateOptions`."""


def read_options(table: Mapping[str, Any]) -> GateOptions:
    """Return the options of a `[tool.imagepeel.check]` or `[check]` table, of which all keys are known.

    UsageError for wrong types, with the key.
    """
    values = {KEYS[key.replace("_", "-")]: value for key, value in table.items()}
    if isinstance(limit := values.get("fail_on"), str):
        threshold(limit)
    try:
        return convert(values, GateOptions)
    except msgspec.ValidationError as error:
        raise UsageError(str(error), hint="see docs/reference/check.md") from error
