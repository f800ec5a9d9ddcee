// The gate of the SwiGLU MLP: x (rows, 2 d) = [y | gate] gives silu(gate) * y, (rows, d). A thread an element of the output.
#include "common.cuh"

// The element of the output that is this thread's; false where there is none. A row is cut into blocks, so that one 32-bit division a block finds it.
__device__ __forceinline__ bool own(int d, size_t& row, int& c) {
    unsigned blocks = (d + blockDim.x - 1) / blockDim.x;
    row = blockIdx.x / blocks;
    c = blockIdx.x % blocks * blockDim.x + threadIdx.x;
    return c < d;
}

template <class T> __device__ void swiglu(const T* x, T* out, int d) {
    size_t row;
    int c;
    if (!own(d, row, c)) return;
    size_t at = row * 2 * d + c;
    out[row * d + c] = from_float<T>(to_float(x[at]) * silu(to_float(x[at + d])));
}

template <class T> __device__ void swiglu_backward(const T* x, const T* dout, T* dx, int d) {
    size_t row;
    int c;
    if (!own(d, row, c)) return;
    size_t at = row * 2 * d + c;
    float y = to_float(x[at]), gate = to_float(x[at + d]), g = to_float(dout[row * d + c]), s = sigmoid(gate);
    dx[at] = from_float<T>(g * gate * s);
    dx[at + d] = from_float<T>(g * y * s * (1.0f + gate * (1.0f - s)));
}

extern "C" __global__ void __launch_bounds__(256) swiglu_f32(const float* x, float* out, int d) { swiglu(x, out, d); }
EXPORT(swiglu_f32)
extern "C" __global__ void __launch_bounds__(256) swiglu_bf16(const bf16* x, bf16* out, int d) { swiglu(x, out, d); }
EXPORT(swiglu_bf16)
extern "C" __global__ void __launch_bounds__(256) swiglu_backward_f32(const float* x, const float* dout, float* dx, int d) {
    swiglu_backward(x, dout, dx, d);
}
EXPORT(swiglu_backward_f32)
extern "C" __global__ void __launch_bounds__(256) swiglu_backward_bf16(const bf16* x, const bf16* dout, bf16* dx, int d) {
    swiglu_backward(x, dout, dx, d);
}
EXPORT(swiglu_backward_bf16)
