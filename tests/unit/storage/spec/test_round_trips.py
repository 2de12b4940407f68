"""A spec that is written is the spec that is read, whatever texts and numbers are in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.parsing import parse_toml
from storage.spec import StudySpec, from_json, from_toml, parse, to_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
"""Any letters, control characters among them; half characters are in no file."""
SHARE = st.floats(0, 0.99) | st.just(5e-324) | st.just(0.1 + 0.2)
RATE = st.floats(1e-300, 1e300)


@st.composite
def specs(draw: st.DrawFn) -> StudySpec:
    """Specs with any text in any place for one, and any numbers."""
    width = draw(st.floats(1.0, 100.0))
    document = {
        "study": {"name": draw(TEXT), "seed": draw(st.integers(0, 2**32 - 1)), "repeats_of": draw(TEXT)},
        "data": {"fingerprint": draw(TEXT), "targets": draw(st.lists(TEXT, max_size=4))},
        "model": {
            "weights": draw(TEXT), "backbone": draw(TEXT), "head": draw(st.lists(st.integers(1, 4096), max_size=3)),
            "image_size": [draw(st.integers(1, 9999)), 3], "dropout_rate": draw(SHARE), "head_normalization": draw(st.booleans()),
        },
        "training": {
            "learning_rate": draw(RATE), "oversampling": width, "oversampled": draw(st.lists(TEXT, min_size=1, max_size=3)),
            "beta_1": draw(SHARE),
        },
        "search": {
            "epsilon": {"type": "float", "low": 1e-9, "high": draw(st.floats(1e-9, 1e9)), "log": draw(st.booleans())},
            "batch_size": {"type": "int", "low": 1, "high": draw(st.integers(1, 10**6))},
            "optimizer": {"type": "grid", "values": draw(st.permutations(["adam", "sgd", "adamw"]))},
        },
    }  # fmt: skip
    return parse(document, source="test")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(specs())
def test_toml_and_json_are_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, spec: StudySpec
) -> None:
    path = tmp_path_factory.getbasetemp() / "spec.toml"
    path.write_bytes(to_toml(spec).encode())
    assert from_toml(path) == spec
    assert from_json(spec.to_json()) == spec
    assert from_toml(path).spec_hash == from_json(spec.to_json()).spec_hash == spec.spec_hash
    assert parse(json.loads(json.dumps(parse_toml(to_toml(spec)))), source="best.json") == spec


@settings(max_examples=60, deadline=None, derandomize=True)
@given(specs())
def test_the_text_that_is_hashed_is_one_for_equal_specs(spec: StudySpec) -> None:
    shuffled = dict(reversed(list(spec.model_dump(mode="json").items())))
    assert parse(shuffled, source="test").to_json() == spec.to_json()
    other = spec.with_values({"study.seed": (spec.study.seed + 1) % 2**32})
    assert other.spec_hash != spec.spec_hash
