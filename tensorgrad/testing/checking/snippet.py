"""A program that makes the same check again, to paste into an issue."""

from __future__ import annotations

import base64
import inspect
import textwrap
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.core.tensor import Tensor, as_value

__all__ = ["snippet"]

LITERAL_ENTRIES = 50


def snippet(f: Any, args: Sequence[Any], options: dict[str, Any]) -> str:
    """Return Python code that defines the function if it can, and calls gradcheck.

    Examples
    --------
    >>> print(snippet(np.tanh, (np.array([0.5]),), {}))
    import base64, zlib
    import numpy as np
    import tensorgrad as tg
    <BLANKLINE>
    from numpy import tanh
    <BLANKLINE>
    report = tg.testing.gradcheck(
        tanh,
        np.array([0.5], dtype='float64'),
    )
    print(report.table())
    """
    parts = f if isinstance(f, tuple) else (f,)
    definitions, names = zip(
        *[_definition(p, k) for k, p in enumerate(parts)], strict=True
    )
    called = f"({', '.join(names)})" if isinstance(f, tuple) else names[0]
    lines = ["import base64, zlib", "import numpy as np", "import tensorgrad as tg", ""]
    lines += [*definitions, "", "report = tg.testing.gradcheck("]
    given = [called, *map(literal, args), *[f"{k}={v!r}" for k, v in options.items()]]
    lines += [f"    {text}," for text in given]
    lines += [")", "print(report.table())"]
    return "\n".join(lines)


def _definition(f: Any, k: int) -> tuple[str, str]:
    """Return code that makes a function available, and the name it then has."""
    name, module = getattr(f, "__name__", ""), getattr(f, "__module__", "") or ""
    if isinstance(f, np.ufunc):
        return f"from numpy import {name}", name
    is_local = "<" in getattr(f, "__qualname__", "<") or module == "__main__"
    if not is_local:
        return f"from {module} import {f.__qualname__.split('.')[0]}", f.__qualname__
    try:
        source = textwrap.dedent(inspect.getsource(f)).rstrip()
    except (OSError, TypeError):
        source = ""
    if source.startswith("def "):
        return f"{source}\n", name
    comment = textwrap.indent(source or repr(f), "# ")
    return f"{comment}\nf{k} = ...  # the function above, or yours", f"f{k}"


def literal(value: Any) -> str:
    """Return code for an argument: arrays in full, large ones compressed.

    Examples
    --------
    >>> literal([np.float32(1.5), "a"])
    "[np.array(1.5, dtype='float32'), 'a']"
    """
    if isinstance(value, Tensor):
        return literal(np.asarray(as_value(value)))
    if isinstance(value, np.generic):
        return literal(np.asarray(value))
    if isinstance(value, np.ndarray):
        if value.size <= LITERAL_ENTRIES:
            return f"np.array({value.tolist()!r}, dtype={value.dtype.name!r})"
        packed = base64.b85encode(zlib.compress(np.ascontiguousarray(value).tobytes()))
        return (
            f"np.frombuffer(zlib.decompress(base64.b85decode({packed.decode()!r})), "
            f"{value.dtype.name!r}).reshape({value.shape})"
        )
    if isinstance(value, dict):
        inner = ", ".join(f"{k!r}: {literal(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if type(value) is tuple:
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)
