import numpy as np
import pytest

from keras_fpt.tasks.user_data.media import file_kinds, folders

pytestmark = pytest.mark.backend_free


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    return root


def names_of(found):
    return {
        split: {found.names[i] for i in indices}
        for split, indices in found.splits.items()
    }


def several(count, pattern):
    return [pattern.format(number) for number in range(count)]


def test_what_systems_leave_is_skipped_and_counted(tmp_path):
    junk = (
        "a/Thumbs.db",
        "a/desktop.ini",
        ".DS_Store",
        "__MACOSX/a/._1.png",
        "b/._2.png",
        "@eaDir/1.png",
        "a/1.png:Zone.Identifier",
        "__pycache__/1.pyc",
    )
    files = several(8, "a/{}.png") + several(8, "b/{}.png")
    touch(tmp_path, *junk, *files, "labels.csv")
    found = folders.labeled_files(tmp_path)
    assert sorted(found.names) == sorted(files)
    assert found.class_names == ("a", "b")
    assert list(found.notes) == [
        "skipped: 8 system files, such as .DS_Store",
        "skipped: 1 file outside the folders of classes, such as labels.csv",
    ]
    _, names = folders.new_files(tmp_path)
    assert sorted(names) == sorted([*files, "labels.csv"])


@pytest.mark.parametrize("pattern", ["{0}/{1}/{2}.png", "{1}/{0}/{2}.png"])
@pytest.mark.parametrize(
    "train, validation, test",
    [
        ("Training", "dev", "Testing"),
        ("TRAIN", "val", "test"),
        ("train", "Valid", "eval"),
        ("seg_train", "seg_val", "seg_test"),
        ("training_set", "validation_set", "test_set"),
    ],
)
def test_splits_in_any_spelling_and_place(
    tmp_path, pattern, train, validation, test
):
    for split, count in ((train, 5), (validation, 2), (test, 3)):
        for kind in "ab":
            for number in range(count):
                touch(tmp_path, pattern.format(split, kind, number))
    found = folders.labeled_files(tmp_path)
    assert found.class_names == ("a", "b")
    assert found.split_by == "by folder"
    for split, name in (
        ("train", train),
        ("validation", validation),
        ("test", test),
    ):
        names = names_of(found)[split]
        assert names and all(name in n.split("/") for n in names)
    assert [len(v) for v in found.splits.values()] == [10, 4, 6]


def test_validation_stands_for_a_test_split_that_is_not_there(tmp_path):
    for kind in "ab":
        touch(tmp_path, *several(10, f"train/{kind}/{{}}"))
        touch(tmp_path, *several(3, f"val/{kind}/{{}}"))
    found = folders.labeled_files(tmp_path)
    names = names_of(found)
    assert all(name.startswith("val") for name in names["test"])
    assert all(name.startswith("train") for name in names["validation"])
    assert any(
        note.startswith("test: the folder of val") for note in found.notes
    )


def test_test_examples_without_labels_are_noted(tmp_path):
    touch(tmp_path, "train/a/1", "train/b/1", "test/1", "test/2")
    with pytest.raises(ValueError, match="no labels, move .* predict"):
        folders.labeled_files(tmp_path)


def test_other_folders_next_to_those_of_splits_are_refused(tmp_path):
    touch(tmp_path, "Training/a/1", "testing/a/1", "masks/a/1")
    with pytest.raises(ValueError, match="Training, masks, testing. Expected"):
        folders.labeled_files(tmp_path)


@pytest.mark.parametrize("name", ["none", "nan", "NA", "null", "N_A"])
def test_the_name_of_a_folder_is_a_class(tmp_path, name):
    touch(tmp_path, *several(6, "scratch/{}"), *several(6, f"{name}/{{}}"))
    assert set(folders.labeled_files(tmp_path).class_names) == {"scratch", name}


@pytest.mark.parametrize(
    "names",
    [("fold1", "fold2", "fold3"), ("cv_1", "cv_2"), ("Part 01", "Part 02")],
)
def test_classes_that_look_like_folds_are_a_finding(tmp_path, names):
    for name in names:
        touch(tmp_path, *several(5, f"{name}/{{}}"))
    (finding,) = folders.labeled_files(tmp_path).findings
    assert finding.kind == "folds-as-classes"
    assert "--split-group fold" in finding.advice


@pytest.mark.parametrize(
    "names", [("bus", "train"), ("test_tube", "train_station")]
)
def test_words_for_splits_in_names_of_classes(tmp_path, names):
    for name in names:
        touch(tmp_path, *several(8, name + "/{}.png"))
    found = folders.labeled_files(tmp_path)
    assert found.class_names == names
    assert found.split_by == "seeded, stratified"


def test_subfolders_of_a_class_stay_in_one_split(tmp_path):
    for kind in ("run", "walk"):
        for person in range(6):
            touch(tmp_path, *several(4, f"{kind}/{kind}{person}/{{}}"))
    found = folders.labeled_files(tmp_path)
    assert found.class_names == ("run", "walk") and found.findings == []
    people = [
        {name.rpartition("/")[0] for name in names}
        for names in names_of(found).values()
    ]
    assert sum(map(len, people)) == 12 == len(set.union(*people))
    assert len(np.unique(found.groups)) == 12


def test_too_few_subfolders_and_equal_ones_are_findings(tmp_path):
    for site in ("north", "south"):
        for kind in ("cat", "dog"):
            touch(tmp_path, *several(6, f"{site}/{kind}/{{}}"))
    found = folders.labeled_files(tmp_path)
    assert [f.kind for f in found.findings] == ["nested-classes", "subfolders"]
    assert "(cat, dog)" in found.findings[0].message
    # One subfolder, such as `images`, says nothing.
    for kind in "ab":
        touch(tmp_path / "own", *several(6, f"{kind}/images/{{}}"))
    found = folders.labeled_files(tmp_path / "own")
    assert found.findings == [] and found.groups is None


def test_people_in_several_classes_stay_in_one_split(tmp_path):
    for kind in ("run", "walk"):
        for person in range(5 if kind == "run" else 7):
            for trial in (1, 2):
                place = f"{kind}/user{person}/trial{trial}/{{}}"
                touch(tmp_path, *several(2, place))
    found = folders.labeled_files(tmp_path)
    people = [
        {name.split("/")[1] for name in names}
        for names in names_of(found).values()
    ]
    assert sum(map(len, people)) == 7 == len(set.union(*people))
    assert "(user0, user1, user2, user3, ...)" in found.notes[-1]


def test_splits_within_folders_of_archives(tmp_path):
    for split in ("train", "test"):
        for kind in ("sea", "street"):
            place = f"data/seg_{split}/seg_{split}/{kind}/{{}}"
            touch(tmp_path, *several(10, place))
    touch(tmp_path, *several(4, "data/seg_pred/seg_pred/{}"))
    found = folders.labeled_files(tmp_path)
    assert found.class_names == ("sea", "street")
    names = names_of(found)
    assert len(names["test"]) == 20
    assert all("/seg_test/" in name for name in names["test"])
    assert "4 files outside the folders of classes" in found.notes[0]


@pytest.mark.parametrize(
    "names, kind",
    [
        (("a.WAV", "b.wav", "c.png"), "sounds"),
        (("a.JPG", "b.tiff", "c.csv"), "images"),
        (("a.csv.gz", "b.parquet"), "tables"),
        (("a.txt", "b"), "tables"),
        (("a.txt", "a.png"), "images"),
        (("a.md", "b"), None),
    ],
)
def test_kinds_of_files(names, kind):
    assert file_kinds.most_common_kind(names) == kind


@pytest.mark.parametrize(
    "name, words",
    [
        ("a.m4a", "`ffmpeg -i a.m4a a.wav`"),
        ("a.mp4", "This is a video"),
        ("a.heic", "convert it to PNG"),
        ("a.dcm", "DICOM"),
        ("a.xls", "Convert it to CSV"),
        ("a.xyz", "sounds: WAV, FLAC, OGG, MP3 and AIFF"),
    ],
)
def test_errors_say_what_is_read_and_how_to_convert(name, words):
    assert words in str(file_kinds.unreadable(name, "an image", "unknown"))


def test_a_table_beside_one_folder_of_files_is_named(tmp_path):
    touch(tmp_path, *several(8, "images/{}.png"))
    with pytest.raises(ValueError, match="at least two classes"):
        folders.labeled_files(tmp_path)
    touch(tmp_path, "train.csv")
    advice = "keras-fpt train .*train.csv --file-column file --label-column"
    with pytest.raises(ValueError, match=f"in the folder 'images'.*{advice}"):
        folders.labeled_files(tmp_path)
