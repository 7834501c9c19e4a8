"""The program that runs on a device: the standard library and one runtime, Python 3.6 and newer.

It reads commands from stdin and writes records to stdout. Both are one JSON object a line. Empty lines only tell that
the host is alive. The runtime is imported once. A worker is forked for each block, before any session exists. So every
block starts in the same clean memory, and does not pay for the import again. The worker and the agent end with the
host.

Commands, by their key "command":
- `block`: run a worker, with the keys of `host.BLOCK`. The SHA-256 names the artifact and the inputs.
- `generation`: load a worker of each member, with the keys of `host.GENERATION`. After the record `loaded`, each
  order `round` with the keys of `host.ROUND` lets them take turns, and the record `round` ends it. The order `finish`
  ends the generation.
- `has`, with "sha256": list the files of these digests that are here, whole.
- `put`, with "sha256" and "bytes": the file follows, raw.
- `state`: report clocks, temperatures and load.
- `modes`: list the power modes of the machine.
- `mode`, with "name": change to a power mode, or with null to the one that was found.
- `clean`: remove all files.
- `quit`.
Records: `busy` while another study holds the machine, then `hello` once. Each command has records of its own, closed
by one `end` or `error`. A worker sends its samples when its timed runs are over: writing between them would disturb
them.

These modules import each other and nothing else of ours. `devices/program.py` makes the one file that is sent.
"""
