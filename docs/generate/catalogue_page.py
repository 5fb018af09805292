"""The page of the auditor's catalogue, from its entries.

``python -m docs.generate.catalogue_page`` writes it; the documentation's build does so
before it reads any page.
"""

from __future__ import annotations

from docs.generate.files import ROOT
from tensorgrad.auditor.catalogue import CATALOGUE
from tensorgrad.auditor.families import FAMILIES

PAGE = ROOT / "docs" / "reference" / "catalogue.md"

HEAD = """\
<!-- Written when the documentation is built: edit tensorgrad/auditor, not this file. -->
# The auditor's catalogue

What [`tg.audit`](../tutorial/audit.md) knows of the ways in which a backprop goes wrong. A
finding's `family` is one of these:

"""

ENTRIES = """
## Rules replaced

Each entry replaces one rule of the true backward pass, at one place, and at all places of the
same part at once. The parts are read off the cost: *weight* and *bias* are what a parameter
of a layer gets, *signal* is what passes a weight on its way down, *activation*, *mask* and
*keep* (the scale of a mask) what passes these, *loss* the first δ.

"""

NUMBERS = """
## Numbers solved for

At every place, and at all places of a part, the gradient is also tried with a factor. The
factor is not guessed: the gradient is linear in it. Only when it fits is it written as a
product of sizes (n examples, m features, widths s1, s2 …) and small constants. In the same
way the strength of a penalty that does not belong there, and the rate with which a weight was
updated too early, come out of the gradient itself.
"""


def text() -> str:
    """Return the page."""
    lines = [HEAD]
    lines += [f"**{name}**\n: {doc}\n" for name, doc in FAMILIES.items()]
    lines.append(ENTRIES)
    lines.append("| entry | family | tried at | what is done |\n|---|---|---|---|")
    lines += [
        f"| {e.name} | {e.family} | {', '.join(e.roles)} | {e.doc} |" for e in CATALOGUE
    ]
    lines.append(NUMBERS)
    return "\n".join(lines)


def write() -> None:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
