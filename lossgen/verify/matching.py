"""Which argument of the code is which argument of the formula.

In: a spec, a target, and what the user said (``--map``, ``--set``). Out: a ``Matching`` and, in
words, what was assumed. By name first, then by the names people use for the same thing, then by
place where that leaves no choice. What stays open is refused, with the option that settles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lossgen.errors import LossgenError, suggest
from lossgen.spec import LossSpec, Parameter, TensorArg
from lossgen.verify.packing import inside, last_name, learnt, opened, within
from lossgen.verify.synonyms import is_held, key, perhaps, same
from lossgen.verify.target import Argument, Target


@dataclass(frozen=True, eq=False)
class Matching:
    """How the code is called.

    Attributes:
        taken: formula argument -> argument of the code.
        fixed: what the user set, and what the formula has and the code takes no argument for.
        extra: arguments of the code alone, as the user set them.
        reduction: the code's argument that chooses a reduction, if it has one.
        notes: what was assumed, in words.
        left: options of the code alone that nobody set.
        absent: options of the formula that the code takes none of, at their defaults.
    """

    taken: Mapping[str, Argument]
    fixed: Mapping[str, Any]
    extra: Mapping[str, Any]
    reduction: Argument | None
    notes: tuple[str, ...]
    left: tuple[Argument, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass
class _Matcher:
    spec: LossSpec
    target: Target
    mapping: dict[str, str]
    settings: dict[str, Any]
    taken: dict[str, Argument] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def free(self) -> list[Argument]:
        used = {(x, a.stage) for a in self.taken.values() for x in (a.name, a.holder)}
        return [
            a
            for a in self.target.arguments
            if (a.name, a.stage) not in used and a.name != "reduction"
        ]

    def match(self) -> Matching:
        self._mapped()
        self._class_weights()
        self._alike(exact=True)
        self._alike(exact=False)
        self._told()
        self._learnt()
        self._placed()
        self._check_tensors()
        fixed = self._options()
        extra = {
            name: value
            for name, value in self.settings.items()
            if name not in {a.name for a in self.spec.arguments}
        }
        extra |= self._left_out()
        self._check_left(extra)
        for p in self.spec.parameters:
            taken = self.taken.get(p.name)
            if taken is not None and not taken.required and p.default not in (None, taken.default):
                theirs = f"{taken.name} = {taken.default}"
                self.notes.append(
                    f"defaults differ: the code's {theirs}, the formula's {p.default}"
                )
        for name, argument in self.taken.items():
            if name != argument.name:
                self.notes.append(f"the formula's {name} is the code's {argument.name}")
        left = tuple(
            a
            for a in self.free
            if a.name not in extra and isinstance(a.default, (bool, int, float, str))
        )
        ours = {p.name: p.default for p in self.spec.parameters if p.name in self.absent}
        others = {a.name: a.default for a in left if a.name != "reduction"}
        self.notes += perhaps(ours, others)
        reduction = self.target.argument("reduction")
        usual = self.spec.default_reduction
        if reduction is not None and reduction.default not in (None, usual):
            theirs = f"reduction = {reduction.default}"
            self.notes.append(f"defaults differ: the code's {theirs}, the formula's {usual}")
        notes, absent = tuple(self.notes), tuple(self.absent)
        return Matching(self.taken, fixed, extra, reduction, notes, left, absent)

    def _mapped(self) -> None:
        names = {a.name for a in self.spec.arguments}
        for name, theirs in self.mapping.items():
            if name not in names:
                hint = suggest(name, names) or f"It has {', '.join(sorted(names))}."
                raise LossgenError(f"--map {name}={theirs}: the formula has no '{name}'. {hint}")
            argument = self.target.argument(theirs) or next(
                (a for a in learnt(self.target) if a.name == theirs), None
            )
            if argument is None and not theirs.isidentifier():
                holder, steps = within(theirs)
                held = self.target.argument(holder)
                argument = None if held is None else inside(held, steps)
            if argument is None and self.target.open and theirs.isidentifier():
                argument = Argument(theirs, "call", False, False)
            if argument is None:
                known = [a.name for a in self.target.arguments]
                hint = suggest(theirs, known) or f"It has {', '.join(known)}."
                raise LossgenError(f"--map {name}={theirs}: the code has no '{theirs}'. {hint}")
            self.taken[name] = argument

    def _class_weights(self) -> None:
        """A weight of classes is the argument called so, whatever else is called a weight."""
        for ours in self.spec.tensors:
            if ours.role.name == "Weight" and [a.name for a in ours.axes] == ["c"]:
                found = [a for a in self.free if a.name in ("class_weight", "class_weights")]
                if ours.name not in self.taken and found:
                    self.taken[ours.name] = found[0]

    def _alike(self, *, exact: bool) -> None:
        for ours in self.spec.arguments:
            if ours.name in self.taken:
                continue
            found = [a for a in self.free if same(ours, last_name(a), exact)]
            if isinstance(ours, TensorArg) and not is_held(ours):
                # An exponent p = 2 is no prediction, whatever it is called.
                found = [a for a in found if a.default is None]
            if len(found) > 1 and isinstance(ours, TensorArg):
                # A constructor's argument is a weight; a prediction is given at the call.
                found = [a for a in found if (a.stage == "call") != is_held(ours)] or found
            if found:
                self.taken[ours.name] = found[0]

    def _told(self) -> None:
        """Tensors by what the words of a name say, where one argument alone says so."""
        for within_it in (False, True):  # a longer name may say more than what it is
            for ours in self.spec.tensors:
                if ours.name in self.taken or (within_it and not ours.optional):
                    continue
                said = key(ours.name)
                theirs = [(a, key(last_name(a))) for a in self.free if a.default is None]
                found = [a for a, x in theirs if (said < x if within_it else said == x)]
                if len(found) == 1:
                    self.taken[ours.name] = found[0]

    def _learnt(self) -> None:
        """What is learnt and no argument is held by the code as a parameter."""
        ours = [t for t in self.spec.tensors if t.role.learnable and t.name not in self.taken]
        theirs = learnt(self.target) if ours else ()
        for tensor in ours:
            found = [a for a in theirs if same(tensor, a.name, exact=True)]
            if not found and len(ours) == len(theirs) == 1:
                found = list(theirs)
            if found:
                self.taken[tensor.name] = found[0]
                self.notes.append(f"the formula's {tensor.name} is the code's own parameter")

    def _placed(self) -> None:
        ours = [t for t in self.spec.tensors if not t.optional and t.name not in self.taken]
        theirs = [
            a for a in self.free if a.stage == "call" and a.required and a.name not in self.settings
        ]
        named = any(a.stage == "call" for a in self.target.arguments)
        if not named and (self.target.open or not self.target.known):
            by_place = not self.target.known
            for tensor in ours:
                self.taken[tensor.name] = Argument(tensor.name, "call", True, by_place)
            how = "by place" if by_place else "by the formula's names"
            self.notes.append(f"its signature says no names: tensors are passed {how}")
        elif ours and len(ours) == len(theirs):
            self.taken.update({t.name: a for t, a in zip(ours, theirs, strict=True)})

    def _check_tensors(self) -> None:
        missing = [t.name for t in self.spec.tensors if not t.optional and t.name not in self.taken]
        if missing:
            free = [a.name for a in self.free if a.stage == "call"]
            every = [a.name for a in self.target.arguments if a.stage == "call"]
            takes = f"It takes {', '.join(free)}. Say so: --map {missing[0]}=NAME"
            if not free or len(every) < sum(not t.optional for t in self.spec.tensors):
                takes = (
                    f"It takes only {', '.join(every) or 'nothing'}. If one of these holds several "
                    f"tensors, say where: --map {missing[0]}={(every or ['batch'])[0]}[0]. If it "
                    "makes a loss, give one a name and ask about that: criterion = make(2)"
                )
            raise LossgenError(
                f"Which argument of {self.target.name} is the formula's '{missing[0]}'? {takes}"
            )
        for tensor in self.spec.tensors:
            if tensor.optional and tensor.name not in self.taken:
                self.notes.append(f"the code takes no {tensor.name}: the formula's is left out")

    def _options(self) -> dict[str, Any]:
        fixed: dict[str, Any] = {}
        for p in self.spec.parameters:
            if p.name in self.settings:
                value = self.settings[p.name]
                if not p.role.admits(value):
                    raise LossgenError(
                        f"--set {p.name}={value}: the formula wants {p.role.domain}."
                    )
                fixed[p.name] = value
            elif p.name not in self.taken:
                fixed[p.name] = self._absent(p)
        return fixed

    def _absent(self, p: Parameter) -> Any:
        held = getattr(self.target.object, p.name, None) if self.target.kind == "instance" else None
        if isinstance(held, (int, float)) and p.role.admits(held):
            self.notes.append(f"{p.name} = {held}, as the instance has it")
            return held
        if p.default is None:
            raise LossgenError(
                f"The formula needs '{p.name}', and {self.target.name} has no argument of that "
                f"name. Say which it is, --map {p.name}=NAME, or what it is, --set {p.name}=VALUE"
            )
        self.absent.append(p.name)
        self.notes.append(f"{p.name} = {p.default}, the formula's default: the code takes none")
        return p.default

    def _left_out(self) -> dict[str, None]:
        """Optional tensors that the user set to None: the code is given None."""
        found: dict[str, None] = {}
        for tensor in self.spec.tensors:
            if tensor.optional and self.settings.get(tensor.name, 0) is None:
                argument = self.taken.pop(tensor.name, None)
                if argument is not None:
                    found[argument.name] = None
        return found

    def _check_left(self, extra: Mapping[str, Any]) -> None:
        for name in extra:
            if self.target.argument(name) is None and not self.target.open:
                known = [a.name for a in self.target.arguments]
                known += [p.name for p in self.spec.parameters]
                raise LossgenError(
                    f"--set {name}: neither the formula nor the code has '{name}'. "
                    f"{suggest(name, known)}".rstrip()
                )
        left = [a for a in self.free if a.required and a.name not in extra]
        if left:
            names = ", ".join(f"'{a.name}'" for a in left)
            ours = [x.name for x in self.spec.arguments if x.name not in self.taken]
            name = ours[0] if len(ours) == 1 else "NAME"
            of = f" (one of {', '.join(ours)})" if len(ours) > 1 else ""
            say = f", or say what it is: --map {name}={left[0].name}{of}" if ours else ""
            raise LossgenError(
                f"{self.target.name} needs {names}, which the formula has not. "
                f"Give it: --set {left[0].name}=VALUE{say}"
            )


def match(
    spec: LossSpec,
    target: Target,
    mapping: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Matching:
    """Match the arguments of a target to those of a spec.

    Raises:
        LossgenError: where something stays open, or a name is unknown.
    """
    mapping, settings = dict(mapping or {}), dict(settings or {})
    wanted = sum(not t.optional for t in spec.tensors)
    said = {within(theirs)[0] for theirs in mapping.values()} | settings.keys()
    shut = frozenset(a.name for a in target.arguments if a.name in said)
    target = replace(target, arguments=opened(target.called, target.arguments, wanted, shut))
    return _Matcher(spec, target, mapping, settings).match()


def names(arguments: Sequence[Argument]) -> str:
    """The names of arguments, for a message."""
    return ", ".join(a.name for a in arguments)
