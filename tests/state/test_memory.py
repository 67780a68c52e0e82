"""state/memory.py: what is kept of what comes and goes does not grow without end."""

from escadre.core.scaling.learning import Learned
from escadre.state.memory import Memory


def test_of_many_kinds_of_replicas_those_met_lately_are_remembered() -> None:
    memory = Memory()
    for number in range(5000):
        memory.note_learned(Learned(f"kind-{number}", prompts=float(number)))
        memory.note_learned(Learned("usual", prompts=float(number)))
    assert len(memory.learned) == 1000
    assert memory.learned["usual"].prompts == 4999
    assert "kind-4999" in memory.learned
    assert "kind-0" not in memory.learned
