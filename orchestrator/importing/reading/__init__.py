"""What a table says, cell by cell.

- `cells`: What one cell of a label column says: yes, no, uncertain, nothing, or something else
- `classes`: A column of classes: one class for each image, or a list of findings that may stand side by side
- `groups`: Which rows belong to one patient: the cells of group columns, compared as what they are
- `joining`: Bring the columns of a second table in, by a column that both have
- `kinds`: What kind of label the columns hold: said with --task, or guessed from the columns, and said to the user
- `labels`: The label columns of a table
- `merging`: Several rows for one image, of several readers or findings, made into one
- `tables`: Tables as text, however they are stored: CSV of any separator, packed, from a spreadsheet or from parquet
- `workbooks`: Excel workbooks and parquet files as records of text: the line of each row, and its cells
"""
