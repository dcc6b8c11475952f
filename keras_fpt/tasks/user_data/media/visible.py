"""Files and folders without hidden ones and those of systems."""

import pathlib

# Names that operating systems and archives leave in folders, in lower case.
# Names that begin with a dot are left out as well.
SYSTEM_NAMES = {
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "picasa.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__pycache__",
}


def subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The visible folders in a folder, sorted."""
    return sorted(
        p for p in folder.iterdir() if p.is_dir() and not is_system_name(p.name)
    )


def visible_files(
    folder: pathlib.Path, pattern: str = "*"
) -> list[pathlib.Path]:
    """The files in a folder, sorted, without hidden and system files."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.is_file()
        and not any(map(is_system_name, path.relative_to(folder).parts))
    )


def is_system_name(name: str) -> bool:
    """Whether a file or folder is hidden, or a system's or archive's own."""
    name = name.lower()
    is_hidden = name.startswith((".", "~$"))
    # Where Windows keeps what it knows of a download.
    return (
        is_hidden or name in SYSTEM_NAMES or name.endswith(":zone.identifier")
    )
