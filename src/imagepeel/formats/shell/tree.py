"""The tree of a shell script: words that keep literal text apart from expansions, commands, lists, lines."""

from __future__ import annotations

from typing import Literal

import msgspec

PartKind = Literal["literal", "parameter", "command", "arithmetic", "process", "braces", "tilde", "ansi"]
"""What a piece of a word is; "command" and "process" are substitutions, "ansi" is `$'...'` with an escape inside."""

CompoundKind = Literal["subshell", "group", "if", "while", "until", "for", "case", "function", "test", "arithmetic"]
"""Which compound command; "test" is `[[ ]]`, "arithmetic" `(( ))`."""


def has_wildcard(text: str) -> bool:
    """Whether unquoted text may become file names: it has `*`, `?` or a bracket with its end (POSIX XCU 2.14)."""
    return "*" in text or "?" in text or ("[" in text and "]" in text[text.index("[") :])


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a word."""

    kind: PartKind
    text: str
    """Of a literal the value, of `${}` what stands inside, of a substitution its source."""
    quoted: bool = False
    """Whether quotes protect it from splitting and globbing."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a command: parts in order."""

    parts: tuple[Part, ...]
    """In order; () for the empty value of `name=`."""
    source: str
    """The word as written."""
    at: int
    """Character offset in the script, from 0."""

    @property
    def literal(self) -> str | None:
        """The value of the word; None when the shell expands something in it."""
        out: list[str] = []
        for part in self.parts:
            if part.kind != "literal" or (not part.quoted and has_wildcard(part.text)):
                return None
            out.append(part.text)
        return "".join(out)

    @property
    def plain(self) -> str | None:
        """The value of a word that is wholly unquoted literal text, else None.  Only such a word can be reserved."""
        if len(self.parts) == 1 and self.parts[0].kind == "literal" and not self.parts[0].quoted:
            return self.parts[0].text
        return None


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """`name=value`, `name+=value` or an array."""

    name: str
    """Name of the variable."""
    value: Word | None
    """None for an array."""
    append: bool = False
    """Whether the operator is `+=`."""
    elements: tuple[Word, ...] | None = None
    """Of an array the words between its parentheses; None for the others, and where an index stands before one."""
    element: bool = False
    """Whether it is one element, `name[index]=value`."""


RedirectionOperator = Literal["&>>", "<<<", "<<-", "&>", "<<", ">>", "<&", ">&", "<>", ">|", "<", ">"]
"""Longer ones stand first, since the others are starts of them."""


class Redirection(msgspec.Struct, frozen=True, kw_only=True):
    """One redirection of a command, such as `2>file` or a here-document."""

    operator: RedirectionOperator
    """As written, without the file descriptor in front of it."""
    target: Word | None
    """The word behind the operator; None where there is none."""
    descriptor: int | None = None
    """The number in front of the operator; None without one."""


class Simple(msgspec.Struct, frozen=True, kw_only=True):
    """A simple command: assignments, then words and redirections, each in file order."""

    assignments: tuple[Assignment, ...]
    """Those in front of the first word."""
    words: tuple[Word, ...]
    """The command's name and its arguments; () for assignments or redirections alone."""
    redirections: tuple[Redirection, ...]
    """In file order."""
    at: int
    """Character offset in the script, from 0."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a compound command."""

    body: Script
    """What the arm runs."""
    condition: Script | None = None
    """Of if, elif, while and until; None for the others and for else."""
    patterns: tuple[Word, ...] = ()
    """Of case: the words between which `|` stands; () for the others."""
    falls: bool = False
    """How an arm of case ends: `;;`, `;&` (runs the next arm too) or `;;&` (tests the next patterns too)."""


class Compound(msgspec.Struct, frozen=True, kw_only=True):
    """A compound command."""

    kind: CompoundKind
    branches: tuple[Branch, ...]
    """In file order."""
    redirections: tuple[Redirection, ...]
    """Those behind the whole command, in file order."""
    at: int
    """Character offset in the script, from 0."""
    name: str = ""
    """Name of the function or the loop variable, "" for the others."""
    words: tuple[Word, ...] | None = ()
    """Of for, case or the test; None for `for x` without `in`, which takes the positional parameters."""


Command = Simple | Compound


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """Commands joined by `|`, in order."""

    commands: tuple[Command, ...]
    """One or more, first to last."""
    negated: bool = False
    """Whether `!` stands in front."""
    timed: bool = False
    """Whether `time` stands in front."""


class AndOr(msgspec.Struct, frozen=True, kw_only=True):
    """Pipelines joined by `&&` or `||`."""

    pipelines: tuple[Pipeline, ...]
    """One or more, first to last."""
    operators: tuple[str, ...]
    """`&&` or `||`: one fewer than `pipelines`."""
    end: Literal["", ";", "&"]
    """What ends the list: ";", "&" (runs in the background) or "" (a newline or the end)."""
    at: int
    """Character offset in the script, from 0."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a shell reads before it runs anything: and-or lists up to a newline at top level (POSIX XCU 2.10)."""

    items: tuple[AndOr, ...]
    """In file order."""
    newline: bool
    """Whether a newline follows."""
    stop: int
    """Character offset where reading goes on."""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A whole script: lines in file order."""

    lines: tuple[Line, ...]
    """In file order."""

    @property
    def items(self) -> tuple[AndOr, ...]:
        """All and-or lists of all lines, in file order."""
        return tuple(item for line in self.lines for item in line.items)
