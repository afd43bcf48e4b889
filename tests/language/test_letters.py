"""Letters find their axes, shifts shorten them, and `at` reads elsewhere."""

import pytest
import torch

from lossgen.compiled import compile_loss
from lossgen.nodes import Letter, free_letters
from lossgen.program import show
from tests.language.reading import read, unreduced

n, c, d, i, j, k = (Letter(name) for name in "ncdijk")

EMBEDDINGS = "input: Embedding[n, d], target: Embedding[n, d]"
GENERATOR = torch.Generator().manual_seed(0)


def tensor(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def test_letters_run_over_the_axes_they_index() -> None:
    spec = read("return Sum(input[i, d] * target[j, d], d)", EMBEDDINGS)
    assert {spec.axes[i], spec.axes[j]} == {n}
    assert free_letters(spec.item) == {i, j}


def test_a_letter_is_placed_through_a_named_part() -> None:
    body = "gram = Sum(input[n, d] * target[n, k], n)\nreturn at(gram, d=i, k=j) ** 2"
    spec = read(body, EMBEDDINGS)
    assert {spec.axes[x] for x in (i, j, k)} == {d}


def test_a_letter_is_placed_through_a_comparison() -> None:
    spec = read("return Sum(input[n, d] - target[n, d], d, where=d <= k)", EMBEDDINGS)
    assert spec.axes[k] == d
    assert free_letters(spec.item) == {n, k}


def test_pairs_of_rows() -> None:
    made = unreduced("return Sum(input[i, d] * target[j, d], d)", EMBEDDINGS)
    x, y = tensor(3, 2), tensor(3, 2)
    torch.testing.assert_close(made(x, y), x @ y.T)


def test_a_swap_exchanges_both_letters_at_once() -> None:
    body = "sim = Sum(input[i, d] * target[j, d], d)\nreturn sim - 2 * at(sim, i=j, j=i)"
    x, y = tensor(3, 2), tensor(3, 2)
    torch.testing.assert_close(unreduced(body, EMBEDDINGS)(x, y), x @ y.T - 2 * (y @ x.T))


@pytest.mark.parametrize("name", ["total", ""])
def test_nothing_is_captured_by_a_reduction(name: str) -> None:
    part = "Sum(input[n, c] * target[n, d], d)"
    body = f"total = {part}\nreturn at(total, c=d)" if name else f"return at({part}, c=d)"
    spec = read(body, "input: Real[n, c], target: Real[n, c]")
    assert free_letters(spec.item) == {n, d}
    made = unreduced(body, "input: Real[n, c], target: Real[n, c]")
    x, y = tensor(3, 2), tensor(3, 2)
    torch.testing.assert_close(made(x, y), x * y.sum(1, keepdim=True))


def test_a_part_read_at_a_label() -> None:
    arguments = "input: Logits[n, c], target: ClassIndex[n]"
    body = "log_prob = log_softmax(input[n, c], c)\nreturn -at(log_prob, c=target[n])"
    x, y = tensor(3, 4), torch.tensor([0, 3, 1])
    expected = torch.nn.functional.cross_entropy(x, y, reduction="none")
    torch.testing.assert_close(unreduced(body, arguments)(x, y), expected)


def test_a_shifted_letter_runs_where_every_subscript_is_inside() -> None:
    body = "return input[n, h + 1] - 2 * input[n, h] + input[n, h - 1]"
    made = unreduced(body, "input: Real[n, h]")
    x = tensor(2, 5)
    torch.testing.assert_close(made(x), x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2])


def test_a_mean_divides_by_the_positions_that_are_left() -> None:
    made = unreduced("return Mean(input[n, h + 1] - input[n, h], h)", "input: Real[n, h]")
    x = tensor(2, 5)
    torch.testing.assert_close(made(x), x.diff(dim=1).mean(1))


def test_a_fixed_axis_is_read_at_numbers() -> None:
    made = unreduced("return box[n, 2] - box[n, 0]", "box: Boxes[n, 4]")
    x = tensor(3, 4)
    torch.testing.assert_close(made(x), x[:, 2] - x[:, 0])


def test_a_diagonal() -> None:
    body = "sim = Sum(input[i, d] * target[j, d], d)\nreturn logsumexp(sim, j) - at(sim, j=i)"
    x, y = tensor(3, 2), tensor(3, 2)
    expected = (x @ y.T).logsumexp(1) - (x * y).sum(1)
    torch.testing.assert_close(unreduced(body, EMBEDDINGS)(x, y), expected)


def test_a_size_counts_the_axis() -> None:
    made = unreduced("return Sum(input[n, c], c) / size(c)", "input: Real[n, c]")
    x = tensor(2, 5)
    torch.testing.assert_close(made(x), x.mean(1))


def test_letters_of_ones_own() -> None:
    text = "row, column = axes('row column')\nreturn Sum(input[row, column] ** 2, column)"
    made = unreduced(text, "input: Real[n, c]")
    x = tensor(2, 3)
    torch.testing.assert_close(made(x), x.square().sum(1))


def test_the_program_has_the_authors_names() -> None:
    body = "prob = sigmoid(input[n, c])\noverlap = Sum(prob * target[n, c], c)\nreturn 1 - overlap"
    program = show(compile_loss(read(body)).forward)
    assert program.splitlines() == [
        "prob[n, c] = sigmoid(input[n, c])",
        "overlap[n] = sum_{c} (prob[n, c]*target[n, c])",
        "loss[n] = 1 - overlap[n]",
    ]
