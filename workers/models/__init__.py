"""Model builders, one per file.

- `backbones`: Which backbones the installed Keras has, without importing it: a study is made in a second, Keras takes ten
- `drawing`: Random numbers as TensorFlow draws them from a seed, under every backend: initial weights, and the noise of changed images
- `feature_maps`: The last feature maps of a model: where they are, how they are reached while it runs, and what of them its head never sees
- `folding`: A frozen backbone that computes the same in fewer passes: batch normalisation folded into the convolutions before it
- `head`: The dense head that is trained on pooled features
- `head_pass`: The forward pass of a head with weights from outside: the same code under any backend of Keras
- `hub`: Backbones of KerasHub from presets that are on this machine: a folder, or what Hugging Face's client has kept. Nothing is downloaded
- `lenet`: LeNet (LeCun et al. 1998) as the first reference study built it: the shallow baseline
- `network`: A whole model from pixels to logits, of any kind that a spec names, and how it is run in training and outside
- `own`: Models of the user's own: Python entry points of the group `orch.models`, installed beside orch on each worker
- `own_options`: Hyperparameters that a model of the user's own declares beside its builder: their ranges, their defaults, and what a spec may say of them
- `precision`: In which numbers layers compute: Keras's mixed precision, weights always in float32
- `transfer`: A frozen backbone of `keras.applications`: images in, one pooled feature vector per image out
- `weights`: Which layer of a model a weights file does not fit, and whether all of a model was read
"""
