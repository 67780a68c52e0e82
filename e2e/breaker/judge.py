"""Runs one case: breaks, looks who names it, mends, waits until it is whole, counts what was lost.

The load runs from before the blow until after the healing. Called by ``__main__``; it judges only
by what a person would see: the column of ``kubectl get mdep`` and the text of ``escadre why``.
"""

import time
from collections.abc import Collection

from e2e.breaker.case import NAMED_WITHIN, Case, Result
from e2e.cases.faulting import ready, why
from e2e.cases.serving import Traffic
from e2e.cluster.wait import patience
from e2e.stage.stage import Stage

__all__ = ["cell", "judge", "verdict"]

_RATE = 2  # requests a second
_PAUSE = 0.2


def cell(table: str, column: str) -> str:
    """A cell of the first row that ``kubectl get`` printed; columns stand below their heads."""
    head, row = table.splitlines()[:2]
    begin = head.index(column)
    rest = head[begin + len(column) :]
    end = len(head) - len(rest.lstrip()) if rest.strip() else len(row)
    return row[begin:end].strip()


def verdict(case: Case, result: Result) -> str:
    """What was not as the case says, "" where all was."""
    wrong = [result.failure] if result.failure else []
    if case.reasons and result.named is None:
        wanted = " or ".join(one.name for one in case.reasons)
        wrong.append(
            f"not named {wanted} within {NAMED_WITHIN:g} s, but {result.reason or 'Ready'}"
        )
    if result.named is not None and result.named > NAMED_WITHIN:
        late = f"only after {result.named:.1f} s, not within {NAMED_WITHIN:g} s"
        wrong.append(f"named {result.reason} {late}")
    if result.healed is None:
        wrong.append(f"not healed within {case.within * patience():g} s")
    if result.lost is not None and result.lost > case.may_lose:
        wrong.append(f"{result.lost} requests lost, {case.may_lose} allowed")
    return "; ".join(wrong)


def judge(case: Case, stage: Stage, load_on: str) -> Result:
    """The case, from the blow to the end; ``load_on`` is the deployment that the load asks."""
    named, reason, healed, failure = None, "", None, ""
    with Traffic(stage, load_on, rate=_RATE) as traffic:
        try:
            began = time.monotonic()
            case.deed(stage)
            struck = time.monotonic() if case.reasons else began  # else the deed waits to heal
            named, reason = _named(case, stage, struck)
            if case.mend:
                case.mend(stage)
            mended = time.monotonic()
            ready(stage, case.deployment, case.namespace, case.within)
            healed = time.monotonic() - (mended if case.mend else struck)
        except (AssertionError, OSError) as error:
            failure = " ".join(str(error).split())
    found = Result(case.name, named, reason, healed, traffic.summary.lost, failure)
    return Result(case.name, named, reason, healed, found.lost, verdict(case, found))


def _named(case: Case, stage: Stage, struck: float) -> tuple[float | None, str]:
    """Seconds until column and ``why`` both named it, and by which reason; else what stood last."""
    wanted = {one.name for one in case.reasons}
    if not wanted:
        return None, ""
    column = "" if case.column else _first(wanted, why(stage, case.deployment, case.namespace))
    last = ""
    while time.monotonic() - struck <= NAMED_WITHIN:
        if case.column:
            last = _column(case, stage)
            column = last if last in wanted else column
        said = why(stage, case.deployment, case.namespace)
        found = _first(wanted, said)
        column = column if case.column else found
        if column and found and case.words in said:
            return time.monotonic() - struck, found
        time.sleep(_PAUSE)
    return None, last


def _first(wanted: Collection[str], said: str) -> str:
    return next((one for one in sorted(wanted) if one in said), "")


def _column(case: Case, stage: Stage) -> str:
    table = stage.cluster.kubectl("get", "mdep", case.deployment, "-n", case.namespace)
    return cell(table, "REASON")
