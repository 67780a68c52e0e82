"""Where the `escadre` program begins: for people in main.py, for our pods in processes.py.

What runs for months in a pod loads nothing that only the commands of people need: that was 7 MB of
each operator and agent.
"""

import sys

__all__ = ["main"]

_OF_PODS = ("operator", "agent")


def main() -> int:
    """Runs the command line; returns the exit code."""
    if len(sys.argv) > 1 and sys.argv[1] in _OF_PODS:
        from escadre.cli import processes  # noqa: PLC0415 - see above

        return processes.main()
    from escadre.cli.main import main as commands  # noqa: PLC0415 - see above

    return commands()
