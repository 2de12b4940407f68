"""How sure the choice of the best trial is: noise, luck, equals of the best.

- `bias`: What a winner is worth, corrected for having been chosen: bootstrap bias corrected cross-validation
- `luck`: How much of the best value is luck, from fold curves alone: the study is simulated again around its shrunk means
- `noise`: How sure the choice among trials is: noise, trials that cannot be told from the best, luck of the best of many
- `selection`: How sure a study's choice is, from its database: noise, equals of the best, the value corrected for having been chosen
- `verdict`: What is said of a study's best value: how much of it is luck, and what else may be as good
"""
