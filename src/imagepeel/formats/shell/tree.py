"""The tree of a shell script: words that keep literal text apart from expansions, commands, lists, lines."""

from __future__ import annotations

import msgspec


def has_wildcard(text: str) -> bool:
    """Unquoted text that may become file names: `*`, `?` or a bracket with its end."""
    return "*" in text or "?" in text or ("[" in text and "]" in text[text.index("[") :])


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a word.

    `kind`: "literal" (`text` is the value), "parameter" (`text` is what stands inside `${}`), "command" (source
    of a command substitution), "arithmetic", "process", "braces" or "tilde".  `quoted` protects it from splitting
    and globbing.
    """

    kind: str
    text: str
    quoted: bool = False


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One word; `source` is its text and `at` the character offset."""

    parts: tuple[Part, ...]
    source: str
    at: int

    @property
    def literal(self) -> str | None:
        """The word's value when nothing in it is left to the shell, else None."""
        out: list[str] = []
        for part in self.parts:
            if part.kind != "literal" or (not part.quoted and has_wildcard(part.text)):
                return None
            out.append(part.text)
        return "".join(out)

    @property
    def plain(self) -> str | None:
        """The value if the word is wholly unquoted literal text: only such a word can be reserved."""
        if len(self.parts) == 1 and self.parts[0].kind == "literal" and not self.parts[0].quoted:
            return self.parts[0].text
        return None


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """`name=value`, `name+=value` (`append`) or an array (`value` None)."""

    name: str
    value: Word | None
    append: bool = False


class Redirection(msgspec.Struct, frozen=True, kw_only=True):
    operator: str
    target: Word | None


class Simple(msgspec.Struct, frozen=True, kw_only=True):
    """A simple command."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    at: int


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a compound command: `patterns` for case, `condition` for if, elif, while, until (None: else)."""

    body: Script
    condition: Script | None = None
    patterns: tuple[Word, ...] = ()
    falls: str = ";;"


class Compound(msgspec.Struct, frozen=True, kw_only=True):
    """A compound command.

    `kind`: "subshell", "group", "if", "while", "until", "for", "case", "function", "test" (`[[ ]]`) or
    "arithmetic".  `name` is the function's or loop variable's name; `words` those of for, case or the test
    (None: `for x` without `in`).
    """

    kind: str
    branches: tuple[Branch, ...]
    redirections: tuple[Redirection, ...]
    at: int
    name: str = ""
    words: tuple[Word, ...] | None = ()


Command = Simple | Compound


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    commands: tuple[Command, ...]
    negated: bool = False
    timed: bool = False


class AndOr(msgspec.Struct, frozen=True, kw_only=True):
    """Pipelines joined by `operators` (`&&` or `||`), and what ends them: ";", "&" or "" (newline or the end)."""

    pipelines: tuple[Pipeline, ...]
    operators: tuple[str, ...]
    end: str
    at: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a shell reads before it runs anything: and-or lists up to a newline at top level.

    `newline` tells that a newline follows, `stop` is the offset where reading goes on.
    """

    items: tuple[AndOr, ...]
    newline: bool
    stop: int


class Script(msgspec.Struct, frozen=True, kw_only=True):
    lines: tuple[Line, ...]

    @property
    def items(self) -> tuple[AndOr, ...]:
        """All and-or lists of all lines."""
        return tuple(item for line in self.lines for item in line.items)
