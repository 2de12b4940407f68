"""What a study predicts: one object for each kind of label, which says everything that differs between them. NumPy only.

- `class_cards`: What an evaluation says of classes: of all together, of each against the others, and the table of confusion
- `class_metrics`: Metrics of classes that exclude each other, for many weightings of the images at once
- `classes`: Classes of which an image has exactly one: softmax
- `contract`: What a kind of label must say of itself: everything that differs between labels side by side, classes, grades and numbers
- `kinds`: One object of each kind of label, by name. A further kind is one more line here
- `labels`: Labels side by side, each of them yes, no or not assessed
- `naming`: How people name targets: the classes of a column without the column before each of them
- `number_metrics`: Metrics of one number, for many weightings of the images at once
- `numbers`: Numbers, one or several, each of them known or not assessed
- `ordered`: Classes with an order, such as grades: what is further off is worse
- `resampled`: Metrics with their intervals: patients are drawn with replacement, and left out one by one
"""
