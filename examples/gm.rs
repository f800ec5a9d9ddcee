#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use ldar::kernels::gemm::{Matrix, product};
use std::time::Instant;
fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(std::env::args().nth(1).unwrap().parse().unwrap()).build_global().unwrap();
    for (m, n, k) in [(4096, 512, 64), (4096, 514, 64), (4096, 64, 128), (700, 772, 128), (700, 128, 384), (4096, 64, 64), (2048, 2048, 2048), (4096, 2304, 512), (1024, 5120, 768), (1024, 768, 2560)] {
        let a = vec![1.0_f32; m * k];
        let b = vec![1.0_f32; n * k];
        for (name, tr) in [("nt", 0), ("nn", 1), ("tn", 2)] {
            let mut best = f64::MAX;
            let mut keep = None;
            for _ in 0..8 {
                let t = Instant::now();
                keep = Some(match tr {
                    0 => product(m, n, k, Matrix::rows(&a, k), Matrix::rows(&b, k).transpose()),
                    1 => product(m, n, k, Matrix::rows(&a, k), Matrix::rows(&b, n)),
                    _ => product(m, n, k, Matrix::rows(&a, m).transpose(), Matrix::rows(&b, n)),
                });
                best = best.min(t.elapsed().as_secs_f64());
            }
            std::hint::black_box(keep);
            print!("{m} x {n} x {k} {name}: {:.0} GF/s   ", 2.0 * (m * n * k) as f64 / best / 1e9);
        }
        println!();
    }
}
