import pytest

from keras_fpt import tasks


def test_names_are_sorted_and_all_load():
    assert tasks.names() == ["bit_memory", "bit_xor", "digits", "mnist"]
    for name in tasks.names():
        task = tasks.get(name)
        assert task.name == name
        assert (task.input_dim is None) != (task.vocabulary_size is None)


def test_a_dash_may_stand_for_an_underscore():
    assert tasks.get("bit-xor").name == "bit_xor"


@pytest.mark.parametrize(
    ("name", "near"),
    [("mnits", "mnist"), ("xor", "bit_xor"), ("digit", "digits")],
)
def test_unknown_task_names_the_nearest(name, near):
    with pytest.raises(ValueError, match=f"Did you mean '{near}'"):
        tasks.get(name)


def test_batch_size_must_be_positive():
    with pytest.raises(ValueError, match="batch size of at least 1"):
        tasks.get("bit_xor").datasets(batch_size=0)
