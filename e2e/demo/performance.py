"""One run of the demo from the empty machine to its end, whatever the end is.

A step that fails, or a Ctrl-C, ends it: then it says what a person would look for next, keeps the
logs, and ends the cluster or says how to look at it. No end is a traceback; that of a failure lies
with the logs. Called by ``__main__``.
"""

import signal
import traceback
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.config import REPOSITORY
from e2e.cluster.launch import is_running
from e2e.demo.act import Act, report_path
from e2e.demo.aftermath import keep_logs, tell
from e2e.demo.looking import how_to_look
from e2e.demo.recorder import Recorder
from e2e.stage.stage import Stage

__all__ = ["Performance"]

_INTERRUPTED = 130


@dataclass
class Performance:
    """See the module."""

    stage: Stage
    recorder: Recorder
    real_engine: bool
    keep: bool

    def run(self) -> int:
        """The exit status: 0 when every step held."""
        code, how, why = 0, "", ""
        try:
            self._play()
        except KeyboardInterrupt:
            code, how = _INTERRUPTED, "interrupted"
            self._keep()
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the demo with a report
            code, how, why = 1, "failed", str(error).strip() or type(error).__name__
            self._keep()
            self._keep_traceback()
        self._report(how, why)
        self._end(failed=bool(how))
        return code

    def _play(self) -> None:
        with self.recorder.step("a real Kubernetes with two simulated 8-GPU nodes"):
            self.stage.cluster.start()
            self.stage.folder.mkdir()
        Act(self.stage, self.recorder, real_engine=self.real_engine).play()

    # -- the report -------------------------------------------------------------------------------

    def _report(self, how: str, why: str) -> None:
        self.recorder.write(report_path())
        self.recorder.table()
        if how:
            self.recorder.fail(how, why)
            if self._runs:
                self._tell()
        self.recorder.say(f"report: {_short(report_path())}")
        if how and _failure().exists():
            self.recorder.say(f"logs:   {_short(_failure())}")

    def _tell(self) -> None:
        try:
            tell(self.stage, self.recorder.say)
        except KeyboardInterrupt:
            self.recorder.say("(cut short)")

    def _keep(self) -> None:
        try:
            keep_logs(self.stage, _failure())
        except OSError as error:
            self.recorder.say(f"logs are not kept: {error}")

    def _keep_traceback(self) -> None:
        _failure().mkdir(parents=True, exist_ok=True)
        (_failure() / "traceback.txt").write_text(traceback.format_exc())

    # -- the end ----------------------------------------------------------------------------------

    @property
    def _runs(self) -> bool:
        """Whether there is a cluster to look at: one that never got ready has been removed."""
        return is_running(self.stage.cluster.state)

    def _end(self, *, failed: bool) -> None:
        # From here on a Ctrl-C would only leave things behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.keep and self._runs and len(self.recorder.steps) > 1:
            self.recorder.show(how_to_look(self.stage.cluster, failed=failed))
            return
        try:
            self.stage.close()
            self.stage.cluster.stop()
        except (AssertionError, RuntimeError, OSError) as error:
            self.recorder.say(f"ending the cluster: {error}")
        if failed and len(self.recorder.steps) > 1:
            self.recorder.say("to look at it while it runs: make demo KEEP=1")


def _failure() -> Path:
    return report_path().with_name("failure")


def _short(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))
