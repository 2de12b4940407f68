"""From a folder of images and a labels file to a dataset folder.

- `choices`: What an import is told
- `class_folders`: Images sorted into folders by class, `norm/` and `frac/`, read as the table that a labels file would be
- `doubts`: What a new data set looks like in numbers, and what is doubtful in it; the warnings are kept with it
- `feature_tables`: Tables of embeddings that another program wrote: read, and brought into the order of the images
- `given_folds`: Folds as somebody gives them: a column, a fold for each site, or nnU-Net's splits_final.json
- `grey_values`: How the values of image files become grey values of 0 to 255: what is written down of it, and what is doubtful
- `guessing`: What an import would take a table for, and how sure that is; nothing is written
- `image_files`: Image files as they come: whether they can be read, and what they are
- `imports`: From a folder of images and a labels file to a dataset folder; the images stay where they are
- `matching`: Which image a file name in a table means
- `precision`: How wide the interval of an AUC will be, from how many patients have a label and how many have not
- `presets`: Published collections as tables of column rules
- `rows`: From a folder and its tables to one row for each image: path, labels, group and side of the split
- `scanning`: Which files of a folder are images, and which are left out: each of them is counted and named

What a table says, cell by cell, is read in the room `reading`.
"""
