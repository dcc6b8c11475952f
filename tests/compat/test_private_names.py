"""No file outside of compat/ uses private names of other packages."""

import ast
import pathlib

import pytest

import keras_fpt

ROOT = pathlib.Path(keras_fpt.__file__).parent
FILES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if ROOT / "compat" not in path.parents
]
# Of Python's standard library: of named tuples, and of pickle.
ALLOWED = {"_asdict", "_fields", "_replace", "_Unpickler"}

pytestmark = pytest.mark.backend_free


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def own_names(trees):
    """The private names that this package defines."""
    names = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and is_of_self(node):
                names.add(node.attr)
    return names


def is_of_self(node):
    return isinstance(node.value, ast.Name) and node.value.id == "self"


@pytest.fixture(scope="module")
def trees():
    return {path: ast.parse(path.read_text()) for path in FILES}


def test_no_private_attribute_is_used(trees):
    allowed = own_names(trees.values()) | ALLOWED
    used = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and node.attr not in allowed
    ]
    assert not used, "Add an accessor to keras_fpt/compat for these."


def test_no_private_module_is_imported(trees):
    private = ("keras.src", "keras_hub.src")
    imported = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if is_import_of(node, private)
        or (isinstance(node, ast.Attribute) and node.attr == "src")
    ]
    assert not imported, "Add an accessor to keras_fpt/compat for these."


def is_import_of(node, modules):
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith(modules)
    return isinstance(node, ast.Import) and any(
        alias.name.startswith(modules) for alias in node.names
    )
