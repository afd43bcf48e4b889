"""What surrounds a formula: ``@loss`` and the divisors of its mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lossgen.language.letters import Expr


@dataclass(frozen=True, slots=True)
class Averaged:
    """An item with what its mean divides by, and further divisors by name."""

    item: Expr
    over: Expr | None
    named: dict[str, Expr] = field(default_factory=dict)


def averaged(item: Expr, *, over: Expr = None, **named: Expr) -> Averaged:
    """Say what the mean divides by, if not the count; ``batchmean=size(n)`` adds a reduction.

    ``over`` is summed over the item's letters, of which it has all; or it has none, and is the
    divisor itself.
    """
    return Averaged(item, over, named)


@dataclass(frozen=True, slots=True)
class Options:
    """What ``@loss`` was told; see :func:`loss`."""

    reference: str
    unbatched: bool
    family: str
    class_name: str
    functional_name: str
    default_reduction: str
    signature: str
    class_signature: str
    forward: str
    floating_target: LossFunction | None


@dataclass(frozen=True, slots=True)
class LossFunction:
    """A spec's function with its options; calling it gives its expression."""

    function: Callable[..., Expr]
    options: Options

    def __call__(self, *args: Expr, **kwargs: Expr) -> Expr:
        result = self.function(*args, **kwargs)
        return result.item if isinstance(result, Averaged) else result


def loss(
    *undecorated: Callable[..., Expr],
    reference: str = "",
    unbatched: bool = False,
    family: str = "",
    class_name: str = "",
    functional_name: str = "",
    default_reduction: str = "mean",
    signature: str = "",
    class_signature: str = "",
    forward: str = "",
    floating_target: LossFunction | None = None,
) -> Callable[[Callable[..., Expr]], LossFunction]:
    """Declare a loss.

    Args:
        reference: authors, title, venue and year of the formula's source.
        unbatched: the least rank means that the first axis (the sample) is absent.
        family: where the catalogue lists it.
        class_name, functional_name: when they are not the usual ones.
        default_reduction: ``mean``, ``sum`` or ``none``.
        signature: the functional form's arguments in order, ``*`` allowed; names that the spec does
            not have are arguments of old that are refused.
        class_signature: the same for the class's constructor.
        forward: Weight tensors that go to ``forward`` rather than to the constructor.
        floating_target: the formula for a floating-point ``target`` (class probabilities).
    """
    if undecorated:
        raise TypeError("write @loss() with its parentheses")
    options = Options(
        reference=reference,
        unbatched=unbatched,
        family=family,
        class_name=class_name,
        functional_name=functional_name,
        default_reduction=default_reduction,
        signature=signature,
        class_signature=class_signature,
        forward=forward,
        floating_target=floating_target,
    )
    return lambda function: LossFunction(function, options)
