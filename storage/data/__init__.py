"""The data set on disk: images, labels, groups, folds.

- `datasets`: A data set on disk: which images, which labels, which groups, and the hash that names them all
- `dicom`: DICOM radiographs as grey pictures of 0 to 255; nothing of the patient leaves this module but a salted hash
- `endings`: Whether the picture of a JPEG file ends before the file says so, although its end mark is there
- `folders`: How a dataset folder is written: whole or not at all, in text that a person can read and compare
- `folds`: Which images train and which validate, the same for every trial of a study
- `given_features`: Features from elsewhere, kept in the dataset folder that they belong to
- `grey`: Which grey values become black and white, where a file holds more than the 8 bits of a screen
- `headers`: What a PNG or JPEG file of 8 bits is, and that it is whole, read off its structure
- `images`: Image files of any size and mode as uint8 RGB arrays of one size
- `patients`: What names a patient: which columns do, which cells do not, and when two spellings are one patient
- `shades`: From the stored values of a DICOM file to shades of 0 to 1, as PS3.3 C.11.1 and C.11.2 define them
- `splitting`: Which groups (patients) go where: the hold-out here, the folds in `storage.data.folds`
"""
