"""How builders word their history: each step's text back into an instruction, without guessing in silence.

Docker's classic builder: `/bin/sh -c #(nop)  CMD ["sh"]`, `/bin/sh -c command`, `|1 A=b /bin/sh -c command`;
BuildKit: `RUN /bin/sh -c command # buildkit`, `RUN |1 A=b ...`, `COPY a b # buildkit`, `EXPOSE map[80/tcp:{}]`;
buildah words as the classic builder; kaniko keeps the line of the Dockerfile; nix, jib, bazel, ko, apko and
buildpacks have no Dockerfile.  Every pattern is linear: the text is hostile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from imagepeel._lazy import late
from imagepeel.oci.config import HistoryStep, RunConfig
from imagepeel.serialization import to_json

DEFAULT_SHELL = ("/bin/sh", "-c")
MAX_TEXT = 256 * 1024
"""Characters of one step that are looked at; longer ones are unknown."""

Keyword = Literal[
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
]  # fmt: skip
"""What a line of a Dockerfile begins with."""
MAKES_FILES: frozenset[str] = frozenset(("RUN", "COPY", "ADD"))
"""What writes files; WORKDIR makes a directory at most."""
_MOST_TRIED, _MOST_PAIRS = 64, 1_000
KEYWORDS: frozenset[Keyword] = frozenset(get_args(Keyword))
_NOP = late(r"(?P<shell>[^#|]{1,300}?) #\(nop\) {1,2}")
_COUNT = late(r"\|(\d{1,3}) ")
_SHELL = late(
    r"(?:(?:/usr)?(?:/local)?/bin/|/busybox/)?(?:sh|bash|ash|dash|zsh|ksh)"
    r"(?: -[a-z]{0,8}o [a-z]{1,12}| -[a-z]{1,8})*? -[a-z]{0,8}c "
    r"|cmd /S /C |(?:powershell|pwsh)(?:\.exe)?(?: -[A-Za-z]{1,24}(?: [A-Za-z]{1,12})??)*? -[Cc]ommand "
)

_DIGEST_COPY = late(r"((?:file|dir|multi):[0-9a-f]{8,128}) in (.*)", re.DOTALL)
_NAME = late(r"[A-Za-z_][A-Za-z0-9_.\-/]*=")
_JOINED = "exec form: where one word ends and the next begins is not recorded"
_IN_QUOTES = late(r"\"(?:[^\"\\]|\\.)*\"(?= |$)", re.DOTALL)
_BLANKS = late(r"[ \t\r\n]+")
_BUILDKIT_TAIL = " # buildkit"
Confidence = Literal["exact", "likely", "unknown"]
"""Whether the builder wrote this text, or quotes and words had to be filled in."""
EXACT: Confidence = "exact"
LIKELY: Confidence = "likely"
UNKNOWN: Confidence = "unknown"
Builder = Literal[
    "", "classic", "buildkit", "buildah", "kaniko", "nix", "jib", "bazel", "ko", "apko", "buildpacks", "debuerreotype",
    "import", "squash", "commit", "unknown",
]  # fmt: skip
"""What wrote a step, "" and `unknown` where nothing tells; `import` and `squash` are verbs of Docker."""


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """One step read: see `Instruction` for the fields."""

    keyword: Literal[Keyword, ""] = ""
    text: str = ""
    confidence: Confidence = UNKNOWN
    origin: Builder = "unknown"
    shell: tuple[str, ...] | None = None
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_step(step: HistoryStep, shell: Sequence[str] = DEFAULT_SHELL, run: RunConfig | None = None) -> Wording:
    """Return the instruction of one history step.

    `shell` is the SHELL in force, `run` the final config, whose exact values restore the quotes that a builder
    dropped.
    """
    run = run or RunConfig()
    line = step.created_by
    if len(line) > MAX_TEXT:
        return Wording(text=line[:200] + "...", notes=("the step is too long to be read",))
    foreign = _foreign(step)
    if foreign is not None:
        return foreign
    origin = _origin(step)
    nop = _NOP.match(line)
    if nop is not None and _looks_like_shell(nop["shell"], shell):
        return _setting(line[nop.end() :], origin or "classic", run)
    if origin == "buildkit":
        return _buildkit(line.removesuffix(_BUILDKIT_TAIL), shell, run)
    if origin == "kaniko":
        return _kaniko(line, run)
    command = _command(line, shell)
    if command is not None:
        words, arguments, text = command
        if go_list(text):
            # buildah records the exec form as the Dockerfile has it, behind a shell that never ran.
            return Wording(
                keyword="RUN", text=text, confidence=EXACT, origin=origin or "buildah", shell=(), arguments=arguments
            )
        return Wording(
            keyword="RUN",
            text=text.removesuffix(_BUILDKIT_TAIL),
            confidence=EXACT if tuple(words) == tuple(shell) else LIKELY,
            origin=origin or "classic",
            shell=tuple(words),
            arguments=arguments,
        )
    executed = _exec_form(line, origin or "classic")
    if executed is not None:
        return executed
    keyword = line.partition(" ")[0]
    if keyword in KEYWORDS:
        read = _setting(line, origin or "unknown", run)
        return msgspec.structs.replace(read, confidence=LIKELY if read.keyword else UNKNOWN)
    if not line:
        return Wording(text=step.comment, origin=origin)
    notes = ("the words of a command, which may be a RUN in exec form or what a container ran when it was committed",)
    return Wording(text=line, origin=origin, notes=notes)


def instruction(created_by: str) -> str:
    """Return a history line as one line of a Dockerfile: `RUN apt-get update`, `COPY . /srv`.

    Blanks and line ends become one space.  Lines that are no instruction of a Dockerfile keep their own words.
    """
    read = read_step(HistoryStep(created_by=created_by))
    return _BLANKS.sub(" ", f"{read.keyword} {read.text}").strip()


def _origin(step: HistoryStep) -> Builder:
    if step.comment.startswith("buildkit.") or step.created_by.endswith(_BUILDKIT_TAIL):
        return "buildkit"
    if step.author == "kaniko":
        return "kaniko"
    if step.comment.startswith("FROM ") and _NOP.match(step.created_by) is not None:
        return "buildah"
    return ""


def _foreign(step: HistoryStep) -> Wording | None:
    """Recognise what was not built from a Dockerfile."""
    line, comment, author = step.created_by, step.comment, step.author
    if not line and comment.startswith("merge sha256:"):
        note = "docker build --squash: this layer holds the files of all steps before it that made none"
        return Wording(text=comment, origin="squash", notes=(note,))
    if not line and (comment.startswith("Imported from") or comment == "initial import"):
        return Wording(text=comment, origin="import", notes=("a filesystem that was imported as one layer",))
    if not line and comment.startswith("store paths:"):
        return Wording(text=comment, origin="nix", notes=("Nix put these store paths into the layer",))
    if line.startswith("# debian.sh ") or comment.startswith("debuerreotype"):
        return Wording(text=line, origin="debuerreotype", notes=("the root filesystem of a Debian release",))
    marks: tuple[tuple[Builder, bool], ...] = (
        ("jib", author == "Jib" or line.startswith(("jib-gradle-plugin", "jib-maven-plugin", "jib-core", "jib-cli"))),
        ("bazel", line.startswith("bazel build") or (author == "Bazel" and "#(nop)" not in line)),
        ("ko", author == "ko" or line.startswith("ko build ")),
        ("apko", author == "apko" or line == "apko"),
        ("buildpacks", line.startswith(("Buildpacks ", "Application Launcher", "Layer: ")) and "uildpack" in line),
    )
    for name, met in marks:
        if met:
            words = f"{line} ({comment})" if comment else line
            return Wording(text=words, origin=name, notes=(f"made by {name}, without a Dockerfile",))
    return None


def _looks_like_shell(words: str, shell: Sequence[str]) -> bool:
    return words == " ".join(shell) or _SHELL.fullmatch(words + " ") is not None


def _command(line: str, shell: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], str] | None:
    """Return (shell, build arguments, command) of a RUN in shell form."""
    count = _COUNT.match(line)
    if count is None:
        found = _shell_at(line, 0, shell)
        return None if found is None else (found, (), line[len(" ".join(found)) + 1 :])
    wanted = int(count[1])
    at = count.end()
    if wanted == 0:
        found = _shell_at(line, at, shell)
        return None if found is None else (found, (), line[at + len(" ".join(found)) + 1 :])
    # A value may hold blanks and even the name of a shell: the command begins at the first shell behind enough names.
    start, tried = at, 0
    while tried < _MOST_TRIED:
        blank = line.find(" ", at)
        if blank < 0:
            return None
        found = _shell_at(line, blank + 1, shell)
        if found is not None:
            tried += 1
            arguments = _arguments(line[start:blank])
            # A shell that is not the one in force may be a word of an exec form: then no value may hold blanks.
            sure = found == tuple(shell) or line.count(" ", start, blank) < wanted
            if len(arguments) >= wanted and sure:
                merged = arguments if len(arguments) == wanted else ()
                return found, merged, line[blank + 1 + len(" ".join(found)) + 1 :]
        at = blank + 1
    return None


def _exec_form(line: str, origin: Builder) -> Wording | None:
    """Return the RUN of `|1 A=b /bin/tool x`: build arguments, then words that were joined by blanks."""
    count = _COUNT.match(line)
    wanted = int(count[1]) if count is not None else 0
    words = line[count.end() if count is not None else 0 :].split(" ", wanted)
    if count is None or len(words) <= wanted or not all(_NAME.match(word) for word in words[:wanted]):
        return None
    return Wording(
        keyword="RUN",
        text=words[wanted],
        confidence=LIKELY,
        origin=origin,
        shell=(),
        arguments=tuple(words[:wanted]),
        notes=(_JOINED,),
    )


def _shell_at(line: str, at: int, shell: Sequence[str]) -> tuple[str, ...] | None:
    plain = " ".join(shell) + " "
    if line.startswith(plain, at):
        return tuple(shell)
    found = _SHELL.match(line, at)
    return tuple(found[0].split()) if found is not None else None


def _arguments(text: str) -> tuple[str, ...]:
    out: list[str] = []
    for piece in text.split(" "):
        if _NAME.match(piece):
            out.append(piece)
        elif out:
            out[-1] += " " + piece
    return tuple(out)


def _kaniko(line: str, run: RunConfig) -> Wording:
    """kaniko writes the instruction as the Dockerfile has it, variables replaced."""
    keyword, _, rest = line.partition(" ")
    if keyword in KEYWORDS:
        shell = DEFAULT_SHELL if keyword == "RUN" and not rest.lstrip().startswith("[") else None
        return Wording(keyword=keyword, text=rest.strip(), confidence=EXACT, origin="kaniko", shell=shell)
    command = _command(line, DEFAULT_SHELL)
    if command is not None:
        return Wording(keyword="RUN", text=command[2], confidence=LIKELY, origin="kaniko", shell=command[0])
    return Wording(text=line, origin="kaniko")


def _buildkit(line: str, shell: Sequence[str], run: RunConfig) -> Wording:
    if not line.startswith("RUN "):
        return _setting(line, "buildkit", run)
    rest = line[4:]
    command = _command(rest, shell)
    if command is not None:
        words, arguments, text = command
        sure = EXACT if words == tuple(shell) else LIKELY
        return Wording(keyword="RUN", text=text, confidence=sure, origin="buildkit", shell=words, arguments=arguments)
    executed = _exec_form(rest, "buildkit")
    if executed is not None:
        return executed
    return Wording(keyword="RUN", text=rest, confidence=LIKELY, origin="buildkit", shell=(), notes=(_JOINED,))


# ---- instructions other than RUN --------------------------------------------------------------------------------


def _setting(line: str, origin: Builder, run: RunConfig) -> Wording:
    keyword, _, rest = line.partition(" ")
    text = rest.strip()
    if keyword not in KEYWORDS:
        return Wording(text=line, origin=origin)
    reader = _READERS.get(keyword)
    if reader is None:
        return Wording(keyword=keyword, text=text, confidence=EXACT, origin=origin)
    read, sure, notes = reader(text, run)
    shell = tuple(go_list(read) or ()) if keyword == "SHELL" else None
    return Wording(keyword=keyword, text=read, confidence=sure, origin=origin, shell=shell, notes=notes)


_Read = tuple[str, Confidence, tuple[str, ...]]


def _copy(text: str, run: RunConfig) -> _Read:
    found = _DIGEST_COPY.fullmatch(text)
    if found is None:
        return text, EXACT, ()
    source, target = found[1], found[2].strip()
    kind = source.partition(":")[0]
    what = {"file": "a file", "dir": "a directory", "multi": "several files"}[kind]
    note = f"the source was {what}; its name is not recorded, only a digest of its content"
    return f"{source} in {target}", LIKELY, (note,)


def _words(text: str, run: RunConfig) -> _Read:
    """CMD and ENTRYPOINT: `["a" "b"]` as Go prints a list becomes `["a", "b"]`."""
    inner = text.removeprefix("&{").removesuffix("}") if text.startswith("&{") else text
    words = go_list(inner)
    if words is None:
        return text, EXACT if not text.startswith("[") else LIKELY, ()
    return json_list(words), EXACT, ()


def json_list(words: Sequence[str]) -> str:
    """Return words as the exec form of a Dockerfile.

    Halves of a surrogate pair that JSON text escaped one by one are joined; a lone half becomes U+FFFD, as in Go.
    """
    return to_json([word if word.isascii() else _joined(word) for word in words]).decode()


def _joined(word: str) -> str:
    return word.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def go_list(text: str) -> list[str] | None:
    """Return the strings of `["a" "b"]` or `["a", "b"]`, None when it is neither."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    out: list[str] = []
    at, end = 1, len(text) - 1
    while at < end:
        if text[at] in " ,":
            at += 1
            continue
        if text[at] != '"':
            return None
        stop = at + 1
        while stop < end and text[stop] != '"':
            stop += 2 if text[stop] == "\\" else 1
        if stop >= end:
            return None
        word = _go_string(text[at : stop + 1])
        if word is None:
            return None
        out.append(word)
        at = stop + 1
    return out


_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "/": "/"}
_ESCAPE = late(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)


def _go_string(quoted: str) -> str | None:
    if "\\" not in quoted:
        return quoted[1:-1]
    bad = False

    def one(found: re.Match[str]) -> str:
        nonlocal bad
        number = found[1] or found[2] or found[3]
        if number:
            value = int(number, 16)
            if value > 0x10FFFF:
                bad = True
                return ""
            return chr(value)
        known = _ESCAPES.get(found[4])
        bad = bad or known is None
        return known or ""

    out = _ESCAPE.sub(one, quoted[1:-1])
    return None if bad else out


def _pairs(text: str, known: Mapping[str, str]) -> _Read:
    """ENV and LABEL: quotes were dropped; values that the final config has put them back."""
    pieces: list[tuple[str, str]] = []
    rest, sure = text, EXACT
    while rest:
        equals = rest.find("=")
        if len(pieces) > _MOST_PAIRS or equals < 1 or " " in rest[:equals].strip():
            return text, LIKELY, ("where names and values begin is not recorded",)
        name = rest[:equals].strip()
        after = rest[equals + 1 :]
        value = known.get(name)
        quoted = _IN_QUOTES.match(after)
        if value is not None and (after == value or after.startswith(value + " ")):
            after = after[len(value) :]
        elif quoted is not None:
            value, after = quoted[0], after[quoted.end() :]
        else:
            cut = _next_name(after)
            value, after = after[:cut].rstrip(), after[cut:]
            if " " in value:
                sure = LIKELY
        pieces.append((name, value))
        rest = after.strip()
    return " ".join(f"{name}={_quoted(value)}" for name, value in pieces), sure, ()


def _next_name(text: str) -> int:
    at = 0
    while True:
        blank = text.find(" ", at)
        if blank < 0:
            return len(text)
        if _NAME.match(text, blank + 1):
            return blank
        at = blank + 1


def _quoted(value: str) -> str:
    if value and not re.search(r"[\s\"'\\]", value):
        return value
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_variables: list[tuple[tuple[str, ...] | None, dict[str, str]]] = [(None, {})]
"""The environment that was asked for last: each of thousands of ENV steps asks for all of it."""


def _env(text: str, run: RunConfig) -> _Read:
    env, known = _variables[0]
    if env is not run.env:
        known = dict(item.partition("=")[::2] for item in run.env or ())
        _variables[0] = run.env, known
    return _pairs(text, known) if "=" in text else (text, LIKELY, ())


def _label(text: str, run: RunConfig) -> _Read:
    return _pairs(text, run.labels) if "=" in text else (text, LIKELY, ())


def _expose(text: str, run: RunConfig) -> _Read:
    """BuildKit prints Go's map of ports: `map[443/tcp:{} 80/tcp:{}]`."""
    inner = text.removeprefix("map")
    if inner.startswith("[") and inner.endswith("]"):
        return " ".join(port.removesuffix(":{}") for port in inner[1:-1].split()), EXACT, ()
    return text, EXACT, ()


def _volume(text: str, run: RunConfig) -> _Read:
    """`[/a /b]` is Go's list without quotes: a blank may be part of a name."""
    if go_list(text) is not None:
        return _words(text, run)
    if not (text.startswith("[") and text.endswith("]")):
        return text, EXACT, ()
    inner = text[1:-1]
    names = [inner] if inner in run.volumes else inner.split()
    sure = EXACT if inner in run.volumes or " " not in inner else LIKELY
    if all(name in run.volumes for name in names):
        sure = EXACT
    return json_list(names), sure, ()


def _shell_words(text: str, run: RunConfig) -> _Read:
    if go_list(text) is not None:
        return _words(text, run)
    inner = text.removeprefix("[").removesuffix("]")
    if run.shell and " ".join(run.shell) == inner:
        return json_list(run.shell), EXACT, ()
    return json_list(inner.split()), LIKELY, ()


_HEALTH_TIMES = late(r'"((?:[0-9.]+(?:h|m|s|ms|us|µs|ns))+)"')
_HEALTH_RETRIES = late(r"'((?:[^'\\]|\\.)[^']*)'\s*\}$")
_HEALTH_OPTIONS = ("--interval", "--timeout", "--start-period", "--start-interval")


def _healthcheck(text: str, run: RunConfig) -> _Read:
    """`&{["CMD-SHELL" "curl x"] "30s" "3s" "0s" '\\x03'}` is Go's struct, with Retries as a character."""
    if not text.startswith("&{"):
        return text, EXACT, ()
    end = text.find('"]')
    words = go_list(text[2 : end + 2]) if end > 0 else None
    if not words:
        return text, LIKELY, ()
    if words == ["NONE"]:
        return "NONE", EXACT, ()
    if words[0] == "CMD-SHELL":
        command = "CMD " + " ".join(words[1:])
    else:
        command = "CMD " + json_list(words[1:])
    told = text[end + 2 :]
    times = _HEALTH_TIMES.findall(told)
    found = _HEALTH_RETRIES.search(told)
    character = found[1].replace("\\'", "'").replace('"', '\\"') if found is not None else ""
    retries = go_list(f'["{character}"]')
    if len(times) not in (3, 4) or not retries or len(retries[0]) != 1:
        return command, LIKELY, ("the intervals are not told",)
    options = [f"{name}={value}" for name, value in zip(_HEALTH_OPTIONS, times, strict=False) if value != "0s"]
    options += [f"--retries={ord(retries[0])}"] if ord(retries[0]) else []
    return " ".join([*options, command]), EXACT, ()


def _one_word(text: str, run: RunConfig) -> _Read:
    """`[SIGTERM]`: builders of 2016 to 2018 wrote the list of their one argument."""
    inner = text[1:-1].strip()
    return (inner, EXACT, ()) if text[:1] + text[-1:] == "[]" and inner and " " not in inner else (text, EXACT, ())


_READERS = {
    "ADD": _copy,
    "CMD": _words,
    "COPY": _copy,
    "ENTRYPOINT": _words,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "SHELL": _shell_words,
    "STOPSIGNAL": _one_word,
    "USER": _one_word,
    "VOLUME": _volume,
}
