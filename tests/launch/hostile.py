"""Arguments that shells like to change, and a command that says what it was given."""

from __future__ import annotations

import json

from hypothesis import strategies as st

HOSTILE = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "''\"\"",
    "$(id)",
    "`id`",
    "$HOME",
    "${IFS}",
    "\n",
    "a\nb\n",
    "\t\r",
    "*",
    "?[a-z]*",
    "~",
    "--",
    "-x",
    "--flag=value",
    "\\",
    "\\n",
    "a\\'b",
    "!",
    "!!",
    "#",
    ";id",
    "&&id",
    "|id",
    ">x",
    "<x",
    "(x)",
    "{a,b}",
    "%s%n",
    "=",
    "a=b",
    "é",
    "日本",
    "\U0001f600",
    "e\u0301",
    "\u202e",
    "\u0085",
    "\x1b[31m",
    "\x7f",
    "END_0",
    'main "$@" </dev/null',
    "\udcff\udc80'",
    "x" * 5000,
]

ECHO = (
    "import sys, os, json; print('ARGV', json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))"
)


def arguments() -> st.SearchStrategy[str]:
    """Return any argument that a process can be given: all but the byte 0, which ends one."""
    pieces = st.sampled_from(HOSTILE)
    letters = st.characters(exclude_characters="\0", codec="utf-8")
    return st.one_of(pieces, st.text(letters, max_size=40), st.builds(str.__add__, pieces, pieces))


def echoed(said: str) -> list[str]:
    """Return the arguments that ECHO says it was given."""
    [line] = [line for line in said.splitlines() if line.startswith("ARGV ")]
    values = json.loads(line.removeprefix("ARGV "))
    return [bytes.fromhex(value).decode("utf-8", "surrogateescape") for value in values]
