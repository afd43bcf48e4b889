"""The generated losses under torch's transformations: autograd, functorch, compile, export, amp."""
