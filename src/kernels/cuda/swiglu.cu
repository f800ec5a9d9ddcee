// The gate of the SwiGLU MLP: x (rows, 2 d) = [y | gate] gives silu(gate) * y, (rows, d). A thread an element of the output.
#include "common.cuh"

template <class T> __device__ void swiglu(const T* x, T* out, int rows, int d) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)rows * d) return;
    size_t row = i / d, at = row * 2 * d + i % d;
    out[i] = from_float<T>(to_float(x[at]) * silu(to_float(x[at + d])));
}

template <class T> __device__ void swiglu_backward(const T* x, const T* dout, T* dx, int rows, int d) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)rows * d) return;
    size_t row = i / d, at = row * 2 * d + i % d;
    float y = to_float(x[at]), gate = to_float(x[at + d]), g = to_float(dout[i]), s = sigmoid(gate);
    dx[at] = from_float<T>(g * gate * s);
    dx[at + d] = from_float<T>(g * y * s * (1.0f + gate * (1.0f - s)));
}

extern "C" __global__ void __launch_bounds__(256) swiglu_f32(const float* x, float* out, int rows, int d) { swiglu(x, out, rows, d); }
EXPORT(swiglu_f32)
extern "C" __global__ void __launch_bounds__(256) swiglu_bf16(const bf16* x, bf16* out, int rows, int d) { swiglu(x, out, rows, d); }
EXPORT(swiglu_bf16)
extern "C" __global__ void __launch_bounds__(256) swiglu_backward_f32(const float* x, const float* dout, float* dx, int rows, int d) {
    swiglu_backward(x, dout, dx, rows, d);
}
EXPORT(swiglu_backward_f32)
extern "C" __global__ void __launch_bounds__(256) swiglu_backward_bf16(const bf16* x, const bf16* dout, bf16* dx, int rows, int d) {
    swiglu_backward(x, dout, dx, rows, d);
}
EXPORT(swiglu_backward_bf16)
