"""The flag that lets a command replace files of other origin."""

from typing import Annotated

import typer

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace an existing output that keras-fpt did not write.",
    ),
]
