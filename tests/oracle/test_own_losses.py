"""Losses that people write for themselves: their generated tests hold, as the catalogue's do.

Each has something that the catalogue has not. What compiles and what uses blocks is left out, but
where it is the point.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lossgen.lower import item_letters
from lossgen.pipeline import module_source
from lossgen.subscripts import result_letters
from tests.oracle.loading import ROOT, generated_test, written

sys.path.insert(0, str(ROOT / "benchmarks"))

from mutants import calls, claims

_DEAR = {"test_compiled", "test_many_samples", "test_forward_mode"}

# Arguments and formula, and a claim that is dear but the point.
LOSSES: dict[str, tuple[str, str, str]] = {
    # A root of slope 0 where the prediction is right.
    "root_error": (
        "x: Real[n, t], y: Real[n, t]",
        "sqrt(Mean((x[n, t] - y[n, t])**2, t))",
        "test_forward_mode",
    ),
    # Infinite slopes at the end of a domain, and 0 times infinity.
    "hellinger": (
        "x: NonNegative[e], y: NonNegative[e]",
        "(sqrt(x[e]) - sqrt(y[e]))**2",
        "",
    ),
    # An exponent that is arithmetic of an option, below 0 at one of its settings.
    "tweedie": (
        "x: Positive[e], y: NonNegative[e], *, p: Real = 1.5",
        "2*(y[e]**(2 - p)/((1 - p)*(2 - p)) - y[e]*x[e]**(1 - p)/(1 - p) + x[e]**(2 - p)/(2 - p))",
        "",
    ),
    # Functions of numbers alone.
    "numbers": (
        "x: Real[e], y: Real[e]",
        "(x[e] - y[e])**2 * softplus(2) + tanh(3)*sigmoid(y[e])*exp(-1)",
        "",
    ),
    # It exists for small numbers only.
    "geodesic": (
        "x: Real[n, i], y: Real[n, i]",
        "acos((Sum(x[n, i]*y[n, i], i) - 1)/2)",
        "",
    ),
    # A sum, the loss itself, along which nothing in it varies: so many times the same.
    "same_for_each": (
        "x: Real[n, c]",
        "Sum(sigmoid(Mean(x[n, c], c)), c)",
        "",
    ),
    # The largest of what is rounded otherwise where the backward computes it again.
    "largest": (
        "x: Real[n, c], y: Real[n, c]",
        "Amax(sigmoid(x[n, c] + y[n, c])*(x[n, c] - tanh(y[n, c]))"
        " + (1 - Min(y[n, c], 1))*log(2 + y[n, c]**2), c)",
        "",
    ),
    # 0**0 of a probability.
    "to_the_nothing": (
        "p: Probabilities[n, c], x: Real[n, c], *, a: Positive = 0.7, g: NonNegative = 2.0",
        "Sum(x[n, c]**2, c)/(a + Sum(p[n, c]**g, c))",
        "",
    ),
    # One tensor, and blocks of it.
    "angle": ("x: Real[e]", "acos(clip(x[e], -1, 1))", "test_many_samples"),
    # Statistics of the batch, which may be empty.
    "deviation": (
        "x: Real[n, d]",
        "Max(0, 1 - sqrt(Mean((x[n, d] - Mean(x[n, d], n))**2, n) + 1e-4))",
        "",
    ),
    # An integer as the default of a real option, and slopes that cancel if written as they come.
    "geman_mcclure": (
        "x: Real[e], y: Real[e], *, c: Positive = 2",
        "((x[e] - y[e])/c)**2/(1 + ((x[e] - y[e])/c)**2)",
        "",
    ),
    # A log-gamma, whose second derivative torch has to nine digits.
    "gamma_nll": (
        "x: Positive[e], order: Positive[e]",
        "lgamma(order[e]) - (order[e] - 1)*log(x[e]) + x[e]",
        "",
    ),
    # A word whose slope torch has to nine digits, and a sum of parts that cancel.
    "dirichlet": (
        "alpha: Positive[n, c]",
        "total = Sum(alpha[n, c], c)\n"
        "    gap = (alpha[n, c] - 1)*(digamma(alpha[n, c]) - digamma(total))\n"
        "    return lgamma(total) - Sum(lgamma(alpha[n, c]) - gap, c)",
        "",
    ),
    # Two log-gammas of which hardly anything is left.
    "student": (
        "x: Real[e], nu: Positive[e]",
        "lgamma(nu[e]/2) - lgamma((nu[e] + 1)/2) + log(pi*nu[e])/2"
        " + (nu[e] + 1)/2*log1p(x[e]**2/nu[e])",
        "",
    ),
    # The square of a named root, whose slope is not that of the root.
    "root_squared": (
        "x: NonNegative[e], y: NonNegative[e]",
        "r = sqrt(x[e])\n    return r**2*y[e] + r*sqrt(y[e])",
        "",
    ),
    # A choice between a number and -inf, by a comparison of pairs.
    "cox": (
        "risk: Real[n], time: Real[n], event: Binary[n]",
        "pool = logsumexp(risk[j], j, where=time[j] >= time[n])\n"
        "    return averaged(event[n]*(pool - risk[n]), over=event[n])",
        "",
    ),
    # A row's set of one, whose slope of 1 is rounded as any.
    "listmle": (
        "score: Real[n, k], rank: Real[n, k]",
        "rest = logsumexp(score[n, m], m, where=rank[n, m] >= rank[n, k])\n"
        "    return Sum(rest - score[n, k], k)",
        "",
    ),
    # The largest of nothing.
    "berhu": (
        "x: Real[n, s], y: Real[n, s]",
        "gap = Abs(x[n, s] - y[n, s])\n"
        "    bend = stop_gradient(Amax(gap, s)/5)\n"
        "    return Mean(where(gap <= bend, gap, (gap**2 + bend**2)/(2*bend)), s)",
        "",
    ),
    # The logarithm of a size, which may be 0.
    "mean_power": ("x: Real[n, d]", "logsumexp(x[n, d], n) - log(size(n)*(size(n) - 1))", ""),
    # A tensor that shares no axis with the first.
    "relativistic": ("real: Real[n], fake: Real[m]", "softplus(Mean(fake[m], m) - real[n])", ""),
    # A label that a factor leaves out, a number of others, an option at whose end nothing exists.
    "smoothed": (
        "x: Logits[n, c], y: ClassIndex[n], w: Weight[c], "
        "*, keep: Probabilities = 0.9, ignore: Integer = -100",
        "lp = log_softmax(x[n, c], c)\n"
        "    nll = -at(lp, c=y[n])\n"
        "    rest = -(Sum(lp, c) + nll)/(size(c) - 1)\n"
        "    weight = where(y[n] != ignore, w[y[n]], 0)*keep\n"
        "    return averaged(weight*(nll + rest), over=weight)",
        "",
    ),
    # A tensor called as a word of the test; a maximum with an option.
    "free_bits": (
        "mean: Real[n, d], value: Real[n, d], *, total: NonNegative = 0.5",
        "Sum(Max(Mean((mean[n, d]**2 + exp(value[n, d]) - 1 - value[n, d])/2, n), total), d)",
        "",
    ),
    # Infinite where nothing is left, beside items that are not.
    "survival": (
        "x: Real[n, t], time: Real[n]",
        "logsumexp(x[n, t], t, where=t > 0.9*time[n])",
        "",
    ),
    # The order of a batch, which breaks ties.
    "efron": (
        "risk: Real[n], time: Real[n], event: Binary[n]",
        "tie = Count(time[j] == time[n] and event[j] > 0 and j < n, j)\n"
        "    pool = Sum(exp(risk[j]), j, where=time[j] >= time[n])\n"
        "    return averaged(event[n]*(log(pool + tie) - risk[n]), over=event[n])",
        "",
    ),
    # Exponents by element, at a base of 0.
    "adaptive": (
        "x: Real[e], y: Probabilities[e]",
        "gap = Abs(x[e] - y[e])\n    return log(1 + gap**(2.1 - y[e]))",
        "",
    ),
    # The same of 0 to the power of 0, and where autograd's slope is infinite.
    "any_power": ("p: Probabilities[n], gamma: NonNegative[n]", "p[n]**gamma[n]", ""),
    # Shares whose total is 0 where a mask leaves nothing, and of one element, which are 1.
    "masked_shares": (
        "x: Real[n, c], w: Weight[n, c], m: Mask[n, c]",
        "p = w[n, c]/Sum(w[n, c], c, where=m[n, c])\n"
        "    return -Sum(log(p)*x[n, c], c, where=m[n, c])",
        "",
    ),
    # A gap of 0, whatever the numbers, beside something else.
    "cancelled": (
        "x: Real[n], y: Real[n]",
        "softplus(x[n]) - softplus(-x[n]) - x[n] + y[n]**2",
        "",
    ),
    # Sigmoids of a steep scale, which saturate at numbers that are not extreme.
    "ranks": (
        "x: Real[n, k], *, tau: Positive = 0.1",
        "rank = 1 + Sum(sigmoid((x[n, j] - x[n, k])/tau), j, where=j != k)\n"
        "    return -Sum((k + 1)/log(1 + rank), k)",
        "",
    ),
    # A logarithm that no sample with all of its extremes has.
    "deviance": (
        "x: Positive[n], y: NonNegative[n]",
        "2*(y[n]*log(y[n]/x[n]) - y[n] + x[n])",
        "",
    ),
    # A function of which SymPy makes a difference where its argument has a sign.
    "skew": ("x: Real[n], y: Real[n]", "x[n]**2/2 - log(erfc(-y[n]))", ""),
    # Sums that tie, each rounded before they are compared.
    "inner_overlap": (
        "a: Boxes[n, 4], b: Boxes[n, 4], *, share: Positive = 0.7",
        "def ends(low, high):\n"
        "        return (low + high)/2, (high - low)*share/2\n"
        "    p, q = ends(a[n, 0], a[n, 2])\n"
        "    u, v = ends(b[n, 0], b[n, 2])\n"
        "    both = Max(0, Min(p + q, u + v) - Max(p - q, u - v))\n"
        "    return 1 - both/(2*q + 2*v - both + 0.5)",
        "",
    ),
    # One label for several rows of scores.
    "ensemble": (
        "f: Logits[n, k, c], label: ClassIndex[n]",
        "-log(Mean(exp(at(log_softmax(f[n, k, c], c), c=label[n])), k))",
        "",
    ),
    # A table of all pairs, which turns in both of its axes with the batch.
    "pairs": ("x: Real[n], y: Real[n]", "(x[n] - y[m])**2", ""),
    # Labels and logarithms that only the mask of a sum leaves out.
    "token_sums": (
        "logits: Logits[n, t, c], label: ClassIndex[n, t], p: Positive[n, t], kept: Mask[n, t], "
        "*, ignore: Integer = -100",
        "gain = at(log_softmax(logits[n, t, c], c), c=label[n, t])\n"
        "    held = stop_gradient(gain)\n"
        "    total = Sum(gain*exp(held), t, where=label[n, t] != ignore)\n"
        "    return -total - Sum(log(p[n, t]), t, where=kept[n, t])",
        "",
    ),
    # Reductions over a letter that is not there.
    "idle": (
        "x: Real[n, d]",
        "m = Mean(x[n, d], d)\n    return logsumexp(m, d) + norm(m, d) + Count(m > 0, d)*m",
        "",
    ),
    # A tensor that is the first to have an axis.
    "prototypes": (
        "z: Embedding[n, d], proto: Embedding[k, d], code: Probabilities[n, k]",
        "-Sum(code[n, k]*log_softmax(Sum(z[n, d]*proto[k, d], d), k), k)",
        "test_wrong_shape",
    ),
    # Trailing axes beside an axis of its own, and a condition that is a number.
    "anchors": (
        "x: Real[n, c, s], y: Real[k, s], near: Binary[n]",
        "gap = x[n, c, s] - Sum(y[k, s], k)\n"
        "    return Sum(where(near[n], gap**2, Abs(gap)), s, c)",
        "test_wrong_shape",
    ),
    # A number that is a function, in a product.
    "crps": (
        "mean: Real[n], scale: Positive[n], target: Real[n]",
        "z = (target[n] - mean[n])/scale[n]\n"
        "    pdf = exp(-z**2/2)/sqrt(2*pi)\n"
        "    return scale[n]*(z*erf(z/sqrt(2)) + 2*pdf - 1/sqrt(pi))",
        "",
    ),
    # A slope of -1 over a value that has a name.
    "overlap": (
        "x: Positive[n], y: Positive[n]",
        "both = Min(x[n], y[n])\n    return 1 - both/(x[n] + y[n] - both + 0.5) + (x[n] + y[n])**2",
        "",
    ),
    # A mask of more axes than any number, and a count of what it holds.
    "lengths": (
        "x: Real[n], mask: Mask[n, t], *, a: Positive = 0.1",
        "softplus(a*Count(mask[n, t], t) - x[n])",
        "",
    ),
    # A name that begins as a tensor's does: its slope is another's too.
    "calibrated": (
        "w: Real[n], ref: Real[n], y: Real[n]",
        "win = w[n] - ref[n]\n    return softplus(y[n] - win) + (win - 3)**2",
        "",
    ),
    # A loss of fewer items than any tensor has elements, and the mean over them.
    "residual": (
        "u: Real[n, h, w], v: Real[n, h, w]",
        "gap = u[n, h + 1, w + 2] - u[n, h + 1, w] + v[n, h + 2, w + 1] - v[n, h, w + 1]\n"
        "    return gap**2 + u[n, h + 1, w + 1]*v[n, h, w]",
        "",
    ),
    # The root of a named number's square where nothing is added, which SymPy writes as its size.
    "consistency": (
        "x: Real[n, d], y: Real[n, d], *, scale: Positive = 0.03",
        "c = scale*sqrt(size(d))\n"
        "    return sqrt(norm(x[n, d] - stop_gradient(y[n, d]), d)**2 + c**2) - c",
        "",
    ),
    # Labels one place ahead, as of a language model, and one behind.
    "next_token": (
        "x: Logits[n, t, c], y: ClassIndex[n, t]",
        "ahead = -at(log_softmax(x[n, t, c], c), c=y[n, t + 1])\n"
        "    again = sigmoid(x[n, t, y[n, t - 1]])\n"
        "    return Mean(ahead, t) + Sum(again, t) + Sum(x[n, t, c]**2, t, c)",
        "",
    ),
    # Rows at an index, of which none may be left while there are labels.
    "edges": (
        "x: Real[w, d], ends: ClassIndex[m, 2]",
        "Sum((x[ends[m, 0], d] - x[ends[m, 1], d])**2, d)",
        "",
    ),
    # A product to a power, one factor of which is 0.
    "missed": (
        "p: Probabilities[n, c], y: Probabilities[n, c], *, g: Positive = 1.5",
        "Sum((p[n, c]*(1 - y[n, c]))**g, c)",
        "",
    ),
    # A mean that only the outer condition keeps from dividing by 0.
    "some": (
        "x: Real[n, d], mask: Mask[n, d]",
        "where(Any(mask[n, d], d), Mean(x[n, d]**2, d, where=mask[n, d]), 0)",
        "",
    ),
    # Names that are read at a label, which a condition leaves out.
    "symmetric": (
        "x: Logits[n, c], label: ClassIndex[n], *, ignore_index: Integer = -100",
        "ce = -at(log_softmax(x[n, c], c), c=label[n])\n"
        "    rce = 4*(1 - at(softmax(x[n, c], c), c=label[n]))\n"
        "    return where(label[n] != ignore_index, ce/2 + rce, 0)",
        "",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_its_own_test_holds(tmp_path: Path, name: str) -> None:
    arguments, formula, point = LOSSES[name]
    body = formula if "return" in formula else f"return {formula}"
    spec = written(f'@loss()\ndef {name}({arguments}):\n    "A loss."\n    {body}\n', name)
    test = generated_test(spec, tmp_path, module=module_source(spec))
    tried = 0
    for claim, function in claims(test):
        if claim not in _DEAR or claim == point:
            for setting in calls(function):
                function(**setting)
                tried += 1
    assert tried > 30


def test_a_table_of_pairs_has_its_axes_own_letter_first() -> None:
    text = "@loss()\ndef own(x: Real[n], y: Real[n]):\n    'A loss.'\n    return x[n]*y[m]\n"
    spec = written(text, "own")
    assert [x.name for x in result_letters(spec)] == ["n", "m"]
    assert result_letters(spec) == item_letters(spec)
