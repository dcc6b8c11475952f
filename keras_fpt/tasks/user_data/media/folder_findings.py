"""Groups of files by the names of folders, and findings about these names."""

import collections
import pathlib
import re
from collections.abc import Sequence

from keras_fpt.tasks.user_data.audit.findings import Finding

FOLD_NAME = re.compile(r"(fold|part|cv|split|subset|k)[ _-]*\d+", re.IGNORECASE)
# With fewer subfolders in a class, they cannot be spread over the splits.
MIN_SUBFOLDERS = 3
# With fewer files, a name may be by chance.
MIN_FILES = 3
_MASK = re.compile(
    r"(?P<image>.+?)[ _.-]*(?:mask|seg|segmentation|label|annotation|gt)s?"
    r"(?:[ _-]*\d+)?",
    re.IGNORECASE,
)
TABLE_ADVICE = (
    "keras-fpt train labels.csv --file-column file --label-column class"
)


def group_by_subfolder(
    labels: list[str], subfolder: list[str]
) -> tuple[list[str] | None, list[Finding], list[str]]:
    """Groups files by the subfolders of their classes, if those are many.

    Subfolders of one name in several classes, such as people, are one group.

    Args:
        labels: list of n strings, the classes.
        subfolder: list of n strings, the subfolder within the class's folder,
            or an empty one.

    Returns:
        A tuple: list of n strings, or `None`; what is suspicious; and notes.
    """
    if not any(subfolder):
        return None, [], []
    outer = [within.partition("/")[0] for within in subfolder]
    by_outer = _of_each_class(labels, outer)
    if min(map(len, by_outer.values())) >= MIN_SUBFOLDERS:
        subfolder = outer
    of_class = _of_each_class(labels, subfolder)
    findings = []
    names = {name.partition("/")[0] for name in of_class[labels[0]]}
    is_same = all(
        {name.partition("/")[0] for name in value} == names
        for value in of_class.values()
    )
    if is_same and len(names) > 1:
        shown = ", ".join(sorted(names)[:4])
        findings.append(
            Finding(
                "nested-classes",
                f"Every class folder has the same subfolders ({shown}).",
                "If those are the classes, make them the outer folders, or "
                f"list files and labels in a table: `{TABLE_ADVICE}`.",
            )
        )
    fewest = min(map(len, of_class.values()))
    if fewest < MIN_SUBFOLDERS:
        if max(map(len, of_class.values())) > 1:
            findings.append(
                Finding(
                    "subfolders",
                    f"A class has only {fewest} subfolder"
                    f"{'s' * (fewest > 1)}, so files of one subfolder are in "
                    "several splits.",
                    "If subfolders are people or recordings, put whole ones "
                    "into train, validation and test folders.",
                )
            )
        return None, findings, []
    counts = collections.Counter(
        within for names in of_class.values() for within in names if within
    )
    shared = sorted(name for name, count in counts.items() if count > 1)
    note = "subfolders of classes stay together"
    if shared:
        shown = ", ".join(shared[:4]) + ", ..." * (len(shared) > 4)
        note += f", and those of one name in several classes ({shown}), too"
    # A file in no subfolder has a separate group.
    return (
        [
            within
            if within in shared
            else f"{label}/{within}"
            if within
            else f"{label}//{i}"
            for i, (label, within) in enumerate(
                zip(labels, subfolder, strict=True)
            )
        ],
        findings,
        [note],
    )


def find_masks(names: Sequence[str]) -> list[Finding]:
    """Finds files that seem to be masks of others beside them.

    Args:
        names: sequence of strings, the names of files with their folders.
    """
    paths = [pathlib.PurePath(name) for name in names]
    stems = {path.with_suffix("") for path in paths}
    masks = [
        name
        for name, path in zip(names, paths, strict=True)
        if (found := _MASK.fullmatch(path.stem))
        and path.with_name(found["image"]) in stems
    ]
    if len(masks) < MIN_FILES:
        return []
    return [
        Finding(
            "masks-as-examples",
            f"{len(masks):,} files are named like masks or labels of files "
            f"beside them, such as {masks[0]}, and each is an example.",
            "If they are, move them elsewhere: new data has none.",
            is_leak=True,
        )
    ]


def _of_each_class(
    labels: list[str], subfolder: list[str]
) -> dict[str, set[str]]:
    of_class: dict[str, set[str]] = {label: set() for label in labels}
    for label, within in zip(labels, subfolder, strict=True):
        of_class[label].add(within)
    return of_class


def find_in_names(class_names: Sequence[str]) -> list[Finding]:
    """Audits the names of classes.

    Args:
        class_names: sequence of strings.
    """
    findings = []
    if all(FOLD_NAME.fullmatch(name.strip()) for name in class_names):
        findings.append(
            Finding(
                "folds-as-classes",
                f"The classes ({', '.join(class_names[:4])}) look like the "
                "folds of a cross-validation.",
                f"Take the labels from a table of files: `{TABLE_ADVICE} "
                "--split-group fold`.",
            )
        )
    return findings
