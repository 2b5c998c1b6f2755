"""A field whose values the code tells apart by name is a closed set, and its type says which.

The trees of all modules are read.  Where annotations say whose field it is (`self`, a parameter, a field of these),
that class counts; elsewhere a field is known by its name, and is plain if it is a `str` in each class that has it.  A
plain field may be compared with "" (there is none), and with a word only where any other word may stand there too.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[2] / "src" / "imagepeel"

OPEN = {
    # What an image or an archive writes: any other word may stand there too.
    *("HistoryStep.author", "LayeredImage.os", "LayerRecord.media_type", "Location.member", "TocEntry.chunkType"),
    # What a person writes: on the command line, as the name of a file, in a recipe or for the forge.
    *(
        "DiffResult.path",
        "DuResult.path",
        "LifeResult.path",
        "OpenArchive.name",
        "RootfsPath.suffix",
        "Settings.archive",
    ),
    *("ImageSpec.algorithm", "ImageSpec.architecture", "_Entry.program"),
    # The words of a script, and the programs that a command line names.
    *("BuiltinCall.name", "Part.text", "Word.literal", "Word.source", "Wrapped.program", "Wrapped.root"),
    # The page of engines says which of them set variables for services.
    "Engine.name",
}


class Compared(NamedTuple):
    """`x.field == "word"`: the class of x, or "" where nothing says it."""

    owner: str
    field: str
    line: int
    words: list[str]


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


def words(node: ast.expr) -> list[str]:
    """The words of a literal, or of a display of literals."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.Tuple | ast.Set | ast.List):
        return [word for item in node.elts for word in words(item)]
    return []


class Fields:
    """The annotated fields and properties of all classes; classes of one name are taken for one."""

    def __init__(self, *modules: ast.Module) -> None:
        self.of: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.bases: dict[str, set[str]] = defaultdict(set)
        for node in (node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            self.bases[node.name] |= {base.id for base in node.bases if isinstance(base, ast.Name)}
            for name, annotation in _annotated(node):
                self.of[node.name][name].add(ast.unparse(annotation).strip("'\""))

    def owner(self, kind: str, field: str, seen: frozenset[str] = frozenset()) -> str:
        """The class that declares the field of a class, itself or a base; "" where none does."""
        if field in self.of.get(kind, ()):
            return kind
        above = sorted(self.bases.get(kind, set()) - seen)
        return next(filter(None, (self.owner(base, field, seen | {kind}) for base in above)), "")

    def plain(self, owner: str, field: str) -> bool:
        return self.of[owner][field] <= {"str", "str | None"}

    def having(self, field: str) -> list[str]:
        return [name for name, found in self.of.items() if field in found]

    def type_of(self, node: ast.expr, known: dict[str, str]) -> str:
        """The class of an expression, "" where annotations do not say it."""
        if isinstance(node, ast.Name):
            return known.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.owner(self.type_of(node.value, known), node.attr)
            found = self.of[owner][node.attr] if owner else set()
            return next(iter(found)).removesuffix(" | None") if len(found) == 1 else ""
        return ""


def _annotated(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id, item.annotation
        elif isinstance(item, ast.FunctionDef) and item.returns is not None and item.decorator_list:
            yield item.name, item.returns
        elif isinstance(item, ast.FunctionDef) and item.name == "__init__":
            given = {arg.arg: arg.annotation for arg in (*item.args.args, *item.args.kwonlyargs)}
            for inner in ast.walk(item):
                target = inner.target if isinstance(inner, ast.AnnAssign) else None
                if isinstance(inner, ast.AnnAssign) and isinstance(target, ast.Attribute):
                    yield target.attr, inner.annotation
                elif isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Name):
                    annotation = given.get(inner.value.id)
                    for place in inner.targets:
                        if isinstance(place, ast.Attribute) and annotation is not None:
                            yield place.attr, annotation


def compared(node: ast.AST, fields: Fields, known: dict[str, str] | None = None, kind: str = "") -> Iterator[Compared]:
    """Each `x.field == "word"`, `x.field in ("a", "b")` and `match x.field` below a node."""
    known = known or {}
    if isinstance(node, ast.ClassDef):
        kind = node.name
    elif isinstance(node, ast.FunctionDef):
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        given = {arg.arg: ast.unparse(arg.annotation) if arg.annotation is not None else "" for arg in every}
        local = {
            item.target.id: ast.unparse(item.annotation)
            for item in ast.walk(node)
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
        known = known | {name: said.strip("'\"").removesuffix(" | None") for name, said in (given | local).items()}
        if "self" in known:
            known["self"] = kind
    for attribute, line, said in _comparisons(node):
        owner = fields.owner(fields.type_of(attribute.value, known), attribute.attr)
        yield Compared(owner, attribute.attr, line, said)
    for child in ast.iter_child_nodes(node):
        yield from compared(child, fields, known, kind)


def _comparisons(node: ast.AST) -> Iterator[tuple[ast.Attribute, int, list[str]]]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, right, operator in zip(sides, sides[1:], node.ops, strict=False):
            if isinstance(left, ast.Attribute) and isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                yield left, node.lineno, words(right)
    elif isinstance(node, ast.Match) and isinstance(node.subject, ast.Attribute):
        values = [case.pattern.value for case in node.cases if isinstance(case.pattern, ast.MatchValue)]
        yield node.subject, node.lineno, [word for value in values for word in words(value)]


def _wrong(found: Compared, fields: Fields) -> list[str]:
    """The plain fields that this may compare, as `Class.field`."""
    owners = [found.owner] if found.owner else fields.having(found.field)
    if not found.words or not all(fields.plain(owner, found.field) for owner in owners):
        return []
    return [f"{owner}.{found.field}" for owner in owners]


@cache
def all_wrong() -> dict[str, list[str]]:
    modules = dict(trees())
    fields = Fields(*modules.values())
    return {
        f"{name}:{found.line} compares .{found.field} with {found.words}": wrong
        for name, tree in modules.items()
        for found in compared(tree, fields)
        if (wrong := _wrong(found, fields))
    }


def test_a_field_that_is_compared_with_words_has_a_type_of_its_own() -> None:
    wrong = {place: owners for place, owners in all_wrong().items() if not OPEN & set(owners)}
    assert not wrong, "\n".join(f"{place}, plain in {', '.join(owners)}" for place, owners in wrong.items())


def test_each_open_field_is_compared_somewhere() -> None:
    used = {owner for owners in all_wrong().values() for owner in owners}
    assert used >= OPEN, sorted(OPEN - used)


def test_the_reading_finds_what_it_looks_for() -> None:
    tree = ast.parse(
        "class A:\n    kind: str\n    state: str\nclass B(A):\n    kind: 'Kind'\n    a: A | None\n"
        "def f(a: A, b: B | None, c):\n"
        "    a.kind == 'a'; b.kind in ('b', C); b.a.kind == 'c'; b.state == ''; c.state == 'd'; c.kind == 'e'\n"
    )
    fields = Fields(tree)
    found = list(compared(tree, fields))
    assert [(item.owner, item.field, item.words) for item in found] == [
        ("A", "kind", ["a"]), ("B", "kind", ["b"]), ("A", "kind", ["c"]), ("A", "state", []),
        ("", "state", ["d"]), ("", "kind", ["e"]),
    ]  # fmt: skip
    assert [_wrong(item, fields) for item in found] == [["A.kind"], [], ["A.kind"], [], ["A.state"], []]
