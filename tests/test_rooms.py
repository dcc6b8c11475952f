"""The direction of imports, from the imports themselves."""

import ast
import graphlib
import pathlib

import pytest

import keras_fpt

pytestmark = pytest.mark.backend_free
PACKAGE = pathlib.Path(keras_fpt.__file__).parent
# From the top to the bottom: a room imports from its own level only where
# `BESIDE` says so, and from the levels below.
LEVELS = (
    ("__main__",),
    ("cli",),
    ("studies",),
    ("reports",),
    ("results",),
    ("runs", "sklearn"),
    ("pretraining", "models", "tasks"),
    (
        *("distribution", "presets", "layers", "freezing", "random_weights"),
        *("backbones", "data_errors", "progress"),
    ),
    ("compat", "files", "logs", "options"),
)
BESIDE = {
    ("pretraining", "models"),
    ("pretraining", "tasks"),
    ("distribution", "freezing"),
    ("distribution", "data_errors"),
    ("presets", "random_weights"),
    ("presets", "backbones"),
    ("freezing", "backbones"),
    ("random_weights", "freezing"),
    ("random_weights", "backbones"),
}
# `keras_fpt` itself, and the module that names a former room's successors.
OUTSIDE = ("__init__", "experiments")
LEVEL = {room: i for i, rooms in enumerate(LEVELS) for room in rooms}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def room(module):
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] or "__init__"


def exports(package):
    """The names in a room's `__init__`, by the module that they are from."""
    path = MODULES[package]
    stub = path.with_suffix(".pyi")
    tree = ast.parse((stub if stub.exists() else path).read_text())
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = f"{package}.{base}" if base else package
            for alias in node.names:
                full = f"{base}.{alias.name}"
                name = alias.asname or alias.name
                found[name] = full if full in MODULES else base
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = package
        elif isinstance(node, ast.Assign):
            found |= {t.id: package for t in node.targets if hasattr(t, "id")}
    return found


def imports(path):
    """Pairs of a package or module, and a name in it, that a file imports.

    What only type checkers read is left out.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            if (node.module or "").split(".")[0] == "keras_fpt":
                yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "keras_fpt":
                    yield alias.name, None


def resolve(module, name):
    """The module that an import leads to."""
    if name is None or module not in MODULES:
        return module
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    if MODULES[module].name == "__init__.py":
        return exports(module).get(name, module)
    return module


ARROWS = sorted(
    {
        (importer, *found)
        for importer, path in MODULES.items()
        for found in imports(path)
        if room(importer) not in OUTSIDE
    },
    key=str,
)


def test_the_package_was_read():
    assert len(MODULES) > 100 and len(ARROWS) > 200
    assert {room(module) for module in MODULES} == {*LEVEL, *OUTSIDE}


def test_no_arrow_goes_upwards():
    wrong = []
    for importer, module, name in ARROWS:
        own, other = room(importer), room(resolve(module, name))
        if own == other or other in OUTSIDE:
            continue
        goes_down = LEVEL[own] < LEVEL[other]
        if not (goes_down or (own, other) in BESIDE):
            wrong.append(f"{importer} imports {module}.{name}")
    assert wrong == []


def test_imports_use_only_what_subpackages_export():
    wrong = []
    for importer, module, name in ARROWS:
        own, other = room(importer), room(resolve(module, name))
        if own == other or other in OUTSIDE or module == "keras_fpt":
            continue
        is_root_module = MODULES[f"keras_fpt.{other}"].name != "__init__.py"
        package = f"keras_fpt.{other}"
        if is_root_module or (module == package and name in exports(package)):
            continue
        wrong.append(
            f"{importer} imports {module}.{name}, which the "
            f"`__init__` of {package} does not export"
        )
    assert wrong == []


def test_files_import_each_other_in_no_circle():
    graph = {module: set() for module in MODULES}
    for importer, module, name in ARROWS:
        found = resolve(module, name)
        if found != importer and MODULES[found].name != "__init__.py":
            graph[importer].add(found)
    # Raises `graphlib.CycleError`, which names the circle.
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert len(order) == len(MODULES)


def test_long_files_say_why_they_are_long():
    for name, path in MODULES.items():
        text = path.read_text()
        if len(text.splitlines()) > 400:
            reason = ast.get_docstring(ast.parse(text))
            assert "longer than others" in reason, name
