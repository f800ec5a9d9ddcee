// What the kernels of the BiMamba-2 mixer share: sizes, parameters, chunks, tiles. The formulas stand in kernels/ssd.rs.
//
// Both directions work on the same chunks of up to Q rows; direction 1 reads rows, and chunks, from the last to the first. Everything
// is stored under its row, whichever direction made it: xbc, y (2, rows, channels), dt, a (2, heads, rows).
#pragma once
#include "tile.cuh"

// Rows of a chunk, channels of a head, heads whose work shares a block, and the largest state size: that of the authors' models. Tiles of B, C and
// states have N columns whatever the state size is, zeros behind it, so that the compiler knows the sizes of all products.
constexpr int Q = 64, P = 64, GROUP = 4, N = 128;
// Leading dimensions of tiles of 64 and of N columns.
constexpr int LD = 72, LDN = N + 8;

// Sizes of the mixer, and where the parts of a direction's packed parameters start.
struct Sizes {
    int rows, d, n, k;
    __device__ int heads() const { return d / P; }
    __device__ int groups() const { return (heads() + GROUP - 1) / GROUP; }
    __device__ int conv_dim() const { return d + 2 * n; }
    __device__ int columns() const { return 2 * d + 2 * n + heads(); }
    __device__ int conv_bias() const { return conv_dim() * k; }
    __device__ int dt_bias() const { return conv_dim() * (k + 1); }
    __device__ int a_log() const { return dt_bias() + heads(); }
    __device__ int skip() const { return dt_bias() + 2 * heads(); }
    __device__ int norm() const { return dt_bias() + 3 * heads(); }
};

// The rows of a chunk in the order in which a direction reads them.
struct Span {
    int first, len;
    bool reverse;
    __device__ size_t row(int t) const { return reverse ? first + len - 1 - t : first + t; }
};

// The table has first row, rows, and the first row and the end of the sequence of each chunk.
__device__ __forceinline__ Span span(const unsigned* chunks, int chunk, int direction) {
    return {(int)chunks[4 * chunk], (int)chunks[4 * chunk + 1], direction == 1};
}

// 16 bytes.
struct __align__(16) Pack {
    unsigned word[4];
};

// 64 rows of `width` columns into a tile of C columns, zeros behind the span's last row and up to C. `from` is the first column of row 0.
template <int C, class T> __device__ __forceinline__ void load_tile(T* to, const T* from, size_t stride, Span rows, int width) {
    constexpr int ld = C + 8, each = 16 / sizeof(T), packs = C / each, all = Q * packs / THREADS, batch = all < 4 ? all : 4;
    static_assert(Q * packs % (batch * THREADS) == 0, "every thread loads as much");
    if (width == C && stride % each == 0 && (size_t)from % 16 == 0) {
        for (int start = 0; start < all * THREADS; start += batch * THREADS) {
            Pack v[batch]; // all loads on their way before the first is waited for
#pragma unroll
            for (int j = 0; j < batch; j++) {
                int i = threadIdx.x + start + j * THREADS, t = i / packs;
                v[j] = *reinterpret_cast<const Pack*>(from + rows.row(min(t, rows.len - 1)) * stride + i % packs * each);
                if (t >= rows.len) v[j] = Pack{{0, 0, 0, 0}};
            }
#pragma unroll
            for (int j = 0; j < batch; j++) {
                int i = threadIdx.x + start + j * THREADS;
                *reinterpret_cast<Pack*>(to + i / packs * ld + i % packs * each) = v[j];
            }
        }
        return;
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < Q * C; i += THREADS) {
        int t = i / C, c = i % C;
        to[t * ld + c] = t < rows.len && c < width ? from[rows.row(t) * stride + c] : from_float<T>(0.0f);
    }
}

// A state (P, n).
template <class T> __device__ __forceinline__ void load_state(T* to, const T* state, int n) { load_tile<N>(to, state, n, Span{0, P, false}, n); }

// Calls work(p, c) for every element of (P, N), a row a warp.
template <class F> __device__ __forceinline__ void each_element(F work) {
#pragma unroll 2
    for (int p = 0; p < P; p += WARPS)
#pragma unroll
        for (int c = 0; c < N; c += 32) work(p + threadIdx.x / 32, c + (threadIdx.x & 31));
}

// Calls work(t, p) for every element of (Q, P), a column a thread.
template <class F> __device__ __forceinline__ void each_of_chunk(F work) {
#pragma unroll 8
    for (int t = 0; t < Q; t += THREADS / P) work(t + threadIdx.x / P, threadIdx.x % P);
}

// dt and a of a chunk, (Q) each; behind its end a step of 0.
__device__ __forceinline__ void load_steps(float* dt, float* a, const float* all_dt, const float* all_a, Span rows) {
    for (int t = threadIdx.x; t < Q; t += THREADS) {
        dt[t] = t < rows.len ? all_dt[rows.row(t)] : 0.0f;
        a[t] = all_a[rows.row(min(t, rows.len - 1))];
    }
}

// Row t of a tile of P columns times scale[t].
template <class T> __device__ __forceinline__ void scale_rows(T* tile, const float* scale) {
    each_of_chunk([&](int t, int p) {
        T* at = tile + t * LD + p;
        *at = from_float<T>(to_float(*at) * scale[t]);
    });
}
