// The gradients of a chunk's scans, each product made again from tiles. With V_ts = dy_t . x_s, e_ts = e^{a_t - a_s} for s <= t, H0 the
// entering state, dH the gradient of the leaving one and w_s = e^{a_end - a_s}:
//   dx_s = dt_s (sum_t e_ts (C_t . B_s) dy_t + w_s dH B_s) + D dy_s
//   dC_t = sum_s e_ts dt_s V_ts B_s + e^{a_t} H0 dy_t,  dB_s = dt_s (sum_t e_ts V_ts C_t + w_s dH x_s)
//   d dt_s = c_s + q_s, c_s = sum_t e_ts (C_t . B_s) V_ts, q_s = w_s x_s . dH B_s, and through a:
//   da_t = sum_s e_ts dt_s (C_t . B_s) V_ts - dt_t (c_t + q_t) + e^{a_t} dy_t . H0 C_t, at the chunk's end also sum_s dt_s q_s + e^{a_end} <dH, H0>;
// A dt of a position reaches all a from there on.
#include "bimamba.cuh"

// dx (2, rows, d); the gradient of the raw steps (2, heads, rows); and of dt_bias, A_log and D, (chunks, 2, 3, heads).
// Block: a chunk and GROUP heads, which share C B^T (x), and a direction (z).
// Shared: a product in f32, C B^T, dy, x and weights (64, 64 each), two of B, C, H0 and dH (64, N each), 8 columns (64).
template <class T>
__device__ void bimamba_scan_backward(const T* xbc, const T* dy, const float* dt, const float* a, const T* states, const T* d_states, const float* fwd,
                                      const float* bwd, const unsigned* chunks, T* dx, float* d_raw, float* d_params, int all_chunks, Sizes s) {
    SHARED(float, sums);
    int chunk = blockIdx.x / s.groups(), group = blockIdx.x % s.groups(), direction = blockIdx.z;
    int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    // Of each position: dt, a, the sums over s and over t, e^{a_t} dy . H0 C, q, V_tt.
    float *steps = sums + Q * LD, *decay = steps + Q, *by_t = decay + Q, *by_s = by_t + Q, *inside = by_s + Q, *outside = inside + Q;
    float *diagonal = outside + Q, *scratch = diagonal + Q;
    T* products = reinterpret_cast<T*>(scratch + Q);
    T *g = products + Q * LD, *x = g + Q * LD, *weights = x + Q * LD, *wide = weights + Q * LD, *other = wide + Q * LDN;
    Span rows = span(chunks, chunk, direction);
    const T* from = xbc + (size_t)direction * s.rows * s.conv_dim();
    const T *b = from + s.d, *c = b + s.n;
    const float* params = direction ? bwd : fwd;
    load_tile<N>(wide, c, s.conv_dim(), rows, s.n);
    load_tile<N>(other, b, s.conv_dim(), rows, s.n);
    __syncthreads();
    product<ROWS, COLUMNS>(sums, LD, wide, LDN, other, LDN, Q, Q, N, false);
    __syncthreads();
    each_of_chunk([&](int t, int u) { products[t * LD + u] = from_float<T>(sums[t * LD + u]); });
    int first = group * GROUP;
    for (int head = first; head < min(first + GROUP, s.heads()); head++) {
        __syncthreads();
        size_t plane = ((size_t)direction * s.heads() + head) * s.rows;
        size_t state = (((size_t)direction * all_chunks + chunk) * s.heads() + head) * P * s.n;
        load_steps(steps, decay, dt + plane, a + plane, rows);
        load_tile<P>(x, from + head * P, s.conv_dim(), rows, P);
        load_tile<P>(g, dy + (size_t)direction * s.rows * s.d + head * P, s.d, rows, P);
        load_tile<N>(wide, c, s.conv_dim(), rows, s.n);
        load_state(other, states + state, s.n);
        __syncthreads();
        product<ROWS, COLUMNS>(sums, LD, g, LD, x, LD, Q, Q, P, false); // V
        __syncthreads();
        float columns[2] = {0.0f, 0.0f};
        for (int t = warp; t < Q; t += WARPS) {
            float sum = 0.0f;
            for (int half = 0; half < 2; half++) {
                int u = lane + 32 * half;
                float e = u <= t ? to_float(products[t * LD + u]) * __expf(decay[t] - decay[u]) : 0.0f, v = sums[t * LD + u];
                weights[t * LD + u] = from_float<T>(e * steps[u]);
                sum += e * v * steps[u];
                columns[half] += e * v;
                if (u == t) diagonal[t] = v;
            }
            sum = warp_sum(sum);
            if (lane == 0) by_t[t] = sum;
        }
        // This warp has read its first row and keeps its sums there.
        __syncwarp();
        sums[warp * LD + lane] = columns[0];
        sums[warp * LD + lane + 32] = columns[1];
        __syncthreads();
        for (int t = threadIdx.x; t < Q; t += THREADS) {
            float sum = 0.0f;
            for (int w = 0; w < WARPS; w++) sum += sums[w * LD + t];
            by_s[t] = sum;
        }
        __syncthreads();
        product<ROWS, COLUMNS>(sums, LD, wide, LDN, other, LDN, Q, P, N, false); // H0 C_t
        __syncthreads();
        for (int t = warp; t < Q; t += WARPS) {
            float dot = sums[t * LD + lane] * to_float(g[t * LD + lane]) + sums[t * LD + lane + 32] * to_float(g[t * LD + lane + 32]);
            dot = warp_sum(dot);
            if (lane == 0) inside[t] = __expf(decay[t]) * dot;
        }
        float along = 0.0f;
        each_element([&](int p, int n) {
            if (n < s.n) along += to_float(other[p * LDN + n]) * to_float(d_states[state + p * s.n + n]);
        });
        along = block_sum(along, scratch); // <dH, H0>; all threads have read H0 when it returns
        load_tile<N>(wide, b, s.conv_dim(), rows, s.n);
        load_state(other, d_states + state, s.n);
        __syncthreads();
        product<ROWS, COLUMNS>(sums, LD, wide, LDN, other, LDN, Q, P, N, false); // dH B_s
        __syncthreads();
        float skip = params[s.skip() + head];
        for (int t = warp; t < Q; t += WARPS) {
            float w = __expf(decay[Q - 1] - decay[t]), dot = 0.0f;
            for (int p = lane; p < P; p += 32) {
                float v = w * sums[t * LD + p];
                dot += v * to_float(x[t * LD + p]);
                sums[t * LD + p] = steps[t] * v + skip * to_float(g[t * LD + p]);
            }
            dot = warp_sum(dot);
            if (lane == 0) outside[t] = dot;
        }
        __syncthreads();
        product<COLUMNS, ROWS>(sums, LD, weights, LD, g, LD, Q, P, Q, true);
        if (warp == 0) {
            float rate = -expf(params[s.a_log() + head]);
            float after = warp_sum(steps[lane] * outside[lane] + steps[lane + 32] * outside[lane + 32]) + __expf(decay[Q - 1]) * along;
            float d_bias = 0.0f, d_rate = 0.0f;
            for (int half = 1; half >= 0; half--) {
                int t = lane + 32 * half;
                float sum = by_t[t] - steps[t] * (by_s[t] + outside[t]) + inside[t];
                for (int by = 1; by < 32; by *= 2) {
                    float more = __shfl_down_sync(0xffffffffu, sum, by);
                    if (lane + by < 32) sum += more;
                }
                sum += after;
                after = __shfl_sync(0xffffffffu, sum, 0);
                // The slope of the softplus is 1 - e^{-dt}; 0 behind the chunk's end.
                float raw = (by_s[t] + outside[t] + rate * sum) * -expm1f(-steps[t]);
                if (t < rows.len) d_raw[plane + rows.row(t)] = raw;
                d_bias += raw;
                d_rate += steps[t] * sum;
            }
            d_bias = warp_sum(d_bias);
            d_rate = warp_sum(d_rate);
            float d_skip = warp_sum(diagonal[lane] + diagonal[lane + 32]);
            if (lane == 0) {
                float* to = d_params + ((size_t)chunk * 2 + direction) * 3 * s.heads() + head;
                to[0] = d_bias;
                to[s.heads()] = rate * d_rate;
                to[2 * s.heads()] = d_skip;
            }
        }
        __syncthreads();
        T* to = dx + (size_t)direction * s.rows * s.d + head * P;
        each_of_chunk([&](int t, int p) {
            if (t < rows.len) to[rows.row(t) * s.d + p] = from_float<T>(sums[t * LD + p]);
        });
    }
}

// dB and dC summed over the heads of each group, (2, groups, rows, 2 n). Block: a chunk and a group (x), dC (z even) or dB (odd) in a direction.
// Shared: the sum in f32 and the other of B and C (64, N each), x, dy and weights (64, 64 each), V in f32 (64, 64) and later H0 or dH (64, N), 4 columns (64).
template <class T>
__device__ void bimamba_bc_backward(const T* xbc, const T* dy, const float* dt, const float* a, const T* states, const T* d_states, const unsigned* chunks,
                                    float* dbc, int all_chunks, Sizes s) {
    SHARED(float, sums);
    int chunk = blockIdx.x / s.groups(), group = blockIdx.x % s.groups(), direction = blockIdx.z / 2;
    bool of_b = blockIdx.z & 1;
    float *steps = sums + Q * LDN, *decay = steps + Q, *scale = decay + Q;
    T* wide = reinterpret_cast<T*>(scale + 2 * Q);
    T *g = wide + Q * LDN, *x = g + Q * LD, *weights = x + Q * LD, *state = weights + Q * LD;
    float* v = reinterpret_cast<float*>(state);
    Span rows = span(chunks, chunk, direction);
    const T* from = xbc + (size_t)direction * s.rows * s.conv_dim();
    load_tile<N>(wide, from + s.d + (of_b ? s.n : 0), s.conv_dim(), rows, s.n);
    int first = group * GROUP;
    for (int head = first; head < min(first + GROUP, s.heads()); head++) {
        __syncthreads();
        size_t plane = ((size_t)direction * s.heads() + head) * s.rows;
        load_steps(steps, decay, dt + plane, a + plane, rows);
        load_tile<P>(x, from + head * P, s.conv_dim(), rows, P);
        load_tile<P>(g, dy + (size_t)direction * s.rows * s.d + head * P, s.d, rows, P);
        __syncthreads();
        product<ROWS, COLUMNS>(v, LD, g, LD, x, LD, Q, Q, P, false);
        for (int t = threadIdx.x; t < Q; t += THREADS) scale[t] = of_b ? __expf(decay[Q - 1] - decay[t]) * steps[t] : __expf(decay[t]);
        __syncthreads();
        each_of_chunk([&](int t, int u) {
            weights[t * LD + u] = from_float<T>(u <= t ? v[t * LD + u] * __expf(decay[t] - decay[u]) * steps[u] : 0.0f);
        });
        T* side = of_b ? x : g;
        scale_rows(side, scale);
        __syncthreads();
        load_state(state, (of_b ? d_states : states) + (((size_t)direction * all_chunks + chunk) * s.heads() + head) * P * s.n, s.n);
        if (of_b) product<COLUMNS, ROWS>(sums, LDN, weights, LD, wide, LDN, Q, N, Q, head > first);
        else product<ROWS, ROWS>(sums, LDN, weights, LD, wide, LDN, Q, N, Q, head > first);
        __syncthreads();
        product<ROWS, ROWS>(sums, LDN, side, LD, state, LDN, Q, N, P, true);
    }
    __syncthreads();
    float* to = dbc + ((size_t)direction * s.groups() + group) * s.rows * 2 * s.n + (of_b ? 0 : s.n);
    each_element([&](int t, int c) {
        if (t < rows.len && c < s.n) to[rows.row(t) * 2 * s.n + c] = sums[t * LDN + c];
    });
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    bimamba_scan_backward_f32(const float* xbc, const float* dy, const float* dt, const float* a, const float* states, const float* d_states,
                              const float* fwd, const float* bwd, const unsigned* chunks, float* dx, float* d_raw, float* d_params, int all_chunks,
                              int rows, int d, int n, int k) {
    bimamba_scan_backward(xbc, dy, dt, a, states, d_states, fwd, bwd, chunks, dx, d_raw, d_params, all_chunks, Sizes{rows, d, n, k});
}
EXPORT(bimamba_scan_backward_f32)
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    bimamba_scan_backward_bf16(const bf16* xbc, const bf16* dy, const float* dt, const float* a, const bf16* states, const bf16* d_states,
                               const float* fwd, const float* bwd, const unsigned* chunks, bf16* dx, float* d_raw, float* d_params, int all_chunks,
                               int rows, int d, int n, int k) {
    bimamba_scan_backward(xbc, dy, dt, a, states, d_states, fwd, bwd, chunks, dx, d_raw, d_params, all_chunks, Sizes{rows, d, n, k});
}
EXPORT(bimamba_scan_backward_bf16)
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    bimamba_bc_backward_f32(const float* xbc, const float* dy, const float* dt, const float* a, const float* states, const float* d_states,
                            const unsigned* chunks, float* dbc, int all_chunks, int rows, int d, int n, int k) {
    bimamba_bc_backward(xbc, dy, dt, a, states, d_states, chunks, dbc, all_chunks, Sizes{rows, d, n, k});
}
EXPORT(bimamba_bc_backward_f32)
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    bimamba_bc_backward_bf16(const bf16* xbc, const bf16* dy, const float* dt, const float* a, const bf16* states, const bf16* d_states,
                             const unsigned* chunks, float* dbc, int all_chunks, int rows, int d, int n, int k) {
    bimamba_bc_backward(xbc, dy, dt, a, states, d_states, chunks, dbc, all_chunks, Sizes{rows, d, n, k});
}
EXPORT(bimamba_bc_backward_bf16)
