// What all kernels share. The same source is compiled by nvcc for the GPU and by a C++ compiler for the emulation (emulation.h).
//
// Shared memory is always dynamic: SHARED(T, name) is its start, 128 bytes aligned. A kernel is exported under its C name by EXPORT(name),
// which build.rs looks for; a template over the element type is exported as name_f32 and name_bf16. Blocks are one-dimensional.
// Offsets into tensors are size_t; counts are int. No atomics: sums have one order.
#pragma once
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <mma.h>
#include <type_traits>
#define SHARED(T, name)                                                                                                                   \
    extern __shared__ __align__(128) unsigned char shared_memory[];                                                                       \
    T* name = reinterpret_cast<T*>(shared_memory)
#define EXPORT(k)
#else
#include "emulation.h"
#endif

typedef __nv_bfloat16 bf16;

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __bfloat162float(x); }
template <class T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) { return __float2bfloat16(x); }

// By the fast division, which errs by two units in the last place at most.
__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
__device__ __forceinline__ float silu(float x) { return x * sigmoid(x); }
// ln(1 + e^x), x itself above 20 as PyTorch has it.
__device__ __forceinline__ float softplus(float x) { return x > 20.0f ? x : log1pf(__expf(x)); }

__device__ __forceinline__ float warp_sum(float v) {
    for (int bits = 16; bits > 0; bits >>= 1) v += __shfl_xor_sync(0xffffffffu, v, bits);
    return v;
}

// Sum over the block, in every thread; `scratch` holds a float a warp. Threads of a block: whole warps.
__device__ __forceinline__ float block_sum(float v, float* scratch) {
    v = warp_sum(v);
    __syncthreads(); // scratch may be in use from the last call
    if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = v;
    __syncthreads();
    float sum = 0.0f;
    for (unsigned w = 0; w < blockDim.x / 32; w++) sum += scratch[w];
    return sum;
}
