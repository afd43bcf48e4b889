"""The tensors, options and operations that ``drawn_formulas`` makes formulas of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# What an expression of a kind may be, of others of a kind in braces.
FORMS: Mapping[str, tuple[str, ...]] = {
    "real": (
        "-{real}", "({real} + {real})", "({real} - {real})", "{real}*{real}", "{prob}*{real}",
        "{real}/{pos}", "log({pos})", "tanh({real})", "log_sigmoid({real})", "({real})**2",
        "where({cond}, {real}, {real})", "Max({real}, {real})", "Min({real}, {real})",
        "where({cond}, {real}, where({cond}, {real}, {real}))", "({real} if {cond} else {real})",
        "sin({real})", "cos({real})", "atan({real})", "erf({real})", "{pos}", "{nonneg}",
        "({real})**3", "expm1({real})", "clip({real}, -1, a)", "sign({real})*{real}",
        "stop_gradient({real})*{real}", "straight_through({real}, gradient_of={real})",
        "log(sigmoid({real}))", "log(1 - {prob}*b)", "lgamma({pos})", "xlogy({nonneg}, {pos})",
        "{real}*k", "own({real})", "acos({prob}*b)", "({cond})*{real}",
    ),
    "pos": (
        "exp({real})", "softplus({real})", "sigmoid({real})", "(1 + {nonneg})", "{pos}/{pos}",
        "sqrt(1 + ({real})**2)", "{pos}*{pos}", "({pos} + {pos})", "({pos})**a", "({pos})**1.5",
        "({pos})**(-2)", "({pos})**k", "cosh({real})", "erfc({real})", "Max({pos}, a)",
        "log(1 + exp({real}))", "({nonneg} + a)", "where({cond}, {pos}, {pos})",
    ),
    "nonneg": (
        "Abs({real})", "({real})**2", "sqrt({nonneg})", "Max({real}, 0)", "{pos}", "{prob}",
        "{nonneg}*{nonneg}", "({prob})**g", "(exp({nonneg}) - 1)", "log1p({nonneg})",
        "hypot({real}, {real})", "log_cosh({real})", "({nonneg})**a", "({real})**4",
        "where({cond}, {nonneg}, 0)", "({nonneg})**g", "clip({nonneg}, 0, 2)",
    ),
    "prob": (
        "sigmoid({real})", "(1 - {prob})", "{prob}*{prob}", "exp(-({nonneg}))", "Min({nonneg}, 1)",
        "{nonneg}/({nonneg} + a)", "(1 - exp(-({nonneg})))", "where({cond}, {prob}, 1 - {prob})",
    ),
    "cond": (
        "{real} > {real}", "{real} <= 0", "({cond} and {cond})", "({cond} or {cond})",
        "not ({cond})", "{prob} < b", "({real} >= -1 and {real} < a)",
        "not ({cond} and {cond})", "({cond} or not {cond})", "flag", "g > 0", "mode == 2",
    ),
}  # fmt: skip
# Over a letter that is written {c}: within {real+c} the expression may be read at it.
OVER: Mapping[str, tuple[str, ...]] = {
    "real": (
        "Sum({real+c}, {c})", "Mean({real+c}, {c})", "Amax({real+c}, {c})", "Amin({real+c}, {c})",
        "logsumexp({real+c}, {c})", "Sum({real+c}, {c}, where={cond+c})",
        "Mean({real+c}, {c}, where={cond+c}, empty=0)", "Sum({real+c}*{real+c}, {c})",
        "logsumexp({real+c}, {c}, where={cond+c})", "Amax({real+c}, {c}, where={cond+c})",
        "Sum(softmax({real+c}, {c})*{real+c}, {c})",
    ),
    "pos": ("(a + Sum({nonneg+c}, {c}))", "Mean({pos+c}, {c})", "Sum(exp({real+c}), {c})"),
    "nonneg": ("Sum({nonneg+c}, {c})", "norm({real+c}, {c})", "Count({cond+c}, {c})",
               "Amax({nonneg+c}, {c})"),
    "prob": ("Sum({prob+c}*{nonneg+c}, {c})/(a + Sum({nonneg+c}, {c}))", "Mean({prob+c}, {c})"),
    "cond": ("Any({cond+c}, {c})", "All({cond+c}, {c})"),
}  # fmt: skip
# Along a letter {c} that the expression may be read at.
ALONG: Mapping[str, tuple[str, ...]] = {
    "real": ("log_softmax({real}, {c})", "log_softmax({real}, {c})", "log(softmax({real}, {c}))"),
    "prob": ("softmax({real}, {c})", "softmax({real}, {c})"),
}
# Of two letters on one axis.
PAIRED = ("{c} != {k}", "{c} <= {k}", "{c} == {k}", "{c} < {k}")
LITERALS: Mapping[str, tuple[str, ...]] = {
    "real": ("1", "0.5", "a", "-2", "shift"),
    "pos": ("a", "2", "0.25"),
    "nonneg": ("g", "0", "1"),
    "prob": ("b", "0.5"),
    "cond": ("flag", "g > 0"),
}
OPTIONS: Mapping[str, str] = {
    "a": "Positive = 0.7",
    "g": "NonNegative = 2.0",
    "b": "Probabilities = 0.25",
    "k": "Integer = 2",
    "shift": "Real = -0.5",
    "flag": "Flag = False",
    "mode": "choice(1, 2) = 1",
    "ignore": "Integer = -100",
}
# Other values that options are given, the ends of their domains among them.
SETTINGS: Mapping[str, tuple[object, ...]] = {
    "a": (0.7, 2.0, 1.0, 0.03125),
    "g": (2.0, 0.0, 0.5, 1.0),
    "b": (0.25, 0.0, 1.0),
    "k": (2, 1, 3),
    "shift": (-0.5, 0.0, 1.25),
    "flag": (False, True),
    "mode": (1, 2),
    "ignore": (-100, 0, 1),
}


@dataclass(frozen=True)
class World:
    """What formulas of a kind are about.

    Attributes:
        axes: the letters that run over each axis, the one in the annotations first.
        tensors: each with the kind of expression it is, its role, its axes, and whether optional.
        results: the letters that a result may have.
        reads: further leaves, by kind, with the letters that they need.
        labels: a tensor of labels on the axes of its key, and the axis that it is of.
    """

    name: str
    axes: tuple[str, ...]
    tensors: tuple[tuple[str, str, str, str, bool], ...]
    results: tuple[str, ...]
    reads: tuple[tuple[str, str, str], ...] = ()
    labels: tuple[str, str, str] | None = None

    def axis(self, letter: str) -> str:
        """The letters of the axis that a letter runs over."""
        return next(axis for axis in self.axes if letter in axis)


def _tensors(axes: str, *names: str) -> tuple[tuple[str, str, str, str, bool], ...]:
    kinds = {
        "x": ("real", "Real"), "y": ("real", "Real"), "v": ("pos", "Positive"),
        "w": ("nonneg", "NonNegative"), "p": ("prob", "Probabilities"), "t": ("prob", "Binary"),
        "z": ("real", "Sign"), "mask": ("cond", "Mask"), "weight": ("nonneg", "Weight"),
        "u": ("real", "Real"), "q": ("real", "Real"), "l": ("real", "LogProbabilities"),
        "scale": ("real", "Learnable"), "ref": ("real", "Real"), "side": ("real", "Real"),
    }  # fmt: skip
    return tuple((n, *kinds[n], axes, n in ("mask", "weight")) for n in names)


WORLDS: Mapping[str, World] = {
    "elements": World(
        "elements",
        ("e",),
        _tensors("e", "x", "y", "v", "w", "p", "t", "z", "l", "mask", "weight"),
        ("e",),
    ),
    "rows": World(
        "rows",
        ("ni", "ck"),
        (
            *_tensors("nc", "x", "y", "v", "p", "t", "mask"),
            *_tensors("n", "u"),
            *_tensors("c", "weight", "q"),
        ),
        ("n", "n", "n", "nc", ""),
    ),
    "labels": World(
        "labels",
        ("ni", "ck"),
        (*_tensors("nc", "x", "p"), *_tensors("c", "weight"), *_tensors("n", "u")),
        ("n", "n", "nc"),
        (("cond", "target[n] != ignore", "n"), ("cond", "target[n] == c", "nc"),
         ("cond", "target[n] == target[i]", "ni"), ("cond", "k <= target[n]", "nk"),
         ("cond", "c != target[n]", "nc"), ("nonneg", "weight[target[n]]", "n")),
        ("target", "n", "c"),
    ),
    "pairs": World(
        "pairs",
        ("nij", "mk", "d"),
        (*_tensors("nd", "x"), *_tensors("md", "y"), *_tensors("n", "u"), *_tensors("nm", "mask")),
        ("n", "n", "nm", "i", "ij", ""),
        (("real", "Sum(x[i, d]*x[j, d], d)", "ij"), ("real", "Sum(x[n, d]*y[m, d], d)/a", "nm"),
         ("nonneg", "norm(x[i, d] - x[j, d], d)", "ij"),
         ("nonneg", "Sum((x[n, d] - y[m, d])**2, d)", "nm"),
         ("real", "Sum(x[i, d]*x[j, d], d)/(norm(x[i, d], d)*norm(x[j, d], d) + a)", "ij"),
         ("cond", "u[i] > u[j]", "ij")),
    ),
    "maps": World(
        "maps",
        ("n", "ck", "s"),
        (*_tensors("ncs", "x", "p"), *_tensors("ns", "mask"), *_tensors("c", "weight", "q")),
        ("n", "nc", "ns", "ncs"),
        (("cond", "target[n, s] != ignore", "ns"), ("cond", "target[n, s] == c", "ncs")),
        ("target", "ns", "c"),
    ),
    "steps": World(
        "steps",
        ("n", "tm"),
        (*_tensors("nt", "x", "l", "mask", "v"), *_tensors("n", "u"), *_tensors("", "scale")),
        ("n", "nt", ""),
        (("real", "(x[n, t + 1] - x[n, t])", "nt"), ("real", "Sum(x[n, m], m, where=m <= t)", "nt"),
         ("prob", "exp(l[n, t])", "nt")),
    ),
}  # fmt: skip
