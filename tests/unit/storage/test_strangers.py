"""Files from strangers: one sentence and a limit each; never a wait, never an error that is not meant."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.importing.feature_tables import read_feature_table
from orchestrator.proof.bundle import check_bundle
from orchestrator.studies.best import read_best
from storage.data.datasets import load_dataset
from storage.data.images import read_image
from storage.database.opening import open_database
from storage.errors import DataError, OrchError, SpecError, WeightsError
from storage.files import archives
from storage.files.model_files import inspect_model, read_record, read_whole_card
from storage.parsing import parse_json, parse_toml, read_regular
from storage.spec import ModelSection, parse, read_toml

CONFIG = {
    "module": "keras", "class_name": "Sequential",
    "config": {"name": "s", "layers": [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "name": "i"}},
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "sigmoid"}}]},
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def weights() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((192, 2), np.float32)
    return content.getvalue()


WEIGHTS = weights()


def write_model(path: Path, *, config: Any = CONFIG, content: bytes = WEIGHTS, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        archive.writestr("metadata.json", '{"keras_version": "3.0"}')
        archive.writestr("model.weights.h5", content)
        for name, text in more.items():
            archive.writestr(name.replace("_", "-").replace("-json", ".json").replace("-npz", ".npz"), text)
    return path


def add_layer(**layer: Any) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(CONFIG))
    changed["config"]["layers"].append(
        {"module": "keras.layers", "class_name": "Dense", "config": {}, **layer}
    )
    return changed


def read_all(path: Path) -> None:
    """Everything that is read from a model file without loading it; any error but one with a message for people is a defect."""
    for read in (inspect_model, read_whole_card, read_record):
        with contextlib.suppress(OrchError):
            read(path)


def test_an_ordinary_model_is_read(tmp_path: Path) -> None:
    found = inspect_model(write_model(tmp_path / "m.keras"))
    assert (found.parameters, found.input_shape, found.code, found.card) == (384, (8, 8, 3), "", None)
    assert [layer.kind for layer in found.layers] == ["InputLayer", "Dense"]


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        ({"module": "keras_evil"}, "names keras_evil.Dense"),
        ({"module": "kerasx.layers"}, "names kerasx.layers.Dense"),
        ({"module": "tf_keras2"}, "names tf_keras2.Dense"),
        ({"module": "os", "class_name": "system"}, "names os.system"),
        ({"module": "keras.utils", "class_name": "get_file"}, "names keras.utils.get_file"),
        ({"module": "keras.src.saving"}, "names keras.src.saving.Dense"),
        ({"module": "tensorflow.io"}, "names tensorflow.io.Dense"),
        ({"config": {"inner": [{"class_name": "Lambda", "config": {}}]}}, "holds a Lambda"),
        ({"config": {"vocabulary": "/etc/passwd"}}, "'vocabulary' names a file"),
        ({"module": "tensorflow.keras.layers"}, ""),
        ({"module": "keras.src.layers.core.dense"}, ""),
        ({"config": {"vocabulary": ["a", "b"]}}, ""),
    ],
)
def test_modules_are_known_by_their_whole_names(tmp_path: Path, layer: dict[str, Any], why: str) -> None:
    code = inspect_model(write_model(tmp_path / "m.keras", config=add_layer(**layer))).code
    assert why in code
    assert bool(code) == bool(why)


@pytest.mark.parametrize(
    "config",
    [
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[1, 2]", b"null", b"{", b"\xff\xfe", b"", b'{"config": 5}',
        b'{"config": {"layers": 5}}', b'{"config": {"layers": ["x", null, {"config": null}]}}', b'"' + b"0" * 2**25 + b'"',
        b"[" + b"{}," * 3_000_000 + b"1]", b'{"config": {"name": "\\ud800"}}',
        json.dumps(add_layer(config={"units": 2_000_000_000})).encode(),
        json.dumps(add_layer(config={"batch_shape": [None, 100_000, 100_000, 3]})).encode(),
    ],
)  # fmt: skip
def test_a_configuration_that_is_none_is_one_sentence(tmp_path: Path, config: bytes) -> None:
    began = time.process_time()
    path = write_model(tmp_path / "m.keras", config=config)
    read_all(path)
    if config[:30] not in (b'{"config": {"layers": 5}}', b'{"config": {"layers": ["x", nul'[:30]):
        with pytest.raises(DataError, match="cannot be read as a model"):
            inspect_model(path)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "card",
    [b"[1]", b"{", b"null", b"{}", b'{"targets": "ab"}', b'{"targets": []}', b'{"targets": ["a"], "spec": []}',
     b'{"targets": ["a"], "spec": {"training": {"threads": "2"}}}', b'{"targets": ["a"], "spec": {"training": {"threads": -1}}}',
     b'{"targets": ["a"], "spec": {"training": {"threads": 2}}, "dataset": {"images": 1, "groups": [], "fingerprint": ""}}'],
)  # fmt: skip
def test_a_card_that_is_none_is_one_sentence(tmp_path: Path, card: bytes) -> None:
    with pytest.raises(DataError, match="its card is not one of orch"):
        read_whole_card(write_model(tmp_path / "m.keras", orch_card_json=card))


@functools.cache
def bomb(size: int) -> bytes:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("labels.npy", "w") as file,
    ):
        for _ in range(size):
            file.write(bytes(2**20))
    return content.getvalue()


def packed_weights() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("w", (2**28,), "f4", compression="gzip", chunks=(2**20,))
    return content.getvalue()


@pytest.mark.parametrize(
    "model",
    [
        lambda path: write_model(path, orch_record_npz=b"xx"),
        lambda path: write_model(path, orch_record_npz=bomb(130)),
        lambda path: write_model(path, content=packed_weights()),
        lambda path: write_model(path, content=b""),
        lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18),
        lambda path: path.write_bytes(b"") and None,
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("nowhere"),
    ],
)
def test_archives_of_any_kind_are_one_sentence_and_take_no_time(
    tmp_path: Path, model: Callable[[Path], object]
) -> None:
    began = time.process_time()
    for suffix in ("keras", "h5"):
        path = tmp_path / f"m.{suffix}"
        model(path)
        read_all(path)
        with pytest.raises(DataError):
            (inspect_model(path), read_record(path))
    assert time.process_time() - began < 5


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_model_file_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes changed at random, parts of the configuration exchanged, cards of any form."""
    path = tmp_path_factory.mktemp("fuzz") / "m.keras"
    config = json.loads(json.dumps(CONFIG))
    if data.draw(st.booleans()):
        place = data.draw(
            st.sampled_from(
                [
                    config,
                    config["config"],
                    config["config"]["layers"][0],
                    config["config"]["layers"][1]["config"],
                ]
            )
        )
        place[data.draw(st.sampled_from([*place, "module", "layers"]))] = data.draw(JSON)
    card = json.dumps(data.draw(JSON)).encode()
    write_model(path, config=config, **({"orch_card_json": card} if data.draw(st.booleans()) else {}))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content))) if data.draw(st.booleans()) else None])
    read_all(path)
    path.rename(path.with_suffix(".h5"))
    read_all(path.with_suffix(".h5"))


DEEP_JSON = b'{"schema": "orch.best/1", "spec": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001


@pytest.mark.parametrize(
    "content",
    [DEEP_JSON, b"[" * 10**6, b"\xff", b"[1]", b'{"schema": "\\ud800"}', b"9" * 10_000, bytes(2**25)],
)
def test_documents_of_any_kind_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "best.json"
    path.write_bytes(content)
    with pytest.raises(SpecError):
        read_best(path)
    with pytest.raises(OrchError):
        load_dataset(path.rename(tmp_path / "manifest.json").parent)


@pytest.mark.parametrize(
    "content", [b"[search]\nx = " + b"[" * 100_000 + b"]" * 100_000, b".".join([b"a"] * 50_000) + b" = 1\n", b"\xff", b"a = ", b"a=1\n" * 2**19]
)  # fmt: skip
def test_toml_of_any_kind_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(SpecError, match="is not valid TOML"):
        read_toml(path)
    assert time.process_time() - began < 5


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parse_toml(b"\xef\xbb\xbfa = 1") == {"a": 1}


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_parsers_raise_what_they_say(content: bytes) -> None:
    for parser in (parse_json, parse_toml):
        try:
            parser(content)
        except ValueError:
            continue


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "x.png"
    make(path)
    with pytest.raises(ValueError, match=r"it is a (folder|pipe or a device)"):
        read_regular(path, 10)
    with pytest.raises(DataError, match=r"it is a (folder|pipe or a device)"):
        read_image(path, (8, 8))
    with pytest.raises(OrchError):
        read_best(path)
    with pytest.raises(OrchError):
        read_toml(path)


def test_a_picture_that_fills_the_memory_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "large.png"
    Image.new("1", (12_000, 12_000)).save(path)
    with pytest.raises(DataError, match="12,000 x 12,000 pixels, and orch reads at most 64 million"):
        read_image(path, (8, 8))


def test_weights_that_are_stored_as_they_are_need_no_memory(tmp_path: Path) -> None:
    """They are read in any order, and only what is asked for."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for number in range(50):
            file[f"layers/{number}/0"] = np.zeros((1000, 10), np.float32)
    assert inspect_model(write_model(tmp_path / "m.keras", content=content.getvalue())).parameters == 500_000


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_weights_that_are_no_file_are_not_waited_for(tmp_path: Path, make: Callable[[Path], object]) -> None:
    from workers.models.transfer import identify_weights

    path = tmp_path / "w.h5"
    make(path)
    model = ModelSection(backbone="MobileNet", weights=str(path), image_size=(32, 32))
    with pytest.raises(WeightsError, match=r"cannot be read: it is a (folder|pipe or a device)"):
        identify_weights(model)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/full"), Path.mkdir])
@pytest.mark.parametrize(
    ("ending", "read"),
    [
        (".zip", check_bundle),
        (".csv", read_feature_table),
        (".npz", read_feature_table),
        (".db", lambda path: open_database(f"sqlite:///{path}")),
    ],
)
def test_no_reader_waits_for_what_is_no_file(
    tmp_path: Path, ending: str, read: Callable[[Path], object], make: Callable[[Path], object]
) -> None:
    make(tmp_path / f"x{ending}")
    with pytest.raises(OrchError, match=r"folder|pipe|device"):
        read(tmp_path / f"x{ending}")


def test_features_that_are_huge_unpacked_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LEAST_UNPACKED", 2**16)
    names = np.array([f"{n}.png" for n in range(64)])
    np.savez_compressed(tmp_path / "bomb.npz", filename=names, features=np.zeros((64, 2**12), np.float32))
    with pytest.raises(DataError, match="unpacked it is larger than"):
        read_feature_table(tmp_path / "bomb.npz")
    np.savez_compressed(tmp_path / "real.npz", filename=names, features=np.random.rand(64, 2**12))
    assert read_feature_table(tmp_path / "real.npz").values.shape == (64, 2**12)


def test_a_spec_of_nothing_but_mistakes_names_the_first_ones_soon() -> None:
    began = time.process_time()
    with pytest.raises(SpecError, match=r"t0 is not a key.*and \d+ more") as raised:
        parse({f"t{number}": {} for number in range(20_000)} | {"a" * 10**6: 1}, source="x")
    with pytest.raises(SpecError) as long:
        parse({"study": {"name": "x"}, "training": {"epochs": "9" * 10**6}}, source="x")
    assert time.process_time() - began < 5
    assert max(len(str(raised.value)), len(str(long.value))) < 10_000
    assert str(raised.value).count("(valid: ") == 1
