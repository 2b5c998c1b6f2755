"""What engines and runtimes put around a judge's words: asked of them, with a mark in the place of the words."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import msgspec

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.messages import MOUNT, EngineMessage
from imagepeel.process.engines.registry import ENGINES, find_runtime
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase
from imagepeel.tables import ErrnoName

_MARK = "mark"
_ASKED: tuple[ErrnoName, ...] = ("ENOENT", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EINVAL")


class Wrapping(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before the words of a judge, and the engines that put it there."""

    before: str
    judge: Judge
    engines: tuple[str, ...]


def _wrapped(engine: Engine, judge: Judge, failure: Failure) -> EngineMessage:
    if judge is Judge.ENGINE:
        return engine.refusal(failure)
    return engine.runtime_refusal(failure, find_runtime(engine.runtime))


def _failures(
    message: str, judge: Judge, errno: ErrnoName, phases: Iterable[Phase] = (Phase.START,)
) -> Iterator[Failure]:
    for phase in phases:
        for created in (True, False):
            yield Failure(
                code=FailureCode.FILE_MISSING, judge=judge, errno=errno, message=message, phase=phase, created=created
            )


@functools.cache
def wrappings() -> tuple[Wrapping, ...]:
    """All of them, longest first."""
    found: dict[tuple[str, Judge], dict[str, None]] = {}
    for engine in ENGINES:
        for judge in (Judge.ENGINE, Judge.RUNTIME):
            for errno in _ASKED:
                for failure in _failures(_MARK, judge, errno, Phase):
                    before = _wrapped(engine, judge, failure).text.partition(_MARK)[0]
                    found.setdefault((before, judge), {}).setdefault(engine.label)
    every = [Wrapping(before=text, judge=judge, engines=tuple(names)) for (text, judge), names in found.items() if text]
    return tuple(sorted(every, key=lambda one: -len(one.before)))


def engines_of(line: str, start: int, judge: Judge) -> tuple[str, ...]:
    """The engines that put what stands before `start`; () where it fits none.

    Words of the kernel and of programs come through unchanged: they name nobody.
    """
    before = line[:start].rstrip("\"'")
    for one in wrappings():
        if one.judge is not judge:
            continue
        head, hole, tail = one.before.rpartition(MOUNT)
        if before.endswith(tail) and (not hole or head.partition(MOUNT)[0] in before):
            return one.engines
    return ()


def exit_of(engine: Engine, judge: Judge, message: str, errno: ErrnoName, own: tuple[int, ...]) -> frozenset[int]:
    """The exit codes with which an engine ends, on its command line or in its records, where a judge says `message`.

    `own` are the codes of a program that gives up by itself.
    """
    if judge is Judge.LOAD:
        return frozenset({1, 125})
    if judge is Judge.USERLAND:
        return frozenset(own)
    if judge is Judge.KERNEL:
        return frozenset({find_runtime(engine.runtime).exec_exit})
    codes: set[int] = set()
    for failure in _failures(message, judge, errno):
        said = _wrapped(engine, judge, failure)
        codes.update(code for code in (said.exit_code, said.state_exit_code) if code is not None)
    return frozenset(codes)
