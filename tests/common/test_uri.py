import pytest

from vidrep_pipelines.common.uri import without_credentials, without_secrets_of


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:secret@host:5432/runs", "postgresql://host:5432/runs"),
        ("https://token@tracking.example/mlflow", "https://tracking.example/mlflow"),
        ("sqlite:///data/mlflow.db", "sqlite:///data/mlflow.db"),
        ("mysql+pymysql://me:p@ss@host/runs", "mysql+pymysql://host/runs"),
        ("postgresql://me:pa/ss@host:5432/runs", "postgresql://host:5432/runs"),
        ("http://host:5000/runs/user@example", "http://host:5000/runs/user@example"),
        ("s3://bucket/folder/clip@2.mp4", "s3://bucket/folder/clip@2.mp4"),
        ("https://host/f?X-Amz-Signature=ab12&part=3", "https://host/f?X-Amz-Signature=***&part=3"),
        ("https://host/f?sv=1&sig=a%2Fb", "https://host/f?sv=1&sig=***"),
        ("postgresql://host/runs?user=me&password=secret", "postgresql://host/runs?user=me&password=***"),
        (
            "API request to http://me:secret@host:1/api failed: no answer from host",
            "API request to http://host:1/api failed: no answer from host",
        ),
        ("'http://a:b@x' and http://c:d@y/z", "'http://x' and http://y/z"),
    ],
)
def test_credentials_are_not_shown(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


def test_a_password_is_hidden_wherever_a_message_repeats_it() -> None:
    address = "postgresql://me:p%40ss%2Fword@host/runs"
    message = "me may not (p@ss/word), see postgresql://me:p%40ss%2Fword@host or p%40ss%2Fword"
    assert without_secrets_of(address, message) == "me may not (***), see postgresql://host or ***"


def test_an_address_that_cannot_be_taken_apart_hides_nothing_more() -> None:
    assert without_secrets_of("http://[::1", "no answer from http://me:secret@x") == "no answer from http://x"
