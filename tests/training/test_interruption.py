import os
import signal
import threading

import pytest

from vidrep_pipelines.training.errors import LauncherLostError
from vidrep_pipelines.training.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_signal_is_noted_and_the_former_handler_returns(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.received == ""
        os.kill(os.getpid(), number)
        assert interruption.requested
        assert interruption.received == number.name
    assert signal.getsignal(number) is before


def test_the_second_ctrl_c_stops_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.received == "SIGINT"
        assert "Ctrl-C again stops at once" in caplog.text
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("went on")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_after_another_request_does_not_cut_it_short() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requested


def test_a_launched_process_leaves_the_second_ctrl_c_to_its_launcher() -> None:
    with Interruption(os.getppid()) as interruption:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert interruption.received == "SIGINT"


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interruption.requested
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)


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
