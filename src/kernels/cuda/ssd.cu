// The outputs of the scans of a chunk.
#include "bimamba.cuh"

// y (2, rows, d): y_t = e^{a_t} H0 C_t + sum over s <= t of e^{a_t - a_s} dt_s (C_t . B_s) x_s + D x_t, H0 the state that enters the chunk.
// Block: a chunk and GROUP heads, which share C B^T (x), and a direction (z).
// Shared: C and B, later a head's H0 (64, N each); f32 C B^T and y, weights and x (64, 64 each); dt, a (64).
template <class T>
__device__ void bimamba_scan(const T* xbc, const float* dt, const float* a, const T* states, const float* fwd, const float* bwd,
                             const unsigned* chunks, T* y, int all_chunks, Sizes s) {
    SHARED(float, shared);
    int chunk = blockIdx.x / s.groups(), direction = blockIdx.z;
    float *products = shared, *sums = products + Q * LD, *steps = sums + Q * LD, *decay = steps + Q;
    T* c = reinterpret_cast<T*>(decay + Q);
    T *b = c + Q * LDN, *weights = b + Q * LDN, *x = weights + Q * LD;
    Span rows = span(chunks, chunk, direction);
    const T* from = xbc + (size_t)direction * s.rows * s.conv_dim();
    load_tile<N>(c, from + s.d + s.n, s.conv_dim(), rows, s.n);
    load_tile<N>(b, from + s.d, s.conv_dim(), rows, s.n);
    __syncthreads();
    product<ROWS, COLUMNS>(products, LD, c, LDN, b, LDN, Q, Q, N, false);
    int first = blockIdx.x % s.groups() * GROUP;
    for (int head = first; head < min(first + GROUP, s.heads()); head++) {
        __syncthreads();
        size_t plane = (size_t)direction * s.heads() + head;
        load_steps(steps, decay, dt + plane * s.rows, a + plane * s.rows, rows);
        load_tile<P>(x, from + head * P, s.conv_dim(), rows, P);
        load_state(b, states + (((size_t)direction * all_chunks + chunk) * s.heads() + head) * P * s.n, s.n);
        __syncthreads();
        each_of_chunk([&](int t, int u) {
            weights[t * LD + u] = from_float<T>(u <= t ? products[t * LD + u] * __expf(decay[t] - decay[u]) * steps[u] : 0.0f);
        });
        product<ROWS, COLUMNS>(sums, LD, c, LDN, b, LDN, Q, P, N, false);
        __syncthreads();
        each_of_chunk([&](int t, int p) { sums[t * LD + p] *= __expf(decay[t]); });
        __syncthreads();
        product<ROWS, ROWS>(sums, LD, weights, LD, x, LD, Q, P, Q, true);
        __syncthreads();
        float skip = (direction ? bwd : fwd)[s.skip() + head];
        T* to = y + (size_t)direction * s.rows * s.d + head * P;
        each_of_chunk([&](int t, int p) {
            if (t < rows.len) to[rows.row(t) * s.d + p] = from_float<T>(sums[t * LD + p] + skip * to_float(x[t * LD + p]));
        });
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    bimamba_scan_f32(const float* xbc, const float* dt, const float* a, const float* states, const float* fwd, const float* bwd,
                     const unsigned* chunks, float* y, int all_chunks, int rows, int d, int n, int k) {
    bimamba_scan(xbc, dt, a, states, fwd, bwd, chunks, y, all_chunks, Sizes{rows, d, n, k});
}
EXPORT(bimamba_scan_f32)
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    bimamba_scan_bf16(const bf16* xbc, const float* dt, const float* a, const bf16* states, const float* fwd, const float* bwd,
                      const unsigned* chunks, bf16* y, int all_chunks, int rows, int d, int n, int k) {
    bimamba_scan(xbc, dt, a, states, fwd, bwd, chunks, y, all_chunks, Sizes{rows, d, n, k});
}
EXPORT(bimamba_scan_bf16)
