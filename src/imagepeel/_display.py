"""How a value shows itself in a notebook and in a terminal, without an import of whoever draws it.

Values stand low in the tree and drawing stands at its top.  `imagepeel/__init__.py`, which Python runs before any
module of the package, hands two functions down to `draw_with`; `Shown` calls them when somebody looks.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

_in_notebook: Callable[[object], dict[str, str]] | None = None
_in_terminal: Callable[[object, int], Iterable[Any]] | None = None
_as_text: Callable[[object], str] | None = None
_masked: Callable[[Sequence[str]], list[str]] | None = None


def draw_with(
    in_notebook: Callable[[object], dict[str, str]],
    in_terminal: Callable[[object, int], Iterable[Any]],
    as_text: Callable[[object], str],
    masked: Callable[[Sequence[str]], list[str]],
) -> None:
    """Set who draws: functions from a value to its notebook bundle, to lines for rich at a width, and to plain text.

    `masked` takes the secrets out of words that stand beside each other.
    """
    global _in_notebook, _in_terminal, _as_text, _masked
    _in_notebook, _in_terminal, _as_text, _masked = in_notebook, in_terminal, as_text, masked


def plain_text(value: object) -> str:
    """Return a value as a terminal without colours shows it."""
    return _as_text(value) if _as_text is not None else repr(value)


class Shown:
    """A value that is drawn as a card in notebooks and laid out when rich prints it.

    Its repr names the fields of a Struct, long ones cut: a prompt must not print megabytes.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        from reprlib import Repr  # start time

        class Masking(Repr):
            def repr_str(self, x: str, level: int) -> str:
                return super().repr_str(_masked([x])[0] if _masked is not None else x, level)

            def repr_tuple(self, x: tuple[Any, ...], level: int) -> str:
                words = _masked is not None and len(x) <= 1_000 and all(isinstance(word, str) for word in x)
                return super().repr_tuple(tuple(_masked(x)) if words and _masked is not None else x, level)

        cut = Masking()
        cut.maxstring = cut.maxother = 80
        cut.maxtuple = cut.maxlist = cut.maxdict = 4
        names: tuple[str, ...] = getattr(self, "__struct_fields__", ())
        told = ", ".join(f"{name}={cut.repr(getattr(self, name))}" for name in names)
        shown = f"{type(self).__name__}({told})"
        return _masked([shown])[0] if _masked is not None else shown

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return _in_notebook(self) if _in_notebook is not None else {"text/plain": repr(self)}

    def __rich_console__(self, console: Any, options: Any) -> Any:
        yield from _in_terminal(self, options.max_width) if _in_terminal is not None else (repr(self),)
