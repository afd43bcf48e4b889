"""The docstrings of the generated catalogue: their LaTeX, their sections, their words."""

import ast
import re
from pathlib import Path

import pytest

from lossgen.compiled import Compiled, compile_loss
from lossgen.docs import functional_doc
from lossgen.mathdoc import mathematics
from lossgen.mathdoc.equations import layout, wrapped
from lossgen.mathdoc.kinks import singular_points
from lossgen.pipeline import module_source
from lossgen.spec import load_spec, read_spec

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.py"))


def compiled(name: str) -> Compiled:
    return compile_loss(load_spec(SPECS / f"{name}.py"))


def from_body(body: str, arguments: str = "input: Real[e], target: Real[e]") -> Compiled:
    head = f"from lossgen.language import *\n\n\n@loss()\ndef tried({arguments}):\n"
    text = f'{head}    """Tried."""\n    return {body}\n'
    return compile_loss(read_spec(text, "tried", "specs/tried.py"))


def docstrings(name: str) -> dict[str, str]:
    """The docstrings of a generated module by the name of what they describe."""
    tree = ast.parse(module_source(load_spec(SPECS / f"{name}.py")))
    found = {"": ast.get_docstring(tree, clean=False) or ""}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = ast.get_docstring(node, clean=False) or ""
    return found


# ruff: noqa: E501 - golden lines are compared as they stand
VALUE_OF_DICE = r"""
\mathrm{prob}_{ncs} &= \sigma(x_{ncs}) \\
\mathrm{overlap}_{nc} &= \sum_{s} \mathrm{prob}_{ncs}\,y_{ncs} \\
\mathrm{mass}_{nc} &= \sum_{s} (\mathrm{prob}_{ncs} + y_{ncs}) \\
\ell_{nc} &= 1 - \frac{2\,\mathrm{overlap}_{nc} + \mathrm{smooth}}{\mathrm{mass}_{nc} + \mathrm{smooth}}
"""

GRADIENT_OF_DICE = r"""
\overline{\mathrm{mass}}_{nc} &= \frac{(2\,\mathrm{overlap}_{nc} + \mathrm{smooth})\,\bar{\ell}_{nc}}{(\mathrm{mass}_{nc} + \mathrm{smooth})^{2}} \\
\overline{\mathrm{overlap}}_{nc} &= -\frac{2\,\bar{\ell}_{nc}}{\mathrm{mass}_{nc} + \mathrm{smooth}} \\
\overline{\mathrm{prob}}_{ncs} &= \overline{\mathrm{overlap}}_{nc}\,y_{ncs} + \overline{\mathrm{mass}}_{nc} \\
\bar{x}_{ncs} &= \overline{\mathrm{prob}}_{ncs}\,\mathrm{prob}_{ncs}\,\sigma(-x_{ncs}) \\
\bar{y}_{ncs} &= \overline{\mathrm{overlap}}_{nc}\,\mathrm{prob}_{ncs} + \overline{\mathrm{mass}}_{nc}
"""

VALUE_OF_CROSS_ENTROPY = r"""
\mathrm{kept}_{ns} &\iff y_{ns} \neq \mathrm{ignore\_index} \\
\mathrm{label}_{ns} &= \begin{cases} y_{ns} & \text{if } \mathrm{kept}_{ns} \\ 0 & \text{otherwise} \end{cases} \\
\mathrm{log\_prob}_{ncs} &= \log\operatorname{softmax}_{c}(x_{ncs}) \\
\mathrm{class\_weight}_{ns} &= \begin{cases} w_{\mathrm{label}_{ns}} & \text{if } \mathrm{kept}_{ns} \\ 0 & \text{otherwise} \end{cases} \\
\mathrm{hard}_{ns} &= \begin{cases} -\mathrm{class\_weight}_{ns}\,\mathrm{log\_prob}_{n,\mathrm{label}_{ns},s} & \text{if } \mathrm{kept}_{ns} \\ 0 & \text{otherwise} \end{cases} \\
\mathrm{soft}_{ns} &= \begin{cases} -\frac{1}{C} \sum_{c} w_{c}\,\mathrm{log\_prob}_{ncs} & \text{if } \mathrm{kept}_{ns} \\ 0 & \text{otherwise} \end{cases} \\
\mathrm{smoothed}_{ns} &= (1 - \mathrm{label\_smoothing})\,\mathrm{hard}_{ns} + \mathrm{label\_smoothing}\,\mathrm{soft}_{ns} \\
\ell_{ns} &= \begin{cases} \mathrm{smoothed}_{ns} & \text{if } \mathrm{label\_smoothing} > 0 \\ \mathrm{hard}_{ns} & \text{otherwise} \end{cases} \\
\mathrm{mean} &= \frac{\sum_{n,s} \ell_{ns}}{\sum_{n,s} \mathrm{class\_weight}_{ns}}
"""


def whole(equations: object) -> str:
    """Equations as they are laid out, each on one line."""
    return " ".join(" ".join(layout(equations, 10_000)).split())  # type: ignore[arg-type]


def test_dice_reads_as_the_paper() -> None:
    maths = mathematics(compiled("dice"))
    assert whole(maths.value) == " ".join(VALUE_OF_DICE.split())
    assert whole(maths.gradient) == " ".join(GRADIENT_OF_DICE.split())
    assert maths.symbols == (("x", "input"), ("y", "target"))


def test_cross_entropy_says_what_is_kept_and_what_the_mean_divides_by() -> None:
    maths = mathematics(compiled("cross_entropy"))
    assert whole(maths.value) == " ".join(VALUE_OF_CROSS_ENTROPY.split())
    assert maths.value_notes == ("Where ``weight`` is not given, it counts as 1.",)


@pytest.mark.parametrize("name", NAMES)
def test_every_letter_summed_over_is_shown(name: str) -> None:
    loss = compiled(name)
    maths = mathematics(loss)
    text = "".join(e.text for e in (*maths.value, *maths.gradient))
    for x in loss.forward.statements + loss.backward.program.statements:
        for letter in x.bound:
            if x.op != "stack":
                shown = re.escape(letter.name.rstrip("_")) + "'" * letter.name.count("_")
                ranges = rf"_\{{[^{{}}]*{shown}|\{{{shown} :|exists\\, {shown}"
                assert re.search(ranges, text), x.name


@pytest.mark.parametrize("name", NAMES)
def test_the_latex_is_balanced(name: str) -> None:
    for doc in docstrings(name).values():
        bare = doc.replace("\\{", "").replace("\\}", "")
        depth = 0
        for character in bare:
            depth += (character == "{") - (character == "}")
            assert depth >= 0
        assert depth == 0
        assert bare.count("\\left") == bare.count("\\right")
        assert bare.count("\\begin{cases}") == bare.count("\\end{cases}")
        assert "\\operatorname{sum}" not in bare
        assert "None" not in "".join(re.findall(r"\\\w+\{[^}]*\}", bare))


@pytest.mark.parametrize("name", NAMES)
def test_prose_is_tidy(name: str) -> None:
    spec = load_spec(SPECS / f"{name}.py")
    for owner, doc in docstrings(name).items():
        for line in doc.splitlines():
            assert line == line.rstrip() or not line.strip()
            prose = "\\" not in line and owner in (spec.functional_name, spec.class_name, "")
            assert len(line) <= 88 or not prose or " " not in line.strip(), line
        assert ".." not in doc.replace(".. math::", "").replace("...", ""), owner
        assert "::\n\n" not in doc


@pytest.mark.parametrize("name", NAMES)
def test_every_section_is_there(name: str) -> None:
    spec = load_spec(SPECS / f"{name}.py")
    docs = docstrings(name)
    functional, module = docs[spec.functional_name], docs[spec.class_name]
    for section in (".. math::", "Args:", "Returns:", "Raises:", "Note:", "References:"):
        assert f"    {section}\n" in functional, section
    for argument in [*(t.name for t in spec.tensors), *(p.name for p in spec.parameters)]:
        assert re.search(rf"^        {argument}: [A-Z\[0-9]", functional, re.M), argument
    assert "    Shape:\n" in module
    for tensor in spec.tensors:
        assert re.search(rf"^        (- )?{tensor.name}: ", module, re.M), tensor.name


def test_an_ordinary_docstring_fits_two_screens() -> None:
    for name in ("dice", "mse", "gaussian_nll", "huber", "quantile", "jaccard", "log_cosh"):
        loss = compiled(name)
        assert len(functional_doc(loss, ())) <= 60, name


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("Abs(input[e] - target[e])", "At 0 the slope of an absolute value is 0."),
        ("Max(0, input[e] - target[e])", "a maximum with a constant the slope is 0."),
        ("Max(0, input[e] - target[e], tie=1)", "the slope is that of the side that varies."),
        ("Max(input[e], target[e])", "sides of a maximum are equal, each side gets half"),
        ("clip(input[e], -1, 1) * target[e]", "a clipped value still has slope 1."),
        ("sqrt(input[e] * target[e])", "At 0 the slope of a square root is 0."),
        ("acos(input[e] * target[e])", "At -1 and 1 the slope of an arc cosine is 0."),
    ],
)
def test_singular_points_are_named(body: str, sentence: str) -> None:
    assert any(sentence in found for found in singular_points(from_body(body)))


@pytest.mark.parametrize(
    "body", ["(input[e] - target[e])**2", "sqrt((input[e] - target[e])**2 + 1)"]
)
def test_a_smooth_loss_has_no_singular_points(body: str) -> None:
    assert singular_points(from_body(body)) == []


@pytest.mark.parametrize(
    ("body", "latex"),
    [
        ("-(input[e] + target[e])", "-(x_{e} + y_{e})"),
        ("(input[e] - target[e])**2", "(x_{e} - y_{e})^{2}"),
        ("log(input[e])**3 + target[e]", "(\\log(x_{e}))^{3} + y_{e}"),
        ("input[e]**2 / (1 + target[e])", "\\frac{x_{e}^{2}}{y_{e} + 1}"),
        ("log(1 + input[e]) - target[e]", "\\log(x_{e} + 1) - y_{e}"),
        ("where(input[e] > 0, target[e], 0)",
         "\\begin{cases} y_{e} & \\text{if } x_{e} > 0 \\\\ 0 & \\text{otherwise} \\end{cases}"),
        ("Abs(input[e]) * target[e]", "\\left\\lvert x_{e} \\right\\rvert\\,y_{e}"),
        ("xlogy(input[e], target[e])", "x_{e} \\log(y_{e})"),
        ("1e-12 * input[e] + target[e]", "10^{-12}\\,x_{e} + y_{e}"),
    ],
)  # fmt: skip
def test_expressions_are_written_as_one_writes_them(body: str, latex: str) -> None:
    assert mathematics(from_body(body)).value[-1].text == f"\\ell_{{e}} = {latex}"


def test_long_lines_break_where_latex_allows_it() -> None:
    line = "a &= " + " + ".join(f"\\frac{{x_{{{k}}}}}{{y_{{{k}}}}}" for k in range(12)) + " \\\\"
    lines = wrapped(line, 40)
    assert len(lines) > 3
    assert all(len(x) <= 40 for x in lines)
    assert " ".join(x.strip() for x in lines) == line


@pytest.mark.parametrize(
    ("name", "shapes"), [("arcface", "[N], [N, C]"), ("cross_entropy", "[N, S], [N, C, S]")]
)
def test_a_line_that_makes_two_tensors_tells_both_shapes(name: str, shapes: str) -> None:
    text = module_source(load_spec(SPECS / f"{name}.py"))
    (line,) = [x for x in text.splitlines() if re.search(r"\w, \w+ = _nll_and_slope\(", x)]
    assert line.endswith(f"  # {shapes}")
