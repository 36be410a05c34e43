"""A real browser without a window, told what to do over its debugging protocol."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run")
_SECONDS = 120
_LISTENS = "DevTools listening on "


class Tab:
    """One page in the browser; ``errors`` are what its console says in red."""

    def __init__(self, connection: Any, session: str) -> None:
        self.errors: list[str] = []
        self._connection, self._session, self._number = connection, session, 0

    def open(self, page: Path, width: int, height: int, scheme: str) -> None:
        """Shows a file in a window of so many pixels, with a light or a dark scheme."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.call("Page.navigate", url=page.as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def press(self, key: str) -> None:
        """Presses a key such as Tab."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=9)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, "sessionId": self._session}
        self._connection.send(json.dumps(message))
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=_SECONDS))
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(message["params"]))
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(str(message["params"]["entry"]))
        return message


@contextmanager
def browser_tab(folder: Path) -> Iterator[Tab]:
    """Starts the browser with a profile in ``folder``, and ends it."""
    from websockets.sync.client import connect

    assert CHROMIUM is not None
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if line.startswith(_LISTENS))
            with connect(line.removeprefix(_LISTENS).strip(), max_size=None) as connection:
                target = _ask(connection, 1, "Target.createTarget", url="about:blank")["targetId"]
                attached = _ask(connection, 2, "Target.attachToTarget", targetId=target, flatten=True)
                yield Tab(connection, attached["sessionId"])
        finally:
            process.kill()


def _ask(connection: Any, number: int, method: str, **parameters: Any) -> dict[str, Any]:
    connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
    while True:
        answer = json.loads(connection.recv(timeout=_SECONDS))
        if answer.get("id") == number:
            return dict(answer["result"])
