"""A plugin of pytest (`-p tests.no_tensorflow`): in this process TensorFlow is as good as not installed."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _NoTensorFlow(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"{fullname} was asked for", name="tensorflow")


sys.meta_path.insert(0, _NoTensorFlow())
