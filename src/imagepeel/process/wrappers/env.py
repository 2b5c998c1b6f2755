"""`env`: its options, assignments, and the splitting of `-S`."""

from __future__ import annotations

from collections.abc import Mapping

from imagepeel.process.wrappers.specs import Package, WrapperSpec
from imagepeel.process.wrappers.values import Wrapped, getopt

_ESCAPES = {
    "_": " ",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "#": "#",
    "$": "$",
    '"': '"',
    "'": "'",
    "\\": "\\",
}
_BLANK = " \t\n\v\f\r"


class _Words:
    """The words that are split off so far; one of them may still be open."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.open: str | None = None

    def add(self, piece: str) -> None:
        self.open = (self.open or "") + piece

    def close(self) -> None:
        if self.open is not None:
            self.done.append(self.open)
        self.open = None


def split_string(text: str, env: Mapping[str, str]) -> list[str]:
    """Split the value of `env -S`: quotes, backslash escapes, `${NAME}` and comments.

    Raises ValueError in the words of env.  Source: `build_argv` in coreutils' `src/env.c`.
    """
    words = _Words()
    quote = ""
    index = 0
    while index < len(text):
        char = text[index]
        index += 1
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
            words.add("")
        elif char in _BLANK and not quote:
            words.close()
        elif char == "#" and words.open is None and not quote:
            break
        elif char == "\\" and (quote != "'" or text[index : index + 1] in ("\\", "'")):
            following = text[index : index + 1]
            index += 1
            if following == "c" and not quote:
                break
            if following == "_" and not quote:
                words.close()
            else:
                words.add(_escape(following))
        elif char == "$" and quote != "'":
            name = _variable(text, index - 1)
            index += len(name) + 2
            if name in env:
                words.add(env[name])
        else:
            words.add(char)
    if quote:
        raise ValueError("no terminating quote in -S string")
    words.close()
    return words.done


def _escape(following: str) -> str:
    """What a backslash and this character stand for, between quotes or within a word."""
    if not following:
        raise ValueError("invalid backslash at end of string in -S")
    if following == "c":
        raise ValueError("'\\c' must not appear in double-quoted -S string")
    if following not in _ESCAPES:
        raise ValueError(f"invalid sequence '\\{following}' in -S")
    return _ESCAPES[following]


def _variable(text: str, start: int) -> str:
    """The name in the `${NAME}` that begins here."""
    end = text.find("}", start)
    name = text[start + 2 : end] if end > 0 else ""
    if not text.startswith("${", start) or not name.isidentifier():
        raise ValueError(f"only ${{VARNAME}} expansion is supported, error at: {text[start:]}")
    return name


def read_env(words: list[str], spec: WrapperSpec, family: Package, env: Mapping[str, str]) -> Wrapped:
    """What `env` does with its words (argv[0] left out).

    `-S` is expanded in place, as often as it occurs; then options, a lone `-`, assignments and the command.
    """

    def none(why: str) -> Wrapped:
        return Wrapped(program="env", family=family, kind="none", why=why, failure_exit=spec.usage_exit)

    try:
        words = _expand_split(words, env) if family != "busybox" else words
        options, rest = getopt(words, spec, permute=False)
    except ValueError as error:
        return none(f"env refuses its options: {error}")
    clear = any(option in ("-i", "--ignore-environment") for option, _ in options)
    if rest and rest[0] == "-":
        clear, rest = True, rest[1:]
    changes: dict[str, str | None] = {}
    cwd = ""
    for option, value in options:
        if option in ("-u", "--unset"):
            changes[value] = None
        elif option in ("-C", "--chdir"):
            cwd = value
    while rest and "=" in rest[0]:
        name, _, value = rest[0].partition("=")
        changes[name] = value
        rest = rest[1:]
    if any(option in spec.alone for option, _ in options) or not rest:
        return none("env prints the environment")
    return Wrapped(
        program="env",
        family=family,
        kind="exec",
        argv=tuple(rest),
        env=changes,
        env_clear=clear,
        cwd=cwd,
        options=tuple(f"{option} {value}" if value else option for option, value in options),
    )


def _expand_split(words: list[str], env: Mapping[str, str]) -> list[str]:
    """Replace `-S STRING`, `-SSTRING`, `-vS STRING` and `--split-string=STRING` by what they split into."""
    out: list[str] = []
    index = 0
    rounds = 0
    while index < len(words):
        word = words[index]
        if word == "--" or not word.startswith("-") or word == "-":
            out += words[index:]
            break
        body: str | None = None
        if word.startswith("--split-string") or (
            word.startswith("--s") and "--split-string".startswith(word.split("=")[0])
        ):
            _, equals, value = word.partition("=")
            if equals:
                body, rest = value, words[index + 1 :]
            elif index + 1 < len(words):
                body, rest = words[index + 1], words[index + 2 :]
            else:
                raise ValueError("option '--split-string' requires an argument")
        elif not word.startswith("--") and "S" in word:
            before, _, after = word[1:].partition("S")
            if not any(letter in "uC" for letter in before):
                if before:
                    out.append("-" + before)
                if after:
                    body, rest = after, words[index + 1 :]
                elif index + 1 < len(words):
                    body, rest = words[index + 1], words[index + 2 :]
                else:
                    raise ValueError("option requires an argument -- 'S'")
        if body is not None:
            rounds += 1
            if rounds > 20:
                raise ValueError("too many -S")
            words = [*split_string(body, env), *rest]
            index = 0
            continue
        out.append(word)
        if word in ("-u", "-C", "--unset", "--chdir") and index + 1 < len(words):
            index += 1
            out.append(words[index])
        index += 1
    return out
