"""Imports Keras and its backend as a worker process does; imported for that alone."""

from workers.device.preparation import import_quietly
from workers.device.spared_imports import spare_imports

spare_imports()
import_quietly()
