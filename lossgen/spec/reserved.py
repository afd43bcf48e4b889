"""Names that the generated code uses itself.

No argument may have one (``RESERVED``), and none that the class keeps a name of ``torch.nn.Module``
(``MODULE``); a part of the formula named so (``TAKEN``) gets another.
"""

_MODULES = "torch nn F math Tensor Any Callable Literal Sequence"
_BUILT_IN = "abs all any float isinstance len list max min sum super tuple zip"
_METHOD = "self ctx loss divisor grad_loss grad_divisor"
_LOCAL = (
    "reduction dtype dtypes device compute compiling function apply shape unbatched zeros "
    "inputs outputs pull_back push_forward moving available tensors"
)

# An option ``train`` would hide the method that ``model.eval()`` calls.
_OF_MODULES = (
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda "
    "double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter "
    "get_submodule half ipu load_state_dict modules mtia named_buffers named_children "
    "named_modules named_parameters parameters register_backward_hook register_buffer "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter "
    "register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state "
    "set_submodule share_memory state_dict to to_empty train training type xpu zero_grad"
)

TAKEN = frozenset(f"{_MODULES} {_BUILT_IN} {_METHOD}".split())
RESERVED = TAKEN | frozenset(_LOCAL.split())
MODULE = frozenset(_OF_MODULES.split())
