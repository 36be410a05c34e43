"""Starts MLflow's pages on the runs of the data folder, and says where they are shown.

MLflow's own address leads to pages for language models; this one leads to the table of runs.
"""

import os
import sys
from pathlib import Path

from mlflow import MlflowClient

_EXPERIMENT = "vidrep"
_KIND = "workflowType=machine_learning"


def runs_address(store: str, port: int, experiment: str = _EXPERIMENT) -> str:
    """Address of the page that shows the runs of an experiment, or all experiments if there is none.

    Args:
        store: Address of the database.
        port: Where the pages are served.
        experiment: Name of the experiment.
    """
    found = MlflowClient(tracking_uri=store).get_experiment_by_name(experiment)
    place = "" if found is None else f"/{found.experiment_id}/runs"
    return f"http://127.0.0.1:{port}/#/experiments{place}?{_KIND}"


def main() -> None:
    """Serves the pages until Ctrl-C."""
    database = Path(os.environ.get("VIDREP_DATA", "data")) / "mlflow.db"
    port = int(os.environ.get("MLFLOW_PORT", "5000"))
    if not database.is_file():
        sys.exit(f"{database} does not exist: nothing was trained or evaluated yet. Try: make demo")
    store = f"sqlite:///{database}"
    print(f"All runs side by side: {runs_address(store, port)}", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, "--port", str(port)]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
