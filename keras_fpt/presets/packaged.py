"""The presets whose weights ship with this package."""

from importlib import resources


def names() -> list[str]:
    """The names of the packaged presets, sorted."""
    return sorted(
        folder.name
        for folder in resources.files(__package__).iterdir()
        if folder.joinpath("config.json").is_file()
    )


def path(name: str) -> str:
    """The folder of a packaged preset.

    Args:
        name: string, one of `names()`.

    Raises:
        KeyError: no preset of that name is packaged.
    """
    if name not in names():
        raise KeyError(name)
    return str(resources.files(__package__).joinpath(name))
