"""What a fleet's files hold: valid for the scheduler that reads them, safe for whoever runs them, and without a password."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.fleet import compose, kubernetes, slurm, ssh
from orchestrator.fleet.order import Order, describe
from storage.database.address import parse_url, without_password
from storage.errors import UsageError

VARIABLES = {
    "ORCH_STORAGE": "postgresql://orch@db.example.org:5433/studies?sslmode=require",
    "ORCH_DATA": "/data/a b",
}
ORDER = Order("first", 3, gpus=2, per_gpu=2, storage=VARIABLES["ORCH_STORAGE"], variables=VARIABLES)
AWKWARD = 'it\'s $(touch gone) `x` "y" Größe'
CLUSTER = kubernetes.Cluster("orch:gpu", "research", "orch-db", artifacts_claim="orch-artifacts")


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    "order", [ORDER, Order(AWKWARD, 2, gpus=0, storage=ORDER.storage)], ids=["gpu", "awkward"]
)
@pytest.mark.parametrize("write", [kubernetes.write_job, kubernetes.write_deployment])
def test_what_kubernetes_reads_fits_its_own_schemas(order: Order, write: Any) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="`make setup` installs it")
    found = documents(write(order, CLUSTER))
    own = [one for one in found if "keda" not in one["apiVersion"]]
    assert len(own) == 1
    for document in own:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_a_job_has_a_completion_for_each_worker_and_no_rights() -> None:
    [job] = documents(kubernetes.write_job(ORDER, CLUSTER))
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["completions"], spec["completionMode"]) == (3, "Indexed")
    [worker] = pod["containers"]
    assert worker["resources"]["limits"] == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2"}
    assert pod["securityContext"]["runAsNonRoot"]
    assert worker["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["name"] for mount in worker["volumeMounts"] if mount.get("readOnly")} == {"data"}
    assert pod["terminationGracePeriodSeconds"] > ORDER.grace
    assert worker["args"][-2:] == ["--", "first"]
    [password] = [one for one in worker["env"] if one["name"] == "PGPASSWORD"]
    assert password["valueFrom"] == {"secretKeyRef": {"name": "orch-db", "key": "PGPASSWORD"}}


@pytest.mark.parametrize("gpus", [0, 2])
def test_the_number_of_trials_at_once_is_passed_on_and_counted(gpus: int) -> None:
    one, four = (Order("first", 3, gpus=gpus, per_gpu=2, at_once=n, storage=ORDER.storage) for n in (1, 4))
    assert "--at-once" not in one.worker_words
    assert " ".join(four.worker_words).count("--at-once 4 --grace") == 1
    assert (one.trials_at_once, four.trials_at_once) == (2 * max(gpus, 1), 8 * max(gpus, 1))
    scaled = [documents(kubernetes.write_deployment(order, CLUSTER))[-1] for order in (one, four)]
    wanted = [document["spec"]["triggers"][0]["metadata"]["targetQueryValue"] for document in scaled]
    assert wanted == [str(one.trials_at_once), str(four.trials_at_once)]
    assert describe(four).endswith("processes with 4 trials each")
    assert "trials each" not in describe(one)


def test_a_slice_of_a_gpu_is_a_resource_of_its_own() -> None:
    order = Order("first", 1, gpu_type="mig-1g.10gb", storage=ORDER.storage)
    [job] = documents(kubernetes.write_job(order, CLUSTER))
    assert (
        job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/mig-1g.10gb"]
        == "1"
    )


def test_keda_scales_by_the_trials_that_are_left() -> None:
    deployment, entry, scaled = documents(kubernetes.write_deployment(ORDER, CLUSTER))
    [trigger] = scaled["spec"]["triggers"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert trigger["authenticationRef"]["name"] == entry["metadata"]["name"]
    assert entry["spec"]["secretTargetRef"] == [
        {"parameter": "password", "name": "orch-db", "key": "PGPASSWORD"}
    ]
    assert trigger["metadata"]["host"] == "db.example.org"
    assert (trigger["metadata"]["port"], trigger["metadata"]["sslmode"]) == ("5433", "require")
    # Each pod runs two processes on each of two GPUs.
    assert trigger["metadata"]["targetQueryValue"] == "4"
    assert "--forever" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_database_that_only_its_own_machine_reaches_is_refused_for_containers(host: str) -> None:
    with pytest.raises(UsageError, match="the container itself"):
        kubernetes.check_cluster(Order("first", 1, storage=f"postgresql://orch@{host}/studies"))


def test_each_worker_of_a_compose_file_has_gpus_of_its_own() -> None:
    text = compose.write_compose(ORDER, image="orch:gpu", data=Path("/data"))
    services = yaml.safe_load(text)["services"]
    devices = [
        service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]
        for service in services.values()
    ]
    assert devices == [["0", "1"], ["2", "3"], ["4", "5"]]
    for service in services.values():
        assert service["environment"]["PGPASSWORD"].startswith("${PGPASSWORD:?")
        assert service["volumes"][0]["read_only"]
        assert service["read_only"]
        assert service["user"] == "1000:1000"


@pytest.mark.parametrize("write", ["slurm", "ssh"])
def test_a_name_from_the_database_is_only_a_name_in_a_script(tmp_path: Path, write: str) -> None:
    order = Order(
        AWKWARD, 2, storage="", program=str(tmp_path / "orch"), variables={"A": "$(touch gone) 'x'"}
    )
    (tmp_path / "orch").write_text('#!/bin/bash\nprintf "%s\\n" "$A" "${@: -1}" > seen\n')
    (tmp_path / "orch").chmod(0o755)
    if write == "slurm":
        text = slurm.write_script(order, hours=1, logs=tmp_path)
        words = ["bash", "script"]
    else:
        # In place of the connection: a shell that reads its standard input, as sshd starts one.
        (tmp_path / "ssh").write_text("#!/bin/bash\nexec bash -s\n")
        (tmp_path / "ssh").chmod(0o755)
        text = ssh.write_script(order, ["host"], "script")
        words = ["bash", "script", "start"]
    (tmp_path / "script").write_text(text)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True)
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "seen").read_text().splitlines() == ["$(touch gone) 'x'", AWKWARD]


def test_a_slurm_script_asks_for_what_was_ordered() -> None:
    text = slurm.write_script(ORDER, hours=1.5, logs=Path("/logs"), partition="gpu", account="lab")
    asked = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]
    for option in (
        "--array=1-3",
        "--gres=gpu:2",
        "--time=90",
        "--partition=gpu",
        "--account=lab",
        "--requeue",
    ):
        assert option in asked
    assert "--signal=B:USR1@85" in asked
    exported = next(option for option in asked if option.startswith("--export="))
    assert "PGPASSWORD" not in exported
    assert "ALL" not in exported


@pytest.mark.parametrize(
    ("study", "slug"),
    [("first", "first"), ("a-1", "a-1"), ("First", "first-"), ("x" * 90, "x" * 33 + "-"), ("Ω", "")],
)
def test_the_name_of_a_job_is_one_that_schedulers_allow(study: str, slug: str) -> None:
    found = Order(study, 1).slug
    assert found.startswith(slug)
    assert len(found) <= 40
    assert kubernetes.NAME.fullmatch(found)


def test_two_studies_never_share_the_name_of_a_job() -> None:
    names = ["a b", "a-b", "A-b", "a_b", "a.b"]
    assert len({Order(name, 1).slug for name in names}) == len(names)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret@h/d",
        "postgresql+psycopg2://u@h:1/d?password=s3cret&sslmode=require",
        "postgresql://h/d?sslpassword=s3cret",
    ],
)
def test_an_address_for_a_file_holds_no_password(url: str) -> None:
    bare = without_password(parse_url(url))
    assert "s3cret" not in bare
    assert parse_url(bare).host == "h"
    assert ("sslmode=require" in bare) == ("sslmode" in url)
