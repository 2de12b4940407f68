"""Everything that orch raises on purpose.

    OrchError                       exit 1
    ├── UsageError                  exit 2: the command line, a file or the data is at fault
    │   ├── SpecError               a study spec that cannot be read or does not make sense
    │   ├── DataError               images, labels, groups, a dataset folder
    │   └── StorageNotFoundError    the SQLite file does not exist, the URL is wrong
    ├── StorageError                the database answered, and the answer is no
    │   ├── SchemaError             tables missing, older or newer than this orch
    │   │   └── SchemaVersionError  they are there, older or newer
    │   ├── StudyNotFoundError      no such study (or not yet complete)
    │   ├── RecordGoneError         another tool deleted what Optuna kept of the study
    │   ├── StudyUnreadableError    another version of orch made the study
    │   ├── StudyExistsError        a study of that name with another spec
    │   └── LeaseLostError          another worker holds the point now; the result is dropped
    ├── DatabaseAwayError           the database cannot be reached at this moment; worth waiting for
    │   └── DatabaseRefusedError    the server lets nobody in with this password, name or encryption; it will hardly pass
    ├── TrackerAwayError            a tracker (MLflow, ..) cannot be reached; the ledger keeps what it is to be told
    ├── FeaturesError               the feature store: a wrong key, a damaged file, a different machine
    ├── WeightsError                backbone weights that are missing or do not fit
    ├── ModelError                  a model that is not installed here, or is not what it should be
    ├── UnpreparedError             this machine lacks what one trial needs; its point went back unharmed
    ├── TrainingError               the objective of a trial failed; the point may be tried again
    ├── NotEnoughMemoryError        the models of a study do not fit here
    ├── SickProcessError            this process cannot be trusted any more; its point went back unharmed
    │   └── DeviceError             the device does not work
    ├── SpentProcessError           a new process can do what this one cannot
    └── NothingToExportError        a study without a complete trial

Every message says what happened, the likely cause and the next step.
"""

from __future__ import annotations


class OrchError(Exception):
    """orch could not do what was asked."""

    exit_code = 1

    def __init__(
        self, what: str | None = None, *, why: str | None = None, next_step: str | None = None
    ) -> None:
        """Keep the three parts of a message apart, so that any front end can lay them out.

        Args:
            what: what happened, one sentence; the class docstring's first line when left out.
            why: the likely cause.
            next_step: what the user can do now, a command where there is one.
        """
        self.what = what or (type(self).__doc__ or "orch failed.").strip().splitlines()[0]
        self.why = why
        self.next_step = next_step
        super().__init__(" ".join(part for part in (self.what, why, next_step) if part))


class UsageError(OrchError):
    """The command, a file it names or the data it reads is not usable as given."""

    exit_code = 2


class SpecError(UsageError):
    """The study spec is not valid."""


class DataError(UsageError):
    """The data set is not usable as it is."""


class StorageNotFoundError(UsageError):
    """There is no study database where orch looked."""


class StorageError(OrchError):
    """The study database refused."""


class SchemaError(StorageError):
    """The tables in the database do not fit this version of orch."""


class SchemaVersionError(SchemaError):
    """The tables in the database are those of another version of orch."""


class StudyNotFoundError(StorageError):
    """There is no study of that name in this database."""


class StudyUnreadableError(StorageError):
    """Another version of orch made the study, and this one cannot read it."""


class RecordGoneError(StorageError):
    """Another tool deleted what Optuna kept of the study."""


class StudyExistsError(StorageError):
    """A study of that name exists already, with another spec."""


class LeaseLostError(StorageError):
    """The point was given to another worker; this attempt's result is dropped."""


class DatabaseAwayError(OrchError):
    """The database cannot be reached at the moment."""


class DatabaseRefusedError(DatabaseAwayError):
    """The server does not let this address in."""


class TrackerAwayError(OrchError):
    """The tracker cannot be reached at the moment; the ledger keeps what it is to be told."""


class FeaturesError(OrchError):
    """The stored features cannot be used."""


class WeightsError(OrchError):
    """The backbone's weights cannot be loaded."""


class ModelError(OrchError):
    """The model cannot be built."""


class UnpreparedError(OrchError):
    """This machine lacks what a trial needs."""


class TrainingError(OrchError):
    """The objective of this trial failed."""


class DeviceSettledError(TrainingError):
    """This process computes in another way than is asked for, and cannot change any more; a new one can."""


class NotEnoughMemoryError(OrchError):
    """The models do not fit into the memory of the device."""


class SickProcessError(OrchError):
    """This process cannot be trusted with trials any more."""


class DeviceError(SickProcessError):
    """The device that this process computes on does not work."""


class SpentProcessError(OrchError):
    """A new process must take the place of this one."""


class NothingToExportError(OrchError):
    """The study has no complete trial yet, so there is nothing to export."""
