"""What the published policies learn to output: actions, states and percentiles of the real samples."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.parity.vpp_checks.clips import samples_of
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding, scaled_xhand_units
from vidrep_pipelines.models.vpp.policy.items_config import ActionsConfig, ItemRule
from vidrep_pipelines.models.vpp.policy.statistics import (
    REFERENCES,
    PolicyStatistics,
    action_coding,
    state_coding,
    statistics_of,
)

Floats = NDArray[np.float64]
_FRAMES = re.compile(r"(?P<case>(?P<episode>.+)_\d+)_frame_ids")
_CLOSE = 1e-6  # recorded in single precision, of numbers up to a few units


def _arrays(folder: Path) -> dict[str, NDArray[Any]]:
    with np.load(folder / "actions.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _episodes(folder: Path) -> dict[str, tuple[Floats, Floats]]:
    """States and commands of the samples, by their name."""
    found = {}
    for path in sorted((samples_of(folder) / "xhand/annotation").rglob("*.json")):
        content = json.loads(path.read_text())
        found[path.stem] = np.array(content["states"]), np.array(content["actions"])
    return found


def _moments(folder: Path) -> Iterator[tuple[str, NDArray[np.int64], Floats, Floats]]:
    """Name, frames, states and commands of everything that is recorded."""
    arrays, episodes = _arrays(folder), _episodes(folder)
    for match in filter(None, map(_FRAMES.fullmatch, arrays)):
        yield match["case"], arrays[match[0]], *episodes[match["episode"]]


def _recorded_coding(
    folder: Path, kind: str, ranges: PolicyStatistics
) -> tuple[ActionsConfig, PolicyStatistics]:
    """Configuration and ranges of one of the recorded rules."""
    constants = json.loads((folder / "xhand_norm_config.json").read_text())
    if kind == "xbot":
        return ActionsConfig(kind="xbot"), ranges
    names = ("state_01", "state_99", "action_01", "action_99")
    own = PolicyStatistics.model_validate({**{name: constants[name] for name in names}, "items": 1})
    learn = "commands" if constants["learn_command"] else "states"
    fields: dict[str, Any] = {"learn": learn, "mean": constants["mu"], "deviation": constants["std"]}
    kinds = {"v2": "xhand", "v1rel": "xhand_scaled", "v1abs": "xhand_absolute"}
    return ActionsConfig.model_validate({**fields, "kind": kinds[kind]}), own


def _coding(folder: Path, kind: str, config: ActionsConfig, ranges: PolicyStatistics) -> ActionCoding:
    if kind != "v1rel":
        return action_coding(config, ranges)
    constants = json.loads((folder / "xhand_norm_config.json").read_text())
    factors = (constants[f"rel_{part}_scale"] for part in ("xyz", "rot", "hand"))
    return ActionCoding(REFERENCES[config.kind], scaled_xhand_units(*factors))


def _recorded_ranges(arrays: dict[str, NDArray[Any]]) -> PolicyStatistics:
    parts = {
        f"{of}_{at}": tuple(arrays[f"stats_{of}_{at}"]) for of in ("state", "action") for at in ("01", "99")
    }
    return PolicyStatistics.model_validate({**parts, "items": int(arrays["n_samples"])})


def check_codings(folder: Path) -> None:
    """Actions and states under every rule, and the way back to the commands."""
    arrays, compared = _arrays(folder), 0
    for case, frames, states, commands in _moments(folder):
        for kind in ("v2", "v1rel", "v1abs", "xbot"):
            expected = arrays.get(f"{case}_{kind}_actions")
            if expected is None:
                continue
            config, ranges = _recorded_coding(folder, kind, _recorded_ranges(arrays))
            ids, state = frames[: len(expected)], states[frames[0]]
            coding = _coding(folder, kind, config, ranges)
            source = (states if config.learn == "states" else commands)[ids]
            learned = coding.encode(source, state)
            np.testing.assert_allclose(learned, expected, rtol=0, atol=_CLOSE, err_msg=f"{case} {kind}")
            seen = state_coding(config, ranges).encode(state)[None]
            np.testing.assert_allclose(seen, arrays[f"{case}_{kind}_state"], rtol=0, atol=_CLOSE)
            again = coding.encode(coding.decode(learned, state), state)
            np.testing.assert_allclose(again, learned, rtol=0, atol=_CLOSE)
            compared += 1
    assert compared


def check_percentiles(folder: Path) -> None:
    """Percentiles over all items of the samples, as many as were recorded."""
    arrays = _arrays(folder)
    chunk = next(len(value) for name, value in arrays.items() if name.endswith("_xbot_actions"))
    rule, numbers = ItemRule(chunk=chunk), list[tuple[Floats, Floats]]()
    for states, commands in _episodes(folder).values():
        known = np.array([len(commands)])
        for number in range(int(rule.counts(known, known)[0])):
            ids = rule.frame_ids(rule.start(number), len(commands))
            numbers.append((commands[ids], states[ids[0]]))
    found, expected = statistics_of(numbers, ActionsConfig(kind="xbot")), _recorded_ranges(arrays)
    assert found.items == expected.items
    for name in ("state_01", "state_99", "action_01", "action_99"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-12)
