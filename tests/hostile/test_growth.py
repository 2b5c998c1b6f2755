"""No pattern of the package costs the square of a text: measured on texts made from each pattern, as a ratio.

A text four times as long may cost four times as much; the square would be sixteen times.  What ends within the time
that a clock can tell from nothing passes whatever its ratio.
"""

from __future__ import annotations

import ast
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adversarial import texts
from imagepeel.process.wrappers.daemons import DAEMONS

PACKAGE = Path(__file__).parents[2] / "src" / "imagepeel"
METHODS = frozenset(["match", "fullmatch", "search", "finditer", "findall", "sub", "subn", "split"])
REPEATED = frozenset(["finditer", "findall", "sub", "subn", "split"])
SMALL, LARGE = 3_000, 12_000
NEVER = 99.0
SHORT = {"findings/detectors.py _PACKAGED": 4096, "loading/tool.py _VARIES": 4096}
"""Patterns that get no longer text than this: who asks them looks at its length first."""


class Used(NamedTuple):
    """A pattern and how it is asked."""

    source: str | bytes
    flags: int
    method: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}.{self.method}"


def _constant(node: ast.expr, names: dict[str, Any]) -> Any:
    """What an expression of the module's own names gives; None where it is more than a constant."""
    try:
        return eval(compile(ast.Expression(node), "<pattern>", "eval"), {"re": re, **names})
    except Exception:  # what a function builds from its arguments
        return None


_ASKED = re.compile(rf"\.(?:{'|'.join(METHODS)})\b|\blate\(")
"""What a module without patterns has nowhere."""


def _function(call: ast.Call) -> str:
    """Which function that takes a pattern is called; "" for any other."""
    if isinstance(call.func, ast.Name):
        return call.func.id if call.func.id == "late" else ""
    function = call.func
    known = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"
    return function.attr if known and function.attr in METHODS else ""


class _Module:
    """What a module of the package says of patterns, read in one walk."""

    def __init__(self, path: Path) -> None:
        self.place = str(path.relative_to(PACKAGE))
        self.calls: list[tuple[ast.Call, str, str]] = []
        """Calls of `late` and of the functions of `re`: with which of them, and what its result is called."""
        self.methods: dict[str, set[str]] = {}
        """The methods that are called on each expression."""
        named: dict[int, str] = {}
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if _ASKED.search(text) else ():
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                self.methods.setdefault(ast.unparse(node.value), set()).add(node.attr)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _function(node.value):
                named[id(node.value)] = ast.unparse(node.targets[0])
            elif isinstance(node, ast.Call) and (function := _function(node)):
                self.calls.append((node, function, named.get(id(node), "")))

    def names(self) -> dict[str, Any]:
        name = "imagepeel." + self.place[:-3].replace("/", ".").removesuffix(".__init__")
        return vars(__import__(name, fromlist=["x"]))


def _used() -> Iterator[Used]:
    """Every pattern of the package with each method that is called on it."""
    modules = [_Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
    elsewhere: dict[str, set[str]] = {}
    """The methods that any module calls on a constant, by the constant's name."""
    for module in modules:
        for expression, methods in module.methods.items():
            elsewhere.setdefault(expression.rpartition(".")[2], set()).update(methods)
    for module in modules:
        names = module.names() if module.calls else {}
        for call, function, name in module.calls:
            if function == "late":
                # A pattern in a table is asked by a name of its own: with each method that the module uses.
                others = set().union(*(module.methods[key] for key in module.methods if key != "re")) - {"split"}
                asked = module.methods.get(name) or (name and elsewhere.get(name)) or others
                source, flags = _constant(call.args[0], names), 0
                flags = int(_constant(call.args[1], names)) if len(call.args) > 1 else 0
            else:
                name = f"line {call.lineno}"
                asked, source, flags = {function}, _constant(call.args[0], names), 0
            if isinstance(source, str | bytes):
                for method in sorted(asked):
                    yield Used(source, flags, method, f"{module.place} {name or call.lineno}")


def _directives() -> Iterator[Used]:
    """Patterns that are data: how the setting of a daemon is found in its config."""
    for name, daemon in DAEMONS.items():
        if daemon.directive:
            yield Used(daemon.directive, 0, "search", f"process/wrappers/daemons.py {name}")


PATTERNS = sorted({*_used(), *_directives()}, key=str)


class _TooLong(BaseException):
    pass


def _cost(call: Callable[[Any], Any], text: Any) -> float:
    """Processor seconds of one call; NEVER for one that has not ended after half a second."""

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    started = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
    try:
        call(text)
    except _TooLong:
        return NEVER
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return time.process_time() - started


def _mean(call: Callable[[Any], Any], text: Any) -> float:
    """Processor seconds of one call, over as many as last half a second: some clocks tick a hundred times in one."""
    spent, calls = 0.0, 0
    while spent < 0.5:
        spent += _cost(call, text)
        calls += 1
    return spent / calls


def _asked(used: Used) -> Callable[[Any], Any]:
    pattern = re.compile(used.source, used.flags)
    if used.method in REPEATED:
        return lambda text: sum(1 for _ in pattern.finditer(text))
    return getattr(pattern, used.method)  # type: ignore[no-any-return]


def slow(used: Used) -> str:
    """The text on which a pattern costs more than its length; "" where there is none."""
    call = _asked(used)
    if used.place in SHORT:
        return ""
    for small, large in zip(texts(used.source, used.flags, SMALL), texts(used.source, used.flags, LARGE), strict=True):
        first = _cost(call, small)
        if first < 0.001:
            continue
        if first == NEVER:
            return f"{small[:60]!r}..."
        if _cost(call, large) > 8 * first and all(_mean(call, large) > 8 * _mean(call, small) for _ in range(2)):
            return f"{small[:60]!r}..."
    return ""


def test_what_is_said_to_be_short_is_asked_for() -> None:
    assert {used.place for used in PATTERNS} >= SHORT.keys()


def test_the_measure_finds_what_it_looks_for() -> None:
    assert slow(Used(r"\s*(?:a)*\s*x", 0, "search", "here"))
    assert slow(Used(r"(?:a|b|ab)*c", 0, "fullmatch", "here"))
    assert slow(Used(r"(?m)^\s*token:", 0, "search", "here"))
    assert not slow(Used(r"[a-z]{1,20}=", 0, "search", "here"))


@pytest.mark.parametrize("used", PATTERNS, ids=str)
def test_no_pattern_costs_the_square_of_a_text(used: Used) -> None:
    assert slow(used) == ""
