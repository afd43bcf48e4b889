"""What mathematics calls the nodes, and what must be said in words where a symbol cannot say it."""

from __future__ import annotations

from collections.abc import Mapping

from lossgen import nodes as nd

CALLS: Mapping[type[nd.Node], str] = {
    nd.Exp: "\\exp",
    nd.Log: "\\log",
    nd.Sign: "\\operatorname{sign}",
    nd.Sigmoid: "\\sigma",
    nd.LogSigmoid: "\\log\\sigma",
    nd.Softplus: "\\operatorname{softplus}",
    nd.LogCosh: "\\log\\cosh",
    nd.Tanh: "\\tanh",
    nd.Sin: "\\sin",
    nd.Cos: "\\cos",
    nd.Acos: "\\arccos",
    nd.Atan: "\\arctan",
    nd.Erf: "\\operatorname{erf}",
    nd.Asinh: "\\operatorname{arsinh}",
    nd.Erfc: "\\operatorname{erfc}",
    nd.Erfcx: "\\operatorname{erfcx}",
    nd.LogErfc: "\\log\\operatorname{erfc}",
    nd.Lgamma: "\\log\\Gamma",
    nd.Digamma: "\\psi",
    nd.Trigamma: "\\psi_1",
    nd.Max: "\\max",
    nd.Min: "\\min",
    nd.Clip: "\\operatorname{clip}",
    nd.StopGradient: "\\operatorname{sg}",
}
RELATIONS = {"==": "=", "!=": "\\neq", "<": "<", "<=": "\\le", ">": ">", ">=": "\\ge"}

NOTES: Mapping[str, str] = {
    "bracket": (
        ":math:`[\\,\\cdot\\,]` is 1 where its condition holds; elsewhere it is 0, and so is what "
        "it multiplies."
    ),
    "sg": ":math:`\\operatorname{sg}` has slope 0: its argument is held constant in the gradient.",
    "st": ":math:`\\operatorname{st}(a; b)` has the value of a and the gradient of b.",
    "ratio": "A quotient by a norm or a root that is 0 counts as 0.",
    "entropy": "0 times the logarithm of 0 counts as 0.",
    "slope": "A power whose base is 0 counts as 0, and as 1 where its exponent is 0.",
    "xlogy": ":math:`0 \\log 0` counts as 0.",
    "padded": "What is read outside its range counts as 0.",
    "norm": (
        ":math:`\\lVert \\cdot \\rVert_{2}` is the Euclidean norm over the letters after the 2."
    ),
}
