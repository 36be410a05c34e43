"""A data folder in which all is up to date may be on a file system that cannot be written to."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import ROOT, merged, run_pipeline
from tests.helpers.read_only import contents, obey_permissions, read_only

PROGRAM = (
    "import json, sys; from pathlib import Path; from tests.helpers.project import run_pipeline; "
    "run_pipeline(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))"
)


def run_without_rights(pipeline: str, data: Path, parameters: Mapping[str, Any]) -> tuple[int, str]:
    """Exit code and output of a run that may not write into the data folder."""
    command = [sys.executable, "-c", PROGRAM, pipeline, str(data), json.dumps(parameters)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with read_only(data):
        run = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=obey_permissions,
        )
    return run.returncode, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipeline", "parameters"),
    [
        ("eval_davis_standalone", TINY_EVALUATION),
        ("eval_davis", merged(TINY_EVALUATION, {"encoders": {"use": ["rsp", "pixels"]}})),
    ],
    ids=["standalone", "trained"],
)
def test_what_is_up_to_date_is_evaluated_from_a_folder_that_cannot_be_written_to(
    tmp_path: Path, pipeline: str, parameters: Mapping[str, Any]
) -> None:
    data = tmp_path / "data"
    parameters = merged(parameters, {"tracking": {"enabled": False}})
    run_pipeline(pipeline, data, parameters)
    before = contents(data)
    code, output = run_without_rights(pipeline, data, parameters)
    assert code == 0, output[-3000:]
    assert contents(data) == before
    changed = merged(parameters, {"eval_davis": {"radius": 3}})
    code, output = run_without_rights(pipeline, data, changed)
    assert code != 0 and "cannot be written to" in output
    assert contents(data) == before
