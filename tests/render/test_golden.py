"""Every child as YAML, to be read. ESCADRE_UPDATE_GOLDEN=1 writes the files anew.

A changed pod template restarts no engine (a replica keeps the template it was made with); whatever
else differs here is written to every deployment by the next version of the operator.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.core.shapes import SMALL_3
from tests.render.objects import (
    DIGEST,
    EVERYTHING_SET,
    LONGEST,
    OWNER,
    children,
    replica_of,
    with_middleware_in_a_word,
)

from escadre.api.gpunode import GPUNodeSpec, MirrorReference, MirrorSource, WantedWeights
from escadre.core.replicas.drain import Drain
from escadre.names import ANNOTATION_INPUTS, ANNOTATION_TEMPLATE
from escadre.render.gpunode import gpunode
from escadre.render.volume import volume

Json = dict[str, Any]
GOLDEN = Path(__file__).parent / "golden"
HUGGING_FACE = SMALL_3.model_copy(update={"format": "huggingface", "tokenizer": "huggingface"})
WANTED = WantedWeights(
    manifest_digest=DIGEST,
    approval="mistral-small-3-2-24b",
    repository="mistralai/Mistral-Small-3.2-24B-Instruct-2506",
    revision="95a6d26c4bfb886c58daf9d3f7332c857cb27b9f",
    bytes=48_022_792_280,
    mirror=MirrorReference(name="internal", generation=3),
)
TOLD = MirrorSource(name="internal", generation=3, type="http", url="http://mirror.example/hf")

OBJECTS: dict[str, Json] = {
    **{kind.lower(): one for kind, one in children().items()},
    "persistentvolume-tied-again": volume(OWNER, DIGEST, "uid-of-the-claim"),
    "deployment-longest-names": replica_of(LONGEST, 999, node=None),
    "deployment-everything-set": replica_of(
        OWNER,
        3,
        engine=EVERYTHING_SET,
        model=HUGGING_FACE,
        drain=Drain("Rollout", 1795328100),
    ),
    "gpunode": gpunode(
        "gpu-0",
        "6f1c2d3e-0000-4000-8000-00000000000a",
        GPUNodeSpec(weights=[WANTED], mirrors=[TOLD]),
        "escadre-system",
    ),
}


def _readable(one: Json) -> Json:
    """The object with the template's copy told in a word and the inputs as YAML."""
    meta = one["metadata"]
    notes = dict(meta.get("annotations") or {})
    if ANNOTATION_TEMPLATE in notes:
        assert json.loads(notes[ANNOTATION_TEMPLATE]) == one["spec"]["template"]
        notes[ANNOTATION_TEMPLATE] = "(the JSON of spec.template)"
        notes[ANNOTATION_INPUTS] = json.loads(notes[ANNOTATION_INPUTS])
        spec = {**one["spec"], "template": with_middleware_in_a_word(one["spec"]["template"])}
        one = {**one, "spec": spec}
    return {**one, "metadata": {**meta, **({"annotations": notes} if notes else {})}}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_child_is_as_it_was(name: str) -> None:
    text = yaml.safe_dump(_readable(OBJECTS[name]), sort_keys=False, allow_unicode=True, width=100)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_there_is_no_golden_file_without_its_object() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(OBJECTS)
