"""The ways through a script: joined where they are many, and what the one that is left takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from imagepeel.formats.shell.tree import Script, Simple
from imagepeel.process.shell.ordinary import is_ordinary
from imagepeel.process.shell.script_outcome import Hang, ScriptOutcome
from imagepeel.process.shell.state import Ends, StartedCommand, State
from imagepeel.text import without_middle

MAX_STATES = 12
"""Ways that are followed side by side."""


_TOLD = """
    cassandra-status clickhouse-client cqlsh curl dig dockerize etcdctl fuser getent grpc_health_probe grpcurl host http
    influx ip kafka-topics.sh kcat kubectl ldapsearch mariadb mariadb-admin mc mongo mongosh mysql mysqladmin nc ncat
    netcat nslookup openssl pg_isready pgrep ping ping6 psql rabbitmq-diagnostics rabbitmqctl redis-cli rpcinfo socat
    sqlcmd ss ssh-keyscan telnet valkey-cli vault wait-for wait-for-it wait-for-it.sh wait4x wget grep ps kill
"""
_PROBES = frozenset(_TOLD.split())
"""Programs that ask another service or another process, whose answer is no matter of the image."""
_IDLE = frozenset(("sleep", "echo", "printf", ":", "true", "usleep", "date", "log"))


def only_idles(body: Script) -> bool:
    """Whether the body of a loop does nothing but let time pass."""
    commands = [one for item in body.items for pipeline in item.pipelines for one in pipeline.commands]
    return all(isinstance(one, Simple) and bool(one.words) and one.words[0].literal in _IDLE for one in commands)


def loop_ends(state: State, line: int, source: str, asked: str) -> None:
    """Note that a loop ends, which takes an answer from outside, or that of a program that nothing is known of."""
    name = asked.split(" ")[0].rsplit("/", 1)[-1]
    if name and name not in _PROBES and not is_ordinary([name]):
        state.hangs = tuple(dict.fromkeys((*state.hangs, Hang(asked, line))))[:20]
        return
    shown = without_middle(" ".join(source.split()), 80)
    note = f"something outside of the image ends the loop of line {line}, which asks `{shown}`"
    if note not in state.needs:
        state.needs = (*state.needs, note)[:20]


def only_if(tail: ScriptOutcome, note: str, hangs: tuple[Hang, ...]) -> ScriptOutcome:
    """The end that is left, and what it takes that the others do not come."""
    assumes = (*tail.assumes, note) if note else tail.assumes
    return msgspec.structs.replace(tail, assumes=assumes, hangs=tuple(dict.fromkeys((*tail.hangs, *hangs))))


def deciders(states: Iterable[State]) -> tuple[Hang, ...]:
    """What decided on one of these ways: programs, and the condition that came last."""
    found = [one for state in states for one in (*state.split, state.unsure) if one is not None]
    return tuple(dict.fromkeys(found))


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
