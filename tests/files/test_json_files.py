import dataclasses

import pytest

from keras_fpt.files import json_files

pytestmark = pytest.mark.backend_free


@dataclasses.dataclass(frozen=True)
class Inner:
    count: int

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("Expected a count from 0.")


@dataclasses.dataclass(frozen=True)
class Outer:
    size: int
    rate: float = 1.0
    names: tuple[str, ...] = ()
    inner: Inner | None = None
    flag: bool | int | None = False
    options: dict = dataclasses.field(default_factory=dict)


def test_lists_become_tuples_and_numbers_stay_as_they_are():
    entry = {"size": 2, "rate": 3, "names": ["a"], "inner": Inner(4), "flag": 5}
    made = json_files.from_dict(Outer, entry, "here")
    assert made == Outer(2, 3, ("a",), Inner(4), 5, {})
    assert type(made.rate) is int


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], r"here: expected an object but found \[\]"),
        ({}, "here: there is no field 'size'"),
        ({"size": "x", "b": 1, "a": 2}, "here: unknown field 'a'"),
        ({"size": True}, "here: expected size to be int but found True"),
        ({"size": 1.0}, "here: expected size to be int but found 1.0"),
        ({"size": 1, "rate": False}, "expected rate to be float but found F"),
        ({"size": 1, "rate": "1"}, "expected rate to be float but found '1'"),
        ({"size": 1, "names": "ab"}, "expected names to be tuple.* found 'ab'"),
        ({"size": 1, "names": ["a", 1]}, r"expected names .* found \['a', 1\]"),
        ({"size": 1, "flag": 1.5}, "expected flag to be bool | int | None"),
        ({"size": 1, "inner": {"count": 1}}, "expected inner to be"),
        ({"size": 1, "options": []}, "expected options to be dict"),
        ({"size": "x" * 99}, r"but found 'x{56}\.\.\."),
    ],
)
def test_bad_entries(entry, message):
    with pytest.raises(ValueError, match=message):
        json_files.from_dict(Outer, entry, "here")


def test_errors_of_the_dataclass_itself_stay_as_they_are():
    with pytest.raises(ValueError, match="^Expected a count from 0.$"):
        json_files.from_dict(Inner, {"count": -1}, "here")
