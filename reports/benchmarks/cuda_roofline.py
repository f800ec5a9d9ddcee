"""Writes cuda-roofline.md: what the CUDA kernels move and compute, and what that takes on an H100. Arithmetic only; nothing is measured.

python3 reports/benchmarks/cuda_roofline.py > reports/benchmarks/cuda-roofline.md
"""

# H100 SXM, NVIDIA's data sheet: bytes/s of memory, dense bf16 FLOP/s of tensor cores, f32 FLOP/s outside them.
MEMORY, TENSOR, F32 = 3.35e12, 989e12, 67e12
# Shares of these that well-made code reaches; assumptions. "tile": products whose operands come from shared memory through wmma.
SHARE = {"memory": 0.8, "gemm": 0.7 * TENSOR, "tile": TENSOR / 3, "f32": 0.7 * F32, "lanes": 0.5 * F32}
BOUND = {"gemm": "tensor cores", "tile": "shared memory before tensor cores", "f32": "f32 units", "lanes": "f32 units"}

N, TAPS, Q, P, BF16 = 128, 4, 64, 64, 2  # state size, taps of the convolution, positions of a chunk, channels of a head, bytes
OUTER, INNER = (512, 1024, 7), (768, 1536, 10)  # d_model, d_inner, BiMamba layers of the 110m model
MLP, HEADS, WINDOW, LENGTH, PARAMETERS = 2560, 16, 1023, 4096, 110_687_296


def gemm(name, rows, into, out, times, f32=False, backward=False):
    size = 4 if f32 else BF16
    move = rows * (into + out) * size + into * out * size
    flops = 2 * rows * into * out
    back = 2 if backward else 1
    return (name, times * back, move * back * times, flops * back * times, "f32" if f32 else "gemm")


def mixer(tag, rows, d, n, part):
    """The BiMamba-2 mixer between its projections; both directions."""
    h, g = d // P, -(-(d // P) // 4)
    e, w = BF16, d + 2 * N
    conv = (f"{tag} conv, SiLU, split", n, rows * 3.1 * w * e * n, rows * 8 * TAPS * w * n, "lanes")
    steps = (f"{tag} softplus, decay", n, rows * (h * e + 16 * h) * n, 0, "lanes")
    if part == "forward":
        return [
            conv,
            steps,
            (f"{tag} states at segment ends", n, rows * 0.875 * (2 * d * e + 2 * h * 64 * N * 4 / 512) * n, rows * 0.875 * 4 * h * P * N * n, "tile"),
            (f"{tag} pass over segments", n, rows * 4 * h * 64 * N * 4 / 512 * n, 0, "lanes"),
            (f"{tag} states at chunks", n, rows * (2 * d * e + 2 * h * N * e) * n, rows * 4 * h * P * N * n, "tile"),
            (f"{tag} scan", n, rows * (4 * d * e + 2 * h * N * e + 16 * h) * n, rows * (4 * g * Q * N + 4 * h * P * N + 4 * h * P * Q) * n, "tile"),
            (f"{tag} gate, norm, average", n, rows * 4 * d * e * n, rows * 20 * d * n, "lanes"),
        ]
    return [
        (f"{tag} conv, softplus again", n, conv[2] + steps[2], conv[3], "lanes"),
        (f"{tag} gate, norm backward", n, rows * (7 * d * e + d / 2) * n, rows * 60 * d * n, "lanes"),
        (f"{tag} states again, and their gradients", n, rows * 2 * (3.75 * d * e + 2 * h * N * e) * n, rows * 7.5 * h * P * N * 2 * n, "tile"),
        (f"{tag} scan backward", n, rows * (6 * d * e + 4 * h * N * e + 24 * h) * n, rows * (4 * g * Q * N + 8 * h * P * N + 8 * h * P * Q) * n, "tile"),
        (f"{tag} B and C backward", n, rows * (8 * d * e + 4 * h * N * e + 32 * h + 16 * g * N) * n, rows * (8 * h * P * Q + 8 * h * Q * N + 8 * h * P * N) * n, "tile"),
        (f"{tag} conv backward", n, rows * (1.1 * (3 * d * e + 2 * N * e + 16 * g * N) + 8 * h + (w + h) * e + w * (TAPS + 1) / 8) * n, rows * 12 * TAPS * w * n, "lanes"),
    ]


def seen():
    return min(LENGTH, 2 * WINDOW + 65)


def layers(rows):
    """Everything inside layers, forward."""
    d, inner, n = OUTER
    m, (e, wide, k) = rows / 4, INNER
    return [
        gemm("outer in_proj", rows, d, 2 * inner + 2 * N + inner // P, n),
        *mixer("outer", rows, inner, n, "forward"),
        gemm("outer out_proj", rows, inner, d, n),
        gemm("qkv and out_proj of attention", rows, d, 4 * d, 1),
        ("rotary", 1, rows * 4 * d * BF16, 0, "lanes"),
        ("attention", 1, rows * (4 * d * BF16 + 4 * HEADS), rows * 4 * seen() * d, "tile"),
        ("outer residual, RMSNorm", n + 1, rows * 12 * d * (n + 1), rows * 5 * d * (n + 1), "lanes"),
        gemm("inner in_proj", m, e, 2 * wide + 2 * N + wide // P, k),
        *mixer("inner", m, wide, k, "forward"),
        gemm("inner out_proj", m, wide, e, k),
        gemm("fc1", m, e, 2 * MLP, k),
        ("SwiGLU", k, m * 3 * MLP * BF16 * k, m * 5 * MLP * k, "lanes"),
        gemm("fc2", m, MLP, e, k),
        ("inner residual, RMSNorm", 2 * k, m * 12 * e * 2 * k, m * 5 * e * 2 * k, "lanes"),
    ]


def once(rows):
    """Everything between stacks, forward."""
    d, m, e = OUTER[0], rows / 4, INNER[0]
    return [
        gemm("router q, k, residual_proj (f32)", rows, d, 3 * d, 1, f32=True),
        ("boundary probabilities", 1, rows * (8 * d + 16), rows * 12 * d, "lanes"),
        ("compaction, gather", 3, rows * 8 + m * 8 * d, 0, "lanes"),
        ("dechunk", 3, rows * 4 * d + m * 9 * d, m * 12 * d, "lanes"),
        ("embedding, last norms, lm_head", 5, rows * (8 + 20) * d, rows * 14 * d, "lanes"),
    ]


def backward(rows):
    d, inner, n = OUTER
    m, (e, wide, k) = rows / 4, INNER
    in_outer, in_inner = 2 * inner + 2 * N + inner // P, 2 * wide + 2 * N + wide // P
    return [
        gemm("outer in_proj once more", rows, d, in_outer, n),
        gemm("outer in_proj backward", rows, d, in_outer, n, backward=True),
        *mixer("outer", rows, inner, n, "backward"),
        gemm("outer out_proj backward", rows, inner, d, n, backward=True),
        gemm("attention's projections backward", rows, d, 4 * d, 1, backward=True),
        ("attention backward", 3, rows * 13 * d * BF16, rows * (2 + 14 * seen()) * d, "tile"),
        ("outer RMSNorm backward", n + 1, rows * 14 * d * (n + 1), rows * 12 * d * (n + 1), "lanes"),
        gemm("inner in_proj once more", m, e, in_inner, k),
        gemm("inner in_proj backward", m, e, in_inner, k, backward=True),
        *mixer("inner", m, wide, k, "backward"),
        gemm("inner out_proj backward", m, wide, e, k, backward=True),
        gemm("fc1 backward", m, e, 2 * MLP, k, backward=True),
        ("SwiGLU backward", k, m * 5 * MLP * BF16 * k, m * 10 * MLP * k, "lanes"),
        gemm("fc2 backward", m, MLP, e, k, backward=True),
        ("inner RMSNorm backward", 2 * k, m * 14 * e * 2 * k, m * 12 * e * 2 * k, "lanes"),
        gemm("router q, k, residual_proj backward (f32)", rows, d, 3 * d, 1, f32=True, backward=True),
        ("probabilities, dechunk, rows, loss backward", 8, rows * 28 * d + m * 33 * d, 0, "lanes"),
        ("weights to bf16, norm of gradients, AdamW", 3, PARAMETERS * 42, PARAMETERS * 12, "lanes"),
    ]


def seconds(row):
    _, _, moved, flops, kind = row
    memory, compute = moved / (MEMORY * SHARE["memory"]), flops / SHARE[kind]
    return max(memory, compute), "memory" if memory >= compute else BOUND[kind]


def table(rows):
    lines = ["| work | launches | GB | GFLOP | ms | bound by |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        name, launches, moved, flops, _ = row
        time, bound = seconds(row)
        lines.append(f"| {name} | {launches} | {moved / 1e9:.2f} | {flops / 1e9:,.0f} | {time * 1e3:.2f} | {bound} |")
    launches, moved, flops, time = sum(r[1] for r in rows), sum(r[2] for r in rows), sum(r[3] for r in rows), sum(seconds(r)[0] for r in rows)
    lines.append(f"| **total** | {launches} | {moved / 1e9:,.0f} | {flops / 1e9:,.0f} | **{time * 1e3:.0f}** | |")
    return "\n".join(lines), time, flops, launches


def main():
    batch = 32
    rows = batch * LENGTH
    forward = layers(rows) + once(rows)
    text, time, flops, launches = table(forward)
    one = sum(seconds(row)[0] for row in layers(LENGTH) + once(LENGTH))
    back_text, back, back_flops, _ = table(backward(rows))
    recomputed = sum(seconds(row)[0] for row in layers(rows))
    step = time + recomputed + back
    again = sum(seconds(row)[0] for row in forward if row[0].endswith(("in_proj", "out_proj")))
    flips = (OUTER[2] * rows * OUTER[0] + INNER[2] * rows / 4 * INNER[0]) * 2 * 4 / (MEMORY * SHARE["memory"])
    gb = lambda x: f"{x / 1e9:.1f} GB"
    kept = 8 * rows * OUTER[0] * 6 + 10 * rows / 4 * INNER[0] * 6
    model = PARAMETERS * (4 + 4 + 8)
    transient = rows * 48e3
    between = rows * (5 * 4 * OUTER[0]) + rows / 4 * 3 * 4 * INNER[0]
    print(f"""# What the CUDA kernels should take on an H100

**Not run on a GPU: arithmetic, not measurement.** Made by [cuda_roofline.py](cuda_roofline.py), which holds every formula; the counts of bytes and
FLOPs per row are those of the kernels in `src/kernels/cuda`, each tensor counted as often as it is read from or written to memory (reads that
L2 answers not at all), products of short chunks counted in full.

The machine: H100 SXM, {MEMORY / 1e12:.2f} TB/s, {TENSOR / 1e12:.0f} TFLOP/s bf16, {F32 / 1e12:.0f} TFLOP/s f32 (data sheet). Assumed to be reached: 80 % of the memory's speed, 70 % of the tensor
cores' by cuBLAS, a third of theirs by our own kernels (their wmma operands come from shared memory: 1 KB for 8192 FLOPs of a 16-cubed product, half
of it shared by two), 70 % of the f32 units' by cuBLAS. Time is the longer of moving and computing; nothing overlaps.

The work: the 110m model, bf16, {batch} x {LENGTH} bases ({rows:,} rows outside, a quarter of them inside).

## Forward

{text}

That is {rows / time / 1e6:.1f} million bases/s and {flops / time / 1e12:.0f} TFLOP/s, {flops / time / TENSOR:.0%} of the tensor cores' peak. Both strands of a human genome, 6.2 billion bases: {6.2e9 / (rows / time) / 60:.0f} minutes (the
encoder and its router alone, which `boundaries` and `splice-profile` run, take about a third of that).
One sequence of {LENGTH} bases: {one * 1e3:.1f} ms of kernels in {launches} launches besides candle's own; at 5 to 10 microseconds for each launch the host is what bounds it: 2 to 4 ms.

By these bounds the mixers' own kernels are bound by memory, above all by states (chunks of {Q} positions write and read {N} x {P} numbers a head), and the
projections by tensor cores. The next section says what the bounds leave out.

## What they leave out: instructions

A multiprocessor starts four instructions a cycle at most, and most of those of the kernels that multiply are not products. Compiled by nvcc 13.0 for
sm_90 and read from the machine code (counts of one warp, added up by hand along the path that full chunks and a state of {N} take, within 15 %):

| bf16 kernel | unit | instructions at first | now | ms in the outer layers, at first | now | by the table above |
|---|---|--:|--:|--:|--:|--:|
| scan | a chunk, head and direction | 3,240 | 1,650 | 13 | 7 | 5.7 |
| states, both launches | the same | 3,360 | 1,700 | 13 | 7 | 6.1 |
| attention | 64 keys of a block | 1,220 | 1,000 | 9 | 7 | 1.7 |

The times are floors, with all four instructions started in every cycle of 132 multiprocessors at 1.755 GHz; two thirds of that would be good. So these kernels were
bound by instructions, not by memory, and attention still is; scan and states are now about as near to one bound as to the other.

What changed: tiles are read from shared memory by `wmma.load...shared` (`LDSM`) and not through generic addresses, which nvcc took for a plain pointer
(one left and two right tiles, 4 HMMA: 52 to 54 instructions, 12 of them 32-bit loads; now 15 to 18, three of them LDSM); a warp holds 2 x 2 tiles of 16 x 16
where there are enough (32 HMMA by 16 LDSM, 24 by the old way of 16 x 32); threads and the columns of B, C and states are constants, so that loops
unroll and divisions are gone (`bimamba_scan_bf16` as a whole: from 3,978 instructions to 2,360). In f32 a thread sums 4 x 4 elements: 0.1 to 0.5 loads
from shared memory for a multiply-add, not 0.5 to 2.

The next levers, in this order: attention in registers (its scores go through shared memory three times), two elements for one access in gate,
convolution and SwiGLU, the scan fused with the states in inference, chunks of 128 positions (half of the states' traffic), TF32 or bf16x3 for the
router's projections (f32 now, for the sake of its probabilities).

## Backward and the step

Layers recomputed ({recomputed * 1e3:.0f} ms), then:

{back_text}

A training step with recomputed layers: {step * 1e3:.0f} ms, {rows / step / 1e6:.2f} million bases/s, {(flops * 3) / step / 1e12:.0f} useful TFLOP/s; the authors' batch of 1536 windows is {1536 / batch:.0f} such micro-batches, {1536 / batch * step:.0f} s a step.

## Memory of that step

| what | arithmetic | |
|---|---|--:|
| parameters, gradients, moments in f32 | {PARAMETERS:,} x (4 + 4 + 8) bytes | {gb(model)} |
| what enters each layer: residual f32, addition bf16 | 8 x {rows:,} x {OUTER[0]} x 6 + 10 x {rows // 4:,} x {INNER[0]} x 6 bytes | {gb(kept)} |
| between stacks: encoder output, q, k, dechunked, decoder input, and inside | {rows:,} x 5 x 4 x {OUTER[0]} + {rows // 4:,} x 3 x 4 x {INNER[0]} bytes | {gb(between)} |
| one outer BiMamba layer on its way back, at most | {rows:,} x 48 KB | {gb(transient)} |
| **sum** | | **{gb(model + kept + between + transient)}** of 80 GB |

Without recomputation each outer layer would keep about 24 KB a row: {gb(rows * 24e3 * 7)} for seven of them, besides the inner ones: about {gb(rows * 24e3 * 7 + rows / 4 * 50e3 * 10)}.

## Beside the authors' Triton path

Not measured either. Their two cores project separately what is shared here: in_proj and out_proj once more, {again * 1e3:.1f} ms of the forward pass above; they turn
sequences around in memory for the second core, {flips * 1e3:.1f} ms; attention (flash-attn) and the scan's own kernels (mamba-ssm: chunks of 256, states f32) do the same work at
similar traffic, with better tuned tiles. By this arithmetic the forward pass here takes {time / (time + again + flips):.2f} of the time of one that projects twice; padding, which packed sequences do not
have here, comes on top for them.""")


main()
