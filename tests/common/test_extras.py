import json

import pytest

from vidrep_pipelines.common.errors import MissingExtraError, VidrepError
from vidrep_pipelines.common.extras import require_extra


def test_installed_module() -> None:
    assert require_extra("json", "anything") is json


def test_missing_module_names_the_remedy() -> None:
    with pytest.raises(MissingExtraError, match=r"not installed.*pip install .*'\.\[robots\]'") as caught:
        require_extra("no_such_module_anywhere", "robots")
    assert isinstance(caught.value, VidrepError)
