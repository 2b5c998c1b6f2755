"""The walk through a shell's text: lists, conditions, loops, and each shell's rule for its last command.

Theory of operation.  The walk interprets the syntax tree without running anything.  What the shell knows at one
moment is a `State`: variables, arguments, traps, the last program that was started, and whether that succeeded.
A value may be `UNKNOWN`, and a status None.

Every method takes one state and returns `Ends`: a list of (state, flow), one pair for each way through its piece
of script.  The flow is "" when control goes on behind the piece, "break", "continue" or "return" for a jump, or a
`ScriptOutcome` when the process has ended or was replaced.  `_each` feeds the states that go on into the next step.

- A condition whose status is known takes one way.  One that is not known copies the state and takes both:
  `if curl -f http://db; then exec server; fi` has two ends, one with the outcome `exec server`, one that goes on.
- More than `MAX_STATES` ways that go on are joined, those with the same arguments each into one if these are few: in
  it only that is known on which all agree.
- A loop over known words is played word by word.  Any other loop is walked once, with unknown values for all that
  its body assigns.
- An external command is never run.  It becomes `state.last`.  Its status is known where it follows from the image: a
  tool that is judged (`tools`), or a script, which is walked in its turn.  Else it is not, and under `set -e` or in
  front of `&&` the walk goes on as if it succeeded: of an ordinary program (`ordinary`) that is assumed and written
  down, of any other it is a `Hang`, which leaves the start unproved.

At the end `judge` makes one answer of all ways: ways on which the script ends early or a command fails become
assumptions, equal ways fall together, and if different programs remain the answer is "unknown" with alternatives.

The flag that is handed down says which shell's rule for the last command of `-c` still applies at this place: bash
and busybox then replace themselves (kind "tail") where dash starts a child.  It is "" everywhere else.

Steps, ways and nested calls are bounded; `WalkLimitExceeded` ends the walk and the answer is "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import AndOr, Branch, Command, Compound, Line, Pipeline, Script, Simple, Word
from imagepeel.process.shell.commands import (
    as_input,
    asked_last,
    asks_input,
    assigned,
    bash_may_skip_fork,
    fails_with,
    is_socket,
    take_status,
)
from imagepeel.process.shell.conditions import evaluate_brackets
from imagepeel.process.shell.dialects import arithmetic_status, behind_background
from imagepeel.process.shell.ending import Ending
from imagepeel.process.shell.expand import ExpansionFailed, expand, expand_one, matches
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.parameters import BuiltinCall
from imagepeel.process.shell.scope import UNKNOWN, UNKNOWN_WORDS, Value, WalkLimitExceeded
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.state import MUTED, Ends, Flow, StartedCommand, State, as_argv
from imagepeel.process.shell.ways import MAX_STATES, final_command, joined
from imagepeel.process.shell.words import FOREIGN, Speaker

_MAX_STEPS = 20_000
_MAX_LOOP = 60
_MAX_EXPRESSION = 20_000


class Walk(Ending):
    """One walk through a text; `top` gives all ways, `judge` one answer."""

    def __init__(self, text: str, speaker: Speaker, image: ShellImage | None) -> None:
        super().__init__(text, speaker, image)
        self._steps = 0

    # -- lists -----------------------------------------------------------------------------------------------

    def top(self, script: Script, state: State, startup: Sequence[str] = ()) -> Ends:
        """The start-up files that are there, then the whole text, with the shell's own rule for its last command."""
        ends: Ends = [(state, "")]
        for path in startup:
            ends = self._each(ends, lambda here, path=path: self._startup(path, here))
        for number, line in enumerate(script.lines):
            last = number == len(script.lines) - 1 and self._mode == "command"
            ends = self._each(ends, lambda here, line=line, last=last: self._top_line(line, here, last))
        return ends

    def _startup(self, path: str, state: State) -> Ends:
        """Read a start-up file, if it is there."""
        read = self._image.read(path, "") if self._image is not None else None
        if read is None:
            state.assume(f"{path}, where there is one, changes nothing that counts")
            return [(state, "")]
        return [(state, "")] if read[1] else self.sourced(path, read[0], state, ..., 0)

    def _top_line(self, line: Line, state: State, last: bool) -> Ends:
        self._whole_line = self._line(max(line.stop - 1, 0))
        wrong = self._syntax(line, state)
        if wrong is not None:
            return [(state, wrong)]
        flag = ""
        if last and self._shell == "bash" and not self._text[line.stop :]:
            flag = "bash"
        if last and self._shell == "busybox" and not line.newline and not self._text[line.stop :]:
            flag = "busybox"
        if flag == "bash" and not bash_may_skip_fork(line):
            flag = ""
        # Outside of loops break and continue do nothing; return ends dash and busybox and is an error in bash.
        ignored = ("break", "continue", "return") if self._shell == "bash" else ("break", "continue")
        return self._items(line.items, state, flag, ignored)

    def _items(self, items: Sequence[AndOr], state: State, flag: str, ignored: tuple[str, ...] = ()) -> Ends:
        ends: Ends = [(state, "")]
        for number, item in enumerate(items):
            tail = flag if number == len(items) - 1 and item.end != "&" else ""
            ends = self._each(ends, lambda here, item=item, tail=tail: self._item(item, here, tail))
            ends = [(here, "" if flow in ignored else flow) for here, flow in ends]
        return ends

    def _each(self, ends: Ends, step) -> Ends:  # type: ignore[no-untyped-def]
        """Go on from every way that has not ended, and keep their number small."""
        after: Ends = []
        for state, flow in ends:
            after.extend(step(state) if flow == "" else [(state, flow)])
        live = [state for state, flow in after if flow == ""]
        if len(live) > MAX_STATES:
            after = [(state, flow) for state, flow in after if flow != ""] + [(one, "") for one in joined(live)]
        if len(after) > 200:
            raise WalkLimitExceeded("the script has too many ways through it")
        return after

    def script(self, script: Script, state: State, flag: str = "") -> Ends:
        """Lines inside a compound command."""
        return self._items(script.items, state, flag)

    def _item(self, item: AndOr, state: State, flag: str) -> Ends:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise WalkLimitExceeded("the script is too long to follow")
        parts = behind_background(item) if self._shell == "dash" else None
        if parts is not None:
            return self._each(self._item(parts[0], state, ""), lambda here: self._item(parts[1], here, flag))
        if item.end == "&":
            inner = self._and_or(item, state.copy(), "")
            ran = next((end.last for end, _ in inner if end.last is not None), None)
            for _, flow in inner:
                if isinstance(flow, ScriptOutcome) and flow.replaces:
                    ran = StartedCommand(flow.argv, flow.complete, flow.source, flow.line)
            if any(end.changed > state.changed or end.made != state.made for end, _ in inner):
                state.makes(None, max(end.changed for end, _ in inner))
            state.background = ran or state.background
            state.status = True
            return [(state, "")]
        ends = self._and_or(item, state, flag)
        asks = asked_last(item)
        if asks is not None:
            line, condition = self._asked_at(asks.at)
            for here, flow in ends:
                if flow == "" and here.errexit and here.status is None and not here.doubt:
                    here.takes_for_granted(condition, line)
        return ends

    def _and_or(self, item: AndOr, state: State, flag: str) -> Ends:
        count = len(item.pipelines)
        ends = self._pipeline(item.pipelines[0], state, flag if count == 1 else "", tested=count > 1)
        for index, operator in enumerate(item.operators, 1):
            pipeline = item.pipelines[index]
            tail = flag if index == count - 1 else ""
            tested = index < count - 1

            def step(here: State, operator: str = operator, pipeline: Pipeline = pipeline, tail: str = tail,
                     tested: bool = tested) -> Ends:  # fmt: skip
                wanted = operator == "&&"
                if here.status is None:
                    here.decides(*self._decided_by(item.pipelines[0]))
                    other = here.copy()
                    here.status, other.status = not wanted, wanted
                    if wanted and here.doubt:
                        here.failed = here.failed or here.doubt
                    return [(here, ""), *self._pipeline(pipeline, other, tail, tested=tested)]
                if here.status is wanted:
                    return self._pipeline(pipeline, here, tail, tested=tested)
                return [(here, "")]

            ends = self._each(ends, step)
        return ends

    def _pipeline(self, pipeline: Pipeline, state: State, flag: str, *, tested: bool) -> Ends:
        if len(pipeline.commands) > 1:
            return self._piped(pipeline, state, tested=tested)
        flag = "" if pipeline.negated or pipeline.timed else flag
        ends = self._command(pipeline.commands[0], state, flag, tested=tested or pipeline.negated)
        if pipeline.negated:
            for end, _ in ends:
                end.status = None if end.status is None else not end.status
        return ends

    def _piped(self, pipeline: Pipeline, state: State, *, tested: bool) -> Ends:
        """Commands joined by `|`, each in a child of the shell: what each writes, the next one reads."""
        held = tested or pipeline.negated
        written = self._written(pipeline, state)
        all_ways: list[Ends] = []
        for number, command in enumerate(pipeline.commands):
            begun = len(state.said)
            child = state.copy()
            if number:
                child.input = as_input(written[number - 1])
            ways = self._command(command, child, "", tested=held or isinstance(command, Simple))
            state.takes([end for end, _ in ways])
            all_ways.append(ways)
            if number < len(pipeline.commands) - 1 and len(ways) == 1:
                state.say(*ways[0][0].said[begun:])
            one = written[number]
            if one is not None and one.said:
                state.say(one.said)
        inner = all_ways[-1]
        chosen = next((part for part in map(final_command, all_ways) if part is not None), None)
        if chosen is not None:
            state.last = chosen
            state.doubt = chosen.source
        state.reads = state.reads or any(end.reads for end, _ in all_ways[0])
        state.input = state.input if all(end.input == state.input for end, _ in all_ways[0]) else None
        take_status(state, inner)
        if state.pipefail:
            fails_with(state, written, all_ways)
        asked = all_ways if state.pipefail else [inner]
        state.stranger = state.status is None and any(end.stranger for ways in asked for end, _ in ways)
        if state.status is not None and not pipeline.negated:
            state.doubt = ""
            line = self._line(pipeline.commands[-1].at)
            return [(state, "" if state.status else self._ended_by_errexit(state, line, tested))]
        state.status = None if state.status is None else not state.status
        for end, _ in inner:  # what the last one's success takes, the pipeline's does
            state.hangs = tuple(dict.fromkeys((*state.hangs, *end.hangs)))[:20]
            state.assumes = tuple(dict.fromkeys((*state.assumes, *end.assumes)))[:20]
            state.trusts = tuple(dict.fromkeys((*state.trusts, *end.trusts)))[:20]
        if state.status is None and state.errexit and not tested and not pipeline.negated:
            state.goes_on(self._line(pipeline.commands[0].at))
        return [(state, "")]

    # -- commands --------------------------------------------------------------------------------------------

    def _command(self, command: Command, state: State, flag: str, *, tested: bool) -> Ends:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise WalkLimitExceeded("the script is too long to follow")
        muted, input_before, reads = state.muted, state.input, state.reads
        line = self._line(command.at)
        asks = self._shell == "bash" and any(map(is_socket, command.redirections))
        state.scope.result = lambda argv: self.result(argv, state, line)
        speaker = self._speaker
        state.scope.broken = lambda words: (speaker.broken_expansion, speaker.says(line, words))
        state.scope.cannot_enter = lambda path: self.cannot_enter(path, state, line)
        state.scope.cannot_read = lambda path, errno: self._speaker.cannot_redirect(path, errno, line, output=False)
        try:
            given = self._given(command, state)
            if given is not ...:
                state.input = given
            if isinstance(command, Simple):
                ends = self._simple(command, state, flag, tested)
            else:
                ends = self._compound(command, state, flag, tested)
            for end, _ in ends:
                end.muted = end.muted if end.muted == MUTED else muted
                if given is not ...:
                    end.input, end.reads = input_before, reads
                if asks:
                    end.status = None
            return ends
        except ExpansionFailed as failed:
            if failed.unproved:
                raise WalkLimitExceeded(f"line {line}: {failed.unproved}") from failed
            said = str(failed)
            if said:
                code = 1 if self._shell == "bash" and state.scope.errexit else self._speaker.broken_expansion
                state.fail(code, self._speaker.says(line, said))
            else:
                state.fail(1)
            return [(state, self._dies(state, f"line {line} cannot be expanded: {said or 'a file is missing'}", line))]

    def _compound(self, command: Compound, state: State, flag: str, tested: bool) -> Ends:
        kind = command.kind
        if tested and state.errexit and kind != "function":  # nothing inside is subject to `set -e` then
            return self.lenient(state, lambda: self._compound(command, state, flag, tested))
        redirect = self._redirects(command, state)
        if redirect is not None:
            state.fail(*redirect)
            state.doubt = ""
            return [(state, self._ended_by_errexit(state, self._line(command.at), tested))]
        inner = flag if flag == "busybox" and not command.redirections else ""
        if kind == "function":
            if self._shell == "dash" and self._text.startswith("function", command.at):
                line = self._line(command.at)
                refused = self.refused(("function",), state) if state.errexit and not tested else None
                if refused is None:
                    raise WalkLimitExceeded("function is no keyword of dash")
                said = self.cannot_run("function", refused, line, by_exec=False)
                state.last = StartedCommand(("function",), True, "function", line)
                state.fail(127, said[0] if said is not None else "", errno=refused.errno)
                return [(state, self._ended_by_errexit(state, line, tested))]
            state.functions[command.name] = command.branches[0].body
            self._texts[id(command.branches[0].body)] = self._text
            self._function_lines[id(command.branches[0].body)] = self._line(command.at)
            state.status = True
            return [(state, "")]
        if kind == "subshell":
            return self._subshell(command, state, flag, tested)
        if kind == "group":
            return self.script(command.branches[0].body, state, inner)
        if kind == "if":
            return self._if(command, state, inner)
        if kind == "case":
            whole, self._whole_line = self._whole_line, self._line(command.at)
            ends = self._case(command, state, inner)
            self._whole_line = whole
            return ends
        if kind in ("while", "until", "for"):
            return self._loop(command, state)
        if kind == "test" and command.words is not None:
            return [self._test_command(command, command.words, state, tested)]
        return self._arithmetic(command, state, tested)

    def _arithmetic(self, command: Compound, state: State, tested: bool) -> Ends:
        """`(( ))`, which is a subshell in a subshell to dash and busybox."""
        line = self._line(command.at)
        expression, _, behind = self._text[command.at + 2 : command.at + _MAX_EXPRESSION].partition("))")
        known = "(" not in expression and not behind.startswith(")")
        if self._shell != "bash":
            try:
                inner = parse_shell(re.sub(r"[^\n]", " ", self._text[: command.at + 2]) + expression)
            except Malformed:
                known = False
            if not known or command.at > _MAX_EXPRESSION:
                raise WalkLimitExceeded(f"line {line}: what this shell makes of (( is not followed")
            body = Branch(body=inner)
            return self._subshell(Compound(kind="subshell", branches=(body,), redirections=(), at=command.at), state,
                                  "", tested)  # fmt: skip
        state.status = arithmetic_status(expression, state.scope) if known else None
        if not known:
            for name in re.findall(r"[A-Za-z_]\w*", expression):
                state.scope.variables[name] = UNKNOWN
        return [(state, self.answered(state, expression, line, tested))]

    def _test_command(self, command: Compound, words: Sequence[Word], state: State, tested: bool) -> tuple[State, Flow]:
        """`[[ ]]`, which dash takes for commands, and busybox for `[` that knows `&&` and `||`."""
        line = self._line(command.at)
        signs = {word.source for word in words}
        if self._shell == "bash" or (self._shell == "busybox" and not signs & {"(", ")", "<", ">"}):
            state.status = evaluate_brackets(words, state.scope, self._file_test(state))
            state.doubt = ""
        elif "<" in signs and not signs & {"||", "(", ")", ">"}:
            target = next(after for before, after in pairwise(words) if before.source == "<")
            path = expand_one(target, state.scope)
            image = state.image
            known = image is not None and isinstance(path, str) and state.cwd is not None
            read = image.read(str(path), state.cwd or "") if known and image is not None else None
            if read is None or not read[1]:
                raise WalkLimitExceeded(f"line {line}: what this shell makes of [[ is not followed")
            state.fail(*self._speaker.cannot_redirect(str(path), read[1], line, output=False))
        elif self._shell == "dash" and not signs & {"||", "(", ")", ">"}:
            state.fail(127, self._speaker.says(line, "[[: not found"))
        else:
            raise WalkLimitExceeded(f"line {line}: what this shell makes of [[ is not followed")
        return state, self._ended_by_errexit(state, line, tested) if state.status is False else ""

    def _subshell(self, command: Compound, state: State, flag: str, tested: bool) -> Ends:
        body = command.branches[0].body
        if flag == "busybox" and not state.traps:
            ends = self.script(body, state.copy(), flag)
            return [(end, flow if isinstance(flow, ScriptOutcome) else "") for end, flow in ends]
        ends = self.script(body, state.copy(), "")
        state.takes([end for end, _ in ends])
        ran = final_command(ends)
        if ran is not None:
            state.last = ran
        take_status(state, ends)
        state.doubt = state.doubt if state.status is None else ""
        return [(state, self._ended_by_errexit(state, self._line(command.at), tested) if state.status is False else "")]

    def _if(self, command: Compound, state: State, flag: str) -> Ends:
        done: Ends = []
        open_states: Ends = [(state, "")]
        for branch in command.branches:
            if branch.condition is None:
                open_states = self._each(open_states, lambda here, body=branch.body: self.script(body, here, flag))
                return done + open_states
            condition = branch.condition
            judged = self._each(open_states, lambda here, condition=condition: self._condition(condition, here))
            open_states = []
            for here, flow in judged:
                if flow != "":
                    done.append((here, flow))
                    continue
                held = here.status  # the body changes it
                if held is None:
                    here.decides(*self._decided_by(condition.items[0].pipelines[0] if condition.items else None))
                if held is not False:
                    taken = here.copy() if held is None else here
                    done.extend(self.script(branch.body, taken, flag))
                if held is not True:
                    open_states.append((here, ""))
        for here, _ in open_states:
            here.status = True
        return done + open_states

    def _asked_at(self, at: int) -> tuple[int, str]:
        """The line of a condition, and as much of its text as stands on it."""
        rest = self._text[at : at + 400].partition("\n")[0]
        return self._line(at), min((rest.partition(end)[0] for end in (";", " && ", " || ")), key=len)

    def _decided_by(self, pipeline: Pipeline | None) -> tuple[int, str]:
        """The same of a condition, without its text where it takes the exit code of a substitution."""
        if pipeline is None:
            return 0, ""
        first = pipeline.commands[0]
        line, condition = self._asked_at(first.at)
        return line, "" if isinstance(first, Simple) and not first.words else condition

    def _condition(self, script: Script, state: State) -> Ends:
        errexit, state.errexit = state.errexit, False
        ends = self.script(script, state)
        for end, _ in ends:
            end.errexit = errexit
        return ends

    def _case(self, command: Compound, state: State, flag: str) -> Ends:
        assert command.words is not None
        subject = expand_one(command.words[0], state.scope)
        done: Ends = []
        pending: State | None = state
        for branch in command.branches:
            if pending is None:
                break
            answers = [matches(pattern, subject, pending.scope) for pattern in branch.patterns]
            if branch.falls:
                raise WalkLimitExceeded("a case branch that falls through")
            if any(answer is True for answer in answers):
                done.extend(self.script(branch.body, pending, flag))
                pending = None
            elif any(answer is None for answer in answers):
                taken = pending.copy()
                taken.doubt = ""
                taken.decides(*self._asked_at(command.at))
                done.extend(self.script(branch.body, taken, flag))
        if pending is not None:
            pending.status = True
            done.append((pending, ""))
        return done

    def _loop(self, command: Compound, state: State) -> Ends:
        branch = command.branches[0]
        if command.kind == "for":
            fields = list(state.scope.args or ()) if command.words is None else expand(command.words, state.scope)
            known = command.words is not None or (state.scope.args is not None and bool(command.name))
            if known and len(fields) <= _MAX_LOOP and not any(field is UNKNOWN_WORDS for field in fields):
                ends: Ends = [(state, "")]
                for field in fields:
                    ends = self._each(
                        ends, lambda here, field=field: self._turn(branch.body, here, command.name, field)
                    )
                return [(here, "" if flow == "break" else flow) for here, flow in ends]
            return self._loop_unknown(command, state)
        ends = [(state, "")]
        done: Ends = []
        for _ in range(_MAX_LOOP):
            assert branch.condition is not None
            condition = branch.condition
            ends = self._each(ends, lambda here, condition=condition: self._condition(condition, here))
            turning: Ends = []
            for here, flow in ends:
                if flow != "":
                    done.append((here, flow))
                    continue
                answer = here.status if command.kind == "while" or here.status is None else not here.status
                if answer is None:
                    self._waits(command, condition, here)
                    return done + [end for left, _ in ends if left is here for end in self._loop_unknown(command, here)]
                if answer:
                    turns = self._turn(branch.body, here.copy(), "", None)
                    leaving = [end for end, jump in turns if jump == "break"]
                    if leaving and any(
                        jump == "" for _, jump in turns
                    ):  # an answer ends it, in this turn or a later one
                        done += [(self._left(command, end, here), "") for end in leaving]
                        done += [(end, jump) for end, jump in turns if jump not in ("", "break")]
                        continue
                    turning.extend(turns)
                else:
                    here.status = True
                    done.append((here, ""))
            ends = []
            for here, flow in turning:
                (done if flow not in ("",) else ends).append((here, "" if flow == "break" else flow))
            if not ends:
                return done
        for here, _ in ends:
            if branch.condition is not None and asks_input(branch.condition):
                here.input = None
                done += self._loop_unknown(command, here)
            else:
                done.append((here, self._forever(here)))
        return done

    def _turn(self, body: Script, state: State, name: str, value: Value) -> Ends:
        if name:
            state.scope.variables[name] = value
        return [(here, "" if flow == "continue" else flow) for here, flow in self.script(body, state)]

    def _loop_unknown(self, command: Compound, state: State) -> Ends:
        """A loop of unknown length: not at all, or some turns after which its variables are unknown."""
        inside = state.copy()
        names = assigned(command)
        if command.name:
            names.add(command.name)
        if names & {"@"}:
            inside.scope.args = None
        if names & {"*"}:
            inside.scope.wild = True
        for name in names - {"@", "*"}:
            inside.scope.variables[name] = UNKNOWN
            if name in inside.scope.arrays:
                inside.scope.arrays[name] = UNKNOWN
        ends: Ends = []
        for here, flow in self.script(command.branches[0].body, inside):
            ends.append((here, "" if flow in ("break", "continue") else flow))
        for here, _ in ends:
            here.status, here.unsure = None, None  # whether the loop turns at all is another question
        state.status = None
        return [(state, ""), *ends]

    # -- simple commands -------------------------------------------------------------------------------------

    def _assignments(self, command: Simple, state: State, tested: bool) -> Ends:
        """A command without a name: variables are set, and a substitution among the values gives the exit code."""
        substituted = any(
            part.kind == "command" for item in command.assignments if item.value for part in item.value.parts
        )
        redirect = self._redirects(command, state)
        for assignment in command.assignments if redirect is None or self._shell == "bash" else ():
            if assignment.name in state.constants:
                return self._constant(assignment.name, command, state)
            self.assign(state, assignment)
        if redirect is not None:
            state.fail(*redirect)
            state.doubt = ""
            return [(state, self._ended_by_errexit(state, self._line(command.at), tested))]
        code = state.scope.substituted if substituted else None
        state.status = None if substituted or command.words else True
        if code is None or command.words:
            state.doubt = self._text[command.at :].partition("\n")[0] if self.stranger_in(command, state) else ""
            state.stranger = bool(state.doubt)
            if state.status is None and state.errexit and not tested:
                state.goes_on(self._line(command.at))
            return [(state, "")]
        state.status, state.code = code == 0, code
        state.doubt = ""
        return [(state, self._ended_by_errexit(state, self._line(command.at), tested) if code else "")]

    def _constant(self, name: str, command: Simple, state: State) -> Ends:
        """A variable that `readonly` closed is set: that ends dash and busybox, and one line of bash."""
        line = self._line(command.at)
        if self._shell == "bash":
            raise WalkLimitExceeded(f"line {line} sets a variable that is read only")
        state.fail(2, self._speaker.says(line, f"{name}: is read only"))
        return [(state, self._dies(state, f"line {line} sets a variable that is read only", line))]

    def _simple(self, command: Simple, state: State, flag: str, tested: bool) -> Ends:
        if command.words and command.words[0].source in self._aliases:
            raise WalkLimitExceeded(f"what {command.words[0].source} is depends on an alias")
        command = self._without_append(command)
        fields = expand(command.words, state.scope)
        if not command.words or not fields:
            return self._assignments(command, state, tested)
        source = self._text[command.at : command.words[-1].at + len(command.words[-1].source)]
        if self._calls:
            source = " ".join(word.source for word in command.words)
        name = fields[0]
        rest = fields[1:]
        redirect = self._redirects(command, state)
        if redirect is not None:
            call = BuiltinCall(
                name=str(name), rest=rest, command=command, state=state, source=source, line=self._line(command.at),
                tested=tested,
            )  # fmt: skip
            return self.failed(call, *redirect)
        if isinstance(name, str):
            while name in {"command", "builtin"} - FOREIGN[self._shell] and rest and isinstance(rest[0], str):
                if rest[0] in ("-v", "-V"):
                    return [(state, self._is_command(rest[1:], state, command, tested))]
                if rest[0] in ("-p", "--"):
                    rest = rest[1:]
                    continue
                name, rest = rest[0], rest[1:]
            call = BuiltinCall(
                name=str(name), rest=rest, command=command, state=state, source=source, line=self._line(command.at),
                tested=tested,
            )  # fmt: skip
            handled = self._builtin(call)
            if handled is not None:
                return handled
        call = BuiltinCall(
            name=name if isinstance(name, str) else as_argv([name])[0][0], rest=rest, command=command, state=state,
            source=source, line=self._line(command.at), tested=tested,
        )  # fmt: skip
        return self.external(call, flag)
