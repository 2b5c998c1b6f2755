"""What is made on first use: names of a package (PEP 562), and patterns; so that loading costs nearly nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern
    from typing import Any, AnyStr


def load(package: dict[str, Any], name: str) -> Any:
    """Return what a package calls `name` and keep it there.  AttributeError for a name that it does not have.

    `package` is its namespace; `_HOMES` in it says which module has the name, and a name whose home is the package
    itself is a package below it.
    """
    own = package["__name__"]
    home = package["_HOMES"].get(name)
    if home is None:
        raise AttributeError(f"module {own!r} has no attribute {name!r}")
    from importlib import import_module  # start time

    value = import_module(f"{own}.{name}") if home == own else getattr(import_module(home), name)
    package[name] = value
    return value


class _Late:
    """A pattern that is compiled when a method is first asked for, and keeps that method as its attribute."""

    def __init__(self, source: Any, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        import re  # start time

        value = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, value)
        return value


def late(source: AnyStr, flags: int = 0) -> Pattern[AnyStr]:
    """Return the pattern that `re.compile` makes of the same arguments, compiled on first use.

    A command needs a few of the patterns of the modules it loads, and to compile them all would be a tenth of it.
    """
    pattern: Pattern[AnyStr] = _Late(source, flags)  # type: ignore[assignment]
    return pattern
