"""How orch speaks and listens at a terminal.

- `choices`: What `orch study create` lets one choose from by a word
- `completing`: What the shell offers after Tab: names of studies, keys of --set, and columns of a data set or a table
- `console`: How commands speak: results on stdout, progress and remarks on stderr, plain text off a terminal
- `documents`: Hand out a result: as a JSON file, as a page of figures, and on the terminal
- `failures`: Every failure as one clear message and an exit code: the one error boundary
- `help`: How the help of a command shows what it takes: NAME, [NAME], NAME.., as manuals do
- `opening`: Open the study database that the command line means, and close it again
- `options`: Options that several commands share
- `progress`: A progress bar with the time left on stderr; nothing off a terminal
- `stages`: The progress of long work in several stages: a bar on a terminal, now and then a line elsewhere
- `stopping`: A server of ours in the terminal, in the background or under an init system: told to stop, it stops, and says how
- `streams`: Standard input, output and error: there also where a scheduler started the command without them
- `wrapping`: Lines that fit the terminal: broken between words, never within one, and never within a command to paste
"""
