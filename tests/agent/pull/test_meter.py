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
    time[0] += 10
    meter.arrived(300)
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


def test_a_mirror_is_neither_silent_nor_slow_while_the_disk_is_hashed() -> None:
    time = [100.0]
    meter = Meter(lambda: time[0], lambda: time[0])
    with meter.hashing():
        assert not meter.reading().hashing  # it may be over in no time
        time[0] += 60
        reading = meter.reading()
        assert (reading.hashing, reading.silent_since) == (True, None)
    meter.expect(1000, 0)
    time[0] += 1
    meter.arrived(100)
    time[0] += 1
    reading = meter.reading()
    assert (reading.hashing, reading.seconds, reading.asked) == (False, 62, 2)
    assert reading.progress.bytes_per_second == 50
    time[0] += 9
    assert meter.reading().silent_since == 161


def test_after_some_seconds_without_a_byte_no_rate_and_no_time_left_are_told() -> None:
    time, wall = [100.0], [1_000.0]
    meter = Meter(lambda: time[0], lambda: wall[0])

    def after(seconds: float) -> None:
        time[0] += seconds
        wall[0] += seconds

    meter.expect(100_000, 0)
    after(1)
    meter.arrived(1000)
    assert meter.reading().progress.bytes_per_second == 1000
    after(3)
    assert meter.reading().silent_since is None
    after(3)
    silent = meter.reading()
    assert (silent.progress.bytes_per_second, silent.progress.eta_seconds) == (0, None)
    assert silent.silent_since == 1_001
    after(60)
    assert meter.reading().silent_since == 1_001
    meter.arrived(3000)
    after(1)
    again = meter.reading()
    assert again.silent_since is None
    assert again.progress.eta_seconds is not None


def test_a_wait_that_a_mirror_asked_for_is_told_with_its_end() -> None:
    time = [100.0]
    meter = Meter(lambda: time[0], wall=lambda: 1000.0 + time[0])
    meter.waits(60)
    time[0] += 6
    assert meter.reading().waits_until == 1160
    meter.arrived(1)
    time[0] += 6
    assert meter.reading().waits_until is None
    meter.waits(60)
    time[0] += 61
    told = meter.reading()
    assert told.waits_until is None, "it was left alone until then, and is silent since"
    assert told.silent_since is not None
