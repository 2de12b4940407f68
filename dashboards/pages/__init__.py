"""Figures as pages: the report, the notes in optuna-dashboard, event files.

- `anonymous`: A chapter that may leave the house: machines are numbered, and accounts are not named
- `chapter`: What a page says of one study: everything that was read of it, its answer, its measurements and its figures
- `columns`: The columns of a printed table: what no line ends within, and how wide each column is for what is in it
- `curve_picture`: The k-fold curves of one trial as a small SVG, for the trial's page in optuna-dashboard
- `html`: The HTML that a page is made of: templates, figures, tables and texts of anybody, escaped, and scripts that need no network
- `notes`: The notes of a study and of its trials in optuna-dashboard, as Markdown
- `paper`: What goes into a paper beside the page: tables as CSV and LaTeX, the methods section, the references
- `printing`: Chromium as a printer: a page as a PDF, figures as SVG of a journal's width
- `publish`: orch's notes and figures into optuna-dashboard: a study's note and figures, and the note of each trial
- `remarks`: What a page says below its tables and images: how they were made, and how far they hold
- `report`: One self-contained HTML page of one or several studies: opens from a file, asks the network for nothing
- `word`: A table as a document of a word processor (.docx), ruled as journals print tables
"""
