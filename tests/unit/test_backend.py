"""TensorFlow's own names stay in a few rooms; heads, features and extraction speak Keras, whatever its backend."""

import re
from pathlib import Path

import workers

BACKEND_ROOMS = {
    "augmentation.py",
    "compiled_epoch.py",
    "devices.py",
    "explain.py",
    "image_epoch.py",
    "image_set.py",
    "optimizers.py",
}


def test_only_the_backend_rooms_import_tensorflow() -> None:
    folder = Path(workers.__file__).parent
    found = {
        path.name
        for path in folder.rglob("*.py")
        if re.search(r"^\s*(import|from) tensorflow", path.read_text(), re.MULTILINE)
    }
    assert found <= BACKEND_ROOMS
    assert "compiled_epoch.py" in found, "the pattern still finds an import"
