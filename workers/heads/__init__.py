"""The head of each kind of label: what follows its last dense layer, what it learns by, and what a fold tells it.

- `contract`: What a head must say of its kind of label: what follows its last dense layer, what it learns by, and what a fold tells it
- `kinds`: The head of each kind of label, by its name in `storage.tasks`
- `linear`: Numbers: an output each, in units of the spread of a fold's training images about their mean
- `losses`: Losses that count an answer the less the surer the model is of it: focal and asymmetric loss, on logits, in `keras.ops`
- `ordered`: Grades: k - 1 conditional logits, "above this grade, if not below it", whose products are probabilities that cannot cross
- `sigmoid`: Labels side by side, or two classes: a sigmoid each, and cross-entropy, focal or asymmetric loss of those that were assessed
- `softmax`: Classes of which an image has one: softmax, and the cross-entropy or focal loss of it
"""
