"""What lies on disk beside the database: written whole or not at all, read without running anything.

- `apart`: Reading in a process apart: a library that loops, crashes or fills the memory over a damaged file ends that process alone
- `archives`: ZIP archives that somebody else made: how much of them is read, and no more
- `checked_rows`: Rows of a file that is mapped into memory, each compared with its checksum when it is read
- `checkpoints`: Where a trial was after an epoch, on a folder that all workers share, so that any of them can go on from there
- `csv_tables`: Tables as CSV for spreadsheets: a text from elsewhere stays a text, and can be read back exactly
- `documents`: Documents as JSON text: best.json, model cards, what commands print; and the digest that names what is kept
- `feature_writer`: How extracted features are written: row after row, to go on where an extraction was stopped, and named when they are whole
- `features`: The store of extracted features on disk, addressed by everything they depend on
- `hdf5`: What is in an HDF5 file that somebody else made, read from end to end in a process apart
- `leftovers`: Unfinished files and scratch folders: how they are named, and which of them nobody will finish any more
- `model_configs`: What the configuration in a model file says: its layers, its input, and whether Keras would run code from it
- `model_files`: Model files as files: what is in them, read without running anything of them
- `pixels`: Decoded images of one size on disk, once per machine: uint8, read as they are needed
- `writing`: How a file that somebody asked for is written: whole or not at all, and named in every message as it was asked for
"""
