"""Bias and variance, as the notes' section 4 tells them apart, every case decided."""

from __future__ import annotations

from dataclasses import dataclass

from tensorgrad.errors import ArgumentError, explain

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What train and dev error say about a model.

    Attributes
    ----------
    high_bias : bool
        The training set is not fitted as well as it could be.
    high_variance : bool
        The dev set does clearly worse than the training set.
    advice : str
        What to try next, bias first.

    Examples
    --------
    >>> diagnose(0.01, 0.12).advice
    'More data, a penalty (lam), dropout, or a smaller network.'
    """

    high_bias: bool
    high_variance: bool
    advice: str

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to mend: the end of the notes' loop."""
        return not (self.high_bias or self.high_variance)

    def __str__(self) -> str:
        return (
            f"bias {'high' if self.high_bias else 'low'}, "
            f"variance {'high' if self.high_variance else 'low'}. {self.advice}"
        )


_ADVICE = {
    (False, False): "Nothing to mend: measure the test error.",
    (True, False): "A bigger network, longer training, or another architecture.",
    (False, True): "More data, a penalty (lam), dropout, or a smaller network.",
    (True, True): "First the bias: a bigger network or longer training; then the "
    "variance: more data, a penalty or dropout.",
}


def diagnose(
    train_error: float,
    dev_error: float,
    *,
    tolerance: float = 0.02,
    bayes_error: float = 0.0,
) -> Diagnosis:
    """Tell high bias and high variance from two error rates.

    Parameters
    ----------
    train_error, dev_error : float, in [0, 1]
    tolerance : float, in [0, 1]
        A gap up to this one is no reason to act.
    bayes_error : float, in [0, 1]
        What the best possible classifier reaches; the notes assume 0.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ArgumentError
        If an argument is not between 0 and 1.

    Notes
    -----
    Bias is high if ``train_error - bayes_error > tolerance``, variance if
    ``dev_error - train_error > tolerance``. The notes compare with ε and 10ε, which
    leaves every training error between them undecided, and call any dev error above
    the training error high variance.

    The loop of the notes is: diagnose, do what ``advice`` says first, train again, until
    ``is_done``. Bias is measured from the Bayes error, below which no training leads: a
    loop that measured it from 0 would not end where that is above the tolerance.

    References
    ----------
    Notes, section 4.

    Examples
    --------
    >>> print(diagnose(0.15, 0.16))
    bias high, variance low. A bigger network, longer training, or another architecture.
    >>> diagnose(0.15, 0.16, bayes_error=0.14).is_done
    True
    """
    named = {
        "train_error": train_error,
        "dev_error": dev_error,
        "bayes_error": bayes_error,
        "tolerance": tolerance,
    }
    for name, value in named.items():
        if not 0 <= value <= 1:
            raise ArgumentError(
                explain(
                    "diagnose",
                    f"{name}={value}",
                    "a number between 0 and 1",
                    "Divide a percentage by 100; an accuracy a is the error 1 - a",
                )
            )
    high_bias = train_error - bayes_error > tolerance
    high_variance = dev_error - train_error > tolerance
    return Diagnosis(high_bias, high_variance, _ADVICE[high_bias, high_variance])
