"""What prompts asked, by their names: one text a prompt, whatever rows and tables say it."""

from __future__ import annotations

from collections.abc import Mapping

from essay_scoring.core.text import name_key, plain_text
from essay_scoring.data.rows import Fault, shown


class PromptTexts:
    """Collects what prompts asked; `known` are texts of prompts that are told already, `where`.

    `by_name` has those of other prompts. Texts that differ by case, white space or Unicode form are
    one. No message quotes one.
    """

    def __init__(
        self, known: Mapping[str, str] | None = None, where: str = "", row: str = "row"
    ) -> None:
        self.by_name: dict[str, str] = {}
        self._where, self._row = where, row
        self._texts = {name_key(name): name_key(text) for name, text in (known or {}).items()}
        self._rows: dict[str, int] = {}
        self._told: set[str] = set()

    def fault(self, prompt: str, text: str, row: int) -> Fault | None:
        """Take in the text of a row; return what is wrong with it, once a prompt, if anything."""
        normal, key = name_key(text), name_key(prompt)
        if not normal or not key:
            return None
        if key not in self._texts:
            self._texts[key], self._rows[key] = normal, row
            self.by_name[prompt] = plain_text(text).strip()
        if self._texts[key] == normal or key in self._told:
            return None
        self._told.add(key)
        first = f"in {self._row} {self._rows[key]}" if key in self._rows else self._where
        return Fault(
            f"the text of what the prompt {shown(prompt)} asked is not that {first}",
            f"give each prompt one text in every {self._row}, or different prompts different names",
        )
