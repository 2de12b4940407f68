"""The sealed hold-out, its openings, and looks that were none. Nothing that trains may import this.

- `forgetting`: Forget the hold-out of an import that was a mistake, as long as nothing was ever judged on it
- `looks`: Looks at sealed images that were no opening: predictions made on single files that are known to be sealed
- `sealed`: The sealed hold-out and the record of its openings
"""
