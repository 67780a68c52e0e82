"""What a cluster's owner refuses: pods above a quota, and pods with folders in memory, by a policy.

The cases of refused pods and the breaker's use it. A policy is enforced some seconds after it was
made, and for some seconds after it was deleted: who comes next must not meet it.
"""

import json
from typing import Final

from e2e.cluster.cluster import CommandError
from e2e.cluster.wait import wait_for
from e2e.stage.stage import Json, Stage

__all__ = ["QUOTA", "RAISED", "TEAM", "WORDS", "delete", "enforce", "forget", "gone"]

TEAM: Final = "few"
WORDS: Final = "folders in memory are not allowed here"
_NAME: Final = "no-memory-folders"
QUOTA: Final[Json] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "few", "namespace": TEAM},
    "spec": {"hard": {"pods": "1"}},
}
RAISED: Final[Json] = {**QUOTA, "spec": {"hard": {"pods": "3"}}}
_POLICY: Final[Json] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": _NAME},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": TEAM}},
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }
            ],
        },
        "validations": [
            {
                "expression": "!has(object.spec.volumes) || !object.spec.volumes.exists("
                "one, has(one.emptyDir) && has(one.emptyDir.medium) && "
                "one.emptyDir.medium == 'Memory')",
                "message": WORDS,
            }
        ],
    },
}
_POD: Final[Json] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "tried", "namespace": TEAM},
    "spec": {
        # Pod Security is asked first, and must have nothing against it.
        "containers": [
            {
                "name": "one",
                "image": "none",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }
        ],
        "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
    },
}
_BINDING: Final[Json] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": _NAME},
    "spec": {"policyName": _NAME, "validationActions": ["Deny"]},
}


def enforce(stage: Stage) -> None:
    """Makes the policy, and waits until it is asked."""
    stage.cluster.apply(_POLICY, _BINDING)
    wait_for(lambda: _refused(stage), 60, "the policy to be enforced")


def delete(stage: Stage) -> None:
    """Takes it away; it is asked for some seconds more."""
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        stage.cluster.kubectl("delete", kind, _NAME, "--ignore-not-found")


def forget(stage: Stage) -> None:
    """Takes it away, and waits until it is asked no more."""
    delete(stage)
    wait_for(lambda: not _refused(stage), 60, "the policy to be forgotten")


def gone(stage: Stage, deployment: str) -> None:
    """Deletes a deployment, and waits for its pods to go."""
    stage.cluster.kubectl("delete", "mdep", deployment, "-n", TEAM, "--ignore-not-found")
    wait_for(lambda: not stage.cluster.list("pods", "-n", TEAM), 60, "its pods to be gone")


def _refused(stage: Stage) -> bool:
    """Whether a pod with a folder in memory is refused for that, and not for anything else."""
    try:
        stage.cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(_POD))
    except CommandError as error:
        return WORDS in str(error)
    return False
