"""What a study will be: regimes, points, cost.

- `analysis_plan`: The plan of analysis that a study is created with: `--plan plan.toml`
- `estimate`: How long a study will take: measured where the database knows, else a rule of thumb that says so
- `foreign_studies`: Read a study that another program made with Optuna, as evidence for one of ours
- `growing`: Let a study grow: continue its sequence, add a guess
- `hub_presets`: Presets of KerasHub as backbones of a study: what they cannot do, and the files that every worker must have
- `names`: What a new study may be called: a name that is safe in a shell, as the name of a file and on a terminal
- `own_models`: Hyperparameters that a model of the user's own declares, filled into a spec when a study is created
- `parts`: What a new study does besides its trials: how often its winner is evaluated again, nested cross-validation, and what they cost
- `plan`: From a spec to the ordered points that must be evaluated. Pure: the same spec gives the same points
- `presets`: Studies by purpose: what to search first, which backbone, which head, which augmentation, and how to fine-tune
- `protocols`: The baselines of the reference studies as specs: fixed hyperparameters, one point, k=10, 50 epochs, no pruning
- `regimes`: The two regimes of the reference study as specs, and the ways to change one from the command line
- `review`: What is worth knowing of a study before it runs: its data, its folds, and what will not act as it seems
- `settings`: A spec from the command line: `--spec FILE.toml`, and `--set section.key=value` for one value of it
"""
