"""Why others may believe a study: its evidence as a file, and faults that are planted on purpose.

- `bundle`: `orch study prove` and `orch study check`: a study as one file that can be checked without images and without its database
- `challenge`: `orch study challenge`: faults planted on purpose in a user's own study, each of which must show
- `stated_best`: Whether the best.json in a bundle says what the evidence beside it says
"""
