"""Bodies that are no formula: each fault with its line and what to do."""

import pytest

from lossgen.errors import SpecError
from lossgen.pipeline import module_source
from tests.language.reading import fault, faults, faults_of, read, spec_text

OPTIONAL = "input: Real[n, c], guide: Real[n, c] = None"
LABELS = "input: Real[n, c], target: ClassIndex[n]"
BOXES = "input: Boxes[n, 4], target: Boxes[n, 4]"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x, y = axes('n classes')\nreturn Sum(input[n, c] * target[n, c] * y, y)", "classes"),
        ("return Sum(input[n, c] * target[n, c], k)", "k"),
        ("return input[n, c] * target[n, c] * j", "j"),
        ("return input[n, c] * target[n, c] / size(d)", "d"),
    ],
)
def test_an_axis_that_no_tensor_has(body: str, expected: str) -> None:
    message = next(x for x in faults(body) if "appears in no tensor" in x)
    assert f"axis '{expected}' appears in no tensor" in message


def test_a_misspelt_axis() -> None:
    arguments = "input: Real[batch, feature]"
    head = "batch, feature, featur = axes('batch feature featur')\n"
    text = spec_text("return Sum(input[batch, feature], featur)", arguments)
    found = faults_of(text.replace("@loss()", f"{head}@loss()"))
    assert found == [
        "specs/tried.py:8: axis 'featur' appears in no tensor. Did you mean 'feature'?"
    ]


def test_a_misspelt_letter() -> None:
    message = fault("return Sum(input[n, c] * target[n, c], m)")
    assert message == "7: axis 'm' appears in no tensor. Did you mean 'n'?"


def test_a_letter_on_two_axes() -> None:
    message = fault("return input[n, c] * target[n, n]")
    assert message.startswith("7: letter 'n' runs over axis '")
    assert message.endswith("Use another letter for one of them")


def test_a_letter_that_only_the_divisor_has() -> None:
    body = "return averaged(Sum(input[n, c], c), over=target[n, c])"
    assert fault(body) == "7: over= has the letter 'c', which the item has not. Sum over it"


def test_a_letter_that_the_divisor_lacks() -> None:
    body = "return averaged(input[n, c] * target[n, c], over=Sum(target[n, c], c))"
    assert fault(body) == (
        "7: over= has not the item's letter 'c': does it count once, or for each? "
        "Return Sum(..., c) or Mean(..., c) as the item"
    )


def test_a_letter_that_only_a_named_divisor_has() -> None:
    body = "return averaged(Sum(input[n, c], c), batchmean=target[n, c])"
    assert fault(body) == "7: batchmean= has the letter 'c', which the item has not. Sum over it"


def test_a_named_divisor_that_is_a_reduction() -> None:
    body = "return averaged(input[n, c] * target[n, c], mean=size(n))"
    assert fault(body).startswith("5: 'mean' is a reduction already")


def test_an_unknown_name() -> None:
    body = "return (input[n, c] - target[n, c]) * smoth"
    message = fault(body.replace("smoth", "smoth * smooth"), LABELS_AND_SMOOTH)
    assert message == "7: the name 'smoth' is not defined. Did you mean 'smooth'?"


LABELS_AND_SMOOTH = "input: Real[n, c], target: Real[n, c], *, smooth: Positive = 1"


def test_an_unknown_word() -> None:
    message = fault("part = sigmoidd(input[n, c])\nreturn part * target[n, c]")
    assert message == "7: the name 'sigmoidd' is not defined. Did you mean 'sigmoid'?"


def test_an_unknown_part() -> None:
    message = fault("overlap = input[n, c] * target[n, c]\nreturn 1 - overlp")
    assert message == "8: the name 'overlp' is not defined. Did you mean 'overlap'?"


def test_an_argument_that_is_never_used() -> None:
    assert faults("return input[n, c]", LABELS_AND_SMOOTH) == [
        "specs/tried.py:5: 'smooth' is never used in the formula. Use it or remove it",
        "specs/tried.py:5: 'target' is never used in the formula. Use it or remove it",
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("None", "None"),
        ("'text'", "a str"),
        ("(part, part)", "a tuple"),
        ("[part]", "a list"),
        ("True", "a bool"),
        ("sigmoid", "a function"),
    ],
)
def test_what_is_returned_is_no_expression(value: str, kind: str) -> None:
    message = fault(f"part = input[n, c] - target[n, c]\nreturn {value}")
    expected = f"8: the loss returns {kind}, not an expression. Return the formula of one item"
    assert message == expected


def test_nothing_is_returned() -> None:
    message = fault("part = input[n, c] - target[n, c]")
    assert message == "5: the loss returns nothing. Return the formula of one item"


def test_a_condition_is_returned() -> None:
    message = fault("return input[n, c] > target[n, c]")
    assert message == "5: the loss returns a condition. Write where(condition, 1, 0)"


@pytest.mark.parametrize(
    "item",
    [
        "where(input[n, c] > target[n, c], 1, 0)",
        "Sum(sign(input[n, c]) * sign(target[n, c]), c)",
        "stop_gradient(input[n, c] - target[n, c])",
        "straight_through(input[n, c], gradient_of=sign(target[n, c]))",
        "Any(input[n, c] > target[n, c], c) * 2",
    ],
)
def test_a_loss_without_a_gradient(item: str) -> None:
    assert fault(f"return {item}") == (
        "5: the loss has no gradient: its tensors count in conditions and steps alone. Write a "
        "smooth form, or in a spec straight_through(steps, gradient_of=smooth)"
    )


@pytest.mark.parametrize(
    "item",
    [
        "straight_through(sign(input[n, c]) * target[n, c], gradient_of=input[n, c])",
        "where(input[n, c] > 0, target[n, c], 0)",
        "sign(input[n, c]) * softmax(target[n, c], c)",
    ],
)
def test_a_gradient_of_one_input_is_enough(item: str) -> None:
    assert read(f"return {item}").name


def test_a_spec_that_raises() -> None:
    message = fault("part = input[n, c] * target[n, c]\nreturn part.scaled(2)")
    assert message == ("8: an expression has no '.scaled'. Use the functions of lossgen.language")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("input[n, c].mean()", "an expression has no '.mean'. Write Mean(x, d)"),
        ("input.sum()", "an expression has no '.sum'. Write Sum(x, d)"),
        ("input[n, c].clamp(min=0)", "an expression has no '.clamp'. Write clip(x, low, high)"),
        ("input[n, c].exp()", "an expression has no '.exp'. Write exp(x)"),
        ("input[n, c] @ target[n, c]", "'@' has no meaning in a formula. Write Sum(x * y, d)"),
        ("input[n, c] ^ 2", "'^' is not a power here. Write **"),
        ("relu(input[n, c])", "the name 'relu' is not defined. Write Max(0, x)"),
        (
            "F.relu(input[n, c])",
            "the name 'F' is not defined. Use the functions of lossgen.language",
        ),
        (
            "input[N, c]",
            "the name 'N' is not defined. A letter for an axis is small: n",
        ),
        (
            "Sum(input[n, q], q)",
            "the name 'q' is not defined. If it is an axis, name it above the loss: "
            '(q,) = axes("q")',
        ),
        (
            "sum(input[n, c])",
            "an expression is one number, and nothing to go through. Write Sum(x, d)",
        ),
        (
            "softmax(input[n, c])",
            "softmax() missing 1 required positional argument: 'letter'. "
            "Write softmax(body, letter)",
        ),
        (
            "logsumexp(input[n, c], dim=c)",
            "logsumexp() got an unexpected keyword argument 'dim'. Write logsumexp(body, d)",
        ),
        (
            "straight_through(input[n, c], gradient_off=input[n, c])",
            "straight_through() got an unexpected keyword argument 'gradient_off'. "
            "Did you mean 'gradient_of'?",
        ),
        ("input", "tensor 'input' is read without letters. Write input[n, c]"),
        (
            "exp(input[n, c])[n, 0]",
            "only a tensor is read in brackets. "
            "Write a name alone, or at(name, c=target[n]) for its value elsewhere",
        ),
        (
            "input[n, c] / len(input)",
            "an expression is one number, and has no length. Write size(c)",
        ),
        (
            "one_hot(input[n, c])",
            "the name 'one_hot' is not defined. Write where(c == target[n], 1, 0)",
        ),
        ("input[n, c].detach()", "an expression has no '.detach'. Write stop_gradient(x)"),
    ],
)
def test_what_torch_writes_is_told_in_the_languages_words(formula: str, message: str) -> None:
    found = faults(
        f"part = target[n, c]\nreturn {formula}", "input: Real[n, c], target: Real[n, c]"
    )
    told = [x for x in found if "never used" not in x]
    assert told == [f"specs/tried.py:8: {message}"]


def test_a_word_that_is_not_imported() -> None:
    text = spec_text("return Abs(input[n])", "input: Real[n]")
    assert faults_of(text.replace("import *", "import Real, loss, n")) == [
        "specs/tried.py:7: the name 'Abs' is not defined. "
        "Import it: from lossgen.language import Abs"
    ]


def test_a_helper_that_raises() -> None:
    body = "def part(x):\n    return x + {}\nreturn part(input[n, c] * target[n, c])"
    assert fault(body).startswith("8: TypeError: unsupported operand type(s)")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("if part > 0:\n    part2 = 1", "'if' has no meaning in a formula. Write where("),
        ("for k in range(3):\n    part2 = k", "'for' has no meaning in a formula. Reduce over"),
        ("while part > 0:\n    pass", "'while' has no meaning in a formula. Reduce over"),
        ("part += 1", "'+=' has no meaning in a formula. Give the new value a name of its own"),
        ("assert True", "'assert' has no meaning in a formula. Domains belong to the roles"),
        ("raise ValueError", "'raise' has no meaning in a formula. Bad input is refused by"),
        ("with part:\n    pass", "'with' has no meaning in a formula. A formula has only"),
        ("try:\n    pass\nfinally:\n    pass", "'try' has no meaning in a formula. A formula"),
        ("del part", "'delete' has no meaning in a formula. A formula has only"),
        ("import math", "'import' has no meaning in a formula. Import at the top of the file"),
        ("part2: float = 1", "an annotation has no meaning in a formula. Write `part = ...`"),
        ("input[n, c]", "this line has no effect. Name its value, or remove it"),
        ("part2[0] = 1", "only names can be assigned to. Write `part = ...`"),
        ("part2 = part3 = 1", "only names can be assigned to. Write `part = ...`"),
        ("part = 2 * part", "'part' is assigned twice. Give the second value a name of its own"),
        ("part2 = 1 if part is None else 2", "'is' and 'in' have no meaning in a formula. Test"),
    ],
)
def test_a_statement_without_meaning(statement: str, expected: str) -> None:
    body = f"part = input[n, c] * target[n, c]\n{statement}\nreturn part"
    found = faults(body)
    assert found[0].startswith(f"specs/tried.py:8: {expected}"), found
    assert [x for x in found if "part2" not in x] == found[:1]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("input[n]", "'input' has 2 axes [n, c] and is read with 1. Write input[n, c]"),
        ("input[n, c, s]", "'input' has 2 axes [n, c] and is read with 3. Write input[n, c]"),
        ("input", "tensor 'input' is read without letters. Write input[n, c]"),
        ("sigmoid(input)", "tensor 'input' is read without letters. Write input[n, c]"),
        ("Sum(input, c)", "tensor 'input' is read without letters. Write input[n, c]"),
        ("input[n, 0.5]", "'input' is read at 0.5, which is no position. A position is"),
        ("input[n, 'c']", "'input' is read at c, which is no position. A position is"),
        ("input[n, None]", "'input' is read at None, which is no position. A position is"),
        ("input[n, -1]", "'input' is read at -1. Positions count from 0"),
        ("input[n, target[n, c]]", "'input' is read at target[n, c], which is no position"),
    ],
)
def test_a_tensor_read_wrongly(read: str, expected: str) -> None:
    message = faults(f"part = 1\nreturn target[n, c] * {read}")[0]
    assert message.startswith(f"specs/tried.py:8: {expected}")


@pytest.mark.parametrize("operation", ["{} + 1", "1 - {}", "2 * {}", "1 / {}", "{} ** 2", "-{}"])
def test_arithmetic_on_a_tensor_without_letters(operation: str) -> None:
    message = fault(f"return target[n, c] * ({operation.format('input')})")
    assert message == "7: tensor 'input' is read without letters. Write input[n, c]"


def test_a_position_that_a_fixed_axis_has_not() -> None:
    message = fault("return input[n, 4] - target[n, 3]", BOXES)
    assert message == "7: 'input' is read at 4, and its axis has 4 positions. The last is 3"


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (
            "input[n, target[n] + 1]",
            "'input' is read at target[n] + 1, which may lie outside its axis. "
            "Say what holds there: where(target[n] + 1 < size(c), ..., 0)",
        ),
        (
            "input[n, target[n] - 1]",
            "'input' is read at target[n] - 1, which may lie outside its axis. "
            "Say what holds there: where(0 <= target[n] - 1, ..., 0)",
        ),
        (
            "at(softmax(input[n, c], c), c=2*target[n])",
            "a value is read at 2*target[n], which may lie outside its axis. "
            "Say what holds there: where(2*target[n] < size(c), ..., 0)",
        ),
    ],
)
def test_a_position_that_may_be_beyond_its_axis(formula: str, expected: str) -> None:
    assert fault(f"return {formula}", LABELS) == f"7: {expected}"


@pytest.mark.parametrize(
    "formula",
    [
        "where(target[n] + 1 < size(c), input[n, target[n] + 1], 0)",
        "input[n, where(target[n] > 0, target[n] - 1, 0)]",
        "Sum(where(c == target[n] + 1, input[n, c], 0), c)",
    ],
)
def test_a_position_that_a_condition_keeps_on_its_axis(formula: str) -> None:
    assert read(f"return {formula}", LABELS)


def test_a_complex_formula() -> None:
    assert fault("return 1j * input[n, c] - target[n, c]") == (
        "5: the formula is complex, and a loss is real"
    )


def test_a_function_that_calls_itself() -> None:
    found = faults("def f(x):\n    return f(x) + 1\nreturn f(input[n, c] - target[n, c])")
    assert (
        "specs/tried.py:8: this calls itself without end, and a formula has no recursion"
        in (found[0])
    )


def test_a_name_read_before_it_has_a_value() -> None:
    found = faults("a = b + 1\nb = a\nreturn b * (input[n, c] - target[n, c])")
    assert found == [
        "specs/tried.py:7: the name 'b' is read before it has a value. Assign it above"
    ]


def test_a_divisor_of_nothing() -> None:
    body = "return averaged(input[n, c] * target[n, c], over=0, batchmean=0.0)"
    hint = "divides by nothing. Leave it out, and the mean divides by the number of items"
    assert faults(body) == [f"specs/tried.py:5: {x}=0 {hint}" for x in ("batchmean", "over")]


@pytest.mark.parametrize(
    "body",
    [
        "x = input[n, c] * target[n, c]\nreturn logsumexp(x, c) - log(Sum(exp(x), c))",
        "x = input[n, c] * target[n, c]\nreturn sigmoid(x) + sigmoid(-x) - 1",
    ],
)
def test_terms_that_cancel(body: str) -> None:
    with pytest.raises(SpecError) as caught:
        module_source(read(body))
    assert str(caught.value) == (
        "specs/tried.py:5: the loss is the same whatever its tensors hold: its terms cancel. "
        "Check its signs"
    )


def test_a_tensor_that_may_be_absent() -> None:
    message = fault("return input[n, c] * guide[n, c]", OPTIONAL)
    assert (
        message == "7: 'guide' is read where it may be absent. Write where(given(guide), ..., ...)"
    )


def test_the_wrong_branch_of_given() -> None:
    body = "return where(given(guide), input[n, c], guide[n, c])"
    assert fault(body, OPTIONAL).startswith("7: 'guide' is read where it may be absent")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("at(input[n, c], d=0)", "at(): the expression does not depend on 'd'; its letters: c, n"),
        ("at(1, n=0)", "at(): the expression does not depend on 'n'; its letters: none"),
        ("softmax(input[n, c], d)", "softmax: the expression does not depend on 'd'; its"),
        ("log_softmax(input[n, c], s)", "log_softmax: the expression does not depend on 's'"),
        ("Sum(input[n, c])", "Sum needs the letters it runs over, as in Sum(body, s)"),
        ("Amax(input[n, c], 1)", "Amax runs over letters, and '1' is none"),
        ("Sum(input[n, c], c, c)", "Sum runs over 'c' twice"),
        ("Mean(input[n, c], c, empty=0)", "empty= is the mean where a mask holds nowhere; give"),
        (
            "Mean(input[n, c], c, where=input[n, c] > 0, empty=target[n, c])",
            "empty= is a number or an option, not an element of a tensor",
        ),
        ("Max(input[n, c], c)", "Max compares values, and 'c' is a position; Amax(x, c) reduces"),
        ("Max(input[n, c])", "Max and Min compare two or more values; Amax and Amin reduce"),
        ("size(2)", "size() takes a letter, not 2"),
        ("smooth[n]", "'smooth' is an option without axes; give its role axes to read it"),
        ("max(input[n, c], 0)", "whether a condition holds is not known before there are numbers"),
        ("input[n, c] % 2", "'Mod' is SymPy's own and has no meaning here. Take the words of"),
        ("input[n, c] / 0", "the formula is undefined (it holds NaN or an unsigned infinity)"),
    ],
)
def test_a_word_used_wrongly(formula: str, expected: str) -> None:
    found = faults(f"return input[n, c] * target[n, c] * smooth + {formula}", LABELS_AND_SMOOTH)
    assert len(found) == 1, found
    assert found[0].split(": ", 1)[1].startswith(expected)


def test_several_faults_at_once() -> None:
    body = """
part = sigmoidd(input[n, c])
part += 1
other = input[n] + target[n, c]
return Sum(part * other, d)
"""
    arguments = "input: Real[n, c], target: Real[n, c], extra, *, gamma: Positive = -1"
    assert faults(body, arguments) == [
        "specs/tried.py:5: argument 'extra' has no role. Annotate it with a role, such as "
        "Logits[n, c] or NonNegative",
        "specs/tried.py:5: the default -1 of 'gamma' is not greater than 0",
        "specs/tried.py:7: the name 'sigmoidd' is not defined. Did you mean 'sigmoid'?",
        "specs/tried.py:8: '+=' has no meaning in a formula. Give the new value a name of its own",
    ]


def test_several_faults_of_a_formula_at_once() -> None:
    body = """
part = input[n] - target[n, 0.5]
if part > 0:
    part = 0
other = smoth * part
return averaged(Sum(other, d), over=target[n, 1])
"""
    found = faults(body, LABELS_AND_SMOOTH)
    assert [x.removeprefix("specs/tried.py:") for x in found] == [
        "5: 'smooth' is never used in the formula. Use it or remove it",
        "7: 'input' has 2 axes [n, c] and is read with 1. Write input[n, c]",
        "7: 'target' is read at 0.5, which is no position. A position is a letter, an integer, "
        "or an element of an integer tensor",
        "8: 'if' has no meaning in a formula. Write where(condition, yes, no), or "
        "`yes if condition else no`",
        "10: the name 'smoth' is not defined. Did you mean 'smooth'?",
        "11: axis 'd' appears in no tensor. Did you mean 'c'?",
    ]
