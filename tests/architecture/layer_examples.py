"""The smallest use of every layer, as a doctest for a process of its own.

Each runs below an empty package root: it can only use its own layer and lower ones,
which is what an import check does not see (`frontend` may have installed a method that
`tree` happens to call). A new layer adds its example.
"""

from __future__ import annotations

EXAMPLES = {
    "errors": """
>>> from tensorgrad.errors import ShapeError
>>> issubclass(ShapeError, ValueError)
True
""",
    "_typing": """
>>> from tensorgrad._typing import Shape
>>> Shape
tuple[int, ...]
""",
    "derivations": """
>>> from tensorgrad.derivations import activations
>>> activations.__name__
'tensorgrad.derivations.activations'
""",
    "core": """
>>> from tensorgrad.core.tensor import tensor
>>> tensor([1.0, 2.0]).numpy()
array([1., 2.])
""",
    "ops": """
>>> from tensorgrad.core.tensor import tensor
>>> from tensorgrad.ops import TABLE
>>> TABLE["sum"](tensor([1.0, 2.0]) * 2.0).item()
6.0
""",
    "tree": """
>>> from tensorgrad.tree import paths
>>> paths({"w": [1.0, 2.0]})
['w.0', 'w.1']
""",
    "autodiff": """
>>> from tensorgrad.autodiff.transforms import grad
>>> from tensorgrad.ops import reduce
>>> grad(lambda x: reduce.sum(x * x))(np.array([1.0, 2.0]))
array([2., 4.])
""",
    "frontend": """
>>> import tensorgrad.frontend
>>> from tensorgrad.core.tensor import tensor
>>> np.sum(tensor([1.0, 2.0])).item()
3.0
""",
    "compiler": """
>>> import tensorgrad.frontend
>>> from tensorgrad.compiler import compile
>>> compile(lambda x: np.tanh(x) * 2.0)(np.zeros(2))
array([0., 0.])
""",
    "serial": """
>>> import pathlib, tempfile
>>> from tensorgrad.serial import load, save
>>> with tempfile.TemporaryDirectory() as folder:
...     save(pathlib.Path(folder) / "a.npz", {"w": np.array([1.0])})
...     load(pathlib.Path(folder) / "a.npz", {"w": np.zeros(1)})
{'w': array([1.])}
""",
    "nn": """
>>> from tensorgrad.nn import Dense
>>> Dense(2, 3, rng=0)(np.ones((4, 2))).shape
(4, 3)
""",
    "optim": """
>>> from tensorgrad.optim import SGD
>>> optimizer, params = SGD(0.5), {"w": np.ones(2)}
>>> params, _ = optimizer.update(params, optimizer.init(params), params)
>>> params["w"]
array([0.5, 0.5])
""",
    "data": """
>>> from tensorgrad.data import load
>>> x, y = load("digits")
>>> x.shape
(1797, 64)
""",
    "train": """
>>> from tensorgrad.nn import mlp
>>> from tensorgrad.train import error_rate
>>> model = mlp([2, 1], ["sigmoid"], rng=0)
>>> bool(0 <= error_rate(model, np.ones((4, 2)), np.ones((4, 1))) <= 1)
True
""",
    "testing": """
>>> from tensorgrad.testing.oracle import evaluate
>>> evaluate(("square", 0), [np.array([3.0])])
array([9.])
""",
    "auditor": """
>>> from tensorgrad.auditor import audit
>>> audit(lambda params, x, y: None, [3, 1], ["sigmoid"]).verdict
'inconclusive'
""",
    "verify": """
>>> from tensorgrad.verify import CLAIMS
>>> {"logistic-gradient"} <= {claim.id for claim in CLAIMS}
True
""",
    "cli": """
>>> from tensorgrad.cli.main import main
>>> callable(main)
True
""",
}
