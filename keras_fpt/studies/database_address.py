"""The address of a sweep's database, which may contain a password."""

import contextlib
import dataclasses
import os
import pathlib
import urllib.parse
from collections.abc import Iterator
from typing import Any

from keras_fpt.studies.database_retries import is_away, reason

_EXAMPLE = "postgresql+psycopg://user:password@host/database"
# Drivers that take libpq's arguments.
_LIBPQ = ("psycopg", "psycopg2")
_CONNECT_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class DatabaseAddress:
    """An address, as SQLAlchemy has parsed it.

    Args:
        url: `sqlalchemy.URL`.
    """

    url: Any

    @property
    def _is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def shown(self) -> str:
        """The address without its user, password and options."""
        url = self.url
        if self._is_sqlite:
            path = (url.database or "in memory").removeprefix("file://")
            return f"`{urllib.parse.unquote(path)}`"
        if self._may_hold_secrets:
            return f"`{url.drivername}`"
        port = f":{url.port}" if url.port else ""
        return f"`{url.drivername}://{url.host or ''}{port}/{url.database}`"

    @property
    def _may_hold_secrets(self) -> bool:
        """Whether a part of a password may have been parsed as the host."""
        parts = (self.url.host, self.url.database)
        return any("@" in (part or "") for part in parts)

    def engine_arguments(self) -> dict[str, Any]:
        """Arguments of `sqlalchemy.create_engine`."""
        if self._is_sqlite:
            return {"connect_args": {"timeout": 60}}
        arguments: dict[str, Any] = {"pool_pre_ping": True}
        if (
            self.url.get_driver_name() in _LIBPQ
            and "connect_timeout" not in self.url.query
        ):
            arguments["connect_args"] = {"connect_timeout": _CONNECT_SECONDS}
        return arguments

    @contextlib.contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Says in one sentence why the database cannot be opened."""
        import optuna
        import sqlalchemy.exc

        try:
            yield
        except ConnectionError:
            raise
        except ImportError as error:
            raise ImportError(
                f"The database {self.shown} needs a driver that is not "
                f"installed: {_package(error)}."
            ) from error
        except (
            sqlalchemy.exc.SQLAlchemyError,
            optuna.exceptions.OptunaError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            why = "" if self._may_hold_secrets else f": {reason(error)}"
            if is_away(error):
                raise ConnectionError(
                    f"The database {self.shown} cannot be opened{why}."
                ) from error
            raise ValueError(
                f"The database {self.shown} cannot be used{why}. Expected an "
                f"address such as {_EXAMPLE}."
            ) from error


def of_file(path: str | os.PathLike[str]) -> str:
    """The address of an SQLite file.

    Args:
        path: path, of any characters: a `?` in it does not begin options.
    """
    # Quoted twice: SQLAlchemy and SQLite each unquote it once.
    uri = urllib.parse.quote(pathlib.Path(path).absolute().as_uri(), "/:")
    return f"sqlite:///{uri}?uri=true"


def parse(text: str) -> DatabaseAddress:
    """Parses the address of a database.

    Raises:
        ValueError: the address is invalid. The error does not repeat it, since
            it may contain a password.
        ImportError: the driver is not installed.
    """
    import sqlalchemy

    try:
        url = sqlalchemy.make_url(text)
        url.get_dialect()
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # Without its cause, which repeats parts of the address.
        raise ValueError(
            "The address of the sweep's database is not valid. Expected one "
            f"such as {_EXAMPLE}; special characters of a password are written "
            "as %40 for @ and %2F for /."
        ) from None
    except ImportError as error:
        raise ImportError(
            f"The driver of the sweep's database, {_package(error)}, is not "
            "installed."
        ) from error
    return DatabaseAddress(url)


def _package(error: ImportError) -> str:
    return f"`{error.name}`" if error.name else str(error).splitlines()[0]
