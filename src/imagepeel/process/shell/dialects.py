"""What one shell makes of a construct of another: `cmd &> file`, names of functions, `let` and `(( ))`."""

from __future__ import annotations

import re

import msgspec

from imagepeel._lazy import late
from imagepeel.formats.shell.tree import AndOr, Command, Compound, Pipeline, Redirection, Simple
from imagepeel.process.shell.expand import arithmetic
from imagepeel.process.shell.interpreters import Shell
from imagepeel.process.shell.scope import Scope, Unknown, Value
from imagepeel.process.shell.words import SPECIAL

_ASSIGNS = late(r"\s*([A-Za-z_]\w*)\s*([+*-]?)=(?!=)(.*)", re.DOTALL)
_STEPS = late(r"\s*(?:([A-Za-z_]\w*)(\+\+|--)|(\+\+|--)([A-Za-z_]\w*))\s*")


def behind_background(item: AndOr) -> tuple[AndOr, AndOr] | None:
    """The two lists that dash reads where `&>` stands: all in front in the background, and `>` of no command."""
    for at, pipeline in enumerate(item.pipelines):
        for place, command in enumerate(pipeline.commands):
            cut = next((n for n, one in enumerate(command.redirections) if one.operator in ("&>", "&>>")), None)
            if cut is not None:
                kept, opens = _cut(command, cut)
                front = msgspec.structs.replace(pipeline, commands=(*pipeline.commands[:place], kept))
                first = AndOr(
                    pipelines=(*item.pipelines[:at], front), operators=item.operators[:at], end="&", at=item.at
                )
                rest = Pipeline(commands=(opens, *pipeline.commands[place + 1 :]))
                pipelines = (rest, *item.pipelines[at + 1 :])
                return first, AndOr(pipelines=pipelines, operators=item.operators[at:], end=item.end, at=opens.at)
    return None


def _cut(command: Command, cut: int) -> tuple[Command, Simple]:
    """A command in front of its redirection of this number, and what stands from there on as another one."""
    own, redirections = command.redirections[cut], command.redirections
    at = own.target.at if own.target is not None else command.at
    opens = Redirection(operator=">" if own.operator == "&>" else ">>", target=own.target)
    words = tuple(one for one in command.words if one.at > at) if isinstance(command, Simple) else ()
    behind = Simple(assignments=(), words=words, redirections=(opens, *redirections[cut + 1 :]), at=at)
    if isinstance(command, Simple):
        left = command.words[: len(command.words) - len(words)]
        return msgspec.structs.replace(command, words=left, redirections=redirections[:cut]), behind
    return msgspec.structs.replace(command, redirections=redirections[:cut]), behind


def refuses_function(node: Compound, shell: Shell) -> bool:
    """Whether a shell takes this for no name of a function: dash and busybox want an identifier of their own."""
    if shell == "bash" or node.kind != "function":
        return False
    return not (node.name.isascii() and node.name.isidentifier()) or node.name in SPECIAL - {"source"}


def syntax_error(token: str, shell: Shell) -> str:
    """The words of dash or busybox about the token at which it gives up, "" for a name of a function."""
    first = "Syntax error:" if shell == "dash" else "syntax error:"
    if not token:
        return f"{first} {'Bad' if shell == 'dash' else 'bad'} function name"
    sign, expected, rest = token.partition(" (")
    return (
        f"{first} {sign} unexpected{expected}{rest}"
        if shell == "dash"
        else f"{first} unexpected {sign}{expected}{rest}"
    )


def arithmetic_status(text: str, scope: Scope) -> bool | None:
    """Whether `let` or `(( ))` succeeds, which sets its variable: it fails where the value is 0."""
    value: Value
    steps, assigns = _STEPS.fullmatch(text), _ASSIGNS.fullmatch(text)
    if steps is not None:
        name = steps[1] or steps[4]
        before = arithmetic(name, scope)
        after = arithmetic(f"({name}) {(steps[2] or steps[3])[0]} 1", scope)
        scope.variables[name] = after
        value = before if steps[1] else after
    elif assigns is not None and "," not in assigns[3]:
        name, sign, right = assigns.groups()
        value = arithmetic(f"({name}) {sign} ({right})" if sign else right, scope)
        scope.variables[name] = value
    else:
        value = arithmetic(text, scope)
    return None if isinstance(value, Unknown) or value is None else value != "0"
