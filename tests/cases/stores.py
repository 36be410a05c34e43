"""Weights, replay buffers and trajectories that others made, and file systems without locks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases.inputs import ROOT, STOPPED, cases_folder, make
from tests.helpers.dmc import TINY_DMC
from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import TINY, flat_parameters, load, merged, run_pipeline
from tests.helpers.vqvae import TINY_VQVAE
from vidrep_pipelines.models.shared.weight_file import read_weights


def checkpoints(root: Path, work: Path) -> None:
    """What lies in place of weights is called that before any work, also beside an encoder that is fine."""
    make("checkpoints", root)
    for name, reason in (("pointer.pth", "Git-LFS pointer"), ("page.pth", "web page")):
        known = {"bad": {"kind": "original", "path": str(root / name)}}
        parameters = merged(TINY_EVALUATION, {"encoders": {"known": known, "use": ["pixels", "bad"]}})
        with pytest.raises(STOPPED, match=reason) as caught:
            run_pipeline("eval_davis_standalone", work / name, parameters)
        assert name in str(caught.value)
        assert "\x1b[" not in str(caught.value), "no codes of colors"
        assert not list((work / name).rglob("*/propagated/**/*.h5"))
    # A training file that names the class of a callback: its weights are taken, and nothing of it is run.
    weights = read_weights(root / "last.ckpt", "state_dict")
    assert {name: tensor.tolist() for name, tensor in weights.items()} == {"w": [0, 0]}


def replay(root: Path, work: Path) -> None:
    """Flags one longer, an action one short, files that a killed run left: the others are episodes."""
    make("replay", root)
    assert _episodes(root / "flags_longer", work / "flags_longer") == (6, {})
    count, left_out = _episodes(root / "some_short", work / "some_short")
    assert count + len(left_out) == 6 and count >= 5
    count, left_out = _episodes(root / "killed", work / "killed")
    assert (count, sorted(left_out)) == (4, ["ep3", "ep4"])
    assert "empty" in left_out["ep4"]
    count, left_out = _episodes(root / "pickled", work / "pickled")
    assert (count, sorted(left_out)) == (5, ["ep1"])


def _episodes(root: Path, work: Path) -> tuple[int, dict[str, str]]:
    dmc = {"replay_buffer": str(root), "frames": {"height": 32, "width": 32, "min_frames": 2}}
    run_pipeline("ingest_dmc", work, merged(TINY_DMC, {"dmc": dmc}))
    report: dict[str, Any] = json.loads((work / "08_reporting/dmc/report.json").read_text())
    return report["episodes"], report["left_out"]


def robonet_pointer(root: Path, work: Path) -> None:
    """A pointer, a page and half a file cost themselves only, and are called what they are."""
    make("robonet_pointer", root)
    robonet = {"root": str(root)}
    run_pipeline("ingest_robonet", work, merged(TINY_VQVAE, {"robonet": robonet}))
    report = json.loads((work / "08_reporting/robonet/report.json").read_text())
    left_out = report["left_out"]
    for name, reason in (
        ("traj6", "Git-LFS pointer"),
        ("traj7", "web page"),
        ("traj8", "no whole RoboNet file"),
    ):
        assert reason in left_out[f"berkeley_sawyer_{name}"]
    store = load("frame_store", work)
    views = {f"berkeley_sawyer_traj{n}_0" for n in range(6)}
    assert set(store.ids) == views | {"google_r3_traj0_0", "google_r3_traj0_1", "stanford_fetch_traj0_0"}
    for name in store.ids:
        assert np.asarray(store.frames(name)).shape[0] >= 12


def no_locks(root: Path, work: Path) -> None:
    """Where no file can be locked, a run trains, and a second one finds that all is done."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = root / "nolock.so"
    root.mkdir(parents=True, exist_ok=True)
    source = cases_folder() / "no_locks/nolock.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True
    )
    parameters = ",".join(flat_parameters(merged(TINY, {"fanout": {"engine": "serial"}})))
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", "pretrain_rsp", "--params", parameters]
    for number, data in (("38", work / "lustre"), ("38", work / "lustre"), ("37", work / "nfs")):
        library_and_place = {"LD_PRELOAD": str(library), "NOLOCK_UNDER": str(data), "NOLOCK_ERRNO": number}
        environment = {**os.environ, **library_and_place, "VIDREP_DATA": str(data)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
        assert "another process is training" not in done.stdout + done.stderr
