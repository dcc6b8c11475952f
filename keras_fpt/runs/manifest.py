"""The manifest of a run: digests of its weights and data, in `manifest.json`.

A preset, a table or a folder can change while its name stays. So a run's
folder holds digests of the weights and the data that it started with. They are
compared whenever the run is resumed, evaluated or used.

Folders of earlier versions have no manifest, and nothing is compared.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_fpt import files, tasks
from keras_fpt.files import json_files
from keras_fpt.presets import GGUF_SCHEME
from keras_fpt.runs import arms
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.folder import DATA, MANIFEST, Path, is_preset_path
from keras_fpt.runs.resolved import ResolvedRun

_REMEDY = "Restore the earlier {what}, or train again in another folder."


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The configuration, weights and data of a run, as digests.

    Args:
        configuration: dict, the run's settings apart from paths.
        weights: string, the digest of the backbone's weights as they were
            loaded or drawn, before any training.
        data: string, the digest of all examples; `None` for tasks that
            generate them.
        description: string, the digest of `data.json`, or `None`.
        paths: dict from settings that are paths to paths relative to the
            run's folder, so that a run that was moved with its preset and data
            finds them.
        stack: tuple of strings, the folders of the runs that it was trained
            with in one step, in their order and with its own; empty for a run
            that was trained alone. With dropout, other entries are dropped
            than alone.
    """

    configuration: dict[str, Any]
    weights: str
    data: str | None = None
    description: str | None = None
    paths: dict[str, str] = dataclasses.field(default_factory=dict)
    stack: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: ResolvedRun, weights: str) -> "Manifest":
        """The manifest of a run that has no folder yet.

        Args:
            run: a `ResolvedRun`.
            weights: string, the `backbones.digest` of its backbone.
        """
        return cls(
            configuration(run.identity()), weights, run.task.data.fingerprint
        )

    @property
    def digest(self) -> str:
        """A hash of the configuration, weights and data, wherever they are."""
        parts = [self.configuration, self.weights, self.data]
        return _digest(json.dumps(parts, sort_keys=True).encode())

    @property
    def source_of_weights(self) -> str:
        """The settings that decide the weights, as text."""
        names = ["preset", "arm", "dtype"]
        if arms.get(str(self.configuration.get("arm"))).draws_weights:
            # Some of these arms are as large as the task's sequences need.
            names += ["seed", "task", "options", *arms.INIT_SETTINGS]
        parts = [self.configuration.get(name) for name in names]
        return json.dumps([*parts, self.paths.get("preset")])

    @property
    def source_of_data(self) -> str:
        """The settings that decide the data, as text."""
        names = ("task", "options")
        return json.dumps([self.configuration.get(name) for name in names])


def parts(run: ResolvedRun) -> dict[str, Any]:
    """A run's settings apart from paths, and the digest of its data."""
    return {
        **configuration(run.identity()),
        "data": run.task.data.fingerprint,
    }


def configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """A run's settings without paths, as JSON values.

    Args:
        settings: dict, the `identity()` of a run.
    """
    settings = json.loads(json.dumps(settings))
    for name in ("data_dir", "source"):
        settings.pop(name, None)
    for name in tasks.PATH_OPTIONS:
        settings.get("options", {}).pop(name, None)
    if is_preset_path(settings["preset"]):
        settings["preset"] = None
    return settings


def save_or_check(run: ResolvedRun, manifest: Manifest, folder: Path) -> None:
    """Writes a run's manifest, or checks that it is as when the run started.

    Args:
        run: the `ResolvedRun`.
        manifest: its `Manifest`.
        folder: path of its folder, which may hold `data.json`.

    Raises:
        ValueError: the configuration, weights or data have changed.
    """
    saved = read(folder)
    if saved is None:
        whole = dataclasses.replace(
            manifest,
            description=_digest_of_file(pathlib.Path(folder, DATA)),
            paths=relative_paths(run, folder),
        )
        _write(whole, folder)
        return
    check_configuration(saved, manifest.configuration, folder)
    check_data(saved, manifest.data, folder)
    if saved.weights != manifest.weights:
        raise ValueError(
            f"The weights of the preset '{run.preset.text}' have changed since "
            f"the run in `{folder}` started. {_REMEDY.format(what='preset')}"
        )
    if manifest.stack and manifest.stack != saved.stack:
        _write(dataclasses.replace(saved, stack=manifest.stack), folder)


def forget_stack(folder: Path) -> None:
    """Makes a run that has saved no step one that begins alone."""
    saved = read(folder)
    if saved is not None and saved.stack:
        _write(dataclasses.replace(saved, stack=()), folder)


def _write(manifest: Manifest, folder: Path) -> None:
    entry = dataclasses.asdict(manifest)
    if not manifest.stack:  # As in older versions.
        del entry["stack"]
    text = json.dumps(entry, indent=2) + "\n"
    files.write_text(pathlib.Path(folder, MANIFEST), text)


def read(folder: Path) -> Manifest | None:
    """The manifest in a run's folder; `None` if there is none.

    Raises:
        ValueError: it is damaged.
    """
    path = pathlib.Path(folder, MANIFEST)
    if not path.is_file():
        return None
    return json_files.read_dataclass(Manifest, path)


def check_configuration(
    saved: Manifest, current: dict[str, Any], folder: Path
) -> None:
    """Raises `ValueError` where a setting is not the one in a manifest."""
    for name in sorted(current.keys() | saved.configuration.keys()):
        before, now = saved.configuration.get(name), current.get(name)
        if before != now:
            raise ValueError(
                f"The run in `{folder}` was started with {name}={before}, but "
                f"its configuration now says {name}={now}. "
                f"{_REMEDY.format(what='configuration')}"
            )


def check_data(saved: Manifest, data: str | None, folder: Path) -> None:
    """Raises `ValueError` where data is not that of a manifest."""
    if saved.data != data:
        raise ValueError(
            f"The data has changed since the run in `{folder}` started, so "
            f"its splits would differ. {_REMEDY.format(what='data')}"
        )


def check_files(run: ResolvedRun, folder: Path) -> None:
    """Checks a finished run whose model is not built, nor its data needed.

    Args:
        run: the `ResolvedRun`.
        folder: path of its folder.

    Raises:
        ValueError: the user's own data, or files of a folder that the user
            has named, have changed.
    """
    saved, data = read(folder), run.named_data
    if saved is not None and data is not None:
        check_data(saved, data, folder)


def check_description(saved: Manifest, folder: Path) -> None:
    """Raises `ValueError` where `data.json` is not that of a manifest."""
    path = pathlib.Path(folder, DATA)
    if saved.description not in (None, _digest_of_file(path)):
        raise ValueError(
            f"`{path}` has changed since the run started, so classes or units "
            "could be confused. Restore the earlier file, or train again in "
            "another folder."
        )


def check_adapter(saved: Manifest, header: dict[str, Any], path: Path) -> None:
    """Raises `ValueError` where an adapter is that of another run.

    Args:
        saved: the run's `Manifest`.
        header: dict, the header of the adapter; those of earlier versions do
            not say which run they are of.
        path: path of the adapter.
    """
    if header.get("run") not in (None, saved.digest):
        raise ValueError(
            f"The adapter `{path}` was trained by another run: on other data, "
            "from other weights, or with another configuration. Restore the "
            "run's own adapter, or train again."
        )


def check_study(run: ResolvedRun, folder: Path, weights: str) -> None:
    """Checks a run against the other runs of its study, in the same folder.

    Args:
        run: the `ResolvedRun`.
        folder: path of the run's folder.
        weights: string, the `backbones.digest` of its backbone.

    Raises:
        ValueError: another run was trained on other data of the same name, or
            from other weights of the same name.
    """
    folder = pathlib.Path(folder)
    mine = dataclasses.replace(
        Manifest.of(run, weights), paths=relative_paths(run, folder)
    )
    open_checks = {"data", "weights"}
    for path in sorted(folder.parent.glob(f"*/{MANIFEST}")):
        other = None if path.parent == folder else read(path.parent)
        if other is None:
            continue
        for what in sorted(open_checks):
            source = f"source_of_{what}"
            if getattr(other, source) != getattr(mine, source):
                continue
            if getattr(other, what) != getattr(mine, what):
                raise ValueError(
                    f"The {what} changed since the run in `{path.parent}` was "
                    "trained, so the runs of this study could not be "
                    f"compared. Restore the earlier {what}, or choose another "
                    "output folder."
                )
            open_checks.remove(what)
        if not open_checks:
            return


def locate(config: RunConfig, folder: Path) -> RunConfig:
    """A run's configuration, with the current paths of its files.

    Paths that exist relative to the run's folder, as when the run started, take
    precedence over those in the configuration.

    Args:
        config: the `RunConfig` in the folder.
        folder: path of the run's folder.
    """
    saved = read(folder)
    return with_paths(config, folder, saved.paths if saved else {})


def with_paths(
    config: RunConfig, folder: Path, paths: Mapping[str, str]
) -> RunConfig:
    """A configuration with those paths that exist.

    Args:
        config: a `RunConfig`.
        folder: path.
        paths: dict of paths relative to `folder`, as `relative_paths` returns
            them.
    """
    found: dict[str, Any] = {
        name: os.path.abspath(os.path.join(folder, relative))
        for name, relative in paths.items()
        if os.path.exists(os.path.join(folder, relative))
    }
    own = {name: found.pop(name) for name in tasks.PATH_OPTIONS & found.keys()}
    if own:
        found["options"] = {**config.options, **own}
    if str(config.preset).startswith(GGUF_SCHEME) and "preset" in found:
        found["preset"] = GGUF_SCHEME + found["preset"]
    return config.with_settings(**found)


def without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings without the folders that its files are in.

    Args:
        settings: dict, the `identity()` of a run.
    """
    kept = {k: v for k, v in settings.items() if k != "source" or v is None}
    kept["data_dir"] = None
    for name in ("task", "preset"):
        kept[name] = _last_part(kept.get(name))
    if isinstance(kept.get("options"), dict):
        kept["options"] = {k: _last_part(v) for k, v in kept["options"].items()}
    return kept


def _last_part(value: Any) -> Any:
    """The file or folder that a path names; anything else as it is."""
    if isinstance(value, str) and os.sep in value and "://" not in value:
        return pathlib.Path(value).name
    return value


def relative_paths(run: ResolvedRun, folder: Path) -> dict[str, str]:
    """The paths of a run's files, relative to a folder, by their options."""
    settings = run.settings()
    paths = {name: settings[name] for name in ("data_dir", "source")}
    paths |= {name: run.options.get(name) for name in tasks.PATH_OPTIONS}
    if is_preset_path(run.preset.text):
        paths["preset"] = run.preset.text.removeprefix(GGUF_SCHEME)
    start = os.path.realpath(folder)
    return {
        name: os.path.relpath(os.path.realpath(path), start)
        for name, path in paths.items()
        if path is not None
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of_file(path: pathlib.Path) -> str | None:
    return _digest(path.read_bytes()) if path.is_file() else None
