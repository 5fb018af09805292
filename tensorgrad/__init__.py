"""A computational-graph engine on NumPy.

Define a model as a graph, get its δ-recursions by reverse mode, and compare them with a
handwritten backprop::

    import tensorgrad as tg

The functions of NumPy keep their names (``tg.tanh``, ``tg.sum``); losses, gradients,
layers, optimisers and training are listed in the reference.
"""

from __future__ import annotations

import importlib
from typing import Any

from tensorgrad import errors, tree
from tensorgrad import frontend as _frontend
from tensorgrad import ops as _ops
from tensorgrad.autodiff.custom import custom_gradient
from tensorgrad.autodiff.gradients import gradients
from tensorgrad.autodiff.matrices import hessian, jacobian
from tensorgrad.autodiff.products import elementwise_grad, hvp, jvp, vjp
from tensorgrad.autodiff.recompute import checkpoint
from tensorgrad.autodiff.transforms import grad, value_and_grad
from tensorgrad.core.modes import debug, no_grad
from tensorgrad.core.tensor import Tensor, tensor
from tensorgrad.errors import *  # noqa: F403  # its __all__ is the list of exceptions
from tensorgrad.ops.losses import cross_entropy, log_loss, mse

__version__ = "0.1.0.dev0"

# Imported at first use: a function of NumPy arrays needs neither layers nor training.
_LAZY = {
    "audit": "tensorgrad.auditor",
    "compile": "tensorgrad.compiler",
    "data": "tensorgrad.data",
    "derivations": "tensorgrad.derivations",
    "l2_penalty": "tensorgrad.nn.penalty",
    "load": "tensorgrad.serial",
    "nn": "tensorgrad.nn",
    "optim": "tensorgrad.optim",
    "save": "tensorgrad.serial",
    "serial": "tensorgrad.serial",
    "testing": "tensorgrad.testing",
    "train": "tensorgrad.train",
}

# The table is the list of ops: an entry is exported by being there, and under every
# other name that NumPy has for the same function (np.conj for np.conjugate).
_EXPORTED = {**_frontend.numpy_aliases(), **_frontend.FUNCTIONS, **_ops.TABLE}
globals().update({k: v for k, v in _EXPORTED.items() if k not in globals()})

__all__ = [  # noqa: PLE0604  # names come from tables
    *_EXPORTED,
    *_LAZY,
    *errors.__all__,
    "Tensor",
    "checkpoint",
    "cross_entropy",
    "custom_gradient",
    "debug",
    "elementwise_grad",
    "errors",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "log_loss",
    "mse",
    "no_grad",
    "tensor",
    "tree",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    module_name = _LAZY.get(name)
    if module_name is None:
        message = f"module 'tensorgrad' has no attribute {name!r}"
        raise AttributeError(message)
    module = importlib.import_module(module_name)
    is_module = module_name.rpartition(".")[2] == name
    value = module if is_module else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
