"""`audit`: verdicts on a handwritten gradient, and the mistakes that explain it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tensorgrad._typing import Tree
from tensorgrad.auditor.adapting import adapted
from tensorgrad.auditor.anatomy import dissect
from tensorgrad.auditor.blindness import blind_spots
from tensorgrad.auditor.intake import Answer, behaviour, call
from tensorgrad.auditor.recognition import recognise
from tensorgrad.auditor.recording import record
from tensorgrad.auditor.report import AuditReport, Finding, Verdict, Where
from tensorgrad.auditor.scene import Scene
from tensorgrad.auditor.sweeping import truth
from tensorgrad.core.tensor import tensor
from tensorgrad.errors import DTypeError, explain
from tensorgrad.testing.checking.drawing import check_drawn, is_strategy
from tensorgrad.testing.gradients import gradcheck
from tensorgrad.testing.networks import Mlp, draw_mlp
from tensorgrad.tree import flatten, unflatten

__all__ = ["audit", "audit_drawn", "audit_network"]

N_STRATEGY_POINTS = 12
N_NETWORK_POINTS = 3
ALIASES = {"leaky": "leaky_relu"}


def audit(
    handwritten: Callable[..., Tree],
    loss: Callable[..., Any] | Mlp | Sequence[int],
    params: Tree = None,
    *data: Any,
    rng: int | np.random.Generator = 0,
    seconds: float = 60.0,
) -> AuditReport:
    """Compare a handwritten gradient with the true one, and name the mistake.

    Parameters
    ----------
    handwritten : callable
        ``handwritten(params, *data)`` returns the gradient in the structure of `params`, in
        plain NumPy. Names may have a d before them (``dW1``), and there may be more:
        ``{"grads": …, "delta": {1: …}}`` has every δ judged as well.
    loss : callable
        ``loss(params, *data)`` returns the cost as a graph, in any layout. Or a network of
        `tensorgrad.testing.networks.draw_mlp`, which has data of its own; or the widths of
        one, as ``[5, 4, 6, 3]``, and `params` the activations: revealing points are drawn.
    params : tree of arrays
        Where. Random numbers of size 1, biases too, and sizes that differ tell most.
    *data
        Passed on to both. Where parameters or data are Hypothesis strategies, points are
        drawn, and a refuted one is made as simple as it can be.
    rng : int or numpy.random.Generator
        Where the directions of the independent check come from.
    seconds : float
        How long to look for an explanation at most, in seconds.

    Returns
    -------
    AuditReport
        ``.ok``, ``.verdicts``, ``.findings``, ``.blind_spots``; print it.

    Raises
    ------
    ArgumentError
        If the cost is no single real number made of the parameters.
    DTypeError
        If no parameter holds floating numbers.

    Notes
    -----
    The cost is recorded, and its backward pass run with one rule replaced by a mistaken one,
    for every rule and every mistake of the catalogue, until the result is the handwritten
    gradient. How far a correct gradient may be off is measured with other roundings. What
    the function raises or returns otherwise is a verdict, too.

    References
    ----------
    Notes, sections 2 to 6.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> rng = np.random.default_rng(0)
    >>> params = {"W": rng.normal(size=(1, 3)), "b": rng.normal(size=(1, 1))}
    >>> x, y = rng.normal(size=(3, 5)), np.array([[0.0, 1.0, 1.0, 0.0, 1.0]])
    >>> def loss(params, x, y):
    ...     a = tg.sigmoid(params["W"] @ x + params["b"])
    ...     return tg.log_loss(a, y, example_axis=1)
    >>> def backward(params, x, y):
    ...     a = 1 / (1 + np.exp(-(params["W"] @ x + params["b"])))
    ...     return {"W": (a - y) @ x.T, "b": (a - y).mean(axis=1, keepdims=True)}
    >>> report = tg.audit(backward, loss, params, x, y)
    >>> report.ok, report.verdicts["b"].status, report.findings[0].factor_expr
    (False, 'confirmed', 'n')

    Of a network in the notes' layout, at points that are drawn:

    >>> def slopes(params, x, y):
    ...     a = 1 / (1 + np.exp(-(params["w"][1] @ x + params["b"][1])))
    ...     delta = (a - y) / y.shape[1]
    ...     return {"w": {1: delta @ x.T}, "b": {1: delta.sum(axis=1, keepdims=True)}}
    >>> tg.audit(slopes, [4, 3], ["sigmoid"]).ok
    True
    """
    if isinstance(loss, Mlp):
        return audit_network(handwritten, loss, rng=rng, seconds=seconds)
    if not callable(loss):
        return audit_drawn(handwritten, loss, params, rng=rng, seconds=seconds)
    if any(is_strategy(value) for value in (params, *data)):
        at = partial(audit, handwritten, loss, rng=rng, seconds=seconds)
        return check_drawn(at, (params, *data), N_STRATEGY_POINTS)
    leaves, structure = flatten(params)
    found, _, handles = record(loss, leaves, structure, data)
    if not handles:
        raise DTypeError(
            explain(
                "audit",
                "parameters without floating numbers",
                "at least one array of floating numbers to differentiate by",
                "Pass the parameters as float64",
            )
        )
    recognise(found)
    true, parts = truth(found), dissect(found)
    shapes = {name: np.shape(value) for name, value in true.gradients.items()}

    def ask(values: Sequence[Any]) -> Answer:
        return call(handwritten, values, structure, data, shapes)

    first = ask(leaves)
    reference, is_sound = _reference(loss, params, data, rng)
    scene = Scene(found, true, parts, np.random.default_rng(rng), seconds)
    spots = blind_spots(parts, true)
    if first.error:
        return _without_gradient(first.error, shapes, spots, reference)

    def moves(elsewhere: Sequence[Any]) -> bool:
        there, _, _ = record(loss, elsewhere, structure, data)
        slopes = truth(there).gradients
        return any(
            not np.allclose(slopes[name], true.gradients[name], rtol=1e-9, atol=0)
            for name in slopes
        )

    manners = behaviour(ask, leaves, first, moves)
    verdicts, findings = scene.judged(first, manners, is_sound=is_sound)
    return AuditReport(verdicts, tuple(findings), tuple(spots), reference)


def _without_gradient(
    error: str,
    shapes: Mapping[str, tuple[int, ...]],
    spots: Sequence[str],
    reference: str,
) -> AuditReport:
    """Return the report on a function that gave back nothing to judge."""
    finding = Finding(
        "unexplained",
        Where(tuple(shapes), None, "the function", ""),
        float("nan"),
        "",
        (),
        {},
        float("nan"),
        f"There is no gradient to judge: {error}.",
        "return the gradient in the structure of the parameters",
    )
    verdict = Verdict("inconclusive", 1.0, error)
    return AuditReport(
        dict.fromkeys(shapes, verdict), (finding,), tuple(spots), reference
    )


def audit_network(
    handwritten: Callable[..., Tree],
    net: Mlp,
    *,
    rows: bool = False,
    rng: int | np.random.Generator = 0,
    seconds: float = 60.0,
) -> AuditReport:
    """Audit a backprop in the notes' style on one drawn network.

    Parameters
    ----------
    handwritten : callable
        Gets what its parameters name: params, or w and b; x, y, z, a, cache, masks,
        keep_prob, lam, activations …
    net : Mlp
    rows : bool
        Hand it examples in rows.
    rng, seconds
        As for `audit`.

    Examples
    --------
    >>> from tensorgrad.testing.networks import draw_mlp
    >>> def backward(w, b, a, y):
    ...     delta = a[1] - y
    ...     return {"dW1": delta @ a[0].T, "db1": delta.sum(axis=1, keepdims=True)}
    >>> net = draw_mlp(0, sizes=[4, 3], activations=["softmax"], lam=0.0)
    >>> audit_network(backward, net).findings[0].factor_expr
    'n'
    """
    return audit(
        adapted(handwritten, net, rows=rows),
        net.cost,
        net.params,
        net.x,
        net.y,
        rng=rng,
        seconds=seconds,
    )


def audit_drawn(
    handwritten: Callable[..., Tree],
    sizes: Sequence[int],
    activations: Sequence[str] | None,
    *,
    rows: bool = False,
    rng: int | np.random.Generator = 0,
    seconds: float = 60.0,
    **options: Any,
) -> AuditReport:
    """Audit a backprop in the notes' style at drawn points, until one refutes it.

    Parameters
    ----------
    handwritten, rows, rng, seconds
        As for `audit_network`.
    sizes : sequence of int
        Nodes of the layers 0 … L.
    activations : sequence of str, optional
        Of the layers 1 … L.
    **options
        n, loss, lam and dropout, for `tensorgrad.testing.networks.draw_mlp`; without
        penalty and dropout unless they are given, since not every hand has them.

    Examples
    --------
    >>> audit_drawn(lambda params, x, y: {"w": {1: x}}, [3, 1], ["sigmoid"]).verdict
    'refuted'
    """
    generator = np.random.default_rng(rng)
    settings = {"lam": 0.0, "dropout": False, **options}
    names = [ALIASES.get(name, name) for name in activations] if activations else None
    reports: list[AuditReport] = []
    for _ in range(N_NETWORK_POINTS):
        net = draw_mlp(generator, sizes=list(sizes), activations=names, **settings)
        reports.append(
            audit_network(handwritten, net, rows=rows, rng=rng, seconds=seconds)
        )
        if reports[-1].verdict == "refuted":
            return reports[-1]
    return next((r for r in reports if r.verdict == "confirmed"), reports[-1])


def _reference(
    loss: Callable[..., Any], params: Tree, data: Sequence[Any], rng: Any
) -> tuple[str, bool]:
    """Check the true gradient against slopes, which know nothing of graphs."""
    seed = rng if isinstance(rng, int) else 0

    leaves, structure = flatten(params)

    def cost(moved: Tree) -> Any:
        # The cost may use what Tensors alone have, as .numpy().
        found, _ = flatten(moved)
        given = [tensor(v) if isinstance(v, np.ndarray) else v for v in found]
        return loss(unflatten(structure, given), *data)

    plain = unflatten(structure, leaves)
    try:
        with np.errstate(all="ignore"):
            report = gradcheck(cost, plain, modes=("reverse",), rng=seed, n_entries=3)
    except Exception as error:  # noqa: BLE001  # the cost ran before: not its fault alone
        return f"slopes could not be taken ({type(error).__name__})", True
    told = {
        "confirmed": "the true gradient agrees with slopes of the cost",
        "inconclusive": f"slopes of the cost cannot tell: {report.reason}",
        "refuted": f"THE TRUE GRADIENT DISAGREES with slopes of the cost: {report.reason}",
    }
    return told[report.verdict], report.verdict != "refuted"
