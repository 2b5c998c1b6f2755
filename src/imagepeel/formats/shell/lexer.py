"""Shell words: quoting, expansions and the characters that end a word (POSIX Shell Command Language, 2.2 to 2.6)."""

from __future__ import annotations

from imagepeel.errors import Malformed
from imagepeel.formats.shell.tree import Part, PartKind, Script, Word

_MAX_DEPTH = 40
_MAX_NODES = 100_000

META = frozenset(" \t\n;&|<>()")
NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
NAME = NAME_START | frozenset("0123456789")


class WordReader:
    """Reads blanks, operators and words at a position; the grammar of commands is added by a subclass."""

    def __init__(self, text: str, position: int = 0, depth: int = 0) -> None:
        self._text = text
        self._size = len(text)
        self._at = position
        self._depth = depth
        self._nodes = 0
        self._heredocs: list[tuple[str, bool]] = []
        self._closing: dict[int, int] | None = None

    # -- characters ------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        return self._at >= self._size

    @property
    def position(self) -> int:
        return self._at

    def _fail(self, what: str) -> Malformed:
        return Malformed(f"the script is not understood at character {self._at}: {what}")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._fail("too deeply nested")

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise self._fail("too many commands")

    def _blanks(self) -> None:
        """Skip blanks, line continuations and a comment."""
        text = self._text
        while self._at < self._size:
            char = text[self._at]
            if char in " \t":
                self._at += 1
            elif char == "\\" and text.startswith("\\\n", self._at):
                self._at += 2
            elif char == "#":
                end = text.find("\n", self._at)
                self._at = self._size if end < 0 else end
            else:
                return

    def _newline(self) -> bool:
        """Consume one newline and the bodies of here-documents that were announced before it."""
        if not self._text.startswith("\n", self._at):
            return False
        self._at += 1
        pending, self._heredocs = self._heredocs, []
        for delimiter, strip in pending:
            while self._at < self._size:
                end = self._text.find("\n", self._at)
                line = self._text[self._at : self._size if end < 0 else end]
                self._at = self._size if end < 0 else end + 1
                if (line.lstrip("\t") if strip else line) == delimiter:
                    break
        return True

    def skip_newlines(self) -> None:
        self._blanks()
        while self._newline():
            self._blanks()

    def _operator(self, *choices: str) -> str:
        self._blanks()
        for choice in choices:
            if self._text.startswith(choice, self._at):
                return choice
        return ""

    def _take(self, operator: str) -> bool:
        if self._operator(operator):
            self._at += len(operator)
            return True
        return False

    def _peek_word(self) -> str:
        """The next word if it is plain text, without consuming it."""
        self._blanks()
        end = self._at
        while end < self._size and self._text[end] not in META and self._text[end] not in "'\"\\$`":
            end += 1
        if end < self._size and self._text[end] in "'\"\\$`":
            return ""
        return self._text[self._at : end]

    def _keyword(self, word: str) -> bool:
        if self._peek_word() == word:
            self._at += len(word)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._keyword(word):
            raise self._fail(f"{word} is missing")

    def script(self, stops: tuple[str, ...]) -> Script:
        """Commands inside a substitution."""
        raise self._fail("commands are not expected here")

    # -- words -----------------------------------------------------------------------------------------------

    def _word(self, inside_test: bool = False) -> Word:
        self._count()
        text, start = self._text, self._at
        parts: list[Part] = []
        plain: list[str] = []

        def flush() -> None:
            if plain:
                parts.append(Part(kind="literal", text="".join(plain)))
                plain.clear()

        self._tilde(parts)
        depth = 0
        while self._at < self._size:
            char = text[self._at]
            if inside_test and char in "()|":
                # The right side of =~ is a regular expression.
                depth += {"(": 1, ")": -1}.get(char, 0)
                plain.append(char)
                self._at += 1
            elif char in META and not (inside_test and depth > 0 and char == " "):
                if char == "(" and plain and plain[-1][-1:] in "@!+?*":
                    raise self._fail("extended patterns are not modelled")
                flush()
                if not self._process_substitution(parts):
                    break
            elif text.startswith("\\\n", self._at):
                self._at += 2
            elif char in "\\'\"$`" or (char == "{" and self._is_braces()):
                flush()
                self._special(char, parts)
            else:
                plain.append(char)
                self._at += 1
        flush()
        self._at = min(self._at, self._size)
        if self._at == start:
            raise self._fail("a word is missing")
        return Word(parts=tuple(parts), source=text[start : self._at], at=start)

    def _tilde(self, parts: list[Part]) -> None:
        """A tilde at the start of a word, with the name behind it; one with a quote in it is plain text."""
        text, end = self._text, self._at + 1
        if not text.startswith("~", self._at):
            return
        while end < self._size and text[end] not in META and text[end] not in "/'\"\\$`":
            end += 1
        if end >= self._size or text[end] not in "'\"\\$`":
            parts.append(Part(kind="tilde", text=text[self._at + 1 : end]))
            self._at = end

    def _process_substitution(self, parts: list[Part]) -> bool:
        """`<(...)` or `>(...)`, if that is what begins here."""
        if not self._text.startswith(("<(", ">("), self._at):
            return False
        self._at += 2
        begin = self._at
        self.script(())
        if not self._take(")"):
            raise self._fail(") of a process substitution is missing")
        parts.append(Part(kind="process", text=self._text[begin : self._at - 1]))
        return True

    def _special(self, char: str, parts: list[Part]) -> None:
        """What begins with a quote, a backslash, a dollar sign or the brace of an expansion."""
        text = self._text
        if char == '"':
            self._at += 1
            self.double_quoted(parts)
        elif char == "$":
            self._dollar(parts, False)
        elif char == "`":
            parts.append(Part(kind="command", text=self._backquote()))
        elif char == "\\":
            parts.append(Part(kind="literal", text=text[self._at + 1 : self._at + 2] or "\\", quoted=True))
            self._at += 2
        elif char == "'":
            end = text.find("'", self._at + 1)
            if end < 0:
                raise self._fail("an unterminated single quote")
            parts.append(Part(kind="literal", text=text[self._at + 1 : end], quoted=True))
            self._at = end + 1
        else:
            end = text.index("}", self._at)
            parts.append(Part(kind="braces", text=text[self._at : end + 1]))
            self._at = end + 1

    def _is_braces(self) -> bool:
        """A brace expansion of bash: `{a,b}` or `{1..3}` without blanks."""
        end = self._at + 1
        while end < self._size and self._text[end] not in META and self._text[end] not in "{}":
            end += 1
        inside = self._text[self._at + 1 : end]
        return self._text.startswith("}", end) and ("," in inside or ".." in inside)

    def double_quoted(self, parts: list[Part]) -> None:
        """The inside of double quotes, up to and including the closing one."""
        text = self._text
        plain: list[str] = []
        empty = len(parts)
        while True:
            if self._at >= self._size:
                raise self._fail("an unterminated double quote")
            char = text[self._at]
            if char == '"':
                self._at += 1
                break
            if char == "\\" and self._at + 1 < self._size:
                following = text[self._at + 1]
                if following == "\n":
                    pass
                elif following in '$`"\\':
                    plain.append(following)
                else:
                    plain.append("\\" + following)
                self._at += 2
            elif char in "$`":
                if plain:
                    parts.append(Part(kind="literal", text="".join(plain), quoted=True))
                    plain = []
                if char == "`":
                    parts.append(Part(kind="command", text=self._backquote(), quoted=True))
                else:
                    self._dollar(parts, True)
            else:
                plain.append(char)
                self._at += 1
        if plain or len(parts) == empty:
            parts.append(Part(kind="literal", text="".join(plain), quoted=True))

    def _backquote(self) -> str:
        self._at += 1
        out: list[str] = []
        while self._at < self._size:
            char = self._text[self._at]
            if char == "`":
                self._at += 1
                return "".join(out)
            if char == "\\" and self._at + 1 < self._size:
                following = self._text[self._at + 1]
                out.append(following if following in "$`\\" else "\\" + following)
                self._at += 2
            else:
                out.append(char)
                self._at += 1
        raise self._fail("an unterminated backquote")

    def _arithmetic_end(self, position: int) -> int | None:
        """Offset behind the `))` that closes the arithmetic expression that begins there; None when it is none.

        The text is looked through once for all of them: one by one, `$((` again and again would cost its square.
        """
        if self._closing is None:
            self._closing = _closing_brackets(self._text)
        end = self._closing.get(position - 1)
        return end + 2 if end is not None and self._text.startswith("))", end) else None

    def _dollar(self, parts: list[Part], quoted: bool) -> None:
        text = self._text
        following = text[self._at + 1] if self._at + 1 < self._size else ""
        if following in NAME_START:
            end = self._at + 1
            while end < self._size and text[end] in NAME:
                end += 1
            parts.append(Part(kind="parameter", text=text[self._at + 1 : end], quoted=quoted))
            self._at = end
        elif following and following in "@*#?-$!0123456789":
            parts.append(Part(kind="parameter", text=following, quoted=quoted))
            self._at += 2
        elif following == "{":
            start = self._at + 2
            self._at = start
            self._braced()
            parts.append(Part(kind="parameter", text=text[start : self._at - 1], quoted=quoted))
        elif text.startswith("((", self._at + 1):
            stop = self._arithmetic_end(self._at + 3)
            if stop is not None:
                parts.append(Part(kind="arithmetic", text=text[self._at + 3 : stop - 2], quoted=quoted))
                self._at = stop
            else:
                self._substitution(parts, quoted)
        elif following == "(":
            self._substitution(parts, quoted)
        elif following == "'" and not quoted:
            start = self._at + 2
            end = start
            while end < self._size and text[end] != "'":
                end += 2 if text[end] == "\\" else 1
            if end >= self._size:
                raise self._fail("an unterminated quote")
            body = text[start:end]
            # $'...' is a quote in bash and busybox and a dollar sign plus a quote in dash: only plain text is sure.
            kind: PartKind = "literal" if "\\" not in body else "ansi"
            parts.append(Part(kind=kind, text=body, quoted=True))
            self._at = end + 1
        elif following == '"' and not quoted:
            self._at += 2
            self.double_quoted(parts)
        else:
            parts.append(Part(kind="literal", text="$", quoted=True))
            self._at += 1

    def _substitution(self, parts: list[Part], quoted: bool) -> None:
        start = self._at + 2
        self._at = start
        pending, self._heredocs = self._heredocs, []
        self.script(())
        self._heredocs = pending
        if not self._take(")"):
            raise self._fail(") of a command substitution is missing")
        parts.append(Part(kind="command", text=self._text[start : self._at - 1], quoted=quoted))

    def inside_braces(self, parts: list[Part], *, quoted: bool) -> None:
        """All of the text, as what stands behind the operator in `${name:-...}`."""
        text = self._text
        plain: list[str] = []
        while self._at < self._size:
            char = text[self._at]
            if char not in '\\"$`' and (quoted or char != "'"):
                plain.append(char)
                self._at += 1
                continue
            if char == "\\" and quoted and text[self._at + 1 : self._at + 2] not in ("$", "`", '"', "\\", "}"):
                plain.append(char)
                self._at += 1
                continue
            if plain:
                parts.append(Part(kind="literal", text="".join(plain), quoted=quoted))
                plain = []
            if char == "`":
                parts.append(Part(kind="command", text=self._backquote(), quoted=quoted))
            elif char == "$":
                self._dollar(parts, quoted)
            else:
                self._special(char, parts)
        if plain or not parts:
            parts.append(Part(kind="literal", text="".join(plain), quoted=quoted))

    def _braced(self) -> None:
        """Move behind the brace that closes `${`."""
        self._deeper()
        text = self._text
        ignored: list[Part] = []
        while self._at < self._size:
            char = text[self._at]
            if char == "}":
                self._at += 1
                self._depth -= 1
                return
            if char == "\\":
                self._at += 2
            elif char == "'":
                end = text.find("'", self._at + 1)
                closing = text.find("}", self._at)
                # Inside double quotes a single quote is an ordinary character.
                self._at = (
                    end + 1
                    if end >= 0 and (closing < 0 or end < closing or "\n" not in text[self._at : end])
                    else self._at + 1
                )
            elif char == '"':
                self._at += 1
                self.double_quoted(ignored)
            elif char == "`":
                self._backquote()
            elif char == "$":
                self._dollar(ignored, True)
            else:
                self._at += 1
        raise self._fail("} of a parameter is missing")


def _closing_brackets(text: str) -> dict[int, int]:
    """Where each `(` of a text that is closed has its `)`."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for position, char in enumerate(text):
        if char == "(":
            opened.append(position)
        elif char == ")" and opened:
            closing[opened.pop()] = position
    return closing


def parse_word(text: str, *, quoted: bool = True) -> Word:
    """Parse text that stands inside `${name:-...}` as one word: blanks and operators in it are ordinary text.

    Double quotes in it quote, single quotes only where the whole is not `quoted` itself.
    Raises `Malformed` for unterminated quotes.
    """
    parts: list[Part] = []
    WordReader(text).inside_braces(parts, quoted=quoted)
    return Word(parts=tuple(parts), source=text, at=0)


def here_document(text: str, at: int, delimiter: str, *, strip: bool) -> str | None:
    """Return the body of the only here-document whose delimiter stands at this offset; None where it has no end."""
    begin = text.find("\n", at) + 1
    body: list[str] = []
    while 0 < begin < len(text):
        end = text.find("\n", begin)
        line = text[begin : len(text) if end < 0 else end]
        line = line.lstrip("\t") if strip else line
        if line == delimiter:
            return "".join(f"{one}\n" for one in body)
        body.append(line)
        begin = len(text) if end < 0 else end + 1
    return None
