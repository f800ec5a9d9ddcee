// What the kernels of the BiMamba-2 mixer share: sizes, parameters, chunks, tiles. The formulas stand in kernels/ssd.rs.
//
// Both directions work on the same chunks of up to Q rows; direction 1 reads rows, and chunks, from the last to the first. Everything
// is stored under its row, whichever direction made it: xbc, y (2, rows, channels), dt, a (2, heads, rows).
#pragma once
#include "tile.cuh"

// Rows of a chunk, channels of a head, heads whose work shares a block.
constexpr int Q = 64, P = 64, GROUP = 4;
// Leading dimension of tiles of 64 columns.
constexpr int LD = 72;

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
    // Columns of B and C in shared memory, and their leading dimension.
    __device__ int padded() const { return (n + 15) / 16 * 16; }
    __device__ int ld() const { return padded() + 8; }
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

// 64 rows of `width` columns into shared memory, zeros behind the span's last row and up to `padded` columns. `from` is the first column of row 0.
template <class T>
__device__ __forceinline__ void load_tile(T* to, int ld, const T* from, size_t stride, Span rows, int width, int padded) {
    constexpr int each = 16 / sizeof(T), batch = 4;
    if (width == padded && stride % each == 0 && (size_t)from % 16 == 0) {
        unsigned packs = padded / each, all = Q * packs;
        for (unsigned start = threadIdx.x; start < all; start += batch * blockDim.x) {
            Pack v[batch]; // all loads on their way before the first is waited for
#pragma unroll
            for (int j = 0; j < batch; j++) {
                unsigned i = min(start + j * blockDim.x, all - 1), t = i / packs;
                v[j] = *reinterpret_cast<const Pack*>(from + rows.row(min((int)t, rows.len - 1)) * stride + i % packs * each);
                if ((int)t >= rows.len) v[j] = Pack{{0, 0, 0, 0}};
            }
#pragma unroll
            for (int j = 0; j < batch; j++) {
                unsigned i = start + j * blockDim.x;
                if (i < all) *reinterpret_cast<Pack*>(to + i / packs * ld + i % packs * each) = v[j];
            }
        }
        return;
    }
    for (int t = threadIdx.x / 32; t < Q; t += blockDim.x / 32)
        for (int c = threadIdx.x & 31; c < padded; c += 32)
            to[t * ld + c] = t < rows.len && c < width ? from[rows.row(t) * stride + c] : from_float<T>(0.0f);
}

// A state (P, n).
template <class T> __device__ __forceinline__ void load_state(T* to, int ld, const T* state, int n, int padded) {
    load_tile(to, ld, state, n, Span{0, P, false}, n, padded);
}

// Calls work(p, c) for every element of (P, n), a row a warp.
template <class F> __device__ __forceinline__ void each_element(int n, F work) {
    for (int p = threadIdx.x / 32; p < P; p += blockDim.x / 32)
        for (int c = threadIdx.x & 31; c < n; c += 32) work(p, c);
}

// dt and a of a chunk, (Q) each; behind its end a step of 0.
__device__ __forceinline__ void load_steps(float* dt, float* a, const float* all_dt, const float* all_a, Span rows) {
    for (int t = threadIdx.x; t < Q; t += blockDim.x) {
        dt[t] = t < rows.len ? all_dt[rows.row(t)] : 0.0f;
        a[t] = all_a[rows.row(min(t, rows.len - 1))];
    }
}

// Row t of a tile of P columns times scale[t].
template <class T> __device__ __forceinline__ void scale_rows(T* tile, const float* scale) {
    for (int i = threadIdx.x; i < Q * P; i += blockDim.x) {
        T* at = tile + i / P * LD + i % P;
        *at = from_float<T>(to_float(*at) * scale[i / P]);
    }
}
