#!/usr/bin/env python3
"""What this card reaches: a copy, the model's matrix products in bf16, and whether the product that candle asks for in f32 is one in f32."""
import ctypes, glob, os, torch


def milliseconds(work, times=20):
    for _ in range(3):
        work()
    start, end, spent = torch.cuda.Event(True), torch.cuda.Event(True), []
    for _ in range(times):
        start.record(), work(), end.record(), end.synchronize()
        spent.append(start.elapsed_time(end))
    return sorted(spent)[times // 2]


def cublas():
    """By the name that any of torch's folders has it under."""
    for folder in [os.path.dirname(torch.__file__), *__import__("nvidia").__path__]:
        for path in glob.glob(f"{folder}/**/libcublas.so.1*", recursive=True):
            return ctypes.CDLL(path)
    return ctypes.CDLL("libcublas.so.13")


def main():
    x = torch.randn(1 << 30, device="cuda")
    y = torch.empty_like(x)
    print(f"copy: {2 * 4 * x.numel() / milliseconds(lambda: y.copy_(x)) / 1e9:.2f} TB/s")
    del x, y
    bf16 = dict(device="cuda", dtype=torch.bfloat16)
    for name, m, k, n in [("8192 cubed", 8192, 8192, 8192), ("outer in_proj", 131072, 512, 2320), ("outer out_proj", 131072, 1024, 512), ("inner in_proj", 32768, 768, 3352), ("fc1", 32768, 768, 5120), ("fc2", 32768, 2560, 768)]:
        a, w, g = torch.randn(m, k, **bf16), torch.randn(n, k, **bf16), torch.randn(m, n, **bf16)
        ways = [("forward", lambda: a @ w.t()), ("dx", lambda: g @ w), ("dw", lambda: g.t() @ a)]
        print(f"{name}: " + ", ".join(f"{what} {2e-9 * m * k * n / milliseconds(work):.0f} TFLOP/s" for what, work in ways))
    # cublasGemmStridedBatchedEx, COMPUTE_32F = 68; candle asks for GEMM_DEFAULT_TENSOR_OP = 99, plain is GEMM_DEFAULT = -1.
    library, handle = cublas(), ctypes.c_void_p()
    assert library.cublasCreate_v2(ctypes.byref(handle)) == 0
    library.cublasSetStream_v2(handle, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream))
    m, n, k = 131072, 512, 512
    a, w, c = torch.randn(m, k, device="cuda") * 1e-3, torch.randn(n, k, device="cuda") * 1e-6, torch.empty(m, n, device="cuda")
    want = a.double() @ w.double().t()
    one, zero, long, at = ctypes.c_float(1), ctypes.c_float(0), ctypes.c_longlong, ctypes.c_void_p
    for algorithm in (99, -1):

        def call():
            return library.cublasGemmStridedBatchedEx(handle, 1, 0, n, m, k, ctypes.byref(one), at(w.data_ptr()), 0, k, long(n * k), at(a.data_ptr()), 0, k, long(m * k), ctypes.byref(zero), at(c.data_ptr()), 0, n, long(m * n), 1, 68, algorithm)

        assert call() == 0
        spent = milliseconds(call, 5)
        print(f"f32 product as candle calls it, algorithm {algorithm}: off by {((c - want).norm() / want.norm()).item():.1e} (f32 under 1e-6, tf32 3e-4), {2e-9 * m * n * k / spent:.0f} TFLOP/s")


main()
