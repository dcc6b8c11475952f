"""What a type checker says about a user's program."""

import re
import textwrap

import pytest

pytestmark = [pytest.mark.backend_free, pytest.mark.slow]
# Expressions, and the types that mypy should see.
TYPES = {
    'keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en")': "FPTClassifier",
    'keras_fpt.FPTRegressor.from_preset("gpt2_tiny_en")': "FPTRegressor",
    'keras_fpt.FPTClassifier.from_preset("a").options.depth': "int | None",
    'keras_fpt.tasks.from_table("rows.csv", label_column="y")': "Task",
    'keras_fpt.tasks.get("digits").class_names': "tuple",
    'keras_fpt.runs.RunConfig("digits")': "RunConfig",
    'keras_fpt.runs.train(keras_fpt.runs.RunConfig("digits"))': "dict",
    'keras_fpt.studies.Comparison(keras_fpt.runs.RunConfig("a"))': "Comparison",
    "keras_fpt.sklearn.FPTClassifier(steps=3).fit([], [])": "FPTClassifier",
    "keras_fpt.sklearn.FPTRegressor(steps=3).predict([])": "ndarray",
}


def test_a_program_sees_types_and_not_any(tmp_path):
    api = pytest.importorskip("mypy.api")
    lines = [f"reveal_type({expression})" for expression in TYPES]
    # A mistake that only types show. Misspelled names are not seen, since
    # scikit-learn's estimators, from which ours inherit, have no types.
    lines.append('keras_fpt.sklearn.FPTRegressor(steps="many")')
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent("\n".join(["import keras_fpt", *lines])))
    output, *_ = api.run(["--cache-dir", str(tmp_path / "cache"), str(program)])
    output = re.sub(r"Union\[(.*?), None\]", r"\1 | None", output)
    for number, (expression, wanted) in enumerate(TYPES.items(), start=2):
        (seen,) = re.findall(rf"program.py:{number}: note: .*", output)
        assert wanted in seen and '"Any"' not in seen, (expression, seen)
    assert 'has incompatible type "str"; expected "int"' in output
