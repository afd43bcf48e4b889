"""What a docstring says is what the code computes: its LaTeX is read and evaluated."""

import functools
import math
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import module_source
from lossgen.spec import LossSpec, Parameter, TensorArg, load_spec
from tests.docs.latex import Index, Scope, equations, evaluate

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.py"))
SIZES = {"n": 3, "c": 3, "d": 2, "t": 3, "h": 3, "w": 2, "s": 2, "e": 4}
LETTERS = {"eps": "\\varepsilon", "lambd": "\\lambda"} | {
    name: f"\\{name}" for name in ("alpha", "beta", "gamma", "delta", "epsilon", "tau")
}


@functools.cache
def compiled(name: str) -> tuple[LossSpec, ModuleType]:
    spec = load_spec(SPECS / f"{name}.py")
    module = ModuleType(name)
    exec(compile(module_source(spec), f"{name}.py", "exec"), module.__dict__)
    return spec, module


def blocks(doc: str) -> list[str]:
    """The blocks of display mathematics of a docstring."""
    return [
        found[1] for found in re.finditer(r"\.\. math::\n((?:(?: {8}.*)?\n)+?)(?= {0,4}\S|\n)", doc)
    ]


def symbol(name: str, doc: str, *, option: bool = False) -> str:
    """What an argument is called in a docstring."""
    renamed = re.search(rf":math:`(\S+)`\s+is\s+``{name}``", doc)
    if renamed:
        return renamed[1]
    stem, _, rest = name.partition("_")
    if option and rest and stem in LETTERS:
        return f"{LETTERS[stem]}_{{\\mathrm{{{rest}}}}}"
    if name in LETTERS:
        return LETTERS[name]
    return name if len(name) == 1 else f"\\mathrm{{{name}}}".replace("_", "\\_")


def barred(symbol: str) -> str:
    return f"\\overline{{{symbol}}}" if "mathrm" in symbol else f"\\bar{{{symbol}}}"


def drawn(tensor: TensorArg, seed: int) -> Tensor:
    """Elements of the tensor's role, away from the ends of its domain."""
    shape = [int(a.name) if a.name.isdigit() else SIZES[a.name] for a in tensor.axes]
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(shape, generator=generator, dtype=torch.float64)
    match tensor.role.name:
        case "ClassIndex":
            # Also as labels of rows: the first and the last agree.
            return (torch.arange(math.prod(shape)) % 2).reshape(shape)
        case "LabelList":
            return torch.tensor([[1, -1, 0], [2, 0, -1], [-1, 1, 2]])
        case "Mask":
            return draw > 0.4
        case "Sign":
            return torch.where(draw > 0.5, 1.0, -1.0).double()
        case "Binary" | "Probabilities":
            return 0.1 + 0.8 * draw
        case "LogProbabilities":
            return -0.2 - 2 * draw
        case "Boxes":
            return torch.cat([draw[..., :2], draw[..., :2] + 0.5 + draw[..., 2:]], dim=-1)
        case "Positive" | "NonNegative" | "Weight" | "Learnable":
            return 0.4 + draw
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def changed(parameter: Parameter) -> Any:
    """Another value of an option, so that its other branch is taken."""
    if parameter.role.kind == "boolean":
        return not parameter.default
    if parameter.role.choices:
        return next(x for x in parameter.role.choices if x != parameter.default)
    if parameter.name == "ignore_index":
        return 1
    return 0.3 if parameter.default in (0.0, None) else parameter.default


def elements(tensor: Tensor) -> dict[Index, float]:
    return {
        tuple(index.tolist()): float(tensor[tuple(index)])
        for index in torch.ones(tensor.shape).nonzero()
    }


def scope_of(
    spec: LossSpec, doc: str, tensors: dict[str, Tensor], options: dict[str, Any]
) -> Scope:
    axes = {letter.name: axis.name for letter, axis in spec.axes.items()}
    sizes = {letter: SIZES.get(axis, 4) for letter, axis in axes.items()}
    sizes |= {axis.upper(): SIZES[axis] for axis in axes.values() if axis in SIZES}
    absent = [t for t in spec.tensors if t.name not in tensors]
    return Scope(
        arrays={symbol(k, doc): elements(v) for k, v in tensors.items()},
        options={symbol(k, doc, option=True): float(v) for k, v in options.items()},
        sizes=sizes,
        given={t.name: t.name in tensors for t in spec.tensors},
        neutral={
            symbol(t.name, doc): float(t.role.neutral) for t in absent if t.role.neutral is not None
        },
        padded="outside its range counts as 0" in doc,
    )


def compare(name: str, doc: str, spec: LossSpec, optional: bool, alternative: bool) -> None:
    _, module = compiled(name)
    value, gradient = blocks(doc)
    tensors = {
        t.name: drawn(t, 3 * k) for k, t in enumerate(spec.tensors) if optional or not t.optional
    }
    options = {p.name: changed(p) if alternative else p.default for p in spec.parameters}
    options = {k: 0.5 if v is None else v for k, v in options.items()}
    scope = scope_of(spec, doc, tensors, options)
    leaves = {k: v.requires_grad_(v.is_floating_point()) for k, v in tensors.items()}
    function = getattr(module, compiled(name)[0].functional_name)

    items = function(**leaves, **options, reduction="none")
    evaluate(value, scope)
    said = scope.arrays["\\ell"]
    close(said, elements(items.detach()), f"{name}: the value")

    if "\\mathrm{mean}" in scope.arrays:
        mean = scope.arrays["\\mathrm{mean}"][()]
        divisor = sum(said.values()) / mean
        letters = next(e.letters for e in equations(value, scope) if e.symbol == "\\ell")
        scope.arrays["\\bar{\\ell}"] = dict.fromkeys(said, 1 / divisor)
        every = [tuple(i) for i in torch.ones([scope.sizes[x] for x in letters]).nonzero().tolist()]
        scope.arrays["\\bar{D}"] = dict.fromkeys([*every, ()], -mean / divisor)
        result = function(**leaves, **options, reduction="mean")
        close({(): mean}, elements(result.detach()), f"{name}: the mean")
    else:
        upstream = torch.linspace(0.5, 1.5, max(items.numel(), 1), dtype=torch.float64)
        upstream = upstream[: items.numel()].reshape(items.shape)
        scope.arrays["\\bar{\\ell}"] = elements(upstream)
        result = (items * upstream).sum()

    wanted = [k for k, v in leaves.items() if v.requires_grad]
    found = torch.autograd.grad(result, [leaves[k] for k in wanted], allow_unused=True)
    evaluate(gradient, scope)
    letters_of = {e.symbol: e.letters for e in equations(gradient, scope)}
    for key, grad in zip(wanted, found, strict=True):
        bar = barred(symbol(key, doc))
        axes = [a.name for a in spec.tensor(key).axes]
        reached = torch.zeros_like(leaves[key]) if grad is None else grad
        if bar not in scope.arrays:
            assert not reached.any(), f"{name}: the docstring has no gradient of {key}"
            continue
        letters = letters_of[bar]
        kept = [k for k, a in enumerate(axes) if a in letters or a.isdigit()]
        ours = {
            index: scope.arrays[bar][tuple(index[k] for k in kept)] for index in elements(reached)
        }
        close(ours, elements(reached), f"{name}: the gradient of {key}")


def close(ours: dict[Index, float], theirs: dict[Index, float], what: str) -> None:
    assert ours.keys() == theirs.keys(), what
    for index, value in theirs.items():
        assert ours[index] == pytest.approx(value, rel=1e-7, abs=1e-9, nan_ok=True), (
            f"{what} at {index}"
        )


def cases() -> list[Any]:
    """Each loss with and without its optional tensors, with its defaults and with other options."""
    out = []
    for name in NAMES:
        spec = load_spec(SPECS / f"{name}.py")
        for optional in {True, not any(t.optional for t in spec.tensors)}:
            for alternative in {False, bool(spec.parameters)}:
                label = f"{name}{'' if optional else '-required'}{'-options' * alternative}"
                out.append(pytest.param(name, optional, alternative, id=label))
    return out


@pytest.mark.parametrize(("name", "optional", "alternative"), cases())
def test_the_docstring_says_what_is_computed(name: str, optional: bool, alternative: bool) -> None:
    spec, module = compiled(name)
    doc = getattr(module, spec.functional_name).__doc__ or ""
    compare(name, doc.split("For a floating-point")[0], spec, optional, alternative)


@pytest.mark.parametrize("alternative", [False, True], ids=["defaults", "options"])
def test_the_formula_for_class_probabilities_too(alternative: bool) -> None:
    spec, module = compiled("cross_entropy")
    assert spec.floating is not None
    doc = (module.cross_entropy_loss.__doc__ or "").split("For a floating-point")[1]
    compare("cross_entropy", doc, spec.floating, True, alternative)
