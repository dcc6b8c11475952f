"""The presets whose weights ship with this package."""

from importlib import resources


def names():
    """The names of the packaged presets, sorted."""
    return sorted(
        folder.name
        for folder in resources.files(__package__).iterdir()
        if folder.joinpath("config.json").is_file()
    )


def path(name):
    """The folder of a packaged preset.

    Raises:
        KeyError: no preset of that name is packaged.
    """
    if name not in names():
        raise KeyError(name)
    return str(resources.files(__package__).joinpath(name))
