"""Plant every fault, print who survives, and compare with the list of survivors.

``python -m tests.mutants`` runs all, ``python -m tests.mutants tanh matmul`` those that
concern some ops, and ``--write`` brings `survivors.txt` up to date: new survivors get the
reason "unexplained", those that are noticed now are removed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.mutants.campaign import Mutant, killer, mutants
from tests.mutants.survivors import Entry, read, write

REQUIRED = 0.98
"""Of the faults that change a derivative somewhere, this part has to be noticed."""


def main(arguments: list[str]) -> int:
    """Run the campaign; return 0 if enough faults are noticed and the list is exact."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__
    )
    parser.add_argument("ops", nargs="*", help="names of ops; all if none is given")
    parser.add_argument("--write", action="store_true", help="update the list")
    parser.add_argument("--jobs", type=int, default=2, help="processes to run in")
    options = parser.parse_args(arguments)
    planted = mutants(frozenset(options.ops))
    if not planted:
        parser.error(f"no rules to change for {', '.join(options.ops)}")
    survivors = campaign(planted, options.jobs)
    known = read()
    is_enough = report(planted, survivors, known)
    here = {mutant.name for mutant in planted}
    is_partial = bool(options.ops)
    unlisted = [m.name for m in survivors if m.name not in known]
    stale = [
        name
        for name in known
        if name not in {m.name for m in survivors} and (name in here or not is_partial)
    ]
    for name in unlisted:
        print(f"not listed: {name}")
    for name in stale:
        print(f"noticed now, or gone: {name}")
    if options.write:
        kept = {name: entry for name, entry in known.items() if name not in stale}
        kept |= {name: Entry("survives", "unexplained") for name in unlisted}
        write(kept)
        return 0
    return 0 if is_enough and not unlisted and not stale else 1


def campaign(planted: list[Mutant], jobs: int) -> list[Mutant]:
    """Return the mutants that no check notices."""
    names = frozenset(op.name for mutant in planted for op in mutant.ops)
    parts = [(names, k, jobs) for k in range(jobs)]
    with ProcessPoolExecutor(jobs) as pool:
        found = frozenset().union(*pool.map(unnoticed, parts))
    return [mutant for mutant in planted if mutant.name in found]


def unnoticed(part: tuple[frozenset[str], int, int]) -> frozenset[str]:
    """Return the names of the survivors among every n-th mutant, from the k-th."""
    names, k, n = part
    return frozenset(m.name for m in mutants(names)[k::n] if killer(m) is None)


def report(
    planted: list[Mutant], survivors: list[Mutant], known: dict[str, Entry]
) -> bool:
    """Print the figures by family; tell whether enough are noticed."""
    total = Counter(mutant.family for mutant in planted)
    lost = Counter(mutant.family for mutant in survivors)
    for family, n in sorted(total.items()):
        print(f"{family:12}{n - lost[family]:6} of {n:5} noticed")
    n_lost = len(survivors)
    n_equivalent = sum(
        m.name in known and known[m.name].status == "equivalent" for m in survivors
    )
    n_real = len(planted) - n_equivalent
    share = 1 - (n_lost - n_equivalent) / max(n_real, 1)
    print(
        f"{len(planted)} faults, {len(planted) - n_lost} noticed "
        f"({1 - n_lost / len(planted):.2%}); {n_equivalent} survivors change no "
        f"derivative; {share:.2%} of the others noticed, {REQUIRED:.0%} required"
    )
    return share >= REQUIRED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
