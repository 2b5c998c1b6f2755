"""YAML with the place of every value: bounded, and nothing of it is executed.

The events of PyYAML's parser are read one by one, so that depth, size and aliases are judged while they come.  What is
taken is YAML as Kubernetes and compose take it: mappings with text for keys, lists, text, numbers, booleans, null,
anchors, aliases and merge keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from imagepeel.deploy.place import MOST_BYTES, Place, malformed, too_much
from imagepeel.errors import UsageError

MOST_DEPTH = 64
"""Levels of nesting."""
MOST_VALUES = 50_000
"""Values of all documents, each alias counted with what it stands for."""

Kind = Literal["map", "list", "text", "number", "boolean", "null"]
_ARTICLES = {"map": "a mapping", "list": "a list", "text": "a text", "number": "a number", "boolean": "a boolean"}
_TAGS: dict[str, Kind] = {
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:int": "number",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:timestamp": "text",
    "tag:yaml.org,2002:merge": "text",
    "tag:yaml.org,2002:value": "text",
}
_TRUE = frozenset({"y", "yes", "true", "on"})


class Node:
    """One value of a document with its place; the methods that take it raise Malformed where it is something else."""

    __slots__: tuple[str, ...] = ("items", "keys", "kind", "merged", "place", "text", "weight")

    def __init__(self, kind: Kind, place: Place, text: str = "") -> None:
        self.kind: Kind = kind
        self.place: Place = place
        self.text: str = text
        self.items: dict[str, Node] | list[Node] = {} if kind == "map" else []
        self.keys: dict[str, Place] = {}
        self.merged: set[str] = set()
        self.weight: int = 1

    # ---- looking ------------------------------------------------------------------------------------------

    def get(self, *names: str) -> Node | None:
        """The value below these names; None where one is absent or null."""
        found: Node | None = self
        for name in names:
            found = found.mapping().get(name) if found is not None else None
            if found is not None and found.kind == "null":
                found = None
        return found

    def string(self, name: str, default: str = "") -> str:
        """The text below a name."""
        found = self.get(name)
        return default if found is None else found.as_text()

    def each(self, name: str) -> list[Node]:
        """The values of the list below a name, [] where it is absent."""
        found = self.get(name)
        return [] if found is None else found.as_list()

    def __repr__(self) -> str:
        return f"<Node {self.kind} {self.place}>"

    # ---- taking -------------------------------------------------------------------------------------------

    def wrong(self, wanted: str) -> Exception:
        """The error where another kind of value is needed."""
        name = self.place.pointer.rsplit("/", 1)[-1]
        return malformed(self.place, f"{name or 'the document'} is {_ARTICLES.get(self.kind, 'null')}, not {wanted}")

    def mapping(self) -> dict[str, Node]:
        """Its values by name."""
        if isinstance(self.items, dict) and self.kind == "map":
            return self.items
        raise self.wrong("a mapping")

    def as_list(self) -> list[Node]:
        """Its values in order."""
        if isinstance(self.items, list) and self.kind == "list":
            return self.items
        raise self.wrong("a list")

    def as_text(self) -> str:
        """The text itself."""
        if self.kind != "text":
            raise self.wrong("a text (put it in quotes)" if self.kind in ("number", "boolean") else "a text")
        return self.text

    def as_scalar(self) -> str:
        """The text of a scalar as it is written, "" of null."""
        if self.kind in ("map", "list"):
            raise self.wrong("a single value")
        return "" if self.kind == "null" else self.text

    def as_texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(one.as_text() for one in self.as_list())

    def as_number(self) -> int:
        """A whole number."""
        digits = self.text.replace("_", "")
        # 0o17 is how YAML 1.2 writes what 017 is in YAML 1.1.
        base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2].lower(), 8 if digits[:1] == "0" and digits != "0" else 10)
        try:
            if self.kind == "number" or (self.kind == "text" and digits.startswith("0o")):
                return int(digits, base)
        except ValueError:
            pass
        raise self.wrong("a whole number")

    def as_flag(self) -> bool:
        """True or false."""
        if self.kind != "boolean":
            raise self.wrong("true or false")
        return self.text.lower() in _TRUE


def read_documents(text: bytes | str, file: str) -> list[Node]:
    """Return the documents of a YAML text, empty ones left out.

    Malformed with line and column for what is no YAML of this kind, LimitExceeded for one that would cost too much,
    UsageError where the library is not installed.
    """
    yaml = _library()
    start = Place(file=file, line=1, column=1)
    if len(text) > MOST_BYTES:
        raise too_much(start, f"the file has more than {MOST_BYTES:,} bytes")
    words = _decoded(text, file)
    try:
        return list(_Reader(yaml, words, file).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(file=file, line=mark.line + 1, column=mark.column + 1) if mark is not None else start
        raise malformed(where, error.problem or error.context or "this is no YAML") from None
    except yaml.reader.ReaderError as error:
        raise malformed(_at(words, error.position, file), f"{error.reason}: {error.character!r}") from None
    except (ValueError, OverflowError) as error:
        # An escape of a character that Unicode does not have.
        raise malformed(start, f"this is no YAML: {error}") from None


def _library() -> Any:
    try:
        import yaml  # start time
    except ImportError:
        raise UsageError(
            "YAML cannot be read here: PyYAML is not installed", hint="pip install 'imagepeel[deploy]'"
        ) from None
    return yaml


def _decoded(text: bytes | str, file: str) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8", "replace")
        raise malformed(_at(before, len(before), file), "a byte is no UTF-8") from None


def _at(text: str, position: int, file: str) -> Place:
    before = text[:position]
    return Place(file=file, line=before.count("\n") + 1, column=position - before.rfind("\n"))


class _Reader:
    """The events of one text, made into nodes with a stack of its own."""

    def __init__(self, yaml: Any, words: str, file: str) -> None:
        self._yaml = yaml
        self._events = yaml.parse(words, Loader=yaml.SafeLoader)
        self._resolver = yaml.resolver.Resolver()
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._weight = 0

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, self._yaml.DocumentStartEvent):
                self._anchors = {}
                node = self._document()
                if node.kind != "null":
                    yield node

    def _document(self) -> Node:
        """Read one document: the open collections are on a stack, each with the key that waits for its value."""
        yaml = self._yaml
        stack: list[tuple[Node, list[Node], str]] = []
        while True:
            event = next(self._events)
            if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                node, waiting, anchor = stack.pop()
                if node.kind == "map":
                    self._fill(node, waiting)
                node.weight += sum(one.weight for one in waiting)
            else:
                pointer = self._pointer(stack)
                place = Place(
                    file=self._file,
                    pointer=pointer,
                    line=event.start_mark.line + 1,
                    column=event.start_mark.column + 1,
                )
                anchor = getattr(event, "anchor", None) or ""
                if isinstance(event, yaml.AliasEvent):
                    node, anchor = self._alias(anchor, place), ""
                elif isinstance(event, yaml.ScalarEvent):
                    node = self._scalar(event, place)
                else:
                    node = self._opened(event, place, len(stack))
                    stack.append((node, [], anchor))
                    continue
            self._counted(node)
            if anchor:
                self._anchors[anchor] = node
            if not stack:
                return node
            top, waiting, _ = stack[-1]
            waiting.append(node)
            if isinstance(top.items, list):
                top.items.append(node)

    def _counted(self, node: Node) -> None:
        self._weight += 1 if node.kind in ("map", "list") else node.weight
        if self._weight > MOST_VALUES or node.weight > MOST_VALUES:
            raise too_much(node.place, f"there are more than {MOST_VALUES:,} values")

    def _opened(self, event: Any, place: Place, depth: int) -> Node:
        if depth >= MOST_DEPTH:
            raise too_much(place, f"it is nested more than {MOST_DEPTH} levels deep")
        is_map = isinstance(event, self._yaml.MappingStartEvent)
        usual = (None, "!", "tag:yaml.org,2002:map" if is_map else "tag:yaml.org,2002:seq")
        if event.tag not in usual:
            raise malformed(place, f"the tag {event.tag} is not read here")
        return Node("map" if is_map else "list", place)

    def _alias(self, anchor: str, place: Place) -> Node:
        found = self._anchors.get(anchor)
        if found is None:
            raise malformed(place, f"the alias *{anchor} stands for nothing that is complete before it")
        self._weight += found.weight
        return found

    def _scalar(self, event: Any, place: Place) -> Node:
        tag = event.tag
        if tag is None or tag == "!":
            plain = event.implicit[0] and tag is None
            tag = self._resolver.resolve(self._yaml.ScalarNode, event.value, (plain, not plain))
        kind = _TAGS.get(tag)
        if kind is None:
            raise malformed(place, f"the tag {tag} is not read here")
        if kind == "number" and ":" in event.value:
            kind = "text"  # base 60, which is in YAML 1.1 and in no program that deploys
        return Node(kind, place, event.value)

    def _pointer(self, stack: list[tuple[Node, list[Node], str]]) -> str:
        if not stack:
            return ""
        node, waiting, _ = stack[-1]
        if node.kind == "list":
            return f"{node.place.pointer}/{len(waiting)}"
        if len(waiting) % 2 == 0:
            return node.place.pointer
        key = waiting[-1].text.replace("~", "~0").replace("/", "~1")
        return f"{node.place.pointer}/{key}"

    def _fill(self, node: Node, waiting: list[Node]) -> None:
        """Put keys and values into a mapping; what a merge key brings gives way to the mapping's own."""
        items, merges = node.mapping(), []
        for key, value in zip(waiting[::2], waiting[1::2], strict=True):
            if key.kind in ("map", "list"):
                raise malformed(key.place, "a key is no text")
            if key.text == "<<":
                merges.append(value)
                continue
            if key.text in items:
                raise malformed(key.place, f"the key {key.text!r} comes twice")
            items[key.text] = value
            node.keys[key.text] = key.place
        for value in merges:
            for source in value.as_list() if value.kind == "list" else [value]:
                for name, inherited in source.mapping().items():
                    if name not in items:
                        items[name] = inherited
                        node.keys[name] = source.keys.get(name, inherited.place)
                        node.merged.add(name)
