import pytest

from vidrep_pipelines.common.uri import without_credentials


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:secret@host:5432/runs", "postgresql://host:5432/runs"),
        ("https://token@tracking.example/mlflow", "https://tracking.example/mlflow"),
        ("sqlite:///data/mlflow.db", "sqlite:///data/mlflow.db"),
    ],
)
def test_credentials_are_not_shown(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown
