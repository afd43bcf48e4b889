"""What an answer rests on, in words, and what code was given that refused it.

In: a ``Question``. Out: lines for a person, with the options that say otherwise.
"""

from __future__ import annotations

from lossgen.verify.caller import CallFailed
from lossgen.verify.fitting import callable_with
from lossgen.verify.question import Question
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session


def assumptions(question: Question) -> tuple[str, ...]:
    """What the answer rests on, in words."""
    lines = list(question.matching.notes)
    for name, chain in question.adapters.items():
        lines += [f"the code takes {name} {adapter.text}" for adapter in chain]
    lines += [f"{k} = {v}, as set" for k, v in question.matching.extra.items()]
    fixed = question.matching.fixed
    told = {note.split(" =")[0] for note in question.matching.notes}
    lines += [f"{k} = {v}, as set" for k, v in fixed.items() if k not in told]
    if question.matching.left:
        shown = ", ".join(f"{a.name} = {a.default}" for a in question.matching.left)
        lines.append(f"left at the code's defaults: {shown}")
    for axis, size in question.pinned.items():
        shown = " x ".join(map(str, size)) if size else "no dimensions"
        why = f", as otherwise it raises {question.why[axis]}" if axis in question.why else ""
        lines.append(f"asked with {axis} of {'' if not size else 'size '}{shown}{why}")
    if not question.passed:
        lines.append(f"the code's result is the formula's with reduction {question.reductions[0]}")
    if question.result:
        lines.append(f"its result is taken as: {question.result}")
    return tuple(lines)


def given(session: Session, failure: CallFailed) -> str:
    """What code was given that raised, and how it is given something else."""
    question = session.question
    leaves = session.caller.leaves(next(first_points(question)), grad=False)
    if str(failure).startswith("it gives") or not leaves:
        return ""
    if any(word in str(failure) for word in ("CUDA", "NVIDIA", "MPS")):
        return ". Only the CPU is asked here: let the code follow its inputs, .to(input.device)"
    shown = [
        f"{question.matching.taken[name].name} {list(x.shape)}"
        + ("" if x.is_floating_point() else f" of {str(x.dtype).removeprefix('torch.')}")
        for name, x in session.caller.given(leaves).items()
    ]
    others = " or ".join(callable_with(question)[:3])
    if others:
        return f". It was given {', '.join(shown)}. It can be called with {others}"
    return (
        f". It was given {', '.join(shown)}. If it takes something else, say so: "
        "--size, --pass, --map (input=outputs.logits, target=batch[label]) or --set"
    )
