"""The findings of the audit of a run's data, in its folder: `audit.json`."""

import dataclasses
import json
import logging
import pathlib

from keras_fpt import files
from keras_fpt.runs.folder import AUDIT, Path
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)


def save_findings(task: Task, folder: Path) -> None:
    """Writes the findings of the audit, an empty list if there are none."""
    found = [dataclasses.asdict(finding) for finding in task.findings]
    files.write_text(
        pathlib.Path(folder, AUDIT), json.dumps(found, indent=2) + "\n"
    )


def log_count(task: Task, folder: Path) -> None:
    """Logs how many notes the audit has written, if any."""
    count = len(task.findings)
    if count:
        LOGGER.info(
            f"{count} note{'s' * (count > 1)} on the data: see "
            f"{pathlib.Path(folder, AUDIT)}."
        )
