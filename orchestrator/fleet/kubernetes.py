"""Kubernetes: a Job with a completion for each worker, or a Deployment that KEDA scales with the trials left.

The password of the database is a Secret that the files name and do not hold. Data is mounted read-only, the root file system is
read-only, and nothing runs as root. A pod that is evicted for another one counts for no failure; it is replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from sqlalchemy.engine import make_url

from orchestrator.fleet.order import Order
from storage.errors import UsageError

PASSWORD_KEY = "PGPASSWORD"
RESERVE_SECONDS = 20
"""Between the end of the grace period and SIGKILL."""
WRONG_USAGE = 2
"""The exit code of orch that no other pod could better."""
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
ACCOUNT = 1000
"""The user of orch's image."""
OPEN_TRIALS = (
    "SELECT COUNT(*) FROM orch_points AS point JOIN orch_studies AS study ON study.uuid = point.study_uuid "
    "WHERE study.name = '{study}' AND study.state = 'open' AND point.state IN ('open', 'claimed')"
)
"""What KEDA asks the database: how many trials are not finished."""


@dataclass(frozen=True)
class Cluster:
    """What is there in the cluster.

    Attributes:
        image: with orch in it (Dockerfile).
        namespace: where all of it goes.
        secret: a Secret whose key PGPASSWORD is the password of the database.
        data_claim: a PersistentVolumeClaim with images and dataset folder; mounted on /data.
        cache_claim: one for features and weights; empty for a folder that goes with the pod.
        artifacts_claim: one for checkpoints, shared by all pods; empty for none.
    """

    image: str
    namespace: str = "default"
    secret: str = "orch"
    data_claim: str = "orch-data"
    cache_claim: str = ""
    artifacts_claim: str = ""


def write_job(order: Order, cluster: Cluster) -> str:
    """A Job with one completion for each worker; a pod ends when no trial is left."""
    return _to_yaml(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": _metadata(order, cluster),
            "spec": {
                "completions": order.workers,
                "parallelism": order.workers,
                "completionMode": "Indexed",
                "backoffLimitPerIndex": 5,
                "maxFailedIndexes": order.workers,
                "podFailurePolicy": {
                    "rules": [
                        {
                            "action": "Ignore",
                            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                        },
                        {
                            "action": "FailJob",
                            "onExitCodes": {
                                "containerName": "worker",
                                "operator": "In",
                                "values": [WRONG_USAGE],
                            },
                        },
                    ]
                },
                "template": {
                    "metadata": {"labels": _labels(order)},
                    "spec": {**_pod(order, cluster, order.worker_words), "restartPolicy": "Never"},
                },
            },
        }
    )


def write_deployment(order: Order, cluster: Cluster) -> str:
    """A Deployment of none to N workers, and the ScaledObject with which KEDA makes them as many as there are trials for."""
    words = order.worker_words
    forever = [*words[: words.index("--")], "--forever", *words[words.index("--") :]]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(order, cluster),
        "spec": {
            "selector": {"matchLabels": _labels(order)},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": _labels(order)},
                "spec": {**_pod(order, cluster, forever), "restartPolicy": "Always"},
            },
        },
    }
    url = make_url(order.storage)
    entry = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": _metadata(order, cluster),
        "spec": {
            "secretTargetRef": [{"parameter": "password", "name": cluster.secret, "key": PASSWORD_KEY}],
        },
    }
    name = _metadata(order, cluster)["name"]
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": _metadata(order, cluster),
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": 0,
            "maxReplicaCount": order.workers,
            "pollingInterval": 30,
            "cooldownPeriod": 300,
            "triggers": [
                {
                    "type": "postgresql",
                    "metadata": {
                        "host": str(url.host),
                        "port": str(url.port or 5432),
                        "userName": str(url.username),
                        "dbName": str(url.database),
                        "sslmode": str(url.query.get("sslmode", "prefer")),
                        "query": open_trials_query(order.study),
                        "targetQueryValue": str(order.trials_at_once),
                        "activationTargetQueryValue": "0",
                    },
                    "authenticationRef": {"name": name},
                }
            ],
        },
    }
    return _to_yaml(deployment, entry, scaled)


def open_trials_query(study: str) -> str:
    """The SQL statement that counts the unfinished trials of a study."""
    return OPEN_TRIALS.format(study=study.replace("'", "''"))


def check_cluster(order: Order) -> None:
    """Refuse what a pod cannot reach.

    Raises:
        UsageError: the database listens to its own machine alone.
    """
    host = make_url(order.storage).host
    if host in (None, "", "localhost", "127.0.0.1", "::1"):
        raise UsageError(
            f"The database is at {host or 'a socket of this machine'}, which in a container is the container itself.",
            next_step="Give its address in the network: --storage postgresql://USER@HOST/DATABASE",
        )


def check_names(cluster: Cluster) -> None:
    """Refuse what Kubernetes would refuse.

    Raises:
        UsageError: a name of the namespace, the Secret or a claim is none.
    """
    names = (
        cluster.namespace,
        cluster.secret,
        cluster.data_claim,
        cluster.cache_claim,
        cluster.artifacts_claim,
    )
    for name in filter(None, names):
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name in Kubernetes: those have small letters, digits, hyphens and dots."
            )


def _pod(order: Order, cluster: Cluster, words: list[str]) -> dict[str, Any]:
    variables: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in sorted(order.variables.items())
    ]
    key = {"name": cluster.secret, "key": PASSWORD_KEY}
    variables.append({"name": PASSWORD_KEY, "valueFrom": {"secretKeyRef": key}})
    variables.append({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    variables.append({"name": "ORCH_JOB", "value": "kubernetes $(POD_NAME)"})
    variables += [{"name": "ORCH_CACHE", "value": "/cache"}, {"name": "KERAS_HOME", "value": "/cache/keras"}]
    variables.append({"name": "HOME", "value": "/tmp"})
    claims = {"data": cluster.data_claim, "cache": cluster.cache_claim, "artifacts": cluster.artifacts_claim}
    mounts: list[dict[str, Any]] = [
        {"name": "data", "mountPath": "/data", "readOnly": True},
        {"name": "cache", "mountPath": "/cache"},
        {"name": "temporary", "mountPath": "/tmp"},
    ]
    volumes: list[dict[str, Any]] = [{"name": "temporary", "emptyDir": {}}]
    for name, claim in claims.items():
        if claim:
            source: dict[str, Any] = {"claimName": claim}
            if name == "data":
                source["readOnly"] = True
            volumes.append({"name": name, "persistentVolumeClaim": source})
        elif name == "cache":
            volumes.append({"name": name, "emptyDir": {}})
    if cluster.artifacts_claim:
        variables.append({"name": "ORCH_ARTIFACTS", "value": "/artifacts"})
        mounts.append({"name": "artifacts", "mountPath": "/artifacts"})
    limits = {"cpu": str(order.cpus), "memory": f"{order.memory}Gi"}
    if order.gpus:
        limits[f"nvidia.com/{order.gpu_type or 'gpu'}"] = str(order.gpus)
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": order.grace + RESERVE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": ACCOUNT,
            "runAsGroup": ACCOUNT,
            "fsGroup": ACCOUNT,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "worker",
                "image": cluster.image,
                "args": words,
                "env": variables,
                "resources": {"requests": dict(limits), "limits": limits},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _metadata(order: Order, cluster: Cluster) -> dict[str, Any]:
    return {"name": f"orch-{order.slug}", "namespace": cluster.namespace, "labels": _labels(order)}


def _labels(order: Order) -> dict[str, str]:
    return {"app.kubernetes.io/name": "orch-worker", "app.kubernetes.io/instance": order.slug}


def _to_yaml(*documents: dict[str, Any]) -> str:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump_all(documents, Dumper=Plain, sort_keys=False, allow_unicode=True, width=200)
