"""The ways through a script: joined where they are many, and what the one that is left takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from imagepeel.process.shell.script_outcome import Hang, ScriptOutcome
from imagepeel.process.shell.state import Ends, StartedCommand, State

MAX_STATES = 12
"""Ways that are followed side by side."""


def only_if(tail: ScriptOutcome, note: str, hangs: tuple[Hang, ...]) -> ScriptOutcome:
    """The end that is left, and what it takes that the others do not come."""
    assumes = (*tail.assumes, note) if note else tail.assumes
    return msgspec.structs.replace(tail, assumes=assumes, hangs=tuple(dict.fromkeys((*tail.hangs, *hangs))))


def deciders(states: Iterable[State]) -> tuple[Hang, ...]:
    """The programs that decided on one of these ways."""
    return tuple(dict.fromkeys(one for state in states for one in state.split))


def joined(live: Sequence[State]) -> list[State]:
    """Fewer ways: one for each list of arguments, which decide what `exec "$@"` starts, or one for all."""
    by_args: dict[tuple[str, ...] | None, State] = {}
    for state in live:
        known = by_args.setdefault(state.scope.args, state)
        if known is not state:
            known.join(state)
    ways = list(by_args.values())
    if len(ways) <= MAX_STATES // 2:
        return ways
    for other in ways[1:]:
        ways[0].join(other)
    return ways[:1]


def final_command(ends: Ends) -> StartedCommand | None:
    """The command that a subshell finally is."""
    for state, flow in ends:
        if isinstance(flow, ScriptOutcome) and flow.argv:
            return StartedCommand(flow.argv, flow.complete, flow.source, flow.line)
        if state.last is not None:
            return state.last
    return None
