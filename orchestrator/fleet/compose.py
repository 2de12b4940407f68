"""A Docker Compose file: one service for each worker, with GPUs of its own.

Replicas of one service would all be given the same GPUs. The password of the database comes from the environment of whoever starts it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestrator.fleet.kubernetes import ACCOUNT, RESERVE_SECONDS
from orchestrator.fleet.order import Order


def write_compose(order: Order, *, image: str, data: Path) -> str:
    """The file for `docker compose`.

    Args:
        order: what is wanted.
        image: with orch in it (Dockerfile).
        data: folder of this machine with the images and the dataset folder; the containers see it under the same name, read-only.
    """
    services = {
        f"worker-{number + 1}": _service(order, number, image, data) for number in range(order.workers)
    }
    document = {
        "services": services,
        "volumes": {"cache": {}, "artifacts": {}},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=200)


def _service(order: Order, number: int, image: str, data: Path) -> dict[str, Any]:
    environment = {
        **order.variables,
        "ORCH_CACHE": "/cache",
        "KERAS_HOME": "/cache/keras",
        "ORCH_ARTIFACTS": "/artifacts",
        "ORCH_JOB": f"compose orch-{order.slug} worker-{number + 1}",
    }
    devices = [str(order.gpus * number + place) for place in range(order.gpus)]
    limits: dict[str, Any] = {"cpus": str(order.cpus), "memory": f"{order.memory}G"}
    resources: dict[str, Any] = {"limits": limits}
    if devices:
        gpu = {"driver": "nvidia", "device_ids": devices, "capabilities": ["gpu"]}
        resources["reservations"] = {"devices": [gpu]}
    return {
        "image": image,
        "command": [_literal(word) for word in order.worker_words],
        "environment": {
            **{name: _literal(value) for name, value in environment.items()},
            "PGPASSWORD": "${PGPASSWORD:?set PGPASSWORD to the password of the database}",
        },
        # A worker that was told to stop, or whose study is finished, stays away.
        "restart": "on-failure:5",
        "init": True,
        "user": f"{ACCOUNT}:{ACCOUNT}",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": f"{order.grace + RESERVE_SECONDS}s",
        "volumes": [
            {"type": "bind", "source": _literal(str(data)), "target": _literal(str(data)), "read_only": True},
            "cache:/cache",
            "artifacts:/artifacts",
        ],
        "deploy": {"resources": resources},
    }


def _literal(text: str) -> str:
    """A text in which Compose replaces nothing."""
    return text.replace("$", "$$")
