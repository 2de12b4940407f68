"""Looks for leaks and confounders in a data set before anything is trained on it.

- `admission`: Whether a study may be made on its data: no error that nobody accepted
- `baselines`: How well a model scores that never sees a pixel, on the folds of the study
- `evidence`: What an audit looks at: labels, groups, folds and everything that is known of an image without its pixels
- `findings`: What an audit found, as plain records that are kept with a study
- `html`: The findings of an audit with their pictures, on one page that needs nothing else
- `images`: Findings that need the image files: copies across groups and sides, and what a file tells by its form
- `kept`: What was seen in the images of a data set, kept in the cache folder for the next audit
- `relations`: Findings on targets that say the same, or that nobody could have assessed
- `report`: The whole audit of a data set or of a labels file
- `splits`: Findings on who stands on which side: patients, groups, classes in folds
- `trivial_pixels`: What of a picture anybody can read off without knowing anatomy: brightness, spread, border, corners, a thumbnail

Which images are one picture is found in the room `copies`.
"""
