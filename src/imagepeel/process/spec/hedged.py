"""A trace of an image that lacks a layer: what is not in the layers that are here is not known, and never absent."""

from __future__ import annotations

import msgspec

from imagepeel.process.spec.failure import Stage
from imagepeel.process.spec.values import Candidate, NeededLibrary, Step

NOT_HERE = "not in the layers that are here"
_ABSENT = frozenset({"ENOENT", "ENOTDIR"})
_OF_FILES = frozenset(Stage) - {Stage.LOAD, Stage.COMMAND, Stage.ENVIRONMENT}
"""The stages that look at files; the others read the config alone."""


def hedged_step(step: Step, why: str) -> Step:
    """The step without its no: a missing layer, for the reason `why`, may bring or change what it speaks of."""
    candidates = tuple(map(_candidate, step.candidates))
    if step.outcome in ("ok", "unknown") or step.rule not in _OF_FILES:
        return msgspec.structs.replace(step, candidates=candidates)
    title = f"Whether {step.path} can be executed" if step.rule is Stage.EXECVE and step.call else step.title
    seen = f"it is {NOT_HERE}" if step.outcome in _ABSENT else "; ".join(step.detail)
    detail = (f"not known: {seen}, and {why}" if why else f"not known: {seen}",)
    return msgspec.structs.replace(step, title=title, outcome="unknown", detail=detail, candidates=candidates)


def _candidate(one: Candidate) -> Candidate:
    if one.outcome not in _ABSENT:
        return one
    return msgspec.structs.replace(one, outcome="unknown", reason=NOT_HERE)


def hedged_library(library: NeededLibrary) -> NeededLibrary:
    """The library without its no."""
    return library if library.path is not None else msgspec.structs.replace(library, how=NOT_HERE)
