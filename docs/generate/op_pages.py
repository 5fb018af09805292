"""The reference pages of the ops, one for each family, from the table.

``python -m docs.generate.op_pages`` writes them; with ``--check`` it fails where one
is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorgrad
from docs.generate.entries import Family, RuleText, families, rule_text
from docs.generate.files import HEADER, ROOT, write_or_compare
from docs.generate.signatures import Imports, call_text, parameters_of_op
from tensorgrad.core.op import Domain, Op, parameters_of

FOLDER = ROOT / "docs" / "reference" / "ops"

KINDS = {
    "Pointwise": "pointwise: one partial derivative for each operand, entry by entry",
    "Linear": "linear in each operand: one transpose for each",
    "Select": "a choice among entries: both modes by hand",
    "Custom": "custom: both modes by hand",
    "Zero": "zero wherever it exists",
}

INDEX = """\
# Ops

An op is one entry of a table; what follows is that table, for reading. Every op is a
function of the package: `tg.tanh(x)` takes a Tensor, an array or a number, and NumPy's
own function does the same for a Tensor. With a Tensor among its operands the result is
a recorded Tensor; of plain arrays it is a plain array.

How to read an entry:

Reverse, forward
: How the derivative passes through the op, for one operand at a time, as the rule is
  written: `g` is the cotangent of the result, `t` the tangent of the operand, `out` the
  result, `x_like` the shape and dtype of `x` without its values. A pointwise op states
  its partial derivative $d$: the reverse rule is then $g \\odot d$, the forward rule
  $t \\odot d$. A linear op states its transpose, and applies itself to the tangent.
  Rules are made of ops, so every op can be differentiated again. Summing over axes that
  were broadcast is not shown: the sweep does it for all.

A node keeps
: The values that stay in memory for the backward pass if that operand is recorded.
  Shapes and dtypes cost nothing and are not listed.

Domain
: Where each entry of the operand may lie for the function to be smooth and finite.
  Tests draw their points from it, at a distance from the kinks.

"""


def pages() -> dict[Path, str]:
    """Return the text of every page by its path."""
    found = families()
    texts = {FOLDER / f"{family.name}.md": page_of(family) for family in found}
    return {FOLDER / "index.md": index_of(found), **texts}


def index_of(found: list[Family]) -> str:
    """Return the first page: how to read the others, and all ops by name."""
    tree = "".join(f"{family.name}\n" for family in found)
    where = {op.name: (op, family) for family in found for op in family.ops}
    lines = [f"<!-- {HEADER} -->", INDEX]
    lines += ["```{toctree}", ":maxdepth: 1", "", tree.rstrip(), "```", ""]
    lines += ["## By name", "", "| op | does | derivative |", "|---|---|---|"]
    for name in sorted(where):
        op, family = where[name]
        lines.append(
            f"| [`{name}`]({family.name}.md#op-{name}) | {op.doc} | {op.kind} |"
        )
    return "\n".join(lines) + "\n"


def page_of(family: Family) -> str:
    """Return the page of one family."""
    lines = [f"<!-- {HEADER} -->", f"# {family.name.capitalize()}", ""]
    lines += [as_markdown(family.subject), ""]
    if family.text:
        lines += [as_markdown(family.text), ""]
    lines += [*preamble(), ""]
    for op in family.ops:
        lines += [*entry_of(op), ""]
    return "\n".join(lines).rstrip() + "\n"


def preamble() -> Iterator[str]:
    """Yield the imports that the examples of a page need."""
    yield from ("```pycon", ">>> import numpy as np", ">>> import tensorgrad as tg", "")
    yield "```"


def as_markdown(text: str) -> str:
    """Turn the double backquotes of a docstring into Markdown's."""
    return text.replace("``", "`")


def entry_of(op: Op) -> Iterator[str]:
    """Yield the lines of one op."""
    yield f"(op-{op.name})="
    yield f"## {op.name}"
    yield ""
    yield " · ".join(f"`{spelling}`" for spelling in spellings(op))
    yield ""
    yield op.doc
    if op.latex:
        yield from ("", "$$", latex_of(op), "$$")
    if op.notes:
        yield from ("", as_markdown(op.notes))
    yield ""
    yield from derivative(op)
    yield from facts(op)
    yield from example(op)


def latex_of(op: Op) -> str:
    """Return the op as LaTeX; operands with names of several letters stand upright."""
    if op.is_variadic:
        return op.latex.format(*[r"x_1, x_2, \dots"] * len(op.operands))
    names = [n if len(n) == 1 else rf"\mathrm{{{n}}}" for n in op.operands]
    return op.latex.format(*names)


def spellings(op: Op) -> Iterator[str]:
    """Yield every way to write the op."""
    is_exported = getattr(tensorgrad, op.name, None) is not None
    parameters = parameters_of_op(op, Imports())
    yield call_text(f"tg.{op.name}" if is_exported else op.name, parameters)
    if op.operator == "abs":
        yield f"abs({op.operands[0]})"
    elif op.operator:
        yield (
            f" {op.operator} ".join(op.operands)
            if len(op.operands) == 2
            else f"{op.operator}{op.operands[0]}"
        )
    if op.method:
        rest = tuple(p for p in parameters[1:])
        yield call_text(f"{op.operands[0]}.{op.method}", rest)
    yield from map(numpy_name, op.numpy)


def numpy_name(function: Any) -> str:
    """Return a NumPy function as users write it."""
    module = getattr(function, "__module__", None) or "numpy"
    prefix = module.replace("numpy", "np", 1).removesuffix("._core.umath")
    if not hasattr(sys.modules.get(module), function.__name__):
        prefix = "np"
    return f"{prefix}.{function.__name__}"


def derivative(op: Op) -> Iterator[str]:
    """Yield how derivatives pass through the op: a table, and longer rules in full."""
    yield f"Derivative: {KINDS[op.kind]}."
    if op.kind == "Zero":
        return
    has_forward = bool(op.jvps)
    yield ""
    yield f"| operand | {reverse_title(op)} |{' forward |' if has_forward else ''} a node keeps |"
    yield f"|---|---|{'---|' if has_forward else ''}---|"
    texts: list[RuleText] = []
    for i, rule in enumerate(op.rules):
        row = [f"`{op.operands[i]}`", _cell(rule, texts)]
        if has_forward:
            row.append(_cell(op.jvps[i], texts))
        yield f"| {' | '.join([*row, kept(op, rule)])} |"
    definitions = list(
        dict.fromkeys(text.definition for text in texts if text.definition)
    )
    if definitions:
        yield from ("", "with", "", "```python", "\n\n\n".join(definitions), "```")


def reverse_title(op: Op) -> str:
    """Return what the rules of this kind of op are called."""
    titles = {"Pointwise": "partial derivative", "Linear": "transpose, of g"}
    return titles.get(op.kind, "reverse")


def _cell(rule: Any, texts: list[RuleText]) -> str:
    if rule is None:
        return "none"
    text = rule_text(rule)
    texts.append(text)
    return f"`{text.expression}`".replace("|", r"\|")


def kept(op: Op, rule: Any) -> str:
    """Return what a node keeps if the operand of this rule is recorded."""
    asked = set(parameters_of(rule)) if rule is not None else set()
    names = [name for name, _ in op.layout if name in asked]
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def facts(op: Op) -> Iterator[str]:
    """Yield what else the entry says, in a line or two."""
    short = []
    if op.kind != "Zero":
        short.append(f"Domain {domains(op)}")
    if op.onnx:
        short.append(f"ONNX `{op.onnx}`")
    if op.source:
        short.append(f"Source: {as_markdown(op.source)}")
    remarks = []
    if op.kink is not None:
        remarks.append("It has [kinks](../../decisions/kinks.md).")
    if op.is_singular:
        remarks.append(
            "A partial derivative may be infinite where the value is finite; a cotangent "
            "of exactly zero stays zero there."
        )
    if op.is_layout:
        remarks.append("The result may be a view of the operand, as in NumPy.")
    if op.n_outputs is not None:
        remarks.append("It has several results; `g` is the list of their cotangents.")
    if remarks:
        yield from ("", " ".join(remarks))
    if short:
        yield from ("", " · ".join(short))


def domains(op: Op) -> str:
    """Return the domain of each operand, or one for all."""
    intervals = [interval(domain) for domain in op.domain]
    if len(set(intervals)) == 1:
        return f"${intervals[0]}$"
    pairs = zip(op.operands, intervals, strict=True)
    return ", ".join(f"`{name}` in ${text}$" for name, text in pairs)


def interval(domain: Domain) -> str:
    """Return an open interval as LaTeX."""
    low = r"-\infty" if domain.low == -float("inf") else f"{domain.low:g}"
    high = r"\infty" if domain.high == float("inf") else f"{domain.high:g}"
    return f"({low}, {high})"


def example(op: Op) -> Iterator[str]:
    """Yield the example that the docstring has too."""
    code, result = op.doctest
    if not code:
        return
    yield from ("", "```pycon")
    yield from (f">>> {line}" for line in code.split("\n"))
    if result:
        yield result
    yield from ("", "```")


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    return write_or_compare(pages(), arguments, obsolete=FOLDER.glob("*.md"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
