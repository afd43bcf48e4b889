"""What a generated module says, decided: strings, flags and tuples for the templates to lay out."""

from __future__ import annotations

from dataclasses import dataclass

Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a public function."""

    name: str
    annotation: str
    default: str = ""
    keyword_only: bool = False
    note: str = ""  # shape and domain, for the docstring


@dataclass(frozen=True, slots=True)
class FunctionPage:
    """A function: its signature, docstring and body."""

    name: str
    signature: str
    doc: Lines
    body: Lines
    returns: str = "Tensor"


@dataclass(frozen=True, slots=True)
class AutogradPage:
    """The ``autograd.Function`` of one formula, each method as signature and body."""

    name: str
    doc: str
    forward_signature: str
    forward_body: Lines
    setup_body: Lines
    backward_signature: str
    backward_body: Lines
    jvp_body: Lines


@dataclass(frozen=True, slots=True)
class ClassPage:
    """The class style."""

    name: str
    doc: Lines
    members: Lines
    init_signature: str
    init_body: Lines
    forward_signature: str
    forward_body: Lines
    representation: str


@dataclass(frozen=True, slots=True)
class KernelPage:
    """One C function, what stands before it, and when it is compiled."""

    name: str
    doc: Lines
    parameters: Lines
    body: Lines
    before: Lines = ()
    only: str = ""


@dataclass(frozen=True, slots=True)
class KernelsPage:
    """The C file beside a module."""

    doc: Lines
    switches: Lines
    support: str
    maths: str
    kernels: tuple[KernelPage, ...]
    carried: Lines = ()
    short: bool = False
    template: str = "kernels.c.jinja"
    ending: str = ".c"


@dataclass(frozen=True, slots=True)
class TritonKernelPage:
    """One kernel in Triton.

    Attributes:
        key: the parameters for each value of which a tile is chosen.
        partial: the parameters that hold sums of blocks, which another tile writes elsewhere.
    """

    name: str
    doc: str
    parameters: Lines
    body: Lines
    key: str
    partial: str


@dataclass(frozen=True, slots=True)
class TritonPage:
    """The file of Triton kernels beside a module."""

    doc: Lines
    exported: Lines
    launches: tuple[Lines, ...]
    kernels: tuple[TritonKernelPage, ...]
    maths: str
    compares_with_itself: bool
    template: str = "kernels_triton.py.jinja"
    ending: str = "_triton.py"


@dataclass(frozen=True, slots=True)
class ModulePage:
    """A whole generated module, and the file of kernels beside it, if its backend has one."""

    doc: Lines
    imports: Lines
    exported: Lines
    reductions: str
    functions: tuple[FunctionPage, ...]
    module: ClassPage
    autograd: tuple[AutogradPage, ...]
    helpers: Lines
    inner: tuple[FunctionPage, ...] = ()
    kernel_calls: tuple[Lines, ...] = ()
    runtime: tuple[str, ...] = ()  # templates of what stands at the end of every such module
    kernels: KernelsPage | TritonPage | None = None
    note: str = ""  # what the backend could not do


def signature(arguments: tuple[Argument, ...] | list[Argument]) -> str:
    """Arguments as they stand in a definition; ``*`` opens the keyword-only ones."""
    parts: list[str] = []
    keyword_only = False
    for a in arguments:
        if a.keyword_only and not keyword_only:
            parts.append("*")
            keyword_only = True
        parts.append(f"{a.name}: {a.annotation}" + (f" = {a.default}" if a.default else ""))
    return ", ".join(parts)


def docstring(lines: Lines | list[str]) -> Lines:
    """Lines as a docstring; raw where a formula has backslashes."""
    opening = 'r"""' if any("\\" in line for line in lines) else '"""'
    first, *rest = lines
    if not rest:
        return (f'{opening}{first}"""',)
    return (f"{opening}{first}", *rest, '"""')
