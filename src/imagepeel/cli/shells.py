"""How bash, zsh and fish ask for completions, where the ways of click are not enough.

Bash cuts the line into pieces at `=`, `:` and `@` as well as at blanks, and puts what is offered in the place of the
last piece.  Zsh and fish know of words alone, in which the value of `--option=VALUE` is only the end.

Source: bash(1), "Programmable Completion" and COMP_WORDBREAKS; zshcompwid(1), compset and compadd; fish's complete(1).
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

_BASH = """\
%(complete_func)s() {
    local kind word
    COMPREPLY=()
    while IFS=, read -r kind word; do
        case $kind in
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
            open) compopt -o nospace; COMPREPLY+=("$word") ;;
            plain) COMPREPLY+=("$word") ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_PIECE="$2" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local kind word help
    local -a answer names open told
    (( $+commands[%(prog_name)s] )) || return 1
    answer=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for kind word help in $answer; do
        case $kind in
            file) compset -P 1 '-*='; _path_files -f ;;
            dir) _path_files -/ ;;
            plain)
                if [[ $help != _ ]]; then told+=("$word:$help")
                elif [[ $word == *[/=] ]]; then open+=("$word")
                else names+=("$word")
                fi ;;
        esac
    done
    (( $#told )) && _describe -V commands told -U
    (( $#open )) && compadd -U -S '' -V open -a open
    (( $#names )) && compadd -U -V names -a names
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class _WholeLine(ShellComplete):
    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        # An option without its value is an error, after which click reads nothing else of the line: neither which image
        # is meant, nor which view.
        if args and args[-1].startswith("--") and args[-1] != "--" and not incomplete.startswith("-"):
            args, incomplete = args[:-1], f"{args[-1]}={incomplete}"
        return super().get_completions(args, incomplete)


class Bash(_WholeLine, BashComplete):
    """Bash, asked with the line instead of its pieces."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE")
        if line is None:  # from a shell that was started before an update
            return super().get_completion_args()
        (*words, last), _ = _split(line)
        return words[1:], last

    def complete(self) -> str:
        args, incomplete = self.get_completion_args()
        found = self.get_completions(args, incomplete)
        if "COMP_LINE" not in os.environ:
            return "\n".join(self.format_completion(item) for item in found)
        _, quoted = _split(os.environ["COMP_LINE"])
        (*_, piece), _ = _split(os.environ.get("COMP_PIECE", ""))
        kept = len(incomplete) - len(piece) if incomplete.endswith(piece) else 0
        return "\n".join(self._offered(item, _head(incomplete), kept, quoted=quoted) for item in found)

    def _offered(self, item: CompletionItem[Any], head: str, kept: int, *, quoted: bool) -> str:
        if item.type != "plain":
            return self.format_completion(item)
        # What stands before the last piece stays where it is.
        word = (head + item.value)[kept:]
        return f"{'open' if word.endswith(('/', '=')) else 'plain'},{word if quoted else _escaped(word)}"


class _WholeWords(_WholeLine):
    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        found = super().get_completions(args, incomplete)
        for item in found:
            if item.type == "plain":
                item.value = _head(incomplete) + item.value
        return found


class Zsh(_WholeWords, ZshComplete):
    """Zsh, in which no blank follows what goes on."""

    source_template = _ZSH


class Fish(_WholeWords, FishComplete):
    """Fish, with the script of click."""


def add_shells() -> None:
    """Let click use these."""
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)


def _split(line: str) -> tuple[list[str], bool]:
    """Return the words of a line that is typed, "" as the last one behind a blank, and whether a quote is open."""
    for quote in ("", "'", '"'):
        try:
            words = shlex.split(f"{line}\0{quote}")
        except ValueError:
            continue
        return [*words[:-1], words[-1].removesuffix("\0")], bool(quote)
    return [""], False


def _head(word: str) -> str:
    """Return what of a word is the option: `--layer=` of `--layer=L1`, "" of any other word."""
    return word[: word.index("=") + 1] if word.startswith("-") and "=" in word else ""


def _escaped(word: str) -> str:
    return re.sub(r"[^\w@%+=:,./~-]", r"\\\g<0>", word)
