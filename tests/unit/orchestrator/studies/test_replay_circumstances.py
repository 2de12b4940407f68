"""What `orch trial replay` names when its numbers differ."""

from orchestrator.studies.replay import name_circumstances

H200 = {"processor": "Intel(R) Xeon(R) Processor", "gpus": ["NVIDIA H200"]}
PROCESSOR = {"processor": "AMD EPYC", "gpus": []}


def circumstances(versions: dict[str, str], hardware: dict[str, object]) -> dict[str, object]:
    return {"versions": versions, "hardware": hardware}


def test_nothing_is_named_where_all_is_alike_or_unknown() -> None:
    alike = circumstances({"jax": "0.11.2"}, H200)
    assert name_circumstances(alike, alike) == []
    assert name_circumstances(circumstances({}, {}), alike) == []
    # The processor beside the same GPU decides no value.
    assert name_circumstances(alike, circumstances({"jax": "0.11.2"}, {**H200, "processor": "another"})) == []


def test_another_device_version_and_backend_are_named() -> None:
    then = circumstances({"jax": "0.11.2", "numpy": "2.5.2"}, H200)
    now = circumstances({"tensorflow": "2.21.0", "numpy": "2.4.6"}, PROCESSOR)
    version, backend, device = name_circumstances(then, now)
    assert "numpy 2.5.2, this is 2.4.6" in version
    assert "computed with jax, this is tensorflow" in backend
    assert "KERAS_BACKEND=jax" in backend
    assert "computed on NVIDIA H200, this is AMD EPYC" in device
