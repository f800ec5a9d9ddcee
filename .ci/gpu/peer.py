#!/usr/bin/env python3
"""The model in plain PyTorch, timed: bf16 by autocast, layers through torch.compile, attention by scaled_dot_product_attention.

peer.py time --config 110m --mode forward --batch 8 [--length 4096] [--device cuda] [--eager] [--seconds 60]     one line of JSON
peer.py check GOLDEN     its outputs against the authors' on every golden case, on the CPU

From ../shared/peer (ldarnet_torch.py beside this file), made fit for a GPU: sequences of a batch go through the inner network together, which
needs the same number of kept bases in each (a quarter, the most probable, where the other program takes a threshold with that share), and the
states of chunks are one product with a matrix of decays in place of a loop.
"""
import argparse, json, math, re, statistics, sys, time
from pathlib import Path

import torch
import torch.nn.functional as F

CONFIGS = {
    "110m": dict(arch_layout=["m3t1", ["M10"], "m4"], d_model=[512, 768], d_intermediate=[0, 2560], attn_cfg=dict(num_heads=[16, 16], rotary_emb_dim=[32, 48], window_size=[1023, -1])),
    "2m": dict(arch_layout=["m3t1", ["M6"], "m3"], d_model=[64, 128], d_intermediate=[0, 384], attn_cfg=dict(num_heads=[2, 4], rotary_emb_dim=[32, 32], window_size=[1023, -1])),
}
for _config in CONFIGS.values():
    _config["ssm_cfg"] = dict(d_conv=4, expand=2, d_state=128)
CHUNK, HEAD = 64, 64


def rms(x, w):
    x = x.float()
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * w


def decays(a):
    """exp of sums of a over (j, i], for i >= j, else 0."""
    n = a.shape[-1]
    total = F.pad(a, (1, 0)).cumsum(-1)
    apart = total[..., 1:, None] - total[..., None, 1:]
    return apart.masked_fill(~torch.ones(n, n, dtype=torch.bool, device=a.device).tril(), -math.inf).exp()


def scan(x, dt, A, B, C):
    """x (b, L, H, P), dt (b, L, H), A (H), B and C (b, L, N) -> (b, L, H, P); h_t = exp(A dt) h + dt B x."""
    b, L, H, P = x.shape
    pad = -L % CHUNK
    x, dt, B, C = F.pad(x, (0, 0, 0, 0, 0, pad)), F.pad(dt, (0, 0, 0, pad)), F.pad(B, (0, 0, 0, pad)), F.pad(C, (0, 0, 0, pad))
    c, N = x.shape[1] // CHUNK, B.shape[-1]
    x = (x * dt[..., None]).view(b, c, CHUNK, H, P).transpose(2, 3)
    a = (dt * A).view(b, c, CHUNK, H).transpose(2, 3)
    B, C = B.reshape(b, c, CHUNK, N), C.reshape(b, c, CHUNK, N)
    sums = a.cumsum(-1)
    y = ((C @ B.transpose(-1, -2)).unsqueeze(2) * decays(a)) @ x
    states = (B.unsqueeze(2) * (sums[..., -1:] - sums).exp()[..., None]).transpose(-1, -2) @ x  # b c H N P
    whole = sums[..., -1].transpose(1, 2)  # b H c
    # The state before chunk i: what chunks j < i left, decayed by the chunks between.
    between = F.pad(decays(whole)[..., :-1, :], (0, 0, 1, 0))
    before = (between @ states.transpose(1, 2).flatten(3)).view(b, H, c, N, P).transpose(1, 2)
    y = y + (C.unsqueeze(2) * sums.exp()[..., None]) @ before
    return y.transpose(2, 3).reshape(b, c * CHUNK, H, P)[:, :L]


def core(zx, w):
    inner, taps = w["norm.weight"].numel(), w["conv1d.weight"].shape[-1]
    width = w["conv1d.weight"].shape[0]
    z, x, dt = zx.split([inner, width, zx.shape[-1] - inner - width], -1)
    x = F.conv1d(x.transpose(1, 2), w["conv1d.weight"], w["conv1d.bias"], padding=taps - 1, groups=width)[..., : zx.shape[1]].transpose(1, 2)
    x, B, C = F.silu(x).split([inner, (width - inner) // 2, (width - inner) // 2], -1)
    x = x.reshape(*x.shape[:2], -1, HEAD)
    y = scan(x, F.softplus(dt.float() + w["dt_bias"]), -w["A_log"].exp(), B, C) + x * w["D"][:, None]
    return rms(y.flatten(2) * F.silu(z), w["norm.weight"])


def bimamba(x, w):
    zx = F.linear(x, w["fwd.in_proj.weight"])
    of = lambda way: {key.removeprefix(way): value for key, value in w.items() if key.startswith(way)}
    return F.linear(0.5 * (core(zx, of("fwd.")) + core(zx.flip(1), of("bwd.")).flip(1)), w["fwd.out_proj.weight"])


def attention(x, w, heads, rotary, window):
    b, L, d = x.shape
    q, k, v = F.linear(x, w["Wqkv.weight"]).view(b, L, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    place = torch.arange(L, device=x.device)
    angle = torch.outer(place.float(), 1.0 / 10000 ** (torch.arange(0, rotary, 2, device=x.device).float() / rotary))
    cos, sin, half = angle.cos(), angle.sin(), rotary // 2

    def turned(t):
        m, n = t[..., :half].float(), t[..., half:rotary].float()
        return torch.cat([m * cos - n * sin, n * cos + m * sin, t[..., rotary:].float()], -1).to(t.dtype)

    mask = None if window < 0 else (place[:, None] - place).abs() <= window
    y = F.scaled_dot_product_attention(turned(q), turned(k), v, attn_mask=mask)
    return F.linear(y.transpose(1, 2).reshape(b, L, d), w["out_proj.weight"])


def layer(h, residual, w, heads, rotary, window):
    """One block: what is added to the residual stream, and that stream."""
    residual = h if residual is None else residual + h
    x = rms(residual, w["norm1.weight"])
    mixer = {key.removeprefix("mixer."): value for key, value in w.items() if key.startswith("mixer.")}
    h = attention(x, mixer, heads, rotary, window) if heads else bimamba(x, mixer)
    if "mlp.fc1.weight" in w:
        residual = residual + h
        y, gate = F.linear(rms(residual, w["norm2.weight"]), w["mlp.fc1.weight"]).chunk(2, -1)
        h = F.linear(F.silu(gate) * y, w["mlp.fc2.weight"])
    return h.float(), residual


class Peer:
    """`kept`: how many bases of each sequence go on; None: those with a probability above one half, and then one sequence at a time."""

    def __init__(self, config, tensors, kept=None, compiled=False):
        self.c, self.w, self.kept = config, tensors, kept
        self.layer = torch.compile(layer, dynamic=False) if compiled else layer

    def lin(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def stack(self, prefix, layout, x, stage):
        residual, h, i = None, x, 0
        for kind, n in re.findall(r"([mMtT])(\d+)", layout):
            for _ in range(int(n)):
                here = f"{prefix}layers.{i}."
                w = {key.removeprefix(here): value for key, value in self.w.items() if key.startswith(here)}
                at = lambda key: self.c["attn_cfg"][key][stage] if isinstance(self.c["attn_cfg"][key], list) else self.c["attn_cfg"][key]
                sizes = (at("num_heads"), at("rotary_emb_dim"), at("window_size")) if kind in "tT" else (0, 0, 0)
                h, residual = self.layer(h, residual, w, *sizes)
                i += 1
        return rms(residual + h, self.w[prefix + "rmsnorm.weight"])

    def level(self, prefix, layout, x, stage, out):
        d = x.shape[-1]
        if prefix + "pad_dimension" in self.w:
            x = torch.cat([x, self.w[prefix + "pad_dimension"].expand(*x.shape[:2], -1)], -1)
        if len(layout) == 1:
            return self.stack(prefix + "main_network.", layout[0], x, stage)[..., :d]
        x = self.stack(prefix + "encoder.", layout[0], x, stage)
        # The router is f32 in the other program too.
        with torch.autocast(x.device.type, enabled=False):
            residual = self.lin(prefix + "residual_proj", x)
            q, k = (F.normalize(self.lin(prefix + f"routing_module.{n}_proj_layer", x), dim=-1) for n in "qk")
            s = 0.5 * ((q[:, :-1] * k[:, 1:]).sum(-1) + (q[:, 1:] * k[:, :-1]).sum(-1))
            prob = F.pad(((1 - s) / 2).clamp(0, 1), (1, 0), value=1.0)
        if self.kept is None:
            assert x.shape[0] == 1, "one sequence at a time"
            mask = prob > 0.5
            at = mask[0].nonzero().T
        else:
            at = prob.topk(self.kept, dim=1).indices.sort(dim=1).values
            mask = torch.zeros_like(prob, dtype=torch.bool).scatter(1, at, True)
        out.append((prob, mask))
        wide = at[..., None].expand(-1, -1, x.shape[-1])
        y = self.level(prefix + "main_network.", layout[1], x.gather(1, wide), stage + 1, out)
        with torch.autocast(x.device.type, enabled=False):
            P = prob.gather(1, at).clamp(1e-4, 1 - 1e-4)
            one, minus = torch.ones_like(P)[..., None], -torch.ones(1, device=x.device)

            def average(v, p):
                dt = -torch.log1p(-p)
                return scan((v / dt[..., None])[:, :, None], dt[..., None], minus, p[..., None], one)[:, :, 0]

            z = 0.5 * (average(y.float(), P) + average(y.float().flip(1), P.flip(1)).flip(1))
            z = z.gather(1, (mask.cumsum(1) - 1)[..., None].expand(-1, -1, z.shape[-1]))
            c = torch.where(mask, prob, 1 - prob)[..., None]
            h = z * (c + (1 - c).detach()) + residual
        return self.stack(prefix + "decoder.", layout[2], h, stage)[..., :d]

    def __call__(self, ids):
        out = []
        x = self.level("backbone.", self.c["arch_layout"], F.embedding(ids, self.w["embeddings.weight"]), 0, out)
        return F.linear(x, self.w["lm_head.weight"]), out


def fresh(config, device):
    """Random weights of a configuration, by name."""
    torch.manual_seed(0)
    w, N, taps = {}, config["ssm_cfg"]["d_state"], config["ssm_cfg"]["d_conv"]
    matrix = lambda name, rows, columns: w.__setitem__(name, torch.randn(rows, columns, device=device) / math.sqrt(columns))
    ones = lambda name, n: w.__setitem__(name, torch.ones(n, device=device))

    def stack(prefix, layout, stage):
        d, mlp, i = config["d_model"][stage], config["d_intermediate"][stage], 0
        inner = d * config["ssm_cfg"]["expand"]
        for kind, n in re.findall(r"([mMtT])(\d+)", layout):
            for _ in range(int(n)):
                p, i = f"{prefix}layers.{i}.", i + 1
                ones(p + "norm1.weight", d)
                if kind in "tT":
                    matrix(p + "mixer.Wqkv.weight", 3 * d, d)
                    matrix(p + "mixer.out_proj.weight", d, d)
                else:
                    matrix(p + "mixer.fwd.in_proj.weight", 2 * inner + 2 * N + inner // HEAD, d)
                    matrix(p + "mixer.fwd.out_proj.weight", d, inner)
                    for way in ("mixer.fwd.", "mixer.bwd."):
                        w[p + way + "A_log"] = torch.empty(inner // HEAD, device=device).uniform_(1, 16).log()
                        w[p + way + "dt_bias"] = torch.full((inner // HEAD,), -4.0, device=device)
                        ones(p + way + "D", inner // HEAD)
                        ones(p + way + "norm.weight", inner)
                        w[p + way + "conv1d.weight"] = torch.randn(inner + 2 * N, 1, taps, device=device) / 2
                        w[p + way + "conv1d.bias"] = torch.zeros(inner + 2 * N, device=device)
                if kind in "MT":
                    ones(p + "norm2.weight", d)
                    matrix(p + "mlp.fc1.weight", 2 * mlp, d)
                    matrix(p + "mlp.fc2.weight", d, mlp)
        ones(prefix + "rmsnorm.weight", d)

    def level(prefix, layout, stage):
        d = config["d_model"][stage]
        if stage:
            w[prefix + "pad_dimension"] = torch.zeros(d - config["d_model"][stage - 1], device=device)
        if len(layout) == 1:
            return stack(prefix + "main_network.", layout[0], stage)
        stack(prefix + "encoder.", layout[0], stage)
        for name in ("routing_module.q_proj_layer", "routing_module.k_proj_layer", "residual_proj"):
            matrix(prefix + name + ".weight", d, d)
        w[prefix + "residual_proj.bias"] = torch.zeros(d, device=device)
        level(prefix + "main_network.", layout[1], stage + 1)
        stack(prefix + "decoder.", layout[2], stage)

    d = config["d_model"][0]
    matrix("embeddings.weight", 7, d)
    level("backbone.", config["arch_layout"], 0)
    matrix("lm_head.weight", 7, d)
    return w


def ratio_loss(prob, mask, n):
    g, f = prob.mean(), mask.float().mean()
    return n / (n - 1) * ((n - 1) * f * g + (1 - f) * (1 - g))


def timed(a):
    device = torch.device(a.device)
    torch.set_float32_matmul_precision("high")
    ids = torch.randint(0, 4, (a.batch, a.length), device=device)
    w = fresh(CONFIGS[a.config], device)
    net = Peer(CONFIGS[a.config], w, kept=a.length // 4, compiled=not a.eager)
    bf16 = lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def forward():
        with torch.no_grad(), bf16():
            net(ids)

    if a.mode == "train":
        for tensor in w.values():
            tensor.requires_grad_()
        optimizer = torch.optim.AdamW(w.values(), lr=1e-6, fused=device.type == "cuda")

    def train():
        with bf16():
            logits, out = net(ids)
            loss = F.cross_entropy(logits.flatten(0, 1).float(), ids.flatten()) + sum(0.03 * ratio_loss(p, m, 4.0) for p, m in out)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    run = train if a.mode == "train" else forward
    start = time.perf_counter()
    run(), run(), wait()
    compiled = time.perf_counter() - start
    seconds = []
    while len(seconds) < 3 or (len(seconds) < a.runs and time.perf_counter() - start < a.seconds):
        wait()
        t = time.perf_counter()
        run(), wait()
        seconds.append(time.perf_counter() - t)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    print(json.dumps({
        "peer": "eager" if a.eager else "torch.compile", "torch": torch.__version__, "config": a.config, "mode": a.mode, "dtype": "bf16", "length": a.length, "batch": a.batch,
        "runs": len(seconds), "first_two_seconds": round(compiled, 1), "bases_per_second": a.batch * a.length / statistics.median(seconds),
        "bases_per_second_max": a.batch * a.length / min(seconds), "peak_bytes": memory,
    }), flush=True)


def check(folder):
    from safetensors.torch import load_file

    worst = 0.0
    for notes in sorted(folder.glob("*.json")):
        saved = torch.load(folder / f"{notes.stem}.pt", map_location="cpu", weights_only=False)
        net = Peer(saved["config"], {key: value.float() for key, value in saved["model"].items()})
        want, i = load_file(folder / f"{notes.stem}.expected.safetensors"), 0
        while f"case{i}.input_ids" in want:
            with torch.no_grad():
                logits, out = net(want[f"case{i}.input_ids"][None])
            off = [(logits[0] - want[f"case{i}.logits"]).abs().max().item()]
            for s, (prob, mask) in enumerate(out):
                off.append((prob[0] - want[f"case{i}.stage{s}.boundary_prob"]).abs().max().item())
                assert (mask[0] == want[f"case{i}.stage{s}.boundary_mask"].bool()).all(), f"{notes.stem} case {i}: mask"
            worst, i = max(worst, *off), i + 1
        print(f"{notes.stem}: {i} cases")
    print(f"worst difference {worst:.1e}")
    if worst > 1e-4:
        sys.exit("the peer is not the authors' model")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(required=True)
    t = what.add_parser("time")
    t.add_argument("--config", choices=CONFIGS, default="110m")
    t.add_argument("--mode", choices=["forward", "train"], default="forward")
    t.add_argument("--batch", type=int, default=8)
    t.add_argument("--length", type=int, default=4096)
    t.add_argument("--runs", type=int, default=7)
    t.add_argument("--seconds", type=float, default=60)
    t.add_argument("--device", default="cuda")
    t.add_argument("--eager", action="store_true")
    t.set_defaults(run=timed)
    c = what.add_parser("check")
    c.add_argument("folder", type=Path)
    c.set_defaults(run=lambda a: check(a.folder))
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
