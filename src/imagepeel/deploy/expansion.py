"""$(NAME) as Kubernetes replaces it in command, args and values of env.

Source: Kubernetes, third_party/forked/golang/expansion; kubernetes.io, "Define Dependent Environment Variables": a
reference that cannot be resolved stays as it is, and $$ stands for $.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with every `$(NAME)` of a known variable replaced."""
    return "".join(
        variables.get(piece, f"$({piece})") if is_name else piece for piece, is_name in _pieces(text)
    )  # fmt: skip


def names_in(text: str) -> list[str]:
    """Return the names that a text refers to, in order."""
    return [piece for piece, is_name in _pieces(text) if is_name]


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, and whether each is the name of a variable."""
    at = 0
    while (found := text.find("$", at)) >= 0 and found + 1 < len(text):
        yield text[at:found], False
        following = text[found + 1]
        end = text.find(")", found + 2) if following == "(" else -1
        if end >= 0:
            yield text[found + 2 : end], True
            at = end + 1
            continue
        yield "$" if following == "$" else "$" + following, False
        at = found + 2
    yield text[at:], False
