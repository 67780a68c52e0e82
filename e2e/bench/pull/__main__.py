"""``make bench-pull``: the same model by each contender, round by round; ratios side by side.

Ratios of one run hold on any machine, seconds only on this one: client and mirror share its cores.
Contenders take turns, and find memory that was used just before (memory.py).
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from e2e.bench.builds import before
from e2e.bench.numbers import Row, print_table, versions, write_report
from e2e.bench.pull import trials
from e2e.bench.pull.contenders import Contender, Result, all_of
from e2e.bench.pull.memory import kept, touched
from e2e.bench.pull.sample import Sample, make_sample
from e2e.bench.pull.servers import Server, mirror
from e2e.upgrade.earlier import COMMIT_0_1_0
from escadre.core.weights.manifest import CHUNK_SIZE

__all__ = ["main"]

_MEMORY: Final = "/dev/shm"  # noqa: S108 - the disk under test is a fast one
_PARTS: Final = ("speed", "resume", "caches", "few", "disk")


def main() -> None:
    """Measure, print, write build/bench/pull.json."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.pull", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=2048, help="size of the model")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--parts", default=",".join(_PARTS), help="which, with commas")
    parser.add_argument("--only", default="", help="contenders by the beginning of their names")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="escadre-bench-pull-", dir=_MEMORY))
    folder.chmod(0o755)
    try:
        _measure(args, folder)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder)


def _measure(args: argparse.Namespace, folder: Path) -> None:
    parts = args.parts.split(",")
    report: dict[str, Any] = {"versions": versions()}
    rows: list[Row] = []
    sample = make_sample(folder / "model", args.mebibytes)
    with kept(sample.total), mirror(sample.root, folder / "mirror") as server:
        seconds = 3.0
        if "speed" in parts:
            results = _rounds(sample, server, folder, args)
            report["contenders"] = {name: _of(each) for name, each in results.items()}
            seconds = report["contenders"]["ours"]["seconds"]
            rows += _speed(report)
        if "resume" in parts:
            extra = trials.resumed(sample, server, folder, seconds, args.kills)
            report["resumeExtraBytes"] = max(extra)
            rows.append(Row("resume, chunks sent twice", max(extra) / CHUNK_SIZE, "", 8))
        if "disk" in parts:
            took, dd = trials.on_disk(sample, server, Path("build").absolute() / "bench-pull")
            report["overDd"] = dd / took
            rows.append(Row("disk, time over dd's", took / dd, "×", 1 / 0.9))
    if "caches" in parts:
        rows += _caches(report, make_sample(folder / "cached", args.mebibytes * 3 // 8), folder)
    if "few" in parts:
        report["fewConnections"] = trials.with_few_connections(
            make_sample(folder / "few-model", 512), folder
        )
        rows.append(Row("limit_conn 5, time", report["fewConnections"], "×", 1.15))
    print_table("bench-pull", rows)
    print(f"wrote {write_report('pull', report)}")


def _rounds(
    sample: Sample, server: Server, folder: Path, args: argparse.Namespace
) -> dict[str, list[Result]]:
    contenders = [
        each
        for each in all_of(sample, server, before(COMMIT_0_1_0))
        if any(each.name.startswith(name) for name in args.only.split(","))
    ]
    results: dict[str, list[Result]] = {each.name: [] for each in contenders}
    for number in range(args.rounds):
        # Another one begins each round: none always comes behind the same neighbour.
        turn = number % len(contenders)
        for each in (*contenders[turn:], *contenders[:turn]):
            touched(folder, sample.total)
            result = _one(each, folder / "target")
            results[each.name].append(result)
            rate = sample.total / result.seconds / 1e9
            cpu = result.cpu / sample.total * 1e9
            print(f"round {number + 1}  {each.name:20} {rate:5.2f} GB/s  {cpu:5.2f} CPU-s/GB")
    return results


def _one(contender: Contender, target: Path) -> Result:
    target.mkdir()
    try:
        return contender.run(target)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(target)], check=False)
        shutil.rmtree(target)


def _of(results: list[Result]) -> dict[str, float]:
    """Medians, and the least, which other load on the machine lengthened least."""
    return {
        "seconds": median(result.seconds for result in results),
        "cpu": median(result.cpu for result in results),
        "leastSeconds": min(result.seconds for result in results),
        "leastCpu": min(result.cpu for result in results),
        "rss": max(result.rss for result in results),
    }


def _speed(report: dict[str, Any]) -> list[Row]:
    """Speed and CPU of ours over others'; all goals as upper bounds."""
    found: dict[str, dict[str, float]] = report["contenders"]
    ours = found["ours"]
    report["rssMegabytes"] = ours["rss"] / 1e6
    rows = [Row("memory of the agent", ours["rss"] / 1e6, "MB", 150)]
    for name, key, wall, cpu in (
        ("ideal", "Ideal", 1 / 0.85, 1.12),
        ("huggingface_hub", "HuggingfaceHub", 1 / 2.2, 0.65),
        ("0.1.0", "Today", 1 / 1.3, None),
        ("aria2c + sha256sum", "Aria2cPlusSha256sum", None, None),
        ("aria2c + openssl", "Aria2cPlusOpenssl", None, None),
        ("no hash", "NoHash", None, None),
    ):
        if name not in found:
            continue
        report[f"over{key}"] = found[name]["seconds"] / ours["seconds"]
        report[f"cpuOver{key}"] = ours["cpu"] / found[name]["cpu"]
        rows += [
            Row(f"time over {name}'s", 1 / report[f"over{key}"], "×", wall),
            Row("the least of each", ours["leastSeconds"] / found[name]["leastSeconds"], "×"),
            Row(f"CPU over {name}'s", report[f"cpuOver{key}"], "×", cpu),
            Row("the least of each", ours["leastCpu"] / found[name]["leastCpu"], "×"),
        ]
    return rows


def _caches(report: dict[str, Any], sample: Sample, folder: Path) -> list[Row]:
    found = trials.behind_caches(sample, folder)
    report["caches"] = {
        name: {"time": time, "sourceBytes": size} for name, (time, size) in found.items()
    }
    report["coldProxyOverStream"] = max(time for time, _ in found.values())
    rows = []
    for name, (time, size) in found.items():
        rows.append(Row(f"cold {name}, time over a stream's", time, "×", 1.3))
        rows.append(Row(f"cold {name}, bytes of its source", size, "×", 1.2))
    return rows


if __name__ == "__main__":
    main()
