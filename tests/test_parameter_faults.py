from pathlib import Path

import pytest
from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.parameter_faults import describe_parameter_faults
from vidrep_pipelines.project_config import STANDS_ON, ProjectConfigLoader


class Toy(FrozenConfig):
    steps: int = 1
    """Updates."""


def train(config: Toy) -> int:
    return config.steps


@pytest.mark.parametrize("written_in", ["base", "cluster", "published"])
def test_the_file_is_named_wherever_an_environment_takes_the_value_from(
    written_in: str, tmp_path: Path
) -> None:
    assert STANDS_ON["published"] == "cluster"
    for environment in ("base", "cluster", "published"):
        (tmp_path / "conf" / environment).mkdir(parents=True)
    (tmp_path / "conf" / written_in / "parameters.yml").write_text("toy: {stepz: 3}\n")
    loader = ProjectConfigLoader(
        str(tmp_path / "conf"), env="published", base_env="base", default_run_env="laptop"
    )
    toy = Pipeline([Node(train, inputs="params:toy", outputs="count", name="train")])
    text = describe_parameter_faults({"toy": {"stepz": 3}}, {"toy": toy}, loader)
    assert text.startswith(f"conf/{written_in}/parameters.yml: ") and "steps" in text
