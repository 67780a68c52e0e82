"""Command lines of the control plane. Pure; the supervisor starts what stands here.

Facts behind the less obvious flags: without ``--requestheader-allowed-names`` an API server of
1.36 refuses one authority for both client kinds; without ``--kubelet-preferred-address-types``
logs would ask DNS; NodeRestriction is not on by default and carries a promise of the product.
"""

import json
from pathlib import Path
from typing import Final

from e2e.cluster.addresses import API_PORT, CLUSTER_ADDRESS, POD_RANGE, SERVICE_RANGE
from e2e.cluster.folders import StateFolder

__all__ = [
    "AUDIT_POLICY",
    "COMPONENT_USERS",
    "ETCD_URL",
    "KWOK_ADDRESS",
    "api_server",
    "controller_manager",
    "etcd",
    "kwok",
    "proxy",
    "proxy_config",
    "scheduler",
]

ETCD_URL: Final = "http://127.0.0.1:2379"
KWOK_ADDRESS: Final = "127.0.0.1:10247"
COMPONENT_USERS: Final = ("admin", "runner", "kwok", "controller-manager", "scheduler", "proxy")

AUDIT_POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Request, verbs: [patch], resources: [{group: "", resources: [nodes]}]}
  - {level: Metadata}
"""


def etcd(binary: Path, state: StateFolder) -> list[str]:
    """The store; nothing is flushed to disk, for nothing outlives the run."""
    return [
        str(binary),
        f"--data-dir={state.root / 'etcd'}",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--quota-backend-bytes=4294967296",
        "--log-level=warn",
    ]


def api_server(binary: Path, state: StateFolder) -> list[str]:
    """The API server: RBAC, Node authorizer, NodeRestriction, audit of every request."""
    pki = state.certificates
    return [
        str(binary),
        f"--etcd-servers={ETCD_URL}",
        f"--advertise-address={CLUSTER_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'api.crt'}",
        f"--tls-private-key-file={pki / 'api.key'}",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--requestheader-client-ca-file={pki / 'ca.crt'}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        f"--audit-policy-file={state.root / 'audit-policy.yaml'}",
        f"--audit-log-path={state.audit_log}",
        "--audit-log-maxsize=4096",
        "--profiling=false",
    ]


def _kubeconfigs(state: StateFolder, user: str) -> list[str]:
    path = state.root / f"{user}.kubeconfig"
    return [
        f"--kubeconfig={path}",
        f"--authentication-kubeconfig={path}",
        f"--authorization-kubeconfig={path}",
        "--leader-elect=false",
        # The defaults (20 to 50 requests per second) would be what every benchmark measures.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--bind-address=127.0.0.1",
        "--profiling=false",
    ]


def controller_manager(binary: Path, state: StateFolder) -> list[str]:
    """The controller manager, each controller under its own account as on a real cluster."""
    pki = state.certificates
    return [
        str(binary),
        *_kubeconfigs(state, "controller-manager"),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
    ]


def scheduler(binary: Path, state: StateFolder) -> list[str]:
    """The scheduler."""
    return [str(binary), *_kubeconfigs(state, "scheduler")]


def proxy(binary: Path, state: StateFolder) -> list[str]:
    """kube-proxy; its configuration is ``proxy_config``."""
    return [str(binary), f"--config={state.root / 'proxy.yaml'}"]


def proxy_config(state: StateFolder, node: str) -> str:
    """Configuration of kube-proxy, which programs the cluster's one network namespace."""
    kubeconfig = json.dumps(str(state.root / "proxy.kubeconfig"))  # quoted, whatever is in it
    return f"""\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: {node}
clusterCIDR: {POD_RANGE}
clientConnection: {{kubeconfig: {kubeconfig}}}
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
iptables: {{minSyncPeriod: 100ms}}
oomScoreAdj: 0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
"""


def kwok(binary: Path, state: StateFolder, stages: Path) -> list[str]:
    """KWOK, for nodes only; without lease renewal they would go NotReady every minute."""
    return [
        str(binary),
        f"--kubeconfig={state.root / 'kwok.kubeconfig'}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
        f"--node-ip={CLUSTER_ADDRESS}",
        f"--server-address={KWOK_ADDRESS}",
        f"--config={stages}",
    ]
