"""A backbone that no worker could build is refused when the study is made, without Keras."""

import subprocess
import sys

import pytest

from storage.errors import SpecError
from workers.models.backbones import check_backbone, list_backbones


def test_the_names_are_those_of_keras() -> None:
    known = list_backbones()
    assert {"InceptionV3", "InceptionResNetV2", "ResNet50", "Xception", "MobileNet"} <= set(known)
    assert not [name for name in known if name[0].islower()]
    for name in known:
        check_backbone(name, known)


def test_a_misspelt_one_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'ResNet5O' is not in keras\.applications") as refused:
        check_backbone("ResNet5O", list_backbones())
    assert "Did you mean ResNet50?" in str(refused.value)


def test_keras_is_not_imported() -> None:
    code = "import sys; from workers.models.backbones import list_backbones as l; l(); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
