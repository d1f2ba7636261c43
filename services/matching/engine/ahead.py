"""Memory asked for before it is needed. Compiled: tables of a whole province are in no cache, but what is asked for early enough
has come when its turn does, and several lines come at a time.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LINE = 64  # bytes that come together
READ, KEPT, DATA = 0, 3, 1  # as LLVM's prefetch has them
BYTE, NUMBER = ir.IntType(8).as_pointer(), ir.IntType(32)
PREFETCH = ir.FunctionType(ir.VoidType(), [BYTE, NUMBER, NUMBER, NUMBER])


def _asking(_typing: Any, rows: Any, row: Any) -> Any:
    """The lines of a row's first byte and last. Changes nothing, and a row that is not there is no fault."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = context.make_array(signature.args[0])(context, builder, arguments[0])
        size = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        first = builder.mul(arguments[1], context.get_constant(types.intp, size))
        prefetch = cgutils.get_or_insert_function(builder.module, PREFETCH, "llvm.prefetch.p0")
        for offset in (0, size - 1) if size > LINE // 2 else (0,):
            at = builder.add(first, context.get_constant(types.intp, offset))
            byte = builder.gep(builder.bitcast(table.data, BYTE), [at])
            builder.call(prefetch, [byte, *(ir.Constant(NUMBER, how) for how in (READ, KEPT, DATA))])
        return context.get_dummy_value()

    return types.void(rows, types.intp), emit


ask_for: Any = intrinsic(_asking)
