"""Audits the files of images."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.audit import audit_properties
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import folders, image_files


def find_in_images(
    names: Sequence[str],
    headers: Sequence[image_files.Header],
    is_scaled: bool,
    x: Any,
) -> list[Finding]:
    """Audits images: their frames, bits and pixels."""
    is_constant: list[bool] = []
    for images_read in sequence_store.chunks(x):
        flat = images_read.reshape(len(images_read), -1)
        is_constant += (flat.min(axis=1) == flat.max(axis=1)).tolist()
    kinds = (
        (
            "frames",
            [header.has_frames for header in headers],
            "more than one frame or page; the first is read",
            "If the others matter, save each as a separate image.",
        ),
        (
            "lost-bits",
            [header.has_deep_colors and not is_scaled for header in headers],
            "colors of 16 bits, of which the upper 8 are read",
            "If only the lower ones are used, save the images with 8 bits.",
        ),
        (
            "constant-images",
            is_constant,
            "the same color everywhere",
            "Look at the files; if what is drawn there has the color of the "
            "background behind it, choose another with --background.",
        ),
    )
    findings = []
    for kind, is_found, what, advice in kinds:
        count = sum(is_found)
        if count:
            subject = "1 image has" if count == 1 else f"{count:,} images have"
            name = names[is_found.index(True)]
            message = f"{subject} {what}, such as {name}."
            findings.append(Finding(kind, message, advice))
    return findings


def find_telling(
    found: folders.LabeledFiles,
    headers: Sequence[image_files.Header],
    x: Any,
) -> list[Finding]:
    """Whether the class follows from how the files were made."""
    is_gray: list[bool] = []
    for images_read in sequence_store.chunks(x):
        is_equal = images_read == images_read[..., :1]
        is_gray += is_equal.all(axis=(1, 2, 3)).tolist()
    same = "Take or save the images of all classes in the same way"
    sizes = np.array([header.size for header in headers])
    size = (
        f"{same}, and cut out parts of one size: resized images look sharper "
        "or smoother, and wider or narrower."
    )
    properties = {
        "color": audit_properties.Property(
            ["gray" if each else "colored" for each in is_gray],
            "If that is no property of the classes, make all images gray.",
        ),
        "kind of pixels": audit_properties.Property(
            [header.mode for header in headers], f"{same}."
        ),
        "kind of file": audit_properties.Property(
            [header.format for header in headers], f"{same}."
        ),
        "height in pixels": audit_properties.Property(
            sizes[:, 0].tolist(), size, is_leak=False
        ),
        "width in pixels": audit_properties.Property(
            sizes[:, 1].tolist(), size, is_leak=False
        ),
        "ratio of width to height": audit_properties.Property(
            np.round(sizes[:, 1] / sizes[:, 0], 3).tolist(), size, is_leak=False
        ),
    }
    return audit_properties.find_telling(
        properties, found.labels.compared, found.splits, found.groups
    )
