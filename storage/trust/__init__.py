"""How sure a result is: the choice of the best trial (noise, luck, equals of the best), and what models differ by.

- `bias`: What a winner is worth, corrected for having been chosen: bootstrap bias corrected cross-validation
- `comparison`: Several models on the same patients: each metric of each, the differences to the first, and what may be claimed of them
- `differences`: Whether two models differ, and by how much: paired on the same patients, and on the same folds
- `estimates`: The estimates of what a study's winner is worth, side by side, with what each of them cost
- `evidence`: What a study leaves as evidence, and whether it holds together: rows, chain and plan. From a database or from a bundle without one
- `learning_curve`: What more patients would bring: the winner trained on some of them, an inverse power law through that, and where it leads
- `luck`: How much of the best value is luck, from fold curves alone: the study is simulated again around its shrunk means
- `nested`: Nested cross-validation: what the whole procedure, search and choice included, scores on patients that it never saw
- `noise`: How sure the choice among trials is: noise, trials that cannot be told from the best, luck of the best of many
- `plan`: A plan of analysis that is fixed before the first trial: read from TOML, hashed, kept with the study, and held against what was done
- `power_law`: An inverse power law through the values of a learning curve, with its uncertainty
- `queue_rows`: What each row of a study's queue must look like, whatever wrote it, and rows that belong to none of them
- `selection`: How sure a study's choice is, from its database: noise, equals of the best, the value corrected for having been chosen
- `verdict`: What is said of a study's best value: how much of it is luck, and what else may be as good
"""
