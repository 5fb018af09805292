"""The families of mistakes, each with one sentence."""

from __future__ import annotations

__all__ = ["FAMILIES"]

FAMILIES = {
    "scale": "A factor: the 1/n of the mean is missing or there twice, features are counted "
    "for examples, a half or a two too many.",
    "sign": "A minus is lost, everywhere or at one step.",
    "reduction": "A sum over another axis, over one example, or not done; means multiplied "
    "for the mean of products.",
    "transpose": "A square matrix is not transposed, or a result is.",
    "operand": "Another value of the same shape: z for a, a before dropout, another layer's "
    "W or δ, a weight that was already updated.",
    "activation-derivative": "The derivative of an activation is missing, there twice, that "
    "of another activation, or taken at another value.",
    "output-delta": "The first δ is that of another loss or head, or the labels are coded or "
    "ordered otherwise.",
    "softmax-jacobian": "A sign, the sum over the classes, or all but the diagonal is lost.",
    "penalty": "The penalty is missing, has another factor, is on biases, or is L1.",
    "dropout": "The mask or its scale is missing on the way back, or is that of another layer.",
    "detached": "The gradient stops early: it is zero, or lacks the path of one use.",
    "state": "Something is kept between calls: gradients add up, a cache is old, masks are "
    "drawn anew, arguments are changed.",
    "precision": "Right, and not to the last digits: lower precision, differences, whole "
    "numbers.",
    "shape": "A gradient has another shape, or did not come.",
    "unexplained": "No mistake of the catalogue, and no two in different places, explain it.",
}
"""What a finding's ``family`` can be."""
