// Bugs that the emulation must find; for its own tests, never built for a GPU.
#include "common.cuh"

// Reverses 64 numbers through shared memory: right with `wait`, wrong without, as one warp reads what the other has not written yet.
extern "C" __global__ void planted_race(const float* x, float* out, int wait) {
    SHARED(float, memory);
    memory[threadIdx.x] = x[threadIdx.x];
    if (wait) __syncthreads();
    out[threadIdx.x] = memory[63 - threadIdx.x];
}
EXPORT(planted_race)

// Writes `n` numbers.
extern "C" __global__ void planted_overrun(float* out, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) out[i] = 1.0f;
}
EXPORT(planted_overrun)
