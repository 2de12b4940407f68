"""Workers on machines that are reached by ssh: a script that starts, shows and stops them.

Each machine gets the worker's environment and command line on the standard input of a shell, not as arguments, and keeps the worker in a
session of its own, so that it outlives the connection. The password of the database is in ~/.pgpass of each machine.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from orchestrator.fleet.order import Order

SCRIPT = """\
#!/bin/bash
# Workers of the study {study} on machines reached by ssh, written by `orch fleet ssh`.
#   {file} start | status | stop
# Each machine needs orch, the data, and the password of the database in ~/.pgpass (mode 600).
set -u

hosts=({hosts})

on_every_host() {{
    failed=0
    for host in "${{hosts[@]}}"; do
        ssh -o BatchMode=yes -- "$host" 'bash -s' <<<"$1" | sed "s|^|$host: |"
        [ "${{PIPESTATUS[0]}}" = 0 ] || {{ echo "$host: failed" >&2; failed=1; }}
    done
    return $failed
}}

read -r -d '' begin <<'EOF'
{exports}
export ORCH_JOB="ssh $(hostname)"
kept="${{XDG_STATE_HOME:-$HOME/.local/state}}/orch"
mkdir -p -m 700 "$kept" || exit 1
name={name}
runs() {{ [ -f "$kept/$name.pid" ] && kill -0 "$(cat "$kept/$name.pid")" 2>/dev/null; }}
EOF

read -r -d '' start <<'EOF'
if runs; then echo "already running"; exit 0; fi
command -v {program} >/dev/null || {{ echo {program} is not here >&2; exit 1; }}
setsid nohup {command} >>"$kept/$name.log" 2>&1 </dev/null &
echo $! >"$kept/$name.pid"
sleep 1
if runs; then echo "started; its log is $kept/$name.log"; else tail -n 5 "$kept/$name.log" >&2; exit 1; fi
EOF

read -r -d '' status <<'EOF'
if runs; then echo running; else echo "not running"; fi
tail -n 1 "$kept/$name.log" 2>/dev/null
exit 0
EOF

read -r -d '' stop <<'EOF'
runs || {{ echo "not running"; exit 0; }}
kill -TERM "$(cat "$kept/$name.pid")"
for _ in $(seq {patience}); do runs || break; sleep 1; done
if runs; then echo "still running"; exit 1; fi
rm -f "$kept/$name.pid"
echo stopped
EOF

case "${{1:-}}" in
    start | status | stop) on_every_host "$begin"$'\\n'"${{!1}}" ;;
    *) echo "Say start, status or stop." >&2; exit 2 ;;
esac
"""


def write_script(order: Order, hosts: Sequence[str], file: str) -> str:
    """The script; run with `start`, it starts one `orch worker` on each machine, on all its GPUs.

    Args:
        order: what is wanted; `workers` is the number of hosts.
        hosts: as ssh takes them: HOST, USER@HOST or ssh://USER@HOST:PORT.
        file: the script's name, for its first lines.
    """
    return SCRIPT.format(
        study=shlex.quote(order.study),
        file=shlex.quote(file),
        hosts=" ".join(shlex.quote(host) for host in hosts),
        exports="\n".join(order.export_lines()),
        name=shlex.quote(order.slug),
        program=shlex.quote(order.program),
        command=shlex.join([order.program, *order.worker_words]),
        patience=order.grace + 20,
    )
