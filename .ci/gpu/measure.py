#!/usr/bin/env python3
"""What `run` measures, and how it reads what the program prints. Every part ends with one line for the table, after "result: "."""
import argparse, csv, gzip, json, os, re, shutil, struct, subprocess, sys, tarfile, time
from pathlib import Path

START = time.monotonic()


def said(line):
    print(line, flush=True)


def result(line, good=True):
    said(f"result: {line}")
    sys.exit(0 if good else 1)


def trouble(text):
    """The one line of an output that tells what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in (r"CUDA_ERROR\w*|out of memory", r"^error|panicked|Error:", r"no such GPU"):
        for i, line in enumerate(lines):
            if re.search(mark, line):
                follows = f" {lines[i + 1]}" if "panicked at" in line and i + 1 < len(lines) else ""
                return (line + follows)[:200]
    return lines[-1][:200] if lines else "no output"


# --- bench

# What the kernels of a profile are called, and which rows of the roofline page are theirs; " backward" ends the name of what runs on the way back.
GROUPS = [
    (r"linear", r"(in_proj|out_proj|of attention|fc\d|\(f32\))$"),
    (r"bimamba_conv", r"conv, SiLU, split$"),
    (r"bimamba_steps", r"softplus, decay$"),
    (r"bimamba_states", r"states at (segment ends|chunks)$"),
    (r"bimamba_pass", r"pass over segments$"),
    (r"bimamba_scan", r"(outer|inner) scan$"),
    (r"bimamba_gate", r"gate, norm, average$"),
    (r"attention_rotate", r"^rotary$"),
    (r"attention", r"^attention$"),
    (r"(add_)?rms_norm\w*", r"residual, RMSNorm$"),
    (r"swiglu", r"^SwiGLU$"),
    (r"boundary_prob", r"^boundary probabilities$"),
    (r"count_kept|place_kept|gather_rows", r"^compaction, gather$"),
    (r"dechunk_\w+", r"^dechunk$"),
    (r"rest", r"^embedding"),
    (r"linear backward", r"(in_proj|out_proj|projections|fc\d|\(f32\)) backward$|once more$|^router .* backward"),
    (r"bimamba_(conv|steps) backward", r"conv, softplus again$"),
    (r"bimamba_gate(_backward)? backward", r"gate, norm backward$"),
    (r"bimamba_(states|pass) backward", r"states again"),
    (r"bimamba_scan(_backward)? backward", r"scan backward$"),
    (r"bimamba_bc_backward backward", r"B and C backward$"),
    (r"bimamba_conv_backward backward", r"conv backward$"),
    (r"attention_.* backward", r"^attention backward$"),
    (r"rms_norm.* backward|column_sums.* backward", r"RMSNorm backward$"),
    (r"swiglu_backward backward", r"^SwiGLU backward$"),
    (r"adamw|squared_norms.*", r"^weights to bf16"),
    (r"(boundary|dechunk|gather|spread|sum|unpool|cross).*", r"^probabilities, dechunk"),
]


def roofline(path):
    """(name, GB, ms) of every row of the page, forward and backward."""
    tables = re.split(r"^## ", Path(path).read_text(), flags=re.M)
    rows = {}
    for head in ("Forward", "Backward"):
        text = next(part for part in tables if part.startswith(head))
        rows[head] = [(c[0], float(c[2].replace(",", "")), float(c[4])) for c in ([x.strip() for x in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")) if len(c) == 6 and re.fullmatch(r"[\d.,]+", c[2]) and "**" not in c[0]]
    return rows


def profile(run, page):
    """Time of every kind of kernel beside the page, longest first."""
    spent = dict(run["milliseconds_by_operation"])
    train = run["mode"] == "train"
    forward = page["Forward"]
    # A training step runs every layer of the forward pass twice.
    inside = lambda name: train and re.match(r"outer|inner|qkv|rotary|attention|fc|SwiGLU", name)
    expected = [(name, gb * (2 if inside(name) else 1), ms * (2 if inside(name) else 1)) for name, gb, ms in forward] + (page["Backward"] if train else [])
    # What the page counts is 32 x 4096 bases; everything grows with the number of bases but the optimizer.
    scale = run["batch"] * run["length"] / (32 * 4096)
    rows = []
    for names, theirs in GROUPS:
        own = [name for name in spent if re.fullmatch(names, name)]
        ms = sum(spent.pop(name) for name in own)
        listed = [row for row in expected if re.search(theirs, row[0])]
        expected = [row for row in expected if row not in listed]
        if own or listed:
            rows.append((", ".join(own) or f"({listed[0][0]})", ms, scale * sum(r[1] for r in listed), scale * sum(r[2] for r in listed)))
    rows += [(name, ms, 0.0, 0.0) for name, ms in spent.items()]
    rows += [(f"({name})", 0.0, scale * gb, scale * ms) for name, gb, ms in expected]
    rows.sort(key=lambda row: -row[1])
    text = [f"{run['model']} {run['mode']} {run['dtype']}, {run['batch']} x {run['length']}, waiting after every operation", ""]
    text.append(f"{'kernels':<58}{'ms':>9}{'page, ms':>10}{'ratio':>7}{'page, GB':>10}{'TB/s':>7}")
    total = [0.0, 0.0, 0.0]
    for name, ms, gb, expected_ms in rows:
        total = [total[0] + ms, total[1] + expected_ms, total[2] + gb]
        ratio = f"{ms / expected_ms:.1f}" if expected_ms and ms else "-"
        speed = f"{gb / ms:.2f}" if gb and ms else "-"
        text.append(f"{name[:57]:<58}{ms:>9.2f}{expected_ms:>10.2f}{ratio:>7}{gb:>10.2f}{speed:>7}")
    text.append(f"{'sum':<58}{total[0]:>9.2f}{total[1]:>10.2f}{total[0] / max(total[1], 1e-9):>7.1f}{total[2]:>10.2f}")
    return "\n".join(text)


class Bench:
    def __init__(self, a):
        self.a, self.runs, self.failed = a, [], []

    def left(self):
        return self.a.seconds - (time.monotonic() - START)

    def once(self, config, mode, dtype, batch, length, runs, *more):
        """One call of `bench`; None where it fails."""
        name = f"{config} {mode} {dtype} {batch} x {length}{' ' + ' '.join(more) if more else ''}"
        if self.left() < 5:
            return None
        command = [self.a.program, "bench", "--config", config, "--mode", mode, "--batch", str(batch), "--length", str(length), "--runs", str(runs), "--device", self.a.device, "--json", *more]
        command += ["--dtype", dtype] if self.a.device != "cpu" else []
        start = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=min(90, self.left()))
        except subprocess.TimeoutExpired:
            self.failed.append(name)
            said(f"{name}: not done in {time.monotonic() - start:.0f} s")
            return None
        if done.returncode:
            self.failed.append(name)
            said(f"{name}: exit {done.returncode}: {trouble(done.stderr)}")
            if "no such GPU" in done.stderr:
                result(trouble(done.stderr), False)
            return None
        run = json.loads(done.stdout)
        run["wall_seconds"], run["more"] = round(time.monotonic() - start, 1), list(more)
        self.runs.append(run)
        peak = (run.get("gpu") or {}).get("share_of_peak")
        memory = run["peak_bytes"]
        said(
            f"{name}: {run['bases_per_second']:,.0f} bases/s, {run['flops_per_second'] / 1e12:.2f} TFLOP/s"
            + (f", {peak:.3f} of peak" if peak else "")
            + f", {run['efficiency']:.3f} of a product"
            + (f", {memory / 1e9:.1f} GB" if memory else "")
            + f" ({run['wall_seconds']} s)"
        )
        self.save()
        return run

    def save(self):
        part = self.a.out.with_suffix(".partial")
        part.write_text(json.dumps({"bench": self.runs, "failed": self.failed}, indent=1))
        part.rename(self.a.out)

    def grow(self, config, mode, dtype, batches, length):
        """Batches as long as they fit, in memory and in time."""
        more = ["--recompute"] if mode == "train" and config == "110m" else []
        for batch in batches:
            run = self.once(config, mode, dtype, batch, length, 3, *more)
            if run is None or batch * length / run["bases_per_second"] > 2.5:
                return


def bench(a):
    work = Bench(a)
    if a.device == "cpu":
        first, sweep, length = ("2m", 1), [("2m", "forward", "f32"), ("2m", "train", "f32")], 512
        batches, kinds = [1, 2], ["f32", "f32"]
    else:
        first, length = ("110m", 32), 4096
        sweep = [(config, mode, dtype) for dtype in ("bf16", "f32") for config in ("110m", "2m") for mode in ("forward", "train")]
        batches, kinds = [1, 4, 16, 64, 256, 1024], ["bf16", "bf16"]
    page, tables = roofline(a.roofline), []
    for mode, dtype in zip(("forward", "train"), kinds):
        more = ["--recompute"] if mode == "train" else []
        run = work.once(first[0], mode, dtype, first[1], length, 2, *more, "--profile")
        if run:
            tables.append(profile(run, page))
            said("\n" + tables[-1] + "\n")
    for config, mode, dtype in sweep:
        work.grow(config, mode, dtype, batches, length)
    work.save()
    best = {}
    for run in work.runs:
        if "--profile" not in run["more"]:
            key = f"{run['model']} {run['mode']} {run['dtype'].split()[0]}"
            if run["bases_per_second"] > best.get(key, run)["bases_per_second"] or key not in best:
                best[key] = run
    line = "; ".join(f"{key} {run['bases_per_second'] / 1e6:.3g} M bases/s (batch {run['batch']})" for key, run in best.items())
    # The largest batches may fail for lack of memory; the smallest may not.
    poor = [name for name in work.failed if " 1 x " in name or "--profile" in name]
    result((line or "nothing was measured") + (f"; failed: {', '.join(poor)}" if poor else ""), bool(best) and not poor)


# --- the rest


def peer(a):
    """This program and the peer in turn, the same work."""
    lines, good = [], True
    cpu = a.device == "cpu"
    for mode in ("forward", "train"):
        work = Bench(a)
        batch, length, config = (2, 512, "2m") if cpu else (8, 4096, "110m")
        own = lambda: work.once(config, mode, "bf16", batch, length, 3 if cpu else 7)
        before = own()
        left = a.seconds - (time.monotonic() - START)
        share = left * (0.45 if mode == "forward" else 0.9)
        theirs = None
        for eager in ([True] if cpu else [False, True]):
            command = [sys.executable, str(a.peer), "time", "--config", config, "--mode", mode, "--batch", str(batch), "--length", str(length), "--device", a.device, "--runs", "3" if cpu else "7"]
            command += ["--seconds", f"{share:.0f}"] + (["--eager"] if eager else [])
            try:
                # torch brings its own libraries.
                environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
                done = subprocess.run(command, capture_output=True, text=True, timeout=max(5, share), env=environment)
            except subprocess.TimeoutExpired:
                said(f"peer, {mode}{', eager' if eager else ''}: not done in {share:.0f} s")
                share /= 2
                continue
            if done.returncode == 0:
                theirs = json.loads(done.stdout.splitlines()[-1])
                said(json.dumps(theirs))
                break
            said(f"peer, {mode}{', eager' if eager else ''}: exit {done.returncode}: {trouble(done.stderr)}\n{done.stderr[-3000:]}")
        after = own()
        speeds = [run["bases_per_second"] for run in (before, after) if run]
        if theirs and speeds:
            ratio = sum(speeds) / len(speeds) / theirs["bases_per_second"]
            lines.append(f"{mode} {sum(speeds) / len(speeds) / 1e6:.3g} against {theirs['bases_per_second'] / 1e6:.3g} M bases/s ({theirs['peer']}): {ratio:.2f}")
        else:
            good = False
            lines.append(f"{mode}: " + ("the peer failed" if speeds else "the program failed"))
    result("; ".join(lines), good)


def slowest(a):
    """Names of our own kernels that take the most time, over what was profiled."""
    try:
        runs = json.loads(a.bench.read_text())["bench"]
    except (OSError, ValueError):
        runs = []
    spent = {}
    for run in runs:
        for name, ms in run["milliseconds_by_operation"].items():
            name = name.removesuffix(" backward")
            if name not in ("rest", "linear", "bimamba", "pool"):
                spent[name] = spent.get(name, 0.0) + ms
    names = sorted(spent, key=lambda name: -spent[name])[: a.n]
    print("\n".join(names or ["bimamba_scan", "bimamba_states", "attention"][: a.n]))


def parity(a):
    """The largest differences that the parity tests printed, and which of them failed."""
    lines, good = [], True
    for path in a.logs:
        text, name = path.read_text(errors="replace"), path.stem
        passed = "test result: ok. 1 passed" in text
        good &= passed
        if not passed:
            lines.append(f"{name}: {trouble(text)}")
            continue
        off = [float(x) for x in re.findall(r": (\d\.\de-?\d+)$", text, flags=re.M)]
        moved = [float(x) for x in re.findall(r"moved by (\d\.\de-?\d+)", text)]
        logits = [float(x) for x in re.findall(r"logits off by (\d\.\de-?\d+)", text)]
        tipped = [int(x) for x in re.findall(r"(\d+) decisions tipped", text)]
        steps = re.findall(r"^(\S+) step (\d+): loss (\S+)", text, flags=re.M)
        if moved:
            lines.append(f"{name}: probabilities off by {max(moved):.1e}, logits by {max(logits):.1e} of their norm, {sum(tipped)} decisions tipped")
        elif off:
            lines.append(f"{name}: off by {max(off):.1e} at most over {len(off)} outputs")
        elif steps:
            lines.append(f"{name}: gradients and {len(steps)} steps agree (last loss {steps[-1][2]})")
        else:
            lines.append(f"{name}: passed")
    result("; ".join(lines) or "no test ran", good and bool(lines))


def tracks(a):
    """Boundary probabilities of files of `boundaries` against those of the first."""

    def column(path):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
            rows = csv.DictReader((line for line in file if not line.startswith("##")), delimiter="\t")
            field = next(name for name in rows.fieldnames if "boundary_prob" in name)
            return [row[field] for row in rows]

    first, lines, good = column(a.files[0]), [], True
    for path in a.files[1:]:
        other = column(path)
        if len(other) != len(first):
            said(f"{path.name}: {len(other)} rows, {a.files[0].name} has {len(first)}")
            good = False
            continue
        apart = [abs(float(x) - float(y)) for x, y in zip(first, other) if "NA" not in (x, y) and x and y]
        tipped = sum((float(x) > 0.5) != (float(y) > 0.5) for x, y in zip(first, other) if "NA" not in (x, y) and x and y)
        limit = 0.05 if "bf16" in path.name else 1e-3
        good &= max(apart) < limit
        lines.append(f"{path.name.split('.')[0]} off {a.files[0].name.split('.')[0]} by {max(apart):.1e}, {sum(apart) / len(apart):.1e} on average, {tipped} of {len(apart)} decisions tipped")
    said("tracks: " + "; ".join(lines))
    sys.exit(0 if good and lines else 1)


def curve(a):
    """The loss of a run against that of the CPU at the same steps."""

    def rows(path):
        with open(path) as file:
            return {int(row["step"]): row for row in csv.DictReader(file, delimiter="\t")}

    if not a.run.exists():
        result("no step was logged", False)
    own, theirs = rows(a.run), rows(a.reference)
    steps = sorted(own.keys() & theirs.keys())
    if not steps:
        result("no step of the run is one of the CPU's", False)
    said(f"{'step':>6}{'here':>9}{'CPU':>9}{'off':>9}{'compression':>13}{'CPU':>9}{'gradient':>10}{'CPU':>9}{'bases/s':>12}")
    for step in steps:
        x, y = own[step], theirs[step]
        said(f"{step:>6}{float(x['mlm_nats']):>9.4f}{float(y['mlm_nats']):>9.4f}{float(x['mlm_nats']) - float(y['mlm_nats']):>+9.4f}{float(x['compression']):>13.2f}{float(y['compression']):>9.2f}{float(x['grad_norm']):>10.3f}{float(y['grad_norm']):>9.3f}{float(x['bases_per_s']):>12,.0f}")
    off = [abs(float(own[step]["mlm_nats"]) - float(theirs[step]["mlm_nats"])) for step in steps]
    # The first hundred steps may differ while the router finds its way; after that both are near the same loss.
    late = [value for step, value in zip(steps, off) if step > 100] or off
    held = [f"held out {own[s]['validation_mlm_nats']} against {theirs[s]['validation_mlm_nats']} at step {s}" for s in steps if own[s]["validation_mlm_nats"] and theirs[s]["validation_mlm_nats"]][-1:]
    speed = max(float(own[step]["bases_per_s"]) for step in own)
    mean = sum(late) / len(late)
    result(f"{max(own)} steps, {speed:,.0f} bases/s; loss off the CPU's by {mean:.4f} on average, {max(late):.4f} at most" + "".join(f"; {h}" for h in held), mean < 0.02)


def notes_alone(path):
    """A safetensors file with the notes of another and no tensors: enough for a finished pretraining to be known as finished."""
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    text = json.dumps({"__metadata__": head.get("__metadata__", {})}).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def state(a):
    """Packs folders of training so that they can be gone on from: notes and tables first, then models, then what a stopped run needs, as far as
    `--most` bytes go; in parts that fit the limit of a file."""
    files, left_out = [], []
    for root in a.folders:
        files += [path for path in root.rglob("*") if path.is_file() and not path.name.endswith(".partial")]

    def order(path):
        big = path.suffix == ".safetensors"
        return (big, big and path.name == "training.safetensors", -path.stat().st_mtime)

    total, whole = 0, a.out / "state.tar"
    a.out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(whole, "w") as tar:
        for path in sorted(files, key=order):
            name, data = str(path.relative_to(a.root)), None
            if path.name == "training.safetensors" and path.with_name("model.safetensors").exists():
                data = notes_alone(path)
            size = len(data) if data is not None else path.stat().st_size
            if total + size > a.most:
                left_out.append(name)
                continue
            total += size + 1024
            entry = tar.gettarinfo(path, name)
            if data is None:
                with open(path, "rb") as file:
                    tar.addfile(entry, file)
            else:
                temporary = a.out / "notes"
                temporary.write_bytes(data)
                entry.size = len(data)
                with open(temporary, "rb") as file:
                    tar.addfile(entry, file)
                temporary.unlink()
    part, number = 15 * 1024 * 1024, 0
    with open(whole, "rb") as file:
        while block := file.read(part):
            (a.out / f"state.tar.{number:02}").write_bytes(block)
            number += 1
    whole.unlink()
    said(f"state: {len(files) - len(left_out)} files, {total:,} bytes in {number} parts" + (f"; too large to come back: {', '.join(left_out)}" if left_out else ""))


def arms(a):
    """How far pretrainings are."""
    done, begun, bases = 0, [], 0
    for table in sorted(a.folder.glob("pretraining/*/metrics.tsv")):
        rows = list(csv.DictReader(open(table), delimiter="\t"))
        if not rows:
            continue
        bases += int(rows[-1]["bases"])
        if (table.parent / "model.safetensors").exists():
            done += 1
        else:
            begun.append(f"{table.parent.name} at step {rows[-1]['step']}, {rows[-1]['bases_per_s']} bases/s")
    result(f"{done} arms finished, {bases:,} bases" + "".join(f"; {b}" for b in begun), done > 0 or bool(begun))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_subparsers(required=True)

    def part(function, **options):
        command = what.add_parser(function.__name__)
        for name, settings in options.items():
            command.add_argument(name if settings.pop("plain", None) else "--" + name, **settings)
        command.set_defaults(function=function)

    path = lambda **more: dict(type=Path, **more)
    part(bench, program={}, device={}, seconds=dict(type=float), out=path(), roofline=path())
    part(peer, program={}, device={}, seconds=dict(type=float), out=path(), peer=path())
    part(slowest, bench=path(), n=dict(type=int, default=3))
    part(parity, logs=path(plain=True, nargs="+"))
    part(tracks, files=path(plain=True, nargs="+"))
    part(curve, run=path(), reference=path())
    part(arms, folder=path())
    part(state, folders=path(plain=True, nargs="+"), root=path(), out=path(), most=dict(type=int))
    arguments = parser.parse_args()
    arguments.function(arguments)


main()
