"""What wrappers refuse of their own words, in the order in which they read them.

Sources: coreutils 9.1, util-linux 2.38, dpkg 1.21, tini 0.19, dumb-init 1.2.5 and s6 2.11 of Debian 12, each text as a
start with runc and crun showed it.
"""

from __future__ import annotations

import re

from imagepeel._lazy import late
from imagepeel.process.engines.pid1 import SIGNALS
from imagepeel.process.spec.failure import Unproved
from imagepeel.process.wrappers.asking import Answer, Asking
from imagepeel.text import decimal

_INTEGER = late(r"\s*[+-]?\d+")
_SECONDS = late(r"\s*\+?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|0x[\da-f.]+(?:p[+-]?\d+)?|inf(?:inity)?)[smhd]?", re.I)
"""What strtod takes, with a unit behind it; `nan` is refused."""


def _is(pattern: re.Pattern[str], word: str) -> bool:
    return pattern.fullmatch(word) is not None


def _number(word: str) -> int:
    """The value of an integer; one of too many digits is as far off as can be."""
    sign = -1 if word.lstrip().startswith("-") else 1
    known = decimal(word.strip().lstrip("+-"))
    return sign * (10**18 if known is None else known)


def nice(asking: Asking) -> Answer:
    given = asking.last("-n", "--adjustment")
    if given is None or _is(_INTEGER, given):
        return ""
    return asking.refuses(f"invalid adjustment {asking.quoted(given)}", 125, f"{given} is no number")


def timeout(asking: Asking) -> Answer:
    for name, value in (*asking.given, ("", asking.wrapped.operands[0])):
        if name in ("-s", "--signal"):
            known = _is_signal(value)
            if known is None:
                return Unproved(reason=f"whether timeout knows the signal {value} is not known")
            if not known:
                return asking.usage(f"{asking.quoted(value)}: invalid signal", 125, f"there is no signal {value}")
        elif name in ("-k", "--kill-after", "") and not _is(_SECONDS, value):
            return asking.usage(f"invalid time interval {asking.quoted(value)}", 125, f"{value} is no time")
    return ""


_REALTIME = late(r"RTM(?:IN(?:\+0*([12]?\d|30))?|AX(?:-0*([12]?\d|30))?)")


def _is_signal(word: str) -> bool | None:
    """Whether coreutils take a word for a signal: a number, also that of an exit code, or a name in any case."""
    number = decimal(word)
    if number is not None:
        return number & 127 <= 64 if number < 256 else None
    name = word.upper().removeprefix("SIG")
    return name in SIGNALS or name == "EXIT" or _is(_REALTIME, name)


_MODE = late(r"L|\d+[A-Za-z]{0,3}")


def stdbuf(asking: Asking) -> Answer:
    for name, value in asking.given:
        if value == "L" and name in ("-i", "--input"):
            return asking.usage("line buffering stdin is meaningless", 125, "it cannot read line by line")
        if not _is(_MODE, value):
            return asking.refuses(f"invalid mode {asking.quoted(value)}", 125, f"{value} is no mode")
    if not asking.given:
        return asking.usage("you must specify a buffering mode option", 125, "it is given no mode")
    return ""


def env(asking: Asking) -> Answer:
    for name, value in asking.given:
        if name in ("-u", "--unset") and (not value or "=" in value):
            words = f"cannot unset {asking.quoted(value)}: Invalid argument"
            return asking.refuses(words, 125, f"{value or 'an empty word'} is no name of a variable")
        if name in ("--block-signal", "--default-signal", "--ignore-signal"):
            refused = next((one for one in value.split(",") if one and not _is_signal(one)), None)
            if refused is not None:
                return asking.usage(f"{asking.quoted(refused)}: invalid signal", 125, f"there is no signal {refused}")
    if asking.has("-0", "--null"):
        return asking.usage("cannot specify --null (-0) with command", 125, "-0 is for printing only")
    return ""


_TIMER = late(r"\s*\+?\d+(?:\.\d+)?")


def flock(asking: Asking) -> Answer:
    for name, value in asking.given:
        if name in ("-w", "--wait"):
            if value.startswith("-"):
                return asking.fails("flock: cannot set up timer: Invalid argument", 71, f"{value} is no time")
            if not _is(_TIMER, value):
                return asking.fails(f"flock: invalid timeout value: '{value}'", 64, f"{value} is no time")
        elif name in ("-E", "--conflict-exit-code"):
            number = decimal(value)
            if number is None:
                return asking.fails(f"flock: invalid exit code: '{value}'", 64, f"{value} is no exit code")
            if number > 255:
                return asking.fails("flock: exit code out of range (expected 0 to 255)", 64, f"{value} is no exit code")
    return ""


def setsid(asking: Asking) -> Answer:
    """Its child has a session, and wants a terminal for it."""
    if not asking.has("-c", "--ctty") or asking.tty:
        return ""
    words = "setsid: failed to set the controlling terminal: Inappropriate ioctl for device"
    return asking.fails(words, 1, "no terminal is attached, and -c wants one", "attach a terminal, or leave out -c")


_MASK = late(r"(?:0x)?[\da-fA-F,]+")
_LIST = late(r"\d+(?:-\d+(?::\d+)?)?(?:,\d+(?:-\d+(?::\d+)?)?)*")


def taskset(asking: Asking) -> Answer:
    word = asking.wrapped.operands[0]
    listed = asking.has("-c", "--cpu-list")
    if not _is(_LIST if listed else _MASK, word):
        what = "list" if listed else "mask"
        return asking.fails(f"taskset: failed to parse CPU {what}: {word}", 1, f"{word} is no {what} of processors")
    if listed:
        least = min(_number(part.partition("-")[0]) for part in word.split(","))
    else:
        mask = int(word.replace(",", "").removeprefix("0x")[-1000:] or "0", 16)
        if not mask:
            words = f"taskset: failed to set pid {1 if asking.state.first else 0}'s affinity: Invalid argument"
            if asking.state.first:
                return asking.fails(words, 1, "it is given no processor", errno="EINVAL")
            return Unproved(reason="taskset is given no processor")
        least = (mask & -mask).bit_length() - 1
    return f"the machine has the processor {least}, and the container may use it" if least else ""


_LIMITS = {
    "-c": "CORE", "--core": "CORE", "-d": "DATA", "--data": "DATA", "-e": "NICE", "--nice": "NICE",
    "-f": "FSIZE", "--fsize": "FSIZE", "-i": "SIGPENDING", "--sigpending": "SIGPENDING", "-l": "MEMLOCK",
    "--memlock": "MEMLOCK", "-m": "RSS", "--rss": "RSS", "-n": "NOFILE", "--nofile": "NOFILE", "-q": "MSGQUEUE",
    "--msgqueue": "MSGQUEUE", "-r": "RTPRIO", "--rtprio": "RTPRIO", "-s": "STACK", "--stack": "STACK",
    "-t": "CPU", "--cpu": "CPU", "-u": "NPROC", "--nproc": "NPROC", "-v": "AS", "--as": "AS",
    "-x": "LOCKS", "--locks": "LOCKS", "-y": "RTTIME", "--rttime": "RTTIME",
}  # fmt: skip
_LIMIT = late(r"=?(?:(unlimited|\d+)(?::(unlimited|\d+)?)?|:(unlimited|\d+))")
_MOST_FILES = 1024
"""Open files that each engine gives: the kernel's own limit is four times that."""


def prlimit(asking: Asking) -> Answer:
    needs = ""
    for name, value in asking.given:
        limit = _LIMITS.get(name)
        if limit is None or not value:
            continue
        found = _LIMIT.fullmatch(value)
        if found is None:
            return asking.fails(f"prlimit: failed to parse {limit} limit", 1, f"{value} is no limit")
        soft, hard = found[1], found[2] or found[3]
        numbers = [10**18 if one == "unlimited" else _number(one) for one in (soft, hard) if one]
        if soft and hard and numbers[0] > numbers[1]:
            words = f"prlimit: the soft limit {limit} cannot exceed the hard limit"
            return asking.fails(words, 1, f"{value} has a soft limit above the hard one")
        if max(numbers) > (_MOST_FILES if limit == "NOFILE" else 0):
            needs = needs or f"the engine gives prlimit a hard limit for {limit} that is no less than it asks for"
    return "" if "SYS_RESOURCE" in asking.state.after.capabilities else needs


_CLASSES = frozenset(("none", "realtime", "best-effort", "idle"))


def ionice(asking: Asking) -> Answer:
    for name, value in asking.given:
        if name in ("-c", "--class") and value.lower() not in _CLASSES:
            number = decimal(value)
            if number is None:
                return asking.fails(f"ionice: unknown scheduling class: '{value}'", 1, f"there is no class {value}")
            if number > 3:
                return Unproved(reason=f"what ionice and the kernel make of the class {value} was not measured")
        if name in ("-n", "--classdata") and not _is(_INTEGER, value):
            return Unproved(reason=f"what ionice makes of the level {value} was not measured")
    return ""


def choom(asking: Asking) -> Answer:
    given = asking.last("-n", "--adjust")
    if given is None:
        words = "choom: no OOM score adjust value specified\nTry 'choom --help' for more information."
        return asking.fails(words, 1, "it is given no score")
    if not _is(_INTEGER, given):
        return asking.fails(f"choom: invalid adjust argument: '{given}'", 1, f"{given} is no score")
    if not -1000 <= _number(given) <= 1000:
        words = "choom: failed to set score adjust value: Invalid argument"
        return asking.fails(words, 1, f"the kernel takes scores of -1000 to 1000, and not {given}", errno="EINVAL")
    return ""


_TINI_SIGNALS = frozenset(SIGNALS) - {"STKFLT", "IO", "POLL", "PWR", "IOT", "CLD"}


def tini(asking: Asking) -> Answer:
    for name, value in asking.given:
        if name == "-e":
            fits = not value or (_is(_INTEGER, value) and 0 <= _number(value) <= 255)
        elif name == "-p":
            fits = value.startswith("SIG") and value[3:] in _TINI_SIGNALS
        else:
            continue
        if not fits:
            pid = 1 if asking.state.first else 7
            return asking.fails(f"[FATAL tini ({pid})] Not a valid option for {name}: {value}", 1, f"it has no {value}")
    return ""


_REWRITE = late(r"\s*[+-]?(\d+):\s*[+-]?(\d+).*", re.S)


def dumb_init(asking: Asking) -> Answer:
    for name, value in asking.given:
        if name not in ("-r", "--rewrite"):
            continue
        found = _REWRITE.fullmatch(value)
        if found is None or not 1 <= _number(found[1]) <= 31 or _number(found[2]) > 31:
            words = (
                "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"
                "This option can be specified multiple times.\nUse --help for full usage."
            )
            return asking.fails(words, 1, f"{value} names no two signals")
    return ""


_SSD_POLICIES = {"-P": "process", "--procsched": "process", "-I": "IO", "--iosched": "IO"}


def start_stop_daemon(asking: Asking) -> Answer:
    """Options that make it end or that were not followed: it reads them all before it looks for a file."""
    if asking.has("-r", "--chroot"):
        return Unproved(reason="start-stop-daemon changes the root, where nothing is followed")
    for name, value in asking.given:
        if name in _SSD_POLICIES or name in ("-O", "--output", "-s", "--signal", "-k", "--umask", "-u", "--user"):
            return Unproved(reason=f"what start-stop-daemon does with {name} {value} is not followed")
    return ""


def s6_applyuidgid(asking: Asking) -> Answer:
    return Unproved(reason="what s6-applyuidgid makes of the groups that it has is not followed")


_CHPST_NUMBERS = frozenset("mdopfctr")


def chpst(asking: Asking) -> Answer:
    """Numbers that it does not take, and what other versions of it have."""
    for name, value in asking.given:
        if name == "-C":
            return Unproved(reason="only newer builds of chpst have -C")
        if (name[1:] in _CHPST_NUMBERS and decimal(value) is None) or (name == "-n" and not _is(_INTEGER, value)):
            return Unproved(reason=f"chpst takes no {value} for {name}, and shows how it is used")
    return ""
