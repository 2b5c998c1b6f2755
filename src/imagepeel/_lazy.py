"""Names of a package that load on first use (PEP 562), so that importing the package costs nearly nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
