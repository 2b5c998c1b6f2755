"""Who reads each word of the first argument vector, told from the programs that really started, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel._lazy import late
from imagepeel.process.kernel.execve import ExecveResult
from imagepeel.process.shell.interpreters import Invocation
from imagepeel.process.spec.values import WordReader
from imagepeel.process.wrappers.values import Wrapped

_EVERY = late(r"\$\{?[@*]")


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A program that started, and what it did with its words."""

    chain: ExecveResult
    wrapped: Wrapped | None = None
    """Of a wrapper: the command behind it."""
    told: Invocation | None = None
    """Of a shell: its command line."""
    body: str = ""
    """Of a shell: the text that it runs."""
    startup: bool = False
    """Whether that shell reads other files before."""


def readers(argv: Sequence[str], started: Sequence[Started]) -> tuple[WordReader, ...]:
    """Return who reads each word of the first execve's vector; () where no program started.

    `nobody` is claimed only of a word behind a shell's text that was understood whole and uses no parameter for it.
    """
    if not started or not argv:
        return ()
    found = [WordReader(by="unknown", how="no program that is known to start gets it")] * len(argv)
    how = "the path of the program" if "/" in argv[0] else "the name of the program, looked up in PATH"
    if started[0].chain.scripts:
        how += "; the kernel puts the path of the script in its place"
    found[0] = WordReader(by="runtime", how=how)
    words = _behind_kernel(tuple(argv), range(len(argv)), started[0].chain)
    for at, program in enumerate(started):
        following = started[at + 1].chain if at + 1 < len(started) else None
        read, words = _step(program, words, following)
        for place, reader in read.items():
            found[place] = reader
        if not words:
            break
    return tuple(found)


def _behind_kernel(argv: tuple[str, ...], places: Sequence[int], chain: ExecveResult) -> dict[int, int]:
    """Where the arguments of a request stand in the vector of the program: its index there to that in the first."""
    count = len(argv) - 1
    offset = len(chain.argv) - count
    if count < 1 or offset < 1 or chain.argv[offset:] != argv[1:]:
        return {}
    return {offset + index: places[1 + index] for index in range(count)}


def _step(
    program: Started, words: dict[int, int], following: ExecveResult | None
) -> tuple[dict[int, WordReader], dict[int, int]]:
    """Who reads the words that one program got, and where those stand that the next one gets."""
    if program.told is not None:
        return _shell(program, program.told, words, following)
    argv = program.chain.argv
    name = argv[0].rsplit("/", 1)[-1] if argv else ""
    if program.wrapped is None:
        reader = WordReader(by="program", how=f"an argument of {name}")
        return dict.fromkeys(words.values(), reader), {}
    return _wrapper(program.wrapped, argv, words, following)


def _wrapper(
    wrapped: Wrapped, argv: tuple[str, ...], words: dict[int, int], following: ExecveResult | None
) -> tuple[dict[int, WordReader], dict[int, int]]:
    """The words of a wrapper: its own options, the command that it starts, and that command's arguments."""
    command, name = wrapped.argv, wrapped.program
    if not command or wrapped.shell is not None or wrapped.kind == "unknown":
        return _unknown(words, f"what {name} does with its words is not known"), {}
    start = len(argv) - len(command)
    whole = start > 0 and argv[start:] == command
    if not whole:
        start = len(argv) - _shared(argv[1:], command)
    found: dict[int, WordReader] = {}
    for index, place in words.items():
        word = argv[index]
        if index < start:
            variable = word.partition("=")[0] if name == "env" and "=" in word and word[0] != "-" else ""
            how = f"{name} sets {variable}" if variable else f"a word of {name} itself"
            if name == "env" and _is_split(argv, index):
                how = "env splits it into the command that it starts and its words"
            found[place] = WordReader(by="wrapper", how=how)
        elif index == start and whole:
            found[place] = WordReader(by="wrapper", how=f"the command that {name} starts")
    rest = {index: place for index, place in words.items() if place not in found}
    if following is None:
        return found | _unknown(rest, f"{command[0]}, which {name} starts, is not followed"), {}
    return found, _carried(rest, argv, following)


def _is_split(argv: tuple[str, ...], index: int) -> bool:
    """Whether `-S` makes env split this word."""
    word = argv[index]
    return (word.startswith(("-S", "--split-string=")) and word != "-S") or argv[index - 1] in ("-S", "--split-string")


def _shell(
    program: Started, told: Invocation, words: dict[int, int], following: ExecveResult | None
) -> tuple[dict[int, WordReader], dict[int, int]]:
    """The words of a shell: its options, the text or the script, `$0`, `$1` and so on."""
    argv = program.chain.argv
    if told.mode in {"stdin", "unknown"}:
        own = {place: WordReader(by="shell", how="an option of its own") for at, place in words.items() if at < told.at}
        why = "the text that the shell runs does not stand in the image"
        if told.mode == "unknown":
            why = "the options of the shell are not understood"
        return _unknown(words, why) | own, {}
    by_text = told.mode == "command"
    called = "the text of -c" if by_text else "the script"
    found: dict[int, WordReader] = {}
    parameters: dict[int, int] = {}
    for index, place in words.items():
        if index < told.at:
            found[place] = WordReader(by="shell", how="an option of its own")
        elif index == told.at:
            how = "the text of -c, which it runs" if by_text else "the script that it reads"
            found[place] = WordReader(by="shell", how=how)
        else:
            parameters[index] = place
    if not parameters:
        return found, {}
    carried = _carried(parameters, argv, following) if following is not None else {}
    if _EVERY.search(program.body) is None or len(carried) < len(parameters) - 1 - by_text:
        carried = {}
    kept = set(carried.values())
    passed = bool(carried) and following is not None
    for index, place in parameters.items():
        number = index - told.at - by_text
        if place in kept:
            if carried and _starts(following, argv[index], place, carried):
                found[place] = WordReader(by="script", how=f"${number} of {called}: the command that it starts")
            continue
        if passed and following is not None and _named(following, argv[index]):
            found[place] = WordReader(by="script", how=f"${number} of {called}: the command that it starts")
            continue
        found[place] = _parameter(number, called, program)
    return found, {index: place for index, place in carried.items() if place not in found}


def _parameter(number: int, called: str, program: Started) -> WordReader:
    """Who reads a positional parameter that no program behind the shell is known to get."""
    from imagepeel.process.shell.uses import uses  # start time

    use = uses(program.body)
    if not use.sure or program.startup:
        return WordReader(by="unknown", how=f"${number} of {called}, which was not understood whole")
    if number in use.numbers or (number and use.every):
        return WordReader(by="script", how=f"${number} of {called}, which uses it")
    if not number:
        return WordReader(by="name", how=f"it is $0 of {called}, which does not use it but as a name in messages")
    return WordReader(by="nobody", how=f"it is ${number} of {called}, which does not use it")


def _unknown(words: dict[int, int], why: str) -> dict[int, WordReader]:
    return dict.fromkeys(words.values(), WordReader(by="unknown", how=why))


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both end with."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def _carried(words: dict[int, int], argv: tuple[str, ...], following: ExecveResult) -> dict[int, int]:
    """Those of the words with which the next program's vector ends, by their index in it."""
    count = _shared(argv, following.argv)
    shift = len(following.argv) - len(argv)
    return {index + shift: place for index, place in words.items() if index >= len(argv) - count}


def _starts(following: ExecveResult | None, word: str, place: int, carried: dict[int, int]) -> bool:
    """Whether the word is the name of the next program."""
    return following is not None and carried.get(0) == place and following.argv[0] == word


def _named(following: ExecveResult, word: str) -> bool:
    """Whether the word names the file of the next program, whose vector the kernel changed."""
    return bool(following.scripts) and following.path.rsplit("/", 1)[-1] == word.rsplit("/", 1)[-1]
