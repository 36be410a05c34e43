import os
import signal
import threading

import pytest

from vidrep_pipelines.training.errors import LauncherLostError
from vidrep_pipelines.training.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_is_noted_and_the_former_handler_returns(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.received == ""
        os.kill(os.getpid(), number)
        assert interruption.requested
        assert interruption.received == number.name
    assert signal.getsignal(number) is before


def test_other_threads_leave_the_handlers_alone() -> None:
    seen = []

    def enter() -> None:
        with Interruption() as interruption:
            seen.append((signal.getsignal(signal.SIGTERM), interruption.requested))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


def test_lost_launcher_ends_the_process() -> None:
    Interruption(None).check_launcher()
    Interruption(os.getppid()).check_launcher()
    with pytest.raises(LauncherLostError, match="is gone"):
        Interruption(os.getpid()).check_launcher()
