"""How a walk ends: one answer made of all the ways through a text."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from imagepeel.process.shell.commands import Commands
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.scope import Value
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.state import Ends, State, succeeds
from imagepeel.process.shell.ways import deciders, only_if
from imagepeel.process.shell.words import Speaker


class Ending(Commands):
    """The part of a walk that judges its ends."""

    def __init__(self, text: str, speaker: Speaker, image: ShellImage | None) -> None:
        super().__init__(text, speaker, image)
        self._mode = "script" if speaker.script else "command"

    def judge(self, ends: Ends, env: Mapping[str, Value]) -> ScriptOutcome:
        """One answer from all ways through the script."""
        tails = [flow if isinstance(flow, ScriptOutcome) else self._stay(state) for state, flow in ends]
        tails = [self._with_env(tail, state, env) for tail, (state, _) in zip(tails, ends, strict=True)]
        every, states = len(tails), [state for state, _ in ends]
        going = [tail for tail, (state, _) in zip(tails, ends, strict=True) if not state.failed]
        if going and len(going) < len(tails) and len({(tail.kind, tail.argv) for tail in tails}) > 1:
            failed = sorted({state.failed for state, _ in ends if state.failed})
            note = succeeds(failed[0]) if len(failed) == 1 else "the commands before && succeed"
            hangs = deciders(state for state, _ in ends if state.failed)
            tails = [only_if(tail, "" if hangs else note, hangs) for tail in going]
            states = [state for state in states if not state.failed]
        mains = [tail for tail in tails if tail.kind != "ends"]
        if mains and len(mains) < len(tails):
            ended = next(tail for tail in tails if tail.kind == "ends")
            note = "the script does not end early"
            note += f" (line {ended.line})" if ended.line else ""
            split = deciders(state for tail, state in zip(tails, states, strict=True) if tail.kind == "ends")
            tails = [only_if(tail, "" if split else note, split) for tail in mains]
        distinct: dict[tuple[object, ...], ScriptOutcome] = {}
        for tail in tails:
            key = (
                *(tail.kind, tail.argv, tail.complete, tuple(sorted(tail.env.items(), key=str)), tail.cwd),
                *(tail.exit_code, tail.said, tail.program),
            )
            known = distinct.get(key)
            if known is None:
                distinct[key] = tail
            else:
                merged = tuple(dict.fromkeys((*known.assumes, *tail.assumes)))
                needs = tuple(dict.fromkeys((*known.needs, *tail.needs)))
                hangs = tuple(dict.fromkeys((*known.hangs, *tail.hangs)))
                trusts = tuple(dict.fromkeys((*known.trusts, *tail.trusts)))
                distinct[key] = msgspec.structs.replace(known, assumes=merged, needs=needs, hangs=hangs, trusts=trusts)
        found = list(distinct.values())
        if len(found) == 1:
            sure = len(tails) == every and not found[0].assumes and not found[0].hangs
            return msgspec.structs.replace(found[0], sure=sure)
        if len({(tail.kind, tail.argv, tail.complete) for tail in found}) == 1:
            # Only environment or directory differ: keep what all of them agree on.
            first = found[0]
            common = {
                name: value
                for name, value in first.env.items()
                if all(tail.env.get(name, ...) == value for tail in found)
            }
            return msgspec.structs.replace(
                first, env=common, cwd=first.cwd if len({tail.cwd for tail in found}) == 1 else None
            )
        return ScriptOutcome(
            kind="unknown",
            complete=False,
            why="which command comes last depends on what the script finds when it runs",
            alternatives=tuple(found[:8]),
        )

    def _with_env(self, tail: ScriptOutcome, state: State, env: Mapping[str, Value]) -> ScriptOutcome:
        changes: dict[str, str | None] = {}
        for name in sorted(state.exported | set(env)):
            value = state.scope.variables.get(name)
            if isinstance(value, str) and name in state.exported and env.get(name) != value:
                changes[name] = value
            elif value is None and name in env:
                changes[name] = None
        changes.update(tail.env)
        if tail.kind == "ends" and state.at_exit and state.traps & {"EXIT", "0"}:
            why = "a trap runs when the shell ends and may change its exit code"
            tail = msgspec.structs.replace(tail, kind="unknown", complete=False, source=state.at_exit, why=why)
        traps = tuple(sorted(state.traps))
        return msgspec.structs.replace(
            tail,
            env=changes,
            cwd=state.cwd,
            assumes=(*state.assumes, *tail.assumes),
            trapped=traps,
            said=state.said,
            reads=state.reads,
            needs=state.needs,
            hangs=state.hangs,
            trusts=state.trusts,
            changed=state.changed,
        )

    def _stay(self, state: State) -> ScriptOutcome:
        """The shell came to its end without replacing itself."""
        ran = state.last or (state.background if state.waited else None)
        if state.errno and ran is not None:
            why = f"its last command fails: {ran.source}"
            return self._failed(state, why, ran.line)
        if ran is None:
            left = state.background
            if left is not None:
                why = "the shell ends and leaves a background job"
                return ScriptOutcome(kind="ends", source=left.source, line=left.line, why=why)
            return ScriptOutcome(kind="ends", why="the shell runs no other program", exit_code=state.code)
        if ran == state.gave_up and state.status is False:
            why = f"its last command fails: {ran.source}"
            return ScriptOutcome(kind="ends", source=ran.source, line=ran.line, why=why, exit_code=state.code)
        # What comes last is what the shell is there for: nobody has to assume that it succeeds.
        state.hangs = tuple(one for one in state.hangs if (one.source, one.line) != (ran.source, ran.line))
        state.trusts = tuple(one for one in state.trusts if one != succeeds(ran.source))
        why = "the shell waits for it as its child"
        if self._mode == "script":
            why = "a script does not replace itself without exec: the command is a child of the shell"
        return ScriptOutcome(kind="child", why=why, **msgspec.structs.asdict(ran))

    def _forever(self, state: State) -> ScriptOutcome:
        ran = state.last
        if ran is None or state.errno:
            return ScriptOutcome(kind="unknown", complete=False, why="a loop that may never end")
        why = "the shell stays in a loop that does not end"
        return ScriptOutcome(kind="child", why=why, **msgspec.structs.asdict(ran))
