"""From a folder of images and a labels file to a dataset folder.

- `choices`: What an import is told
- `class_folders`: Images sorted into folders by class, `norm/` and `frac/`, read as the table that a labels file would be
- `doubts`: What a new data set looks like in numbers, and what is doubtful in it; the warnings are kept with it
- `grey_values`: How the values of image files become grey values of 0 to 255: what is written down of it, and what is doubtful
- `image_files`: Image files as they come: which there are, which row each belongs to, and whether they can be read
- `imports`: From a folder of images and a labels file to a dataset folder; the images stay where they are
- `labels`: The labels file: a CSV table, and the label columns in it
"""
