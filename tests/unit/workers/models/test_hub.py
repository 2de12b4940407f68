"""Presets of KerasHub: what is refused before anything of them is built."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.errors import DataError, UsageError
from workers.models.hub import check_config, find_preset, pool

VIT = {
    "module": "keras_hub.src.models.vit.vit_backbone",
    "class_name": "ViTBackbone",
    "registered_name": "keras_hub>ViTBackbone",
    "config": {"dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}},
}


def write(folder: Path, config: Any) -> Path:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return folder / "config.json"


def test_the_configuration_of_a_backbone_is_taken(tmp_path: Path) -> None:
    check_config(write(tmp_path, VIT))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {**VIT, "config": {"hook": {"class_name": "Lambda", "config": {"name": "evil"}}}},
            "holds a Lambda evil",
        ),
        ({**VIT, "module": "os", "class_name": "system"}, "names os.system"),
        ({**VIT, "config": {"hook": {"module": "keras_hub", "class_name": "x"}}}, "names keras_hub.x"),
        ({**VIT, "config": {"vocabulary": "/etc/passwd"}}, "names a file of this machine"),
        ([1], "no configuration of a preset"),
        ("{", "cannot be read"),
    ],
)
def test_presets_that_would_run_code_or_read_files_are_refused(
    tmp_path: Path, config: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        check_config(write(tmp_path, config))


def test_what_is_not_at_hand_is_said(tmp_path: Path) -> None:
    installed = importlib.util.find_spec("keras_hub") is not None
    for name in (str(tmp_path), "hf://owner/no-such-model"):
        words = ("no preset of KerasHub", "is not on this machine") if installed else ("not installed",) * 2
        with pytest.raises(UsageError, match=words[name.startswith("hf://")]):
            find_preset(name)


def test_maps_tokens_and_vectors_become_one_vector() -> None:
    maps = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 4)
    np.testing.assert_array_equal(pool(maps, "avg", "x"), [[6, 7, 8, 9]])
    np.testing.assert_array_equal(pool(maps, "max", "x"), [[12, 13, 14, 15]])
    np.testing.assert_array_equal(pool({"sequence_output": maps[:, 0]}, "avg", "x"), [[2, 3, 4, 5]])
    np.testing.assert_array_equal(pool(maps[:, 0, 0], "avg", "x"), [[0, 1, 2, 3]])
    with pytest.raises(DataError, match="makes several things"):
        pool({"a": maps, "b": maps}, "avg", "x")
