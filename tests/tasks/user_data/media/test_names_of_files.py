"""Masks, people and recordings, by the names of files."""

import numpy as np
import pytest

from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.media import folder_findings, folders
from keras_fpt.tasks.user_data.targets import Labels

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize(
    "form", ["{}_mask", "{}-seg", "{}_Mask_1", "{}_labels"]
)
def test_masks_are_named(form):
    images = [f"a/x ({n}).png" for n in range(9)]
    masks = [f"a/{form.format(f'x ({n})')}.png" for n in range(9)]
    (found,) = folder_findings.find_masks([*images, *masks])
    assert found.message.startswith("9 files") and found.is_leak
    assert folder_findings.find_masks(images) == []
    # No image is beside them.
    assert folder_findings.find_masks(masks) == []


def find(names, num_classes=2):
    y = np.arange(len(names)) // 5 % num_classes
    labels = Labels(y, tuple("abcdefgh"[:num_classes]))
    splits = splitting.stratified(y)
    return folder_findings.find_sources(names, labels, splits)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("P{0:03}-{1}.png", "P000"),
        ("person{0}_bacteria_{1}.jpeg", "person0_bacteria"),
        ("{0}-3-0-{1}.wav", "0-3-0"),
        ("video{0}_frame{1:05}.jpg", "video0"),
        ("s{0} t{1}a.csv", "s0"),
    ],
)
def test_sources_are_named(form, shown):
    names = [f"x/{form.format(n // 5, n % 5)}" for n in range(100)]
    (found,) = find(names)
    assert f"20 different parts, such as {shown}," in found.message
    assert not found.is_leak


@pytest.mark.parametrize(
    "form",
    [
        "{2}.png",
        "IMG_{2:04}.jpg",
        "cat.{2}.jpg",
        "{2}_7.png",
        "IMG_2024_{2}.jpg",
    ],
)
def test_other_numbers_are_no_sources(form):
    names = [f"x/{form.format(n // 5, n % 5, n)}" for n in range(100)]
    assert find(names) == []
    # Of several classes each, so nothing is known of them.
    names = [f"x/P{n % 7}-{n // 7}.png" for n in range(100)]
    assert find(names) == []


def test_a_folder_has_both(tmp_path):
    for n in range(100):
        folder = tmp_path / "ab"[n // 5 % 2]
        folder.mkdir(exist_ok=True)
        for suffix in ("", "_mask"):
            (folder / f"P{n // 5}-{n % 5}{suffix}.png").touch()
    kinds = {each.kind for each in folders.labeled_files(tmp_path).findings}
    assert kinds == {"masks-as-examples", "groups-across-splits"}
