"""Which policies are compared, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from vidrep_pipelines.adapters.policy_ablation_config import AblationRun, PolicyAblationConfig

PLAIN: dict[str, Any] = {
    "features": {"video": {"source": "video_model"}, "pixels": {"source": "encoder", "encoder": "pixels"}},
    "policies": {
        "ours": {"features": "video"},
        "few": {"features": "video", "episodes": 25},
        "pixels": {"features": "pixels"},
    },
    "reference": "ours",
    "rollouts": {"rollout": {"execute_steps": 5}},
}


def config(**fields: Any) -> PolicyAblationConfig:
    return PolicyAblationConfig.model_validate({**PLAIN, **fields})


def test_every_policy_is_a_row_and_swept_ones_are_several() -> None:
    swept = config(swept=["ours", "few"], execute_steps=[2, 5, 10])
    assert [run.name for run in swept.runs] == [
        *("ours/execute_5", "few/execute_5", "pixels/execute_5"),
        *("ours/execute_2", "ours/execute_10", "few/execute_2", "few/execute_10"),
    ]
    assert swept.reference_run == AblationRun("ours", 5)
    assert [policy.episodes for policy in swept.policies_on("video")] == [None, 25]


def test_some_of_the_policies() -> None:
    some = config(use=["pixels", "ours"], swept=["few"])
    assert [run.policy for run in some.runs] == ["pixels", "ours"]
    assert len(some.policies_on("video")) == 1


def test_policies_that_differ_in_updates_only() -> None:
    kept = {"source": "video_model", "updates": 2}
    stages = config(
        features={
            **PLAIN["features"],
            "early": kept,
            "early_first": {**kept, "reduction": {"kind": "pooled", "frames": [0]}},
            "untrained": {"source": "untrained_video_model"},
            "unused": {**kept, "updates": 9},
        },
        policies={
            **PLAIN["policies"],
            **{name: {"features": name} for name in ("early", "early_first", "untrained")},
            "early_few": {"features": "early", "episodes": 25},
        },
    )
    assert list(stages.by_updates) == ["ours", "early", "untrained"]
    assert set(stages.asked_updates) == {2}
    assert stages.differ_in_updates("video", "early") and not stages.differ_in_updates("video", "pixels")
    assert config(reference="pixels").by_updates == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reference": "nobody"}, "names 'nobody', which is not among policies"),
        ({"swept": ["nobody"]}, "names 'nobody'"),
        ({"use": ["pixels"]}, "leaves out the reference 'ours'"),
        ({"policies": {"ours": {"features": "sound"}}}, "names 'sound', which is no set"),
        ({"policies": {"../ours": {"features": "video"}}, "reference": "../ours"}, "name of a folder"),
        ({"features": {"video": {"source": "encoder"}}}, "encoder"),
        ({"features": {"none": {"source": "untrained_video_model", "updates": 2}}}, "has none"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**fields)
