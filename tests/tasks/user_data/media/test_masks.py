"""Masks, by the names of files."""

import pytest

from keras_fpt.tasks.user_data.media import folder_findings, folders

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


def test_a_folder_is_searched_for_them(tmp_path):
    for n in range(40):
        folder = tmp_path / "ab"[n % 2]
        folder.mkdir(exist_ok=True)
        for suffix in ("", "_mask"):
            (folder / f"{n}{suffix}.png").touch()
    (found,) = folders.labeled_files(tmp_path).findings
    assert found.kind == "masks-as-examples"
