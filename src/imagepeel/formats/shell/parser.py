"""Shell text as a tree: POSIX shell grammar and the everyday extensions of bash, read but never run.

`parse_shell` turns a script or a `-c` string into lists, pipelines and simple commands whose words keep what is
literal apart from what only the running shell knows.  It is made for one question, which process a script finally
becomes, so it gives up with `Malformed` (and the offset) rather than guess at text it does not understand.
"""

from __future__ import annotations

from typing import Literal, get_args

from imagepeel.errors import Malformed
from imagepeel.formats.shell.lexer import META, NAME, NAME_START, WordReader, parse_word
from imagepeel.formats.shell.tree import (
    AndOr,
    Assignment,
    Branch,
    Command,
    Compound,
    CompoundKind,
    Line,
    Part,
    Pipeline,
    Redirection,
    RedirectionOperator,
    Script,
    Simple,
    Word,
)
from imagepeel.text import plural

MAX_TEXT = 1024 * 1024

_RESERVED = frozenset(
    ("if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "{", "}", "!")
)
_DECLARE = frozenset(("declare", "typeset", "local", "readonly", "export"))
_REDIRECTIONS: tuple[RedirectionOperator, ...] = get_args(RedirectionOperator)
"""Longer ones first."""

__all__ = ["MAX_TEXT", "Script", "parse_shell", "parse_word"]


def parse_shell(text: str) -> Script:
    """Parse a whole script or `-c` string.

    Raises `Malformed` with the character offset for text that is not understood, for nesting beyond 40 levels and
    for more than 1 MiB of text.  Source: POSIX Shell Command Language, section 2.10, and the manual of bash.
    """
    if len(text) > MAX_TEXT:
        raise Malformed(f"a script of {plural(len(text), 'character')} is not read (limit {MAX_TEXT})")
    parser = _Parser(text)
    lines: list[Line] = []
    while True:
        parser.skip_newlines()
        if parser.done:
            return Script(lines=tuple(lines))
        before = parser.position
        lines.append(parser.line(()))
        if parser.position == before:
            raise Malformed(f"the script is not understood at character {before}: unexpected text")


class _Parser(WordReader):
    """The grammar of commands."""

    # -- lists -----------------------------------------------------------------------------------------------

    def line(self, stops: tuple[str, ...]) -> Line:
        """And-or lists up to a newline, the end of the text, `)` or a word of `stops`."""
        items: list[AndOr] = []
        newline = False
        while True:
            self._blanks()
            if self.done or self._stops(stops):
                break
            item = self._and_or()
            items.append(item)
            self._blanks()
            if item.end:
                if self._newline():
                    newline = True
                    break
                continue
            if self._newline():
                newline = True
            break
        return Line(items=tuple(items), newline=newline, stop=self._at)

    def _stops(self, stops: tuple[str, ...]) -> bool:
        if self._text.startswith(")", self._at) or self._text.startswith(";;", self._at):
            return True
        if self._text.startswith(";&", self._at):
            return True
        return bool(stops) and self._peek_word() in stops

    def script(self, stops: tuple[str, ...]) -> Script:
        """Lines up to `)`, `;;` or a reserved word of `stops`, none of which is consumed."""
        self._deeper()
        lines: list[Line] = []
        while True:
            self.skip_newlines()
            if self.done or self._stops(stops):
                break
            before = self._at
            lines.append(self.line(stops))
            if self._at == before:
                raise self._fail("unexpected text")
        self._depth -= 1
        return Script(lines=tuple(lines))

    def _and_or(self) -> AndOr:
        start = self._at
        pipelines = [self._pipeline()]
        operators: list[str] = []
        while True:
            operator = self._operator("&&", "||")
            if not operator:
                break
            self._at += 2
            self.skip_newlines()
            operators.append(operator)
            pipelines.append(self._pipeline())
        end: Literal["", ";", "&"] = ""
        self._blanks()
        if self._operator(";;", ";&"):
            end = ""
        elif self._take(";"):
            end = ";"
        elif self._take("&"):
            end = "&"
        return AndOr(pipelines=tuple(pipelines), operators=tuple(operators), end=end, at=start)

    def _pipeline(self) -> Pipeline:
        self._count()
        negated = timed = False
        while True:
            if self._keyword("!"):
                negated = not negated
            elif self._keyword("time"):
                timed = True
                if self._peek_word() == "-p":
                    self._keyword("-p")
            else:
                break
        commands = [self._command()]
        while True:
            if self._operator("||"):
                break
            if self._take("|&") or self._take("|"):
                self.skip_newlines()
                commands.append(self._command())
            else:
                break
        return Pipeline(commands=tuple(commands), negated=negated, timed=timed)

    # -- commands --------------------------------------------------------------------------------------------

    def _command(self) -> Command:
        self._count()
        self._blanks()
        start = self._at
        if self._text.startswith("((", self._at):
            end = self._arithmetic_end(self._at + 2)
            if end is not None:
                self._at = end
                return self._finish("arithmetic", (), start)
        if self._take("("):
            body = self.script(())
            if not self._take(")"):
                raise self._fail(") is missing")
            return self._finish("subshell", (Branch(body=body),), start)
        word = self._peek_word()
        if word == "{":
            self._at += 1
            body = self.script(("}",))
            self._expect("}")
            return self._finish("group", (Branch(body=body),), start)
        if word == "if":
            return self._if(start)
        if word in ("while", "until"):
            self._keyword(word)
            condition = self.script(("do",))
            self._expect("do")
            body = self.script(("done",))
            self._expect("done")
            return self._finish(
                "while" if word == "while" else "until", (Branch(body=body, condition=condition),), start
            )
        if word in ("for", "select"):
            return self._for(word, start)
        if word == "case":
            return self._case(start)
        if word == "[[":
            return self._test(start)
        if word == "function":
            self._keyword("function")
            name = self._peek_word()
            self._keyword(name)
            if self._take("("):
                self._take(")")
            return self._function(name, start)
        if word == "coproc":
            raise self._fail("coproc is not modelled")
        if word in _RESERVED:
            raise self._fail(f"{word} stands where a command is expected")
        return self._simple(start)

    def _finish(
        self,
        kind: CompoundKind,
        branches: tuple[Branch, ...],
        start: int,
        name: str = "",
        words: tuple[Word, ...] | None = (),
    ) -> Compound:
        redirections: list[Redirection] = []
        while True:
            redirection = self._redirection()
            if redirection is None:
                break
            redirections.append(redirection)
        return Compound(
            kind=kind, branches=branches, redirections=tuple(redirections), at=start, name=name, words=words
        )

    def _if(self, start: int) -> Compound:
        self._keyword("if")
        branches: list[Branch] = []
        condition = self.script(("then",))
        self._expect("then")
        branches.append(Branch(body=self.script(("elif", "else", "fi")), condition=condition))
        while self._keyword("elif"):
            condition = self.script(("then",))
            self._expect("then")
            branches.append(Branch(body=self.script(("elif", "else", "fi")), condition=condition))
        if self._keyword("else"):
            branches.append(Branch(body=self.script(("fi",))))
        self._expect("fi")
        return self._finish("if", tuple(branches), start)

    def _for(self, word: str, start: int) -> Compound:
        self._keyword(word)
        self._blanks()
        if self._text.startswith("((", self._at):
            end = self._arithmetic_end(self._at + 2)
            if end is None:
                raise self._fail(")) is missing")
            self._at = end
            name, words = "", None
        else:
            name = self._peek_word()
            self._keyword(name)
            self.skip_newlines()
            words = None
            if self._keyword("in"):
                found: list[Word] = []
                while True:
                    self._blanks()
                    if self.done or self._text[self._at] in ";\n":
                        break
                    found.append(self._word())
                words = tuple(found)
        self._take(";")
        self.skip_newlines()
        if self._keyword("{"):
            body = self.script(("}",))
            self._expect("}")
        else:
            self._expect("do")
            body = self.script(("done",))
            self._expect("done")
        return self._finish("for", (Branch(body=body),), start, name, words)

    def _case(self, start: int) -> Compound:
        self._keyword("case")
        self._blanks()
        subject = self._word()
        self.skip_newlines()
        self._expect("in")
        branches: list[Branch] = []
        while True:
            self.skip_newlines()
            if self._keyword("esac"):
                break
            self._take("(")
            patterns = [self._pattern()]
            while self._take("|"):
                patterns.append(self._pattern())
            if not self._take(")"):
                raise self._fail(") is missing after a case pattern")
            body = self.script(("esac",))
            self._blanks()
            end = self._operator(";;&", ";;", ";&")
            self._at += len(end)
            branches.append(Branch(body=body, patterns=tuple(patterns), falls=end not in ("", ";;")))
            if not end:
                self.skip_newlines()
                self._expect("esac")
                break
        return self._finish("case", tuple(branches), start, words=(subject,))

    def _pattern(self) -> Word:
        self._blanks()
        return self._word()

    def _test(self, start: int) -> Compound:
        """`[[ ... ]]`: its words, operators included; parentheses and the operators && and || are words too."""
        self._at += 2
        words: list[Word] = []
        while True:
            self._blanks()
            while self._newline():
                self._blanks()
            if self.done:
                raise self._fail("]] is missing")
            operator = self._operator("&&", "||", "(", ")", "<", ">")
            if operator:
                words.append(Word(parts=(Part(kind="literal", text=operator),), source=operator, at=self._at))
                self._at += len(operator)
                continue
            word = self._word(inside_test=bool(words) and words[-1].source == "=~")
            if word.source == "]]":
                break
            words.append(word)
        return self._finish("test", (), start, words=tuple(words))

    def _function(self, name: str, start: int) -> Compound:
        self.skip_newlines()
        body = self._command()
        if not isinstance(body, Compound):
            raise self._fail("a function body must be a compound command")
        item = AndOr(pipelines=(Pipeline(commands=(body,)),), operators=(), end="", at=start)
        script = Script(lines=(Line(items=(item,), newline=True, stop=self._at),))
        return Compound(kind="function", branches=(Branch(body=script),), redirections=(), at=start, name=name)

    def _simple(self, start: int) -> Command:
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            self._blanks()
            redirection = self._redirection()
            if redirection is not None:
                redirections.append(redirection)
                continue
            if self.done or (self._text[self._at] in META and not self._text.startswith(("<(", ">("), self._at)):
                break
            if not words:
                assignment = self._assignment()
                if assignment is not None:
                    assignments.append(assignment)
                    continue
            declared = self._assignment() if words and words[0].plain in _DECLARE and self._is_array() else None
            if declared is not None:
                assignments.append(declared)
                continue
            words.append(self._word())
            alone = len(words) == 1 and not assignments and not redirections
            if alone and words[0].plain is not None and self._take("("):
                if not self._take(")"):
                    raise self._fail("( after a word")
                return self._function(words[0].plain, start)
        if not assignments and not words and not redirections:
            raise self._fail("a command is missing")
        return Simple(assignments=tuple(assignments), words=tuple(words), redirections=tuple(redirections), at=start)

    def _is_array(self) -> bool:
        """Whether `name=(` or `name+=(` stands here: the one form of a word that may hold parentheses."""
        end = self._at
        while end < self._size and self._text[end] in NAME:
            end += 1
        return end > self._at and self._text.startswith(("=(", "+=("), end)

    def _assignment(self) -> Assignment | None:
        text, end = self._text, self._at
        if text[end] not in NAME_START:
            return None
        while end < self._size and text[end] in NAME:
            end += 1
        name = text[self._at : end]
        element = text.startswith("[", end)
        if element:
            closing = text.find("]", end)
            if closing < 0 or not text.startswith(("=", "+="), closing + 1) or "\n" in text[end:closing]:
                return None
            end = closing + 1
        append = text.startswith("+=", end)
        if not append and not text.startswith("=", end):
            return None
        self._at = end + (2 if append else 1)
        if self._text.startswith("(", self._at):
            return self._array(name, append)
        empty = self.done or self._text[self._at] in META
        value = Word(parts=(), source="", at=self._at) if empty else self._word()
        return Assignment(name=name, value=value, append=append, element=element)

    def _array(self, name: str, append: bool) -> Assignment:
        """The words between the parentheses of an array."""
        self._at += 1
        elements: list[Word] = []
        while True:
            self.skip_newlines()
            if self._take(")"):
                break
            if self.done:
                raise self._fail(") of an array is missing")
            elements.append(self._word())
        placed = any(word.source.startswith("[") and "]=" in word.source for word in elements)
        return Assignment(name=name, value=None, append=append, elements=None if placed else tuple(elements))

    def _redirection(self) -> Redirection | None:
        self._blanks()
        start = end = self._at
        while end < self._size and self._text[end] in "0123456789":
            end += 1
        if self._text.startswith("{", end) and end == start:
            closing = end + 1
            while closing < self._size and self._text[closing] in NAME:
                closing += 1
            if self._text.startswith(("}<", "}>"), closing):
                end = closing + 1
        operator = next((item for item in _REDIRECTIONS if self._text.startswith(item, end)), None)
        if operator is None or (self._text.startswith(("<(", ">("), end) and operator in "<>"):
            return None
        self._at = end + len(operator)
        self._blanks()
        if self.done or self._text[self._at] in "\n;&|)":
            raise self._fail("a redirection without a target")
        target = self._word()
        if operator in ("<<", "<<-"):
            delimiter = "".join(part.text for part in target.parts)
            self._heredocs.append((delimiter, operator == "<<-"))
        number = self._text[start:end]
        return Redirection(
            operator=operator, target=target, descriptor=int(number) if number.isdigit() and len(number) < 5 else None
        )
