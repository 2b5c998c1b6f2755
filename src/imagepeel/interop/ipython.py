"""Tab in IPython and Jupyter, inside quotes: engines, runtimes, views, names of images, and paths inside an image.

Loaded by `%load_ext imagepeel`.  What an image says is completed only where it can be told by eye and ends no string.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from imagepeel.api import Archive
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.image import Layer, LayeredImage
from imagepeel.process.engines.registry import engine_names, runtime_names
from imagepeel.render.escape import visible
from imagepeel.rootfs.engines.names import VIEWS
from imagepeel.rootfs.path import RootfsPath
from imagepeel.rootfs.view import Rootfs

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_CHAIN = string.ascii_letters + string.digits + "_.[]"
"""Characters of a name with attributes and indexes."""
_LINE = 1_000
"""Characters before the cursor that are looked at."""


def load_ipython_extension(ipython: Any) -> None:
    """Let Tab complete engines, runtimes, views, names of images and paths: what `%load_ext imagepeel` calls.

    Argument: the running shell of IPython.  Then Tab goes on in `image.process(engine="`, `image.view("`,
    `archive.image("`, `image.rootfs / "etc/` and `image.trace("/etc/`.  A path is looked up in the image, whose layers
    are read for it if they were not.  Source: the matchers of IPython 8.6 and later.
    """
    known = ipython.Completer.custom_matchers
    if all(getattr(one, "matcher_identifier", "") != __name__ for one in known):
        known.append(_matcher(ipython.user_ns))


def _matcher(names: dict[str, Any]) -> Any:
    """Return what IPython asks at Tab; `names` are the variables of the cells."""
    from IPython.core.completer import SimpleCompletion, context_matcher  # start time

    def matches(context: CompletionContext) -> SimpleMatcherResult:
        before = context.text_until_cursor.rpartition("\n")[2][-_LINE:]
        try:
            typed, found = _found(before, names)
        except (ImagepeelError, OSError, ValueError, SyntaxError):
            typed, found = "", []
        fitting = [SimpleCompletion(name, type="value") for name in found if name.startswith(typed) and _plain(name)]
        return {"completions": fitting, "matched_fragment": typed, "suppress": bool(fitting)}

    return context_matcher(identifier=__name__)(matches)


def _found(before: str, names: dict[str, Any]) -> tuple[str, Iterable[str]]:
    """Return what is typed of a value, and the values that could be meant."""
    at = max(before.rfind("'"), before.rfind('"'))
    typed, lead = before[at + 1 :], before[: max(at, 0)].rstrip()
    sign, lead = lead[-1:], lead[:-1].rstrip()
    chain = lead[len(lead.rstrip(_CHAIN)) :]
    if sign == "=":
        known = {"engine": engine_names(), "runtime": runtime_names(), "view": iter(VIEWS)}
        return typed, known.get(chain, ())
    if sign == "/":
        return typed, _paths(_value(chain, names), typed)
    on, _, verb = chain.rpartition(".")
    if sign != "(" or verb not in ("image", "view", "trace", "du"):
        return typed, ()
    value = _value(on, names)
    if verb == "image":
        return typed, _images(value)
    if not isinstance(value, LayeredImage):
        return typed, ()
    return typed, VIEWS if verb == "view" else _paths(value.rootfs, typed)


def _value(chain: str, names: dict[str, Any]) -> Any:
    """Return what a name with attributes and indexes stands for; None for what is no value of imagepeel.

    Nothing but attributes of imagepeel's own values is asked, since asking may run code.
    """
    return _valued(ast.parse(chain, mode="eval").body, names)


def _valued(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        value = _valued(node.value, names)
        return getattr(value, node.attr, None) if type(value).__module__.startswith("imagepeel.") else None
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        value, index = _valued(node.value, names), node.slice.value
        known = type(value) in (tuple, list) and isinstance(index, int) and index < len(value)
        return value[index] if known else None
    return None


def _images(archive: Any) -> Iterator[str]:
    if isinstance(archive, Archive):
        yield from dict.fromkeys(name for image in archive.images() for name in image.names)


def _paths(on: Any, typed: str) -> Iterator[str]:
    """Yield the members of the directory that is typed so far, directories with a slash behind them."""
    if not isinstance(on, Rootfs | RootfsPath | Layer):
        return
    above, slash, _ = typed.rpartition("/")
    directory = on / (above + slash)
    for name, node in directory.rootfs.scandir(str(directory)) if directory.is_dir() else ():
        yield above + slash + text(name) + ("/" if node.is_dir else "")


def _plain(name: str) -> bool:
    """Say whether a name can stand between quotes as it is, and is what it looks like."""
    return visible(name) == name and not set(name) & set("\"'\\")
