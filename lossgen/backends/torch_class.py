"""The class style: a module that keeps the options and calls the functional form.

In: a ``Compiled`` loss.  Out: a ``ClassPage``.

    weight: Tensor[c], Weight  →  self.register_buffer("weight", weight)

It refuses the arguments that torch gave up, by name, when the module is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lossgen.backends.torch_checks import refusal_lines
from lossgen.backends.torch_signatures import arguments_of
from lossgen.compiled import Compiled
from lossgen.docs import class_doc
from lossgen.page import Argument, ClassPage, docstring, signature
from lossgen.spec import LossSpec, TensorArg


def class_page(compiled: Compiled) -> ClassPage:
    """The page of a loss's class."""
    spec = compiled.spec
    tensors = {t.name: t for t in spec.tensors}
    arguments = arguments_of(compiled, spec.class_signature)
    built = [a for a in arguments if a.name in tensors]
    refused = [a.name for a in arguments if a.name in spec.refused]
    options = [a for a in arguments if a.name not in tensors and a.name not in refused]
    by_name = {a.name: a for a in arguments_of(compiled, spec.signature)}
    forward = [by_name[t.name] for t in spec.tensors if t.name not in {a.name for a in built}]
    forward.sort(key=lambda a: bool(a.default))
    own = {a.name for a in (*built, *options)}
    passed = [x for x in by_name if x in own or x in tensors]
    call = [f"{x}=self.{x}," if x in own else f"{x}={x}," for x in passed]
    init = ["super().__init__()", *refusal_lines(tuple(refused), spec.class_name)]
    for a in built:
        learnable = tensors[a.name].role.learnable
        init.append(
            f"self.{a.name} = nn.Parameter({a.name})"
            if learnable
            else f'self.register_buffer("{a.name}", {a.name})'
        )
    for a in options:
        annotation = ": Reduction" if a.name == "reduction" else ""
        init.append(f"self.{a.name}{annotation} = {a.name}")
    return ClassPage(
        name=spec.class_name,
        doc=docstring(class_doc(spec, arguments)),
        members=tuple(
            f"{a.name}: {a.annotation}" for a in built if not tensors[a.name].role.learnable
        ),
        init_signature=signature([Argument("self", ""), *arguments]).replace("self: ", "self", 1),
        init_body=tuple(init),
        forward_signature=signature([Argument("self", ""), *forward]).replace("self: ", "self", 1),
        forward_body=(f"return {spec.functional_name}(", *(f"    {x}" for x in call), ")"),
        representation=", ".join(_repr_items(arguments, spec, tensors)),
    )


def _repr_items(
    arguments: Sequence[Argument], spec: LossSpec, tensors: Mapping[str, TensorArg]
) -> Iterable[str]:
    for a in arguments:
        if a.name in spec.refused:
            continue
        if a.name not in tensors:
            yield f"{a.name}={{self.{a.name}!r}}"
        elif not tensors[a.name].role.learnable:
            yield f"{a.name}={{None if self.{a.name} is None else list(self.{a.name}.shape)}}"
