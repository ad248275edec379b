# Runs in gdb: single-steps a guest in QEMU and writes what gdb makes of the stops, one JSON object a line. Each instruction is
# recorded the first two times that it is reached.
# Arguments are convenience variables set on gdb's command line: $guest, $output, $steps, $low and $high of data and stack.
import json

import gdb


def scalar(value):
    """The number that a value shows, as text; None for aggregates and what cannot be read."""
    kind = value.type.strip_typedefs().code
    plain = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR)
    return str(int(value)) if kind in plain else None


def variables(frame):
    """Name to number, or to None where gdb has none; names that inner blocks hide are left out."""
    found = {}
    try:
        block = frame.block()
    except RuntimeError:
        return found
    while block is not None:
        for symbol in block:
            if not (symbol.is_argument or symbol.is_variable) or symbol.name in found:
                continue
            value = symbol.value(frame)
            try:
                found[symbol.name] = "optimised out" if value.is_optimized_out else scalar(value)
            except (gdb.error, gdb.MemoryError):
                found[symbol.name] = "optimised out"
        if block.function is not None:
            break
        block = block.superblock
    return found


def frames():
    found = []
    frame = gdb.newest_frame()
    while frame is not None and len(found) < 50:
        # gdb invents frames for functions that jumped to their successor; nothing of them is left in the machine.
        if frame.type() == gdb.TAILCALL_FRAME:
            frame = frame.older()
            continue
        place = frame.find_sal()
        found.append(
            {
                "function": frame.name(),
                "file": place.symtab.filename if place.symtab else None,
                "line": place.line,
                "pc": str(frame.pc()),
                "inlined": frame.type() == gdb.INLINE_FRAME,
                "variables": variables(frame),
            }
        )
        try:
            frame = frame.older()
        except gdb.error:
            break
    return found


def text(name):
    return gdb.convenience_variable(name).string()


def number(name):
    return int(gdb.convenience_variable(name))


gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
gdb.execute("set print inferior-events off")
# A guest that traps for ever never finishes a step: QEMU then ends by itself, and gdb with it.
qemu = "timeout 100 qemu-system-riscv64 -M virt -bios none -display none -monitor none -serial none -S -gdb stdio -kernel "
gdb.execute("target remote | exec " + qemu + text("guest"))
# The boot ROM knows nothing of the entry of an ELF file; stepping only, the guest can never run away.
gdb.execute("set $pc = _start")
with open(text("output"), "w") as output:
    # int() of a code pointer through unsigned long: registers print signed otherwise.
    unsigned = lambda name: str(int(gdb.parse_and_eval("(unsigned long)$" + name)))
    times = {}
    for _ in range(number("steps")):
        pc = unsigned("pc")
        times[pc] = times.get(pc, 0) + 1
        if times[pc] <= 2:
            registers = ["0"] + [unsigned("x%d" % i) for i in range(1, 32)]
            low = number("low")
            memory = gdb.selected_inferior().read_memory(low, number("high") - low)
            stop = {"pc": pc, "x": registers, "frames": frames(), "memory": bytes(memory).hex()}
            output.write(json.dumps(stop) + "\n")
        gdb.execute("stepi", to_string=True)
        if unsigned("pc") == pc:
            break
gdb.execute("kill")
