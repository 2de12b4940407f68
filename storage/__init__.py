"""Remembers: the spec, the points, the fold results, the data set and the features. No Keras in here."""
