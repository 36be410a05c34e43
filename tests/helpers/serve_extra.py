"""Importing this skips tests that need the extra ``serve`` where it is not installed."""

import pytest

for _module in ("fastapi", "msgpack", "prometheus_client", "uvicorn", "websockets"):
    pytest.importorskip(_module, reason="the extra 'serve' is not installed")
