"""The sealed hold-out, its openings, and predictions on sealed images that were none. Nothing that trains may import this.

- `forgetting`: Forget the hold-out of an import that was a mistake, as long as nothing was ever judged on it
- `openings`: The record of a hold-out's openings: beside the manifest and in the database, the first of them by one process only
- `sealed`: The sealed hold-out: its rows, given away on record only, and which images are known to be sealed
- `sealed_predictions`: Predictions made on single files that are known to be sealed: on record, and no opening
"""
