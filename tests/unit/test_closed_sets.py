"""A field whose values the code tells apart by name is a closed set, and its type says which.

The trees of all modules are read, so fields are known by their names: one that is a plain `str` in each class that has
it may be compared with "" (there is none), and with a word only where any other word may stand there too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "imagepeel"

OPEN = {
    # What an image, an archive or a person writes: any other word may stand there too.
    *("algorithm", "architecture", "archive", "author", "media_type", "member", "os", "program", "root", "source"),
    # Of the record of a scan any text, and of the command line one of two words, which click checks.
    "limits",
}


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


def compared(tree: ast.Module) -> Iterator[tuple[str, int, list[str]]]:
    """Each `x.field == "word"`, `x.field in ("a", "b")` and `match x.field`: the field, the line and the words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, right, operator in zip(sides, sides[1:], node.ops, strict=False):
                if isinstance(left, ast.Attribute) and isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                    yield left.attr, node.lineno, words(right)
        elif isinstance(node, ast.Match) and isinstance(node.subject, ast.Attribute):
            values = [case.pattern.value for case in node.cases if isinstance(case.pattern, ast.MatchValue)]
            yield node.subject.attr, node.lineno, [word for value in values for word in words(value)]


def fields(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """The fields of classes, each with whether it is a plain `str`, perhaps with None."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id, ast.unparse(field.annotation) in ("str", "str | None")


def bare() -> set[str]:
    """The names of fields that are plain `str` in each class."""
    found = {field for _, tree in trees() for field in fields(tree)}
    return {name for name, plain in found if plain and (name, False) not in found}


def test_a_field_that_is_compared_with_words_has_a_type_of_its_own() -> None:
    held = bare() - OPEN
    wrong = [
        f"{name}:{line} compares .{field}, which is a plain str, with {said}"
        for name, tree in trees()
        for field, line, said in compared(tree)
        if said and field in held
    ]
    assert not wrong, "\n".join(wrong)


def test_the_open_fields_are_there() -> None:
    assert bare() >= OPEN, sorted(OPEN - bare())


def test_the_reading_finds_what_it_looks_for() -> None:
    tree = ast.parse('class A:\n    kind: str\n    size: int\nx.kind == "a"\nx.kind in ("b", C)\nx.kind == ""\n')
    assert list(fields(tree)) == [("kind", True), ("size", False)]
    assert [(field, said) for field, _, said in compared(tree)] == [("kind", ["a"]), ("kind", ["b"]), ("kind", [])]
