"""`docs/audit.md` has a section for each kind of finding in the source."""

import ast
import pathlib
import re

import pytest

import keras_fpt

pytestmark = pytest.mark.backend_free
PACKAGE = pathlib.Path(keras_fpt.__file__).parent
KIND = re.compile(r"[a-z]+(-[a-z]+)*")


def first_strings(node):
    """The strings that an expression may be, or its tuples begin with."""
    if isinstance(node, ast.Tuple | ast.List):
        return set().union(*map(first_strings, node.elts[:1])) | {
            text
            for part in node.elts
            if isinstance(part, ast.Tuple)
            for text in first_strings(part)
        }
    if isinstance(node, ast.IfExp):
        return first_strings(node.body) | first_strings(node.orelse)
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return {node.value} if is_text else set()


def kinds(path):
    """The first argument of every `Finding`, or what its name may hold."""
    tree = ast.parse(path.read_text())
    values = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(
                    node.value, ast.Tuple
                ):
                    pairs = zip(target.elts, node.value.elts, strict=True)
                for name, value in pairs:
                    if isinstance(name, ast.Name):
                        values.setdefault(name.id, set()).update(
                            first_strings(value)
                        )
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            target = getattr(node.target, "elts", [node.target])[0]
            if isinstance(target, ast.Name) and isinstance(node.iter, ast.Name):
                values.setdefault(target.id, set()).update(
                    values.get(node.iter.id, set())
                )
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if called == "Finding":
                found |= values.get(getattr(first, "id", ""), set())
                found |= first_strings(first)
    return {kind for kind in found if KIND.fullmatch(kind)}


def test_each_kind_of_finding_has_a_section():
    page = PACKAGE.parent / "docs" / "audit.md"
    if not page.is_file():
        pytest.skip("docs/ is not next to the installed package")
    sections = set(re.findall(r"^### (.*)$", page.read_text(), re.MULTILINE))
    used = set().union(*map(kinds, PACKAGE.rglob("*.py")))
    assert {"row-numbers", "time-as-feature", "sentinel"} <= used
    assert used == sections
