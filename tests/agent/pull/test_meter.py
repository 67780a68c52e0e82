"""Progress, rate and time to go."""

from escadre.agent.pull.meter import Meter
from escadre.api.progress import Progress


def test_rate_and_eta_follow_the_clock() -> None:
    time = [100.0]
    meter = Meter(lambda: time[0])
    assert meter.reading().progress.eta_seconds is None
    meter.expect(1000, 200)
    meter.arrived(100)
    time[0] += 1
    assert meter.reading().progress == Progress(
        bytes_done=300, bytes_total=1000, bytes_per_second=100, eta_seconds=7
    )
    meter.arrived(300)
    time[0] += 10
    assert 30 < meter.reading().progress.bytes_per_second < 100
    time[0] += 1000
    assert meter.reading().progress.bytes_per_second == 0


def test_bytes_that_come_again_are_not_progress() -> None:
    meter = Meter(lambda: 0.0)
    meter.expect(10, 0)
    meter.arrived(10)
    meter.lost(10)
    meter.arrived(10)
    reading = meter.reading()
    assert (reading.progress.bytes_done, reading.arrived) == (10, 20)
