import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


def test_names_are_sorted_and_all_load():
    assert tasks.names() == [
        "bit_memory",
        "bit_xor",
        "cifar10",
        "cifar10_lra",
        "digits",
        "listops",
        "mnist",
        "remote_homology",
    ]
    for name in tasks.names():
        task = tasks.get(name)
        assert task.name == name
        assert (task.input_dim is None) != (task.vocabulary_size is None)
        assert task.origin is not None


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


def test_a_variant_follows_a_colon():
    assert tasks.get("listops:bracketless").vocabulary_size == 14
    with pytest.raises(ValueError, match="'listops:bracketless'"):
        tasks.get("listops:flat")
    with pytest.raises(ValueError, match="'mnist' has no variant option"):
        tasks.get("mnist:small")


def test_a_task_has_options_of_its_own():
    assert tasks.get("listops", max_length=100).sequence_length == 100
    with pytest.raises(ValueError, match="'digits' has no window option"):
        tasks.get("digits", window=3)


def test_a_path_is_user_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert tasks.get("digits").num_classes == 10  # the task, not the folder
    with pytest.raises(ValueError, match="digits` has no subfolders"):
        tasks.get("./digits")
    with pytest.raises(FileNotFoundError, match="no file or folder `my.csv`"):
        tasks.get("my.csv", label_column="y")
    (tmp_path / "my.pdf").touch()
    with pytest.raises(ValueError, match="Cannot read `my.pdf`. Expected .csv"):
        tasks.get("my.pdf")
    (tmp_path / "my.csv").write_text("a,b\n1,2\n")
    with pytest.raises(
        ValueError, match="--label-column. Its columns are a, b"
    ):
        tasks.get("my.csv")
    with pytest.raises(ValueError, match="--patch-size does not apply"):
        tasks.get("my.csv", label_column="b", patch_size=2)
