// RMSNorm over the channels of a row, alone or after a residual addition. One warp a row.
#include "common.cuh"

// sum = x + h (f32), or x itself where h is null and then `sum` is not written; y = sum / sqrt(mean(sum^2) + eps) * w.
template <class H, class Y>
__device__ void add_rms_norm(const float* x, const H* h, const float* w, float* sum, Y* y, int rows, int d, float eps) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (row >= rows) return;
    size_t at = (size_t)row * d;
    float squares = 0.0f;
    for (int c = lane; c < d; c += 32) {
        float v = x[at + c];
        if (h) {
            v += to_float(h[at + c]);
            sum[at + c] = v;
        }
        squares += v * v;
    }
    float scale = rsqrtf(warp_sum(squares) / d + eps);
    const float* from = h ? sum : x;
    for (int c = lane; c < d; c += 32) y[at + c] = from_float<Y>(from[at + c] * scale * w[c]);
}

// The gradient of x from that of y, plus what else reached the sum (null: nothing); and of w, summed over the rows of each block into
// `dw` (blocks, d) by the block's warps in turn. Shared: a row of f32 a warp.
template <class Y>
__device__ void rms_norm_backward(const float* x, const float* w, const Y* dy, const float* other, float* dx, float* dw, int rows, int d, int rows_per_block, float eps) {
    SHARED(float, sums);
    int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x & 31;
    float* own = sums + (size_t)warp * d;
    for (int c = lane; c < d; c += 32) own[c] = 0.0f;
    int first = blockIdx.x * rows_per_block, last = min(first + rows_per_block, rows);
    for (int row = first + warp; row < last; row += warps) {
        size_t at = (size_t)row * d;
        float squares = 0.0f, along = 0.0f;
        for (int c = lane; c < d; c += 32) {
            float v = x[at + c];
            squares += v * v;
            along += w[c] * to_float(dy[at + c]) * v;
        }
        float r = rsqrtf(warp_sum(squares) / d + eps), back = r * r * r * warp_sum(along) / d;
        for (int c = lane; c < d; c += 32) {
            float v = x[at + c], g = to_float(dy[at + c]);
            dx[at + c] = r * w[c] * g - back * v + (other ? other[at + c] : 0.0f);
            own[c] += v * r * g;
        }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < d; c += blockDim.x) {
        float total = 0.0f;
        for (int i = 0; i < warps; i++) total += sums[(size_t)i * d + c];
        dw[(size_t)blockIdx.x * d + c] = total;
    }
}

// Sums of x (rows, d) over each part of `rows_per_part` rows, (parts, d): 32 channels and one part a block, its warps take rows in turn.
// Shared: 32 f32 a warp.
template <class T> __device__ void column_sums(const T* x, float* out, int rows, int d, int rows_per_part) {
    SHARED(float, sums);
    int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x & 31, c = blockIdx.x * 32 + lane;
    int first = blockIdx.y * rows_per_part, last = min(first + rows_per_part, rows);
    float sum = 0.0f;
    if (c < d)
        for (int row = first + warp; row < last; row += warps) sum += to_float(x[(size_t)row * d + c]);
    sums[warp * 32 + lane] = sum;
    __syncthreads();
    if (warp == 0 && c < d) {
        for (int i = 1; i < warps; i++) sum += sums[i * 32 + lane];
        out[(size_t)blockIdx.y * d + c] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm_f32(const float* x, const float* h, const float* w, float* sum, float* y, int rows, int d, float eps) {
    add_rms_norm(x, h, w, sum, y, rows, d, eps);
}
EXPORT(add_rms_norm_f32)
extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm_bf16(const float* x, const bf16* h, const float* w, float* sum, bf16* y, int rows, int d, float eps) {
    add_rms_norm(x, h, w, sum, y, rows, d, eps);
}
EXPORT(add_rms_norm_bf16)
// The last norm of a stack: what it adds is bf16, what it gives is f32.
extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm_last_bf16(const float* x, const bf16* h, const float* w, float* sum, float* y, int rows, int d, float eps) {
    add_rms_norm(x, h, w, sum, y, rows, d, eps);
}
EXPORT(add_rms_norm_last_bf16)
extern "C" __global__ void __launch_bounds__(256) rms_norm_backward_f32(const float* x, const float* w, const float* dy, const float* other,
                                                                       float* dx, float* dw, int rows, int d, int rows_per_block, float eps) {
    rms_norm_backward(x, w, dy, other, dx, dw, rows, d, rows_per_block, eps);
}
EXPORT(rms_norm_backward_f32)
extern "C" __global__ void __launch_bounds__(256) rms_norm_backward_bf16(const float* x, const float* w, const bf16* dy, const float* other,
                                                                        float* dx, float* dw, int rows, int d, int rows_per_block, float eps) {
    rms_norm_backward(x, w, dy, other, dx, dw, rows, d, rows_per_block, eps);
}
EXPORT(rms_norm_backward_bf16)
extern "C" __global__ void __launch_bounds__(256) column_sums_f32(const float* x, float* out, int rows, int d, int rows_per_part) {
    column_sums(x, out, rows, d, rows_per_part);
}
EXPORT(column_sums_f32)
extern "C" __global__ void __launch_bounds__(256) column_sums_bf16(const bf16* x, float* out, int rows, int d, int rows_per_part) {
    column_sums(x, out, rows, d, rows_per_part);
}
EXPORT(column_sums_bf16)
