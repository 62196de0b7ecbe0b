from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from tunewright.core.errors import MissingExtra
from tunewright.train.callbacks.signals import WORDS
from tunewright.train.callbacks.tracker import Tracker
from tunewright.train.run import Run


class MLflow(Tracker):
    """An MLflow run, in a local SQLite file (``mlflow.db`` in the run folder) or on a server."""

    uri: str | None = None
    """Tracking server or database; left out, a file in the run folder."""
    experiment: str = "tunewright"
    """The experiment that the run belongs to."""

    _client: Any = PrivateAttr(None)
    _described: bool = PrivateAttr(True)
    """Whether the service has the settings."""

    def check(self) -> None:
        if not all(map(find_spec, ("mlflow", "sqlalchemy", "alembic"))):
            raise MissingExtra("The tracker mlflow", "track")

    def begin(self, run: Run) -> None:
        from mlflow.tracking import MlflowClient

        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # or a server that is down holds each step up for minutes
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        uri = self.uri or f"sqlite:///{Path(self._folder).resolve() / 'mlflow.db'}"
        _try_database(uri)
        self._client = MlflowClient(tracking_uri=uri)
        if not self._goes_on():
            self._create()
        if not self._described:
            for name, value in self._settings.items():
                self._client.log_param(self._id, name, str(value)[:500])
            self._described = True

    def log(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, _allowed(name), value, step=step)

    def end(self, run: Run) -> None:
        self._client.set_terminated(self._id, status="FAILED" if run.failed else "KILLED" if run.stop in WORDS.values() else "FINISHED")

    def _goes_on(self) -> bool:
        """Open the run of an earlier part again; False where there was none, or it was thrown away since."""
        from mlflow.exceptions import MlflowException

        if not self._id:
            return False
        try:
            self._client.update_run(self._id, status="RUNNING")
        except MlflowException as error:
            if error.error_code == "INTERNAL_ERROR":  # the server cannot be reached: no word on the run
                raise
            return False
        return True

    def _create(self) -> None:
        found = self._client.get_experiment_by_name(self.experiment)
        experiment = found.experiment_id if found else self._client.create_experiment(self.experiment)
        self._id, self._described = self._client.create_run(experiment, run_name=self._run_name).info.run_id, False


def _try_database(uri: str) -> None:
    """Raise at once where a database cannot be opened: MLflow, without a setting for it, tries ten times in up to 100 seconds."""
    from mlflow.store.db.db_types import DATABASE_ENGINES, SQLITE
    from sqlalchemy import create_engine

    kind = uri.partition(":")[0].partition("+")[0]
    if kind not in DATABASE_ENGINES:
        return
    engine = create_engine(uri)
    if kind == SQLITE and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def _allowed(name: str) -> str:
    """MLflow refuses most punctuation in the name of a metric."""
    return "".join(one if one.isalnum() or one in "_-./ " else "_" for one in name)
