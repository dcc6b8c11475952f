"""`--stack` of studies: how many runs train in one step."""

from typing import Annotated

import typer

Stack = Annotated[
    str,
    typer.Option(
        help="How many runs that differ only in learning rate and seed "
        "train in one step: a number, off, or auto where it is faster. "
        "Dropout then drops other entries.",
        rich_help_panel="Rarely needed",
    ),
]
