"""The source that a module of the ``compile`` backend ends with: when code is compiled and called.

It is the same in every module, and compiles nothing before the first call.
"""

RUNTIME = '''class _Together:
    """A loss and its gradients as one function, compiled when it is first called.

    Args:
        formula: the function.
        loss: the functional form, for what needs more than first derivatives.
    """

    def __init__(
        self,
        formula: Callable[..., tuple[Tensor | None, ...]],
        loss: Callable[..., Tensor],
    ) -> None:
        self.formula, self.loss = formula, loss
        self.variants: dict[Any, Callable[..., tuple[Tensor | None, ...]]] = {}
        self.failed = False
        # The upstream gradient of the last backward, which the next is likely to have.
        self.scale = 1.0

    def takes(self, *tensors: Tensor | None) -> bool:
        """Whether there is a compiler for these tensors, and nothing but it looks at them."""
        if self.failed or torch._C._is_tracing() or _transformed():
            return False
        return all(x is None or _is_ordinary(x) for x in tensors)

    def __call__(
        self,
        reduction: str,
        dtype: torch.dtype,
        tensors: dict[str, Tensor | None],
        options: dict[str, Any],
    ) -> Tensor:
        values = tensors.values()
        recorded = torch.is_grad_enabled()
        wanted = tuple(recorded and x is not None and x.requires_grad for x in values)
        call = _Call(self, reduction, dtype, tuple(tensors), options, wanted)
        if any(wanted):
            apply: Callable[..., Tensor] = _Differentiated.apply
            return apply(call, *values)
        value: Tensor = call.run((*values,))[-1]
        return value

    def run(self, device: str, key: Any, /, *args: Any, **named: Any) -> tuple[Any, ...]:
        """The formula compiled or, where that fails, as it is; from then on it is left alone."""
        with torch.no_grad(), torch.autocast(device, enabled=False):
            try:
                return self.variant(key)(*args, **named)
            except Exception:  # noqa: BLE001 - a compiler fails in many ways
                # Raises by itself where the fault is not the compiler's.
                result = self.formula(*args, **named)
                self.failed = True
                return result

    def variant(self, key: Any) -> Callable[..., tuple[Tensor | None, ...]]:
        """The formula as a compiled function of its own."""
        if key not in self.variants:
            # torch.compile counts recompilations by code object, and gives up after eight.
            code = self.formula.__code__.replace()
            function = types.FunctionType(code, self.formula.__globals__)
            self.variants[key] = torch.compile(function, fullgraph=True)
        return self.variants[key]


class _Call(NamedTuple):
    """One call of a loss: all but the tensors."""

    together: _Together
    reduction: str
    dtype: torch.dtype
    names: tuple[str, ...]
    options: dict[str, Any]
    wanted: tuple[bool, ...]

    def run(
        self,
        tensors: Sequence[Tensor | None],
        upstream: Tensor | None = None,
        known: tuple[Tensor, ...] | None = None,
    ) -> tuple[Any, ...]:
        """What is kept or the gradients, and the value: see the formula."""
        wanted = self.wanted if upstream is not None else (False,) * len(self.wanted)
        device = next(x.device.type for x in tensors if x is not None)
        key = (upstream is None, known is None, wanted, self.reduction)
        named = dict(zip(self.names, tensors, strict=True))
        args = (upstream, known, wanted, self.reduction, self.dtype)
        return self.together.run(device, key, *args, **named, **self.options)

    def differentiable(
        self, tensors: Sequence[Tensor | None], upstream: Tensor
    ) -> list[Tensor | None]:
        """The gradients as functions of the tensors and of the upstream gradient."""
        moving = [k for k, wanted in enumerate(self.wanted) if wanted]

        def loss(*values: Tensor) -> Tensor:
            inputs = list(tensors)
            for k, value in zip(moving, values, strict=True):
                inputs[k] = value.to(self.dtype)
            named = dict(zip(self.names, inputs, strict=True))
            # A transform is active: this goes the eager way.
            return self.together.loss(**named, **self.options, reduction=self.reduction)

        _, pull_back, *_ = torch.func.vjp(loss, *(tensors[k] for k in moving))
        found = iter(pull_back(upstream))
        return [next(found) if wanted else None for wanted in self.wanted]


class _Differentiated(torch.autograd.Function):
    """A loss whose gradients are compiled: with the value where that is one number, else after."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor | None) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.call, ctx.scale, ctx.gradients = call, None, None
        kept: list[Tensor] = []
        lead = next(x for x in tensors if x is not None)
        if call.reduction != "none" and lead.device.type == "cpu":
            ctx.scale = call.together.scale
            upstream = torch.full((), ctx.scale, dtype=torch.float64)
            *ctx.gradients, value = call.run(tensors, upstream)
        else:
            # To read the upstream gradient on a GPU is to wait for it.
            *kept, value = call.run(tensors)
        ctx.save_for_backward(*tensors, *kept)
        result: Tensor = value
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        call: _Call = ctx.call
        count = len(call.wanted)
        if grad is None:
            return (None,) * (1 + count)
        tensors, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        gradients: Sequence[Tensor | None]
        if torch.is_grad_enabled() or _transformed(grad):
            gradients = call.differentiable(tensors, grad)
        elif ctx.scale is None:
            gradients = call.run(tensors, grad, kept)[:-1]
        else:
            # Handed over, not kept: whoever gets them may write to them.
            made, ctx.gradients = ctx.gradients, None
            scale = float(grad)
            usual = 1e-6 < abs(scale) < 1e6
            call.together.scale = scale if usual else 1.0
            if made is not None and scale == ctx.scale:
                gradients = made
            elif made is not None and _may_scale(made, scale / ctx.scale):
                gradients = [x if x is None else x.mul_(scale / ctx.scale) for x in made]
            else:
                gradients = call.run(tensors, grad)[:-1]
        return (None, *gradients)


def _is_ordinary(x: Tensor) -> bool:
    """Whether a tensor is torch's own, has elements and a device with a compiler."""
    unpack: Callable[[Tensor], Any] = forward_ad.unpack_dual
    usual = type(x) in (Tensor, nn.Parameter) and x.layout == torch.strided
    placed = x.device.type in ("cpu", "cuda") and x.numel() > 0
    return usual and placed and unpack(x).tangent is None


def _transformed(*tensors: Tensor) -> bool:
    """Whether vmap or another transform is at work; torch tells only its own modules."""
    active: bool = torch._C._are_functorch_transforms_active()
    # Batches of upstream gradients (is_grads_batched) come by an older vmap.
    return active or any(map(torch._C._functorch.is_legacy_batchedtensor, tensors))


def _may_scale(gradients: Sequence[Tensor | None], factor: float) -> bool:
    """Whether gradients may be multiplied in place, and lose nothing by it."""
    made = [x for x in gradients if x is not None]
    exact = all(x.dtype in (torch.float32, torch.float64) for x in made)
    own = len({x.untyped_storage().data_ptr() for x in made}) == len(made)
    near = 1e-3 < abs(factor) < 1e3
    return near and exact and own and all(x.is_contiguous() for x in made)'''
