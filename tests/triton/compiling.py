"""Kernels compiled ahead of time for a GPU that need not be there: to PTX, and on to a cubin."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

POINTERS = {"float32": "*fp32", "float64": "*fp64", "bfloat16": "*bf16", "float16": "*fp16"}


def kernels(module: ModuleType) -> dict[str, Any]:
    """The kernels of a generated file, without their tuners."""
    found = {}
    for name, value in vars(module).items():
        if name.endswith("_kernel"):
            found[name] = value.fn
    return found


def signature(kernel: Any, dtype: str, kinds: Mapping[str, str]) -> dict[str, str]:
    """The type of every parameter; what is compiled in is ``constexpr``."""
    types = {}
    special = {"integer": "*i64", "boolean": "*i1"}
    for p in kernel.params:
        name = p.name
        if p.is_constexpr:
            types[name] = "constexpr"
        elif name.endswith("_ptr"):
            types[name] = special.get(kinds.get(name.removesuffix("_ptr"), ""), POINTERS[dtype])
        elif p.annotation_type:
            types[name] = p.annotation_type
        else:
            types[name] = "i32"
    return types


def variants(kernel: Any, dtype: str) -> Iterator[dict[str, Any]]:
    """What a kernel may be compiled for: all switches on, all off, and each exponent."""
    import triton.language as tl

    names = [p.name for p in kernel.params if p.is_constexpr]
    real = tl.float64 if dtype == "float64" else tl.float32
    fixed = {"REAL": real, "TILE": 1024, "INDEX": tl.int32}
    switches = [x for x in names if x not in (*fixed, "BLOCK") and not x.startswith("WHOLE_")]
    whole = [x for x in names if x.startswith("WHOLE_")]
    for on, power in itertools.product((True, False), (-1, 2) if whole else (-1,)):
        yield {
            **{x: fixed[x] for x in fixed if x in names},
            **({"BLOCK": 32 if on else 1024} if "BLOCK" in names else {}),
            "INDEX": tl.int32 if on else tl.int64,
            **dict.fromkeys(switches, on),
            **dict.fromkeys(whole, power),
        }


def ptx(kernel: Any, dtype: str, kinds: Mapping[str, str], constants: dict[str, Any]) -> str:
    """The kernel in PTX, for compute capability 9.0."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    absent = {
        f"{name.removeprefix('GIVEN_').lower()}_ptr"
        for name, value in constants.items()
        if name.startswith("GIVEN_") and not value
    }
    found = signature(kernel, dtype, kinds).items()
    types = {x: "constexpr" if x in absent else kind for x, kind in found}
    constants = {**constants, **{x: None for x in types if x in absent}}
    source = ASTSource(fn=kernel, signature=types, constexprs=constants)
    compiled = triton.compile(
        source, target=GPUTarget("cuda", 90, 32), options={"enable_fp_fusion": True}
    )
    return str(compiled.asm["ptx"])
