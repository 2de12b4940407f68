"""The container files: what they start exists, nothing is open to the world, no secret is in them.

Building the image needs a network and Docker; these tests check all that can be known without.
"""

import fnmatch
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PASSWORD = "not-in-any-file-7d1f"


@pytest.fixture(scope="module")
def compose_command() -> list[str]:
    """Docker Compose, as a program of its own or as a part of Docker."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if (
        shutil.which("docker")
        and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        return ["docker", "compose"]
    pytest.skip("Docker Compose is not here (Debian: apt-get install docker-compose)")


def configure(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTGRES_", "ORCH_"))}
    return subprocess.run(
        [*command, "--profile", "cpu", "--profile", "gpu", "config"],
        cwd=REPOSITORY,
        env={**kept, **variables},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def services(compose_command: list[str]) -> dict[str, Any]:
    configured = configure(compose_command, POSTGRES_PASSWORD=PASSWORD)
    assert configured.returncode == 0, configured.stderr
    services: dict[str, Any] = yaml.safe_load(configured.stdout)["services"]
    return services


def published(service: dict[str, Any]) -> list[str]:
    """Addresses on which a service is published; the two generations of Compose print them differently."""
    return [
        port.partition(":")[0] if isinstance(port, str) else port.get("host_ip", "0.0.0.0")
        for port in service.get("ports", [])
    ]


def test_without_a_password_nothing_starts(compose_command: list[str]) -> None:
    for variables in ({}, {"POSTGRES_PASSWORD": ""}):
        configured = configure(compose_command, **variables)
        assert configured.returncode != 0
        assert "set POSTGRES_PASSWORD" in configured.stderr


def test_everything_is_published_on_the_loopback_only(services: dict[str, Any]) -> None:
    assert {address for service in services.values() for address in published(service)} == {"127.0.0.1"}
    assert published(services["dashboard"]) == ["127.0.0.1"]


def test_the_database_may_be_offered_to_a_private_network(compose_command: list[str]) -> None:
    configured = configure(compose_command, POSTGRES_PASSWORD=PASSWORD, POSTGRES_ADDRESS="10.0.0.5")
    services = yaml.safe_load(configured.stdout)["services"]
    assert published(services["database"]) == ["10.0.0.5"]
    assert published(services["dashboard"]) == ["127.0.0.1"]


def test_the_password_is_no_part_of_an_address(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            assert PASSWORD not in str(value) or name in ("PGPASSWORD", "POSTGRES_PASSWORD")
    assert services["dashboard"]["environment"]["PGPASSWORD"] == PASSWORD


def test_the_database_outlives_its_container(services: dict[str, Any]) -> None:
    assert any("/var/lib/postgresql/data" in str(volume) for volume in services["database"]["volumes"])


def test_every_service_that_stays_has_a_health_check(services: dict[str, Any]) -> None:
    staying = {name for name, service in services.items() if service["restart"] == "unless-stopped"}
    assert staying == {"database", "dashboard", "worker-cpu", "worker-gpu"}
    assert {name for name in services if services[name].get("healthcheck")} == staying


def test_only_the_gpu_worker_asks_for_gpus(services: dict[str, Any]) -> None:
    devices = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["capabilities"] == ["gpu"]
    assert services["worker-gpu"]["build"]["args"]["LOCK"] == "gpu"
    assert services["worker-cpu"]["profiles"] == ["cpu"]
    assert not services["worker-cpu"].get("deploy")


def test_what_the_services_run_exists(
    services: dict[str, Any], run_orch: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    commands = [service["command"] for service in services.values() if "command" in service]
    commands += [
        service["healthcheck"]["test"][2:]
        for service in services.values()
        if service.get("healthcheck", {}).get("test", ["", ""])[1] == "orch"
    ]
    assert len(commands) >= 5
    for command in commands:
        words = [word for word in command if not word.startswith("-") and word.isalpha()]
        help_text = run_orch(*words, "--help")
        assert help_text.returncode == 0, f"{command}: {help_text.stderr}"
        for option in (word for word in command if word.startswith("--")):
            assert option in help_text.stdout, f"{command}: {option}"


def test_the_image_runs_as_an_ordinary_user() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    [user] = re.findall(r"^USER (\S+)", last_stage, re.MULTILINE)
    assert user not in ("root", "0")
    assert f"--create-home {user}" in last_stage


def test_the_image_installs_what_is_locked_and_nothing_else() -> None:
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert installs == ["--require-hashes -r requirements.txt", "--no-deps --no-build-isolation ."]
    for lock in ("cpu", "gpu"):
        text = (REPOSITORY / "requirements" / f"{lock}.txt").read_text()
        requirements = re.split(r"\n(?=\S)", text.strip())
        assert all("--hash=sha256:" in requirement for requirement in requirements)
        assert re.search(r"^setuptools==", text, re.MULTILINE), "building without isolation needs it"


def test_no_secret_can_reach_the_image() -> None:
    assert not re.search(r"^(ENV|ARG).*(PASSWORD|TOKEN|SECRET)", DOCKERFILE, re.MULTILINE)
    rules = [
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert rules[0] == "*", "everything is kept out, then some is let in"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert let_in == {"pyproject.toml", "README.md", "LICENSE", "requirements/*.txt"} | {
        "storage",
        "workers",
        "dashboards",
        "orchestrator",
        "orch",
    }


def test_what_the_image_copies_is_here_and_let_in() -> None:
    rules = [
        line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = [name for copied in copies for name in copied.replace("${LOCK}", "cpu").split()]
    assert len(names) >= 8
    for name in names:
        assert (REPOSITORY / name).exists(), name
        assert any(fnmatch.fnmatch(name, rule) for rule in rules), name


def test_compose_file_names_no_password() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    values = re.findall(r"PASSWORD: (.+)", text)
    assert values
    allowed = r"\$\{(POSTGRES_PASSWORD:\?.+|ORCH_DASHBOARD_PASSWORD:-)\}"
    assert all(re.fullmatch(allowed, value) for value in values)
    assert not list(Path(REPOSITORY).glob(".env*"))


def test_the_image_owns_every_folder_that_a_volume_is_put_on() -> None:
    """A fresh volume takes its owner from the image; on any other place only root could write to it."""
    owned = re.search(r"install -d -o orch -g orch ([/\w ]+)", DOCKERFILE)
    assert owned
    for name in ("docker-compose.yml", "docker-compose.worker.yml"):
        services = yaml.safe_load((REPOSITORY / name).read_text())["services"]
        writable = [
            volume.rpartition(":")[2]
            for service, settings in services.items()
            if service != "database"
            for volume in settings.get("volumes", [])
            if not volume.endswith(":ro")
        ]
        assert {"/cache", "/artifacts"} <= set(writable) <= set(owned[1].split())
        for service, settings in services.items():
            if service.startswith("worker"):
                assert settings["environment"]["ORCH_ARTIFACTS"] == "/artifacts"


@pytest.mark.parametrize(
    ("file", "names"),
    [("docker-compose.yml", ("worker-cpu", "worker-gpu")), ("docker-compose.worker.yml", ("worker",))],
)
def test_a_stopped_worker_has_nearly_all_of_its_time_for_the_epoch(file: str, names: tuple[str, ...]) -> None:
    text = yaml.safe_load((REPOSITORY / file).read_text())
    for name in names:
        worker = text["services"][name]
        command = worker["command"]
        minutes = int(worker["stop_grace_period"].removesuffix("m"))
        grace = int(command[command.index("--grace") + 1])
        assert 60 * (minutes - 1) < grace < 60 * minutes
