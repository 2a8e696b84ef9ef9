"""Write the table of constants in docs/association.md from the docstrings under the constants of `mtmc.association`.

    python docs/association_constants.py

Each docstring says in this order what the constant is, with its unit, what raising it does, and how it was chosen
("Development scenarios", "Theory: ..." or "Safety bound ...").
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "mtmc" / "association"
DOCUMENT = ROOT / "docs" / "association.md"
BEGIN, END = "<!-- constants: begin -->", "<!-- constants: end -->"
CHOSEN = re.compile(r"(?:^|(?<=[.)] ))(?:Development scenarios|Theory|Safety bound)")
EFFECT = re.compile(r"(?<=[.)] )(?:Raising|Later rounds|More )")
UNITS = (
    (r"^Strength|^(New vehicles|Tracks spread|Rounds)", "count"),
    (r"seconds squared", "s²"),
    (r"[Mm]etres per second", "m/s"),
    (r"^Nats", "nats"),
    (r"^(Shortest time in )?[Ss]econds|in seconds|deviation in seconds", "s"),
    (r"^Metres|in metres", "m"),
    (r"^Pixels", "px"),
    (r"^Box sizes per second", "box sizes/s"),
    (r"^Box (sides|sizes)", "box sizes"),
    (r"in picture sizes", "picture sizes"),
    (r"[Ss]tandard deviations", "std. dev."),
    (r"^(Expected s|S|Largest s|Smallest s)hare", "share"),
    (r"[Pp]robability", "probability"),
    (r"^(Expected |Largest )?correlation", "correlation"),
    (r"^(Sum of weights|Number|Expected number)", "count"),
)


@dataclass(frozen=True, slots=True)
class Constant:
    """A row of the table.

    Attributes:
        module: path of its file below `mtmc/association`.
        name, value: as in the source.
        unit: of the value.
        meaning, effect, chosen: what it is, what raising it does, how it was chosen.
    """

    module: str
    name: str
    value: str
    unit: str
    meaning: str
    effect: str
    chosen: str


def constants(source: Path = SOURCE) -> list[Constant]:
    """All public constants of the modules below a folder, in the order of modules and lines.

    Raises:
        ValueError: a constant has no docstring, or one of another form.
    """
    found: list[Constant] = []
    for path in sorted(source.rglob("*.py"), key=lambda p: (p.parent == source, p)):
        module = path.relative_to(source).as_posix()
        for name, value, text in _documented(ast.parse(path.read_text(encoding="utf-8"))):
            chosen, effect = CHOSEN.search(text), EFFECT.search(text)
            if not chosen or not effect or effect.start() > chosen.start():
                raise ValueError(
                    f"{module}: {name} needs a docstring that says what it is, what raising it does and how it was "
                    f"chosen; found: {text!r}"
                )
            meaning = text[: effect.start()].strip()
            # What follows the sentence on the effect belongs to the meaning.
            sentence, _, more = text[effect.start() : chosen.start()].strip().partition(". ")
            same = meaning.startswith(("The same", f"`{found[-1].name}`" if found else "The same")) and found
            unit = found[-1].unit if same else _unit(meaning, value)
            meaning = f"{meaning} {more}".strip()
            found.append(
                Constant(module, name, value, unit, meaning, sentence.rstrip(".") + ".", text[chosen.start() :].strip())
            )
    return found


def _documented(module: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Name, value and docstring of each constant of a module."""
    for statement, after in zip(module.body, [*module.body[1:], None], strict=True):
        if not isinstance(statement, ast.Assign):
            continue
        name = ast.unparse(statement.targets[0]).strip("()")
        if not name.replace(", ", "").isupper() or name.startswith("_"):
            continue
        if isinstance(statement.value, ast.Dict) or isinstance(getattr(statement.value, "value", None), str):
            continue  # names and tables of names decide nothing
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = " ".join(str(after.value.value).split())
        yield name, _readable(ast.unparse(statement.value)), text


def _readable(value: str) -> str:
    """1e6 and 3,000,000 rather than 1000000.0 and 3000000."""
    if re.fullmatch(r"\d{5,}", value):
        return f"{int(value):,}"
    if re.fullmatch(r"\d{5,}\.0", value):
        return f"{float(value):.0e}".replace("e+0", "e").replace("e+", "e")
    return value


def _unit(meaning: str, value: str) -> str:
    first = meaning.split(". ")[0]
    for pattern, unit in UNITS:
        if re.search(pattern, first):
            return unit
    return "count" if re.fullmatch(r"[\d,]+", value) else "ratio"


def table(found: list[Constant]) -> str:
    """The Markdown tables, one for each file."""
    lines: list[str] = []
    for number, row in enumerate(found):
        if number == 0 or found[number - 1].module != row.module:
            lines += ["", f"**`{row.module}`**", ""]
            lines += [
                "| constant | value | unit | what it is | raising it | how it was chosen |",
                "|---|---|---|---|---|---|",
            ]
        effect = row.effect.removeprefix("Raising it ").rstrip(".")
        cells = (f"`{row.name}`", f"`{row.value}`", row.unit, row.meaning.rstrip("."), effect, row.chosen.rstrip("."))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).strip() + "\n"


def updated(document: str, found: list[Constant]) -> str:
    """The document with the table of these constants between its two markers."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{len(found)} constants.\n\n{table(found)}{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text(encoding="utf-8"), constants()), encoding="utf-8")
