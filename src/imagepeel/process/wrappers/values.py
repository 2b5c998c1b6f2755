"""What unwrapping a command gives, and getopt as the C library reads options."""

from __future__ import annotations

import msgspec

from imagepeel.process.wrappers.specs import LookupKind, Package, WrapperKind, WrapperSpec


class Wrapped(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a wrapper does with its arguments."""

    program: str
    family: Package
    kind: WrapperKind
    argv: tuple[str, ...] = ()
    """The command and its arguments."""
    forwards: bool = False
    """It forwards signals to its child."""
    reaps: bool = False
    """It reaps orphans."""
    lookup: LookupKind = "execvp"
    """How `argv[0]` is searched."""
    env: dict[str, str | None] = {}
    """Changes of the environment; None removes the variable."""
    env_clear: bool = False
    """The environment starts empty."""
    env_unknown: bool = False
    """The environment cannot be told."""
    hidden: tuple[str, ...] = ()
    """Variables that get a value which nothing in the image tells."""
    cwd: str = ""
    """A new directory."""
    user: str = ""
    """The user string that is switched to."""
    sets_home: bool = False
    """HOME becomes that user's home."""
    shell: str | None = None
    """The shell that `su` is told to run, "" for that of passwd; None where no shell comes in between."""
    login: bool = False
    """That shell is told that it is the first of a session."""
    root: str = ""
    """A new root directory."""
    argv0: str = ""
    """What the command gets for its own name, where that is not `argv[0]`."""
    signals: dict[str, str] = {}
    """Signals that are rewritten on their way."""
    needs_pid1: bool = False
    options: tuple[str, ...] = ()
    """The wrapper's own words."""
    operands: tuple[str, ...] = ()
    """The words between its options and its command."""
    hangs: str = ""
    """A command that has to succeed first, and whose exit code nothing in the image tells."""
    assumes: tuple[str, ...] = ()
    """What is taken to hold for it, one clause each."""
    changed: int = 0
    """What its children may have made: 0 nothing, 1 directories and data, 2 programs too."""
    why: str = ""
    failure_exit: int | None = None
    """Exit code of a wrapper that refuses its arguments."""

    @property
    def has_no_command(self) -> bool:
        """No command that could be waited for."""
        return not self.argv or self.kind in ("none", "unknown", "detach")

    @property
    def stays(self) -> bool:
        """The wrapper's process remains and the command is its child."""
        return self.kind in ("fork", "supervise")


def getopt(words: list[str], spec: WrapperSpec, *, permute: bool) -> tuple[list[tuple[str, str]], list[str]]:
    """Options and operands.  Raises ValueError in the words of getopt."""
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            operands += words[index + 1 :]
            break
        if word.startswith("--") and spec.long:
            name, equals, value = word.partition("=")
            full = _long(name, spec)
            if spec.long[full] == "value" and not equals:
                index += 1
                if index >= len(words):
                    raise ValueError(f"option '{full}' requires an argument")
                value = words[index]
            elif spec.long[full] == "none" and equals:
                raise ValueError(f"option '{full}' doesn't allow an argument")
            options.append((full, value))
        elif spec.digits and word[:1] == "-" and word[1:].lstrip("-+").isdigit():
            options.append(("-n", word[1:]))
        elif len(word) > 1 and word[0] == "-":
            index = _short(words, index, spec, options)
        elif permute and not (spec.operands_first and len(operands) >= spec.operands):
            operands.append(word)
        else:
            operands += words[index:]
            break
        index += 1
    return options, operands


def _long(name: str, spec: WrapperSpec) -> str:
    if name in spec.long:
        return name
    found = [item for item in spec.long if item.startswith(name)]
    if len(found) != 1:
        raise ValueError(f"unrecognized option '{name}'" if not found else f"option '{name}' is ambiguous")
    return found[0]


def _short(words: list[str], index: int, spec: WrapperSpec, options: list[tuple[str, str]]) -> int:
    word = words[index]
    for position, letter in enumerate(word[1:], 1):
        if letter in spec.flags:
            options.append((f"-{letter}", ""))
        elif letter in spec.optional:
            options.append((f"-{letter}", word[position + 1 :]))
            break
        elif letter in spec.values:
            value = word[position + 1 :]
            if not value:
                index += 1
                if index >= len(words):
                    raise ValueError(f"option requires an argument -- '{letter}'")
                value = words[index]
            options.append((f"-{letter}", value))
            break
        else:
            raise ValueError(f"invalid option -- '{letter}'")
    return index
