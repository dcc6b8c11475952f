"""The flag that lets a command replace files that keras-fpt did not write."""

from typing import Annotated

import typer

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace an existing output that keras-fpt did not write.",
    ),
]
