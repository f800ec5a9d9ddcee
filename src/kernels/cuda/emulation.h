// What a CUDA kernel sees, on the CPU: one fiber per CUDA thread, blocks one after another.
//
// A warp runs alone until all its threads wait at a block barrier or have ended, so warps are as far apart as they can be and a missing
// __syncthreads shows as a wrong or NaN result: shared memory starts as NaN in every block. Launches can run warps and lanes in either order.
// A barrier that not all threads reach at the same line aborts with the kernel's name and both lines. bf16 rounds to nearest even, as the
// hardware does; a wmma tile lives whole in lane 0. Neither timing nor memory coalescing nor races between blocks are seen.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#if !defined(__x86_64__)
#error "the CUDA emulation switches fibers in x86-64 assembly"
#endif

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define SHARED(T, name) T* name = reinterpret_cast<T*>(emu::state().shared)

struct dim3 {
    unsigned x, y, z;
};

namespace emu {

struct Fiber {
    enum Status { READY, BARRIER, ENDED };
    void* stack_pointer = nullptr;
    char* stack = nullptr;
    dim3 thread{};
    int lane = 0, warp = 0, line = 0;
    Status status = READY;
};

struct Warp {
    uint64_t slot[2][32];
    int arrived, live;
    unsigned generation;
};

struct State {
    static constexpr size_t STACK = 96 * 1024;
    void* scheduler = nullptr;
    Fiber* current = nullptr;
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<char> memory;
    char* shared = nullptr;
    dim3 block{}, blocks{}, threads{};
    void (*body)(void*) = nullptr;
    void* argument = nullptr;
    const char* kernel = "";
    bool reverse = false;
    ~State() {
        for (auto& fiber : fibers) free(fiber.stack);
    }
};

State& state();
extern "C" void ldar_emu_switch(void** save, void* load);

inline void to_scheduler() {
    State& s = state();
    ldar_emu_switch(&s.current->stack_pointer, s.scheduler);
}

inline void barrier(int line) {
    Fiber* f = state().current;
    f->status = Fiber::BARRIER;
    f->line = line;
    to_scheduler();
}

// The last live lane to arrive lets the others go on.
inline void warp_barrier() {
    State& s = state();
    Warp& w = s.warps[s.current->warp];
    unsigned generation = w.generation;
    w.arrived++;
    while (w.generation == generation && w.arrived < w.live) to_scheduler();
    if (w.generation == generation) {
        w.generation++;
        w.arrived = 0;
    }
}

template <class T> inline T shuffle(T value, int from) {
    static_assert(sizeof(T) <= 8, "");
    State& s = state();
    Warp& w = s.warps[s.current->warp];
    uint64_t* slots = w.slot[w.generation & 1];
    memcpy(&slots[s.current->lane], &value, sizeof(T));
    warp_barrier();
    T out;
    memcpy(&out, &slots[from & 31], sizeof(T));
    return out;
}

void run(const char* kernel, const unsigned* launch, size_t shared, bool reverse, void (*body)(void*), void* argument);

template <class... A, size_t... I> inline void call(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
    kernel(*reinterpret_cast<std::remove_reference_t<A>*>(p[I])...);
}

template <class... A> void launch(const char* name, void (*kernel)(A...), const unsigned* size, size_t shared, bool reverse, void** params, size_t n) {
    if (n != sizeof...(A)) {
        fprintf(stderr, "emulation: %s takes %zu arguments, not %zu\n", name, sizeof...(A), n);
        abort();
    }
    struct Bound {
        void (*kernel)(A...);
        void** params;
    } bound{kernel, params};
    run(name, size, shared, reverse, [](void* b) { call(((Bound*)b)->kernel, ((Bound*)b)->params, std::index_sequence_for<A...>{}); }, &bound);
}

} // namespace emu

#define threadIdx (emu::state().current->thread)
#define blockIdx (emu::state().block)
#define blockDim (emu::state().threads)
#define gridDim (emu::state().blocks)
#define __syncthreads() emu::barrier(__LINE__)
#define __syncwarp(...) emu::warp_barrier()
#define __shfl_sync(mask, v, from) emu::shuffle((v), (from))
#define __shfl_xor_sync(mask, v, bits) emu::shuffle((v), emu::state().current->lane ^ (bits))
template <class T> inline T emu_up(T v, int by) {
    int lane = emu::state().current->lane;
    return emu::shuffle(v, lane - by < 0 ? lane : lane - by);
}
template <class T> inline T emu_down(T v, int by) {
    int lane = emu::state().current->lane;
    return emu::shuffle(v, lane + by > 31 ? lane : lane + by);
}
#define __shfl_up_sync(mask, v, by) emu_up((v), (by))
#define __shfl_down_sync(mask, v, by) emu_down((v), (by))

using std::max;
using std::min;
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }

struct __nv_bfloat16 {
    uint16_t bits;
};
inline __nv_bfloat16 __float2bfloat16(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u) return {0x7fff};
    u += 0x7fffu + ((u >> 16) & 1);
    return {uint16_t(u >> 16)};
}
inline float __bfloat162float(__nv_bfloat16 h) {
    uint32_t u = uint32_t(h.bits) << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

namespace nvcuda {
namespace wmma {
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    static constexpr int rows = std::is_same<Use, matrix_b>::value ? K : M, columns = std::is_same<Use, matrix_a>::value ? K : N;
    static constexpr int num_elements = rows * columns;
    T x[num_elements];
};
inline bool lead() { return emu::state().current->lane == 0; }
inline void check(const void* p, unsigned ld_bytes) {
    if (reinterpret_cast<uintptr_t>(p) % 32 || ld_bytes % 16) {
        fprintf(stderr, "emulation: %s: a wmma tile is not aligned (32 bytes, rows 16 bytes)\n", emu::state().kernel);
        abort();
    }
}
template <class F> inline void fill_fragment(F& f, float v) {
    for (auto& e : f.x) e = v;
}
template <class Use, int M, int N, int K, class T, class Layout>
inline void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const T* p, unsigned ld) {
    check(p, ld * sizeof(T));
    emu::warp_barrier();
    if (lead())
        for (int r = 0; r < f.rows; r++)
            for (int c = 0; c < f.columns; c++) f.x[r * f.columns + c] = std::is_same<Layout, col_major>::value ? p[c * ld + r] : p[r * ld + c];
    emu::warp_barrier();
}
template <int M, int N, int K> inline void load_matrix_sync(fragment<accumulator, M, N, K, float>& f, const float* p, unsigned ld, layout_t layout) {
    check(p, ld * sizeof(float));
    emu::warp_barrier();
    if (lead())
        for (int r = 0; r < M; r++)
            for (int c = 0; c < N; c++) f.x[r * N + c] = layout == mem_row_major ? p[r * ld + c] : p[c * ld + r];
    emu::warp_barrier();
}
template <int M, int N, int K> inline void store_matrix_sync(float* p, const fragment<accumulator, M, N, K, float>& f, unsigned ld, layout_t layout) {
    check(p, ld * sizeof(float));
    emu::warp_barrier();
    if (lead())
        for (int r = 0; r < M; r++)
            for (int c = 0; c < N; c++) p[layout == mem_row_major ? r * ld + c : c * ld + r] = f.x[r * N + c];
    emu::warp_barrier();
}
template <int M, int N, int K, class LA, class LB>
inline void mma_sync(fragment<accumulator, M, N, K, float>& d, const fragment<matrix_a, M, N, K, __nv_bfloat16, LA>& a,
                     const fragment<matrix_b, M, N, K, __nv_bfloat16, LB>& b, const fragment<accumulator, M, N, K, float>& c) {
    if (lead())
        for (int m = 0; m < M; m++)
            for (int n = 0; n < N; n++) {
                float sum = c.x[m * N + n];
                for (int k = 0; k < K; k++) sum += __bfloat162float(a.x[m * K + k]) * __bfloat162float(b.x[k * N + n]);
                d.x[m * N + n] = sum;
            }
    emu::warp_barrier();
}
} // namespace wmma
} // namespace nvcuda

// `launch` is blocks x, y, z and threads of a block; `params` point at the arguments.
#define EXPORT(k)                                                                                                                         \
    extern "C" void ldar_emu_##k(const unsigned* launch, size_t shared, bool reverse, void** params, size_t n) {                          \
        emu::launch(#k, k, launch, shared, reverse, params, n);                                                                           \
    }
