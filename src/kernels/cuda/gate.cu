// What comes after the scans of the BiMamba-2 mixer: out = 0.5 sum over directions of RMSNorm(y silu(z)) w.
#include "bimamba.cuh"

// One warp a row.
template <class T>
__device__ void bimamba_gate(const T* __restrict__ projected, const T* __restrict__ y, const float* __restrict__ fwd,
                             const float* __restrict__ bwd, T* __restrict__ out, Sizes s, float eps) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (row >= s.rows) return;
    const T *z = projected + (size_t)row * s.columns(), *f = y + (size_t)row * s.d, *b = f + (size_t)s.rows * s.d;
    const float *wf = fwd + s.norm(), *wb = bwd + s.norm();
    float squares_f = 0.0f, squares_b = 0.0f;
    for (int c = lane; c < s.d; c += 32) {
        float gate = silu(to_float(z[c])), vf = gate * to_float(f[c]), vb = gate * to_float(b[c]);
        squares_f += vf * vf;
        squares_b += vb * vb;
    }
    float rf = 0.5f * rsqrtf(warp_sum(squares_f) / s.d + eps), rb = 0.5f * rsqrtf(warp_sum(squares_b) / s.d + eps);
    for (int c = lane; c < s.d; c += 32) {
        float gate = silu(to_float(z[c]));
        out[(size_t)row * s.d + c] = from_float<T>(gate * (rf * to_float(f[c]) * wf[c] + rb * to_float(b[c]) * wb[c]));
    }
}

// Column z of the projection's gradient; dy (2, rows, d); and the gradients of the norms' weights summed over the rows of each block, (blocks, 2, d).
// First a warp a row finds, with v = y silu(z), r = 1 / rms(v) and r^3 mean(0.5 grad w v); then a thread takes a channel through all rows.
// Shared: those two for both directions of a block's rows.
template <class T>
__device__ void bimamba_gate_backward(const T* __restrict__ projected, const T* __restrict__ y, const float* __restrict__ fwd,
                                      const float* __restrict__ bwd, const T* __restrict__ grad, T* __restrict__ d_projected,
                                      T* __restrict__ dy, float* __restrict__ d_norm, int rows_per_block, Sizes s, float eps) {
    SHARED(float, factors);
    size_t plane = (size_t)s.rows * s.d, columns = s.columns();
    const float *wf = fwd + s.norm(), *wb = bwd + s.norm();
    int first = blockIdx.x * rows_per_block, last = min(first + rows_per_block, s.rows), lane = threadIdx.x & 31;
    for (int row = first + threadIdx.x / 32; row < last; row += blockDim.x / 32) {
        const T *z = projected + row * columns, *f = y + (size_t)row * s.d, *b = f + plane, *g = grad + (size_t)row * s.d;
        float squares_f = 0.0f, squares_b = 0.0f, along_f = 0.0f, along_b = 0.0f;
        for (int c = lane; c < s.d; c += 32) {
            float gate = silu(to_float(z[c])), vf = gate * to_float(f[c]), vb = gate * to_float(b[c]), half = 0.5f * to_float(g[c]);
            squares_f += vf * vf;
            squares_b += vb * vb;
            along_f += half * wf[c] * vf;
            along_b += half * wb[c] * vb;
        }
        float rf = rsqrtf(warp_sum(squares_f) / s.d + eps), rb = rsqrtf(warp_sum(squares_b) / s.d + eps);
        along_f = warp_sum(along_f);
        along_b = warp_sum(along_b);
        if (lane == 0) {
            float* to = factors + 4 * (row - first);
            to[0] = rf;
            to[1] = rb;
            to[2] = rf * rf * rf * along_f / s.d;
            to[3] = rb * rb * rb * along_b / s.d;
        }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < s.d; c += blockDim.x) {
        float sum_f = 0.0f, sum_b = 0.0f;
#pragma unroll 4
        for (int row = first; row < last; row++) {
            const float* r = factors + 4 * (row - first);
            size_t at = (size_t)row * s.d + c;
            float z = to_float(projected[row * columns + c]), g = sigmoid(z), gate = z * g, half = 0.5f * to_float(grad[at]);
            float yf = to_float(y[at]), yb = to_float(y[plane + at]), vf = gate * yf, vb = gate * yb;
            sum_f += half * r[0] * vf;
            sum_b += half * r[1] * vb;
            float dvf = r[0] * half * wf[c] - r[2] * vf, dvb = r[1] * half * wb[c] - r[3] * vb;
            dy[at] = from_float<T>(dvf * gate);
            dy[plane + at] = from_float<T>(dvb * gate);
            d_projected[row * columns + c] = from_float<T>((dvf * yf + dvb * yb) * g * (1.0f + z * (1.0f - g)));
        }
        d_norm[(size_t)blockIdx.x * 2 * s.d + c] = sum_f;
        d_norm[(size_t)blockIdx.x * 2 * s.d + s.d + c] = sum_b;
    }
}

extern "C" __global__ void __launch_bounds__(256)
    bimamba_gate_f32(const float* __restrict__ projected, const float* __restrict__ y, const float* __restrict__ fwd,
                     const float* __restrict__ bwd, float* __restrict__ out, int rows, int d, int n, int k, float eps) {
    bimamba_gate(projected, y, fwd, bwd, out, Sizes{rows, d, n, k}, eps);
}
EXPORT(bimamba_gate_f32)
extern "C" __global__ void __launch_bounds__(256)
    bimamba_gate_bf16(const bf16* __restrict__ projected, const bf16* __restrict__ y, const float* __restrict__ fwd,
                      const float* __restrict__ bwd, bf16* __restrict__ out, int rows, int d, int n, int k, float eps) {
    bimamba_gate(projected, y, fwd, bwd, out, Sizes{rows, d, n, k}, eps);
}
EXPORT(bimamba_gate_bf16)
extern "C" __global__ void __launch_bounds__(256)
    bimamba_gate_backward_f32(const float* __restrict__ projected, const float* __restrict__ y, const float* __restrict__ fwd,
                              const float* __restrict__ bwd, const float* __restrict__ grad, float* __restrict__ d_projected,
                              float* __restrict__ dy, float* __restrict__ d_norm, int rows_per_block, int rows, int d, int n, int k,
                              float eps) {
    bimamba_gate_backward(projected, y, fwd, bwd, grad, d_projected, dy, d_norm, rows_per_block, Sizes{rows, d, n, k}, eps);
}
EXPORT(bimamba_gate_backward_f32)
extern "C" __global__ void __launch_bounds__(256)
    bimamba_gate_backward_bf16(const bf16* __restrict__ projected, const bf16* __restrict__ y, const float* __restrict__ fwd,
                               const float* __restrict__ bwd, const bf16* __restrict__ grad, bf16* __restrict__ d_projected,
                               bf16* __restrict__ dy, float* __restrict__ d_norm, int rows_per_block, int rows, int d, int n, int k,
                               float eps) {
    bimamba_gate_backward(projected, y, fwd, bwd, grad, d_projected, dy, d_norm, rows_per_block, Sizes{rows, d, n, k}, eps);
}
EXPORT(bimamba_gate_backward_bf16)
