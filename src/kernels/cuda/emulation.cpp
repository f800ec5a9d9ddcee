// The scheduler of emulation.h.
#include "emulation.h"

asm(R"(.text
.globl ldar_emu_switch
.type ldar_emu_switch,@function
ldar_emu_switch:
 pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
 movq %rsp,(%rdi); movq %rsi,%rsp
 popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
 ret
.size ldar_emu_switch,.-ldar_emu_switch
.section .note.GNU-stack,"",@progbits
.text
)");

namespace emu {

State& state() {
    static thread_local State s;
    return s;
}

static void fail(const State& s, const char* what, int line, int other) {
    fprintf(stderr, "emulation: %s: %s (lines %d and %d) in block %u\n", s.kernel, what, line, other, s.block.x);
    abort();
}

static void entry() {
    State& s = state();
    s.body(s.argument);
    s.current->status = Fiber::ENDED;
    Warp& w = s.warps[s.current->warp];
    w.live--;
    to_scheduler();
    abort();
}

static void start(State& s, unsigned i) {
    Fiber& f = s.fibers[i];
    if (!f.stack) f.stack = (char*)aligned_alloc(64, State::STACK);
    f.status = Fiber::READY;
    f.thread = {i, 0, 0};
    f.lane = i & 31;
    f.warp = i >> 5;
    s.warps[f.warp].live++;
    void** top = (void**)(f.stack + State::STACK - 64);
    *--top = nullptr;
    *--top = (void*)&entry;
    for (int saved = 0; saved < 6; saved++) *--top = nullptr;
    f.stack_pointer = top;
}

// One warp as far as it goes; whether any thread of it ran.
static bool run_warp(State& s, unsigned warp, unsigned n) {
    bool any = false;
    for (bool ran = true; ran;) {
        ran = false;
        for (unsigned l = 0; l < 32; l++) {
            unsigned i = warp * 32 + (s.reverse ? 31 - l : l);
            if (i >= n || s.fibers[i].status != Fiber::READY) continue;
            s.current = &s.fibers[i];
            ldar_emu_switch(&s.scheduler, s.current->stack_pointer);
            ran = any = true;
        }
    }
    return any;
}

static void run_block(State& s) {
    unsigned n = s.threads.x, warps = (n + 31) / 32;
    if (s.fibers.size() < n) s.fibers.resize(n);
    s.warps.assign(warps, Warp{});
    for (unsigned i = 0; i < n; i++) start(s, i);
    for (unsigned ended = 0; ended < n;) {
        bool any = false;
        for (unsigned w = 0; w < warps; w++) any |= run_warp(s, s.reverse ? warps - 1 - w : w, n);
        ended = 0;
        int line = 0;
        for (unsigned i = 0; i < n; i++) {
            Fiber& f = s.fibers[i];
            if (f.status == Fiber::ENDED) ended++;
            if (f.status != Fiber::BARRIER) continue;
            if (line && line != f.line) fail(s, "threads wait at different __syncthreads", line, f.line);
            line = f.line;
            f.status = Fiber::READY;
        }
        if (line && ended) fail(s, "a __syncthreads after threads have ended", line, line);
        if (!line && !any) fail(s, "deadlock in a warp", 0, 0);
    }
}

void run(const char* kernel, const unsigned* size, size_t shared, bool reverse, void (*body)(void*), void* argument) {
    State& s = state();
    s.kernel = kernel;
    s.reverse = reverse;
    s.body = body;
    s.argument = argument;
    s.blocks = {size[0], size[1], size[2]};
    s.threads = {size[3], 1, 1};
    s.memory.resize(shared + 128);
    s.shared = (char*)(((uintptr_t)s.memory.data() + 127) & ~(uintptr_t)127);
    for (unsigned z = 0; z < size[2]; z++)
        for (unsigned y = 0; y < size[1]; y++)
            for (unsigned x = 0; x < size[0]; x++) {
                s.block = {x, y, z};
                memset(s.shared, 0xff, s.memory.size() - (s.shared - s.memory.data()));
                run_block(s);
            }
}

} // namespace emu
